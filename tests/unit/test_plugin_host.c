/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The test itself is the "plug-in": it calls the functions that the program exports. */
#include "fake_switch.h"

#include <vdeplugin.h>

#include "vde/switch/command.h"
#include "vde/switch/debug.h"
#include "vde/switch/plugin_host.h"

static struct vde_switch sw;
static struct fake one, two;
static char said[256];

static int set_up(void **state)
{
	(void)state;
	memset(&sw, 0, sizeof(sw));
	said[0] = '\0';
	fake_switch_init(&sw);
	fake_attach(&sw, 1, &one);
	fake_attach(&sw, 2, &two);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	switch_done(&sw);
	return 0;
}

/* Commands. */

static int no_argument(void)
{
	return (int)strlen(strcpy(said, "no argument")) > 0 ? 0 : 1;
}

static int integer(int number)
{
	return number;
}

static int text(char *argument)
{
	(void)snprintf(said, sizeof(said), "<%s>", argument);
	argument[0] = '\0'; /* the ABI lets it */
	return 0;
}

static int file_only(FILE *file)
{
	printoutc(file, "line %d", 1);
	printoutc(file, "line %d", 2);
	return ENOENT;
}

static int file_fd_text(FILE *file, int fd, char *argument)
{
	printoutc(file, "%d %s", fd, argument);
	return 0;
}

static int fd_integer(int fd, int number)
{
	return fd == -1 && number == 3 ? 0 : EINVAL;
}

static int leave(void)
{
	return -1;
}

static struct comlist commands[] = {
	{ "test", "============", "TEST MENU", NULL, NOARG },
	{ "test/none", "", "help", no_argument, NOARG },
	{ "test/integer", "N", "help", integer, INTARG },
	{ "test/text", "S", NULL, text, STRARG },
	{ "test/file", NULL, "help", file_only, NOARG | WITHFILE },
	{ "test/all", "", "help", file_fd_text, STRARG | WITHFILE | WITHFD },
	{ "test/fdint", "", "help", fd_integer, INTARG | WITHFD },
	{ "test/leave", "", "help", leave, NOARG },
};

static const char *answer(const char *line)
{
	static struct strbuf out;

	strbuf_done(&out);
	(void)console_run_line(&sw, NULL, line, &out);
	return strbuf_text(&out);
}

static void runs_commands(void **state)
{
	(void)state;
	ADDCL(commands);
	assert_string_equal(answer("test"), "1038 Function not implemented\n");
	assert_string_equal(answer("test/none"), "1000 Success\n");
	assert_string_equal(said, "no argument");
	assert_string_equal(answer("test/integer 5"), "1005 Input/output error\n");
	assert_string_equal(answer("test/integer"), "1000 Success\n");
	assert_string_equal(answer("test/integer 0x10"), "1000 Success\n"); /* decimal: 0 */
	assert_string_equal(answer("test/text  a b  "), "1000 Success\n");
	assert_string_equal(said, "<a b>");
	assert_string_equal(answer("test/file"), "0000 DATA END WITH '.'\nline 1\nline 2\n.\n"
						 "1002 No such file or directory\n");
	assert_string_equal(answer("test/all x y"), "0000 DATA END WITH '.'\n-1 x y\n.\n"
						    "1000 Success\n");
	assert_string_equal(answer("test/fdint 3"), "1000 Success\n");
	assert_string_equal(answer("test/leave"), "9999 END OF SESSION");
	assert_non_null(strstr(answer("help test"), "test               ============    TEST MENU"));
	DELCL(commands);
	DELCL(commands);
	assert_string_equal(answer("test/none"), "1038 Function not implemented\n");
	assert_null(strstr(answer("help"), "test/"));
}

/* Categories. */

static void keeps_categories(void **state)
{
	static struct dbgcl categories[] = {
		{ .path = "test/one", .help = "first", .tag = 0701 },
		{ .path = "test/hidden", .tag = 0702 },
	};

	(void)state;
	ADDDBGCL(categories);
	ADDDBGCL(categories); /* twice is once */
	assert_non_null(strstr(answer("debug/list test"),
			       "test/one               701 OFF    first\n.\n"));
	assert_int_equal(debug_subscribe(&sw, 3, "test"), 0);
	assert_int_equal(categories[0].nfds, 1);
	assert_int_equal(debug_subscribe(&sw, 9, "test/one"), 0);
	assert_int_equal(categories[0].nfds, 2);
	assert_int_equal(debug_subscribe(&sw, 9, "test/hidden"), -EINVAL);
	debug_forget_slot(&sw, 3);
	assert_int_equal(categories[0].nfds, 1);
	DELDBGCL(categories);
	assert_int_equal(categories[0].nfds, 0);
	assert_null(strstr(answer("debug/list"), "test/"));
	debugout(&categories[0], "is not there");
}

/* Events. */

static int count_event(struct dbgcl *event, void *arg, va_list values)
{
	(void)event;
	(void)values;
	++*(int *)arg;
	return 0;
}

static int note_port(struct dbgcl *event, void *arg, va_list values)
{
	int port = va_arg(values, int);

	(void)snprintf(said, sizeof(said), "%s %d %o %s", event->path, port, event->tag,
		       (char *)arg);
	return 0;
}

static void gets_events(void **state)
{
	struct fake three;
	char argument[] = "arg";

	(void)state;
	assert_int_equal(eventadd(note_port, "nosuch", argument), EINVAL);
	assert_int_equal(eventdel(note_port, "port/-", argument), ENOENT);
	assert_int_equal(eventdel(note_port, "nosuch", argument), EINVAL);
	assert_int_equal(eventadd(note_port, "port/-", argument), 0);
	assert_int_equal(eventadd(note_port, "port/+", argument), 0);
	fake_attach(&sw, 5, &three);
	assert_string_equal(said, "port/+ 5 21 arg");
	endpoint_close(&sw, three.ep);
	assert_string_equal(said, "port/- 5 22 arg");
	assert_int_equal(eventdel(note_port, "port", argument), 0); /* by prefix, both */
	assert_int_equal(eventdel(note_port, "port", argument), ENOENT);
}

/* Far more than the original's array held, and all of them are called. */
static void many_callbacks(void **state)
{
	static int counts[500];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		assert_int_equal(eventadd(count_event, "sig", &counts[i]), 0);
		assert_int_equal(eventadd(count_event, "sig", &counts[i]), 0); /* still once */
	}
	plugin_host_event(&sw, DEBUG_SIG_HUP, 1);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		assert_int_equal(counts[i], 1);
		assert_int_equal(eventdel(count_event, "sig", &counts[i]), 0);
	}
	plugin_host_event(&sw, DEBUG_SIG_HUP, 1);
	assert_int_equal(counts[499], 1);
}

/* Packets. */

static int on_packet(struct dbgcl *event, void *arg, va_list values)
{
	int port = va_arg(values, int);
	unsigned char *frame = va_arg(values, unsigned char *);
	int len = va_arg(values, int);
	int *verdict = arg;

	(void)snprintf(said, sizeof(said), "%s %d %d", event->path, port, len);
	if (*verdict > 0)
		frame[20] = 0x55;
	return *verdict;
}

static void sees_packets(void **state)
{
	static const uint8_t frame[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 0 };
	int verdict = 0;

	(void)state;
	assert_false(plugin_host_wants_packets(&sw, false));
	assert_int_equal(eventadd(on_packet, "packet/in", &verdict), 0);
	assert_true(plugin_host_wants_packets(&sw, false));
	assert_false(plugin_host_wants_packets(&sw, true));
	fake_send(&sw, &one, frame, sizeof(frame), 60);
	assert_string_equal(said, "packet/in 1 60");
	assert_int_equal(two.count, 1);
	verdict = -1;
	fake_send(&sw, &one, frame, sizeof(frame), 60);
	assert_int_equal(two.count, 1);
	assert_int_equal(one.ep->counters.drops[DROP_PLUGIN], 1);
	verdict = 64;
	fake_send(&sw, &one, frame, sizeof(frame), 60);
	assert_int_equal(two.count, 2);
	assert_int_equal(two.frames[1].len, 64);
	assert_int_equal(two.frames[1].data[20], 0x55);
	verdict = 100000; /* larger than any frame */
	fake_send(&sw, &one, frame, sizeof(frame), 60);
	assert_int_equal(two.count, 2);
	assert_int_equal(eventdel(on_packet, "packet", &verdict), 0);
	verdict = -1;
	assert_int_equal(eventadd(on_packet, "packet/out", &verdict), 0);
	fake_send(&sw, &one, frame, sizeof(frame), 60);
	assert_string_equal(said, "packet/out 2 60");
	assert_int_equal(two.count, 2);
	assert_int_equal(eventdel(on_packet, "packet", &verdict), 0);
}

/* Ports and timers. */

static void asks_for_ports(void **state)
{
	(void)state;
	assert_int_equal(port_user(1), one.ep->user);
	assert_int_equal(port_user(3), (uid_t)-1);
	assert_int_equal(port_user(-1), (uid_t)-1);
	assert_int_equal(port_user(1 << 30), (uid_t)-1);
	strcpy(one.ep->descr, "somebody");
	assert_string_equal(port_descr(1, 0), "somebody");
	assert_string_equal(port_descr(1, -1), "somebody");
	assert_null(port_descr(1, 1));
	assert_null(port_descr(9, 0));
	assert_int_equal(qtime(), 0);
	qtime_csenter();
	qtime_csexit();
}

static unsigned timer_number;

static void stop_itself(void *arg)
{
	++*(int *)arg;
	qtimer_del(timer_number);
}

static void runs_timers(void **state)
{
	int count = 0, once = 0;
	unsigned never;

	(void)state;
	timer_number = qtimer_add(0, 0, stop_itself, &count); /* 0 is taken as 1 second */
	assert_int_not_equal(timer_number, 0);
	assert_int_not_equal(qtimer_add(1, 1, stop_itself, &once), timer_number);
	never = qtimer_add(1000, 0, stop_itself, &count);
	qtimer_del(never);
	qtimer_del(never);
	assert_int_equal(loop_run_once(sw.loop, 2000), 0);
	if (!count || !once)
		assert_int_equal(loop_run_once(sw.loop, 2000), 0);
	assert_int_equal(count, 1);
	assert_int_equal(once, 1);
	assert_int_equal(loop_run_once(sw.loop, 0), 0);
	assert_int_equal(count, 1);
}

/* What is still registered at the end is no harm. */
static void forgets(void **state)
{
	static struct dbgcl categories[] = { { .path = "test/left", .help = "h", .tag = 1 } };
	static int count;

	(void)state;
	ADDCL(commands);
	ADDDBGCL(categories);
	(void)eventadd(count_event, "packet", &count);
	(void)qtimer_add(1, 0, stop_itself, &count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(runs_commands, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keeps_categories, set_up, tear_down),
		cmocka_unit_test_setup_teardown(gets_events, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_callbacks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sees_packets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(asks_for_ports, set_up, tear_down),
		cmocka_unit_test_setup_teardown(runs_timers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(forgets, set_up, tear_down),
	};

	return RUN_TESTS(tests);
}
