/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client against a console that a thread plays from a script. */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/io.h"
#include "vde/mgmt/client.h"

#define GREETING "VDE switch V.2.3.2 x\n(C) GPLv2\n\nvde$ "

/* Each answer is given for one line read; NULL ends. "" answers nothing. */
struct console {
	char directory[64], path[96];
	const char *const *answers;
	const char *greeting;
	int listener;
	pthread_t thread;
	char got[4096]; /* all lines that were read */
	atomic_int reads;
};

static void *play(void *argument)
{
	struct console *console = argument;
	int fd = accept4(console->listener, NULL, NULL, SOCK_CLOEXEC);

	(void)io_write_all(fd, console->greeting, strlen(console->greeting));
	for (size_t i = 0; console->answers[i]; i++) {
		char line[1024];
		ssize_t len = io_read(fd, line, sizeof(line) - 1);

		if (len <= 0)
			break;
		line[len] = '\0';
		strcat(console->got, line);
		atomic_fetch_add(&console->reads, 1);
		(void)io_write_all(fd, console->answers[i], strlen(console->answers[i]));
	}
	(void)close(fd);
	return NULL;
}

static void console_start(struct console *console, const char *greeting,
			  const char *const *answers)
{
	*console = (struct console){ .answers = answers, .greeting = greeting };
	(void)snprintf(console->path, sizeof(console->path), "%s/mgmt",
		       test_directory(console->directory));
	console->listener = io_listen_unix(console->path, SOCK_STREAM, 0600, (gid_t)-1, 5);
	assert_true(console->listener >= 0);
	assert_int_equal(io_set_nonblock(console->listener, false), 0); /* the thread waits for the client */
	assert_int_equal(pthread_create(&console->thread, NULL, play, console), 0);
}

static void console_stop(struct console *console)
{
	assert_int_equal(pthread_join(console->thread, NULL), 0);
	(void)close(console->listener);
	assert_int_equal(unlink(console->path), 0);
	assert_int_equal(rmdir(console->directory), 0);
}

static void test_command(void **state)
{
	static const char *const answers[] = {
		"0000 DATA END WITH '.'\none\n\ntwo\n.\n1000 Success\n\nvde$ ",
		"3021 port/+ 02\n1111 Connection refused\n\nvde$ 3131 port/ep/+ Port 02\n",
		"\nvde$ ",
		"9999 END OF SESSION",
		NULL,
	};
	struct console console;
	struct mgmt_client *c = NULL;
	struct mgmt_reply reply = { 0 };
	struct mgmt_async *async;
	char *version;

	(void)state;
	console_start(&console, GREETING, answers);
	assert_int_equal(mgmt_client_open(&c, console.path, 2000, NULL), 0);
	assert_string_equal(strbuf_text(&c->banner), "VDE switch V.2.3.2 x\n(C) GPLv2");
	version = mgmt_version(strbuf_text(&c->banner));
	assert_string_equal(version, "2.3.2");
	free(version);

	assert_int_equal(mgmt_client_command(c, "list", &reply), 0);
	assert_int_equal(reply.code, 0);
	assert_true(reply.has_data);
	assert_int_equal(reply.data.len, 12);
	assert_memory_equal(reply.data.data, "one\n\0\n\0two\n\0", 12);
	assert_string_equal(mgmt_reply_line(&reply, mgmt_reply_line(&reply, NULL)), "\n");

	assert_int_equal(mgmt_client_command(c, "fail", &reply), 0);
	assert_int_equal(reply.code, 111);
	assert_string_equal(strbuf_text(&reply.message), "Connection refused");
	assert_false(reply.has_data);
	assert_int_equal(mgmt_client_command(c, "#", &reply), 0);
	assert_int_equal(reply.code, -1);
	async = mgmt_client_take_async(c);
	assert_int_equal(async->tag, 021);
	assert_string_equal(async->text, "port/+ 02");
	free(async);
	async = mgmt_client_take_async(c);
	assert_int_equal(async->tag, 0131);
	free(async);
	assert_null(mgmt_client_take_async(c));

	assert_int_equal(mgmt_client_command(c, "two\nlines", &reply), -EINVAL);
	assert_int_equal(mgmt_client_command(c, "logout", &reply), -ESHUTDOWN);
	assert_int_equal(mgmt_client_command(c, "more", &reply), -ECONNRESET);
	mgmt_reply_done(&reply);
	mgmt_client_free(c);
	console_stop(&console);
	assert_string_equal(console.got, "list\nfail\n#\nlogout\n");
}

/* The answer to a command that nobody waited for is not taken for that of the next. */
static void test_late_answer(void **state)
{
	static const char *const answers[] = {
		"",
		"0000 DATA\nlate\n.\n1022 Late\n\nvde$ ",
		"0000 DATA\nright\n.\n1000 Success\n\nvde$ ",
		NULL,
	};
	struct console console;
	struct mgmt_client *c = NULL;
	struct mgmt_reply reply = { 0 };

	(void)state;
	console_start(&console, GREETING, answers);
	assert_int_equal(mgmt_client_open(&c, console.path, 2000, NULL), 0);
	c->timeout_ms = 20;
	assert_int_equal(mgmt_client_command(c, "slow", &reply), -ETIMEDOUT);
	c->timeout_ms = 2000;
	assert_int_equal(c->owed, 1);
	/* The console answers the first when it reads something more. */
	assert_int_equal(io_write_all(c->fd, "#", 1), 0);
	while (atomic_load(&console.reads) < 2) /* by itself: not together with the next */
		(void)sched_yield();
	assert_int_equal(mgmt_client_command(c, "fast", &reply), 0);
	assert_int_equal(reply.code, 0);
	assert_string_equal(mgmt_reply_line(&reply, NULL), "right\n");
	mgmt_reply_done(&reply);
	mgmt_client_free(c);
	console_stop(&console);
}

static void test_open_errors(void **state)
{
	static const char *const answers[] = { NULL };
	struct console console;
	struct mgmt_client *c = NULL;
	struct error error = { 0 };

	(void)state;
	assert_int_equal(mgmt_client_open(&c, "/nonexistent/mgmt", 100, &error), -ENOENT);
	assert_non_null(strstr(error.text, "/nonexistent/mgmt"));
	console_start(&console, "hello\n", answers);
	assert_int_equal(mgmt_client_open(&c, console.path, 2000, &error), -ECONNRESET);
	assert_null(c);
	console_stop(&console);
}

static void test_words(void **state)
{
	static const char table[] = "COMMAND PATH  SYNTAX  HELP\n\0-----------   ------  ----\n\0"
				    "port          ============    PORT MENU\n\0"
				    "port/print    [N]     print\n\0help    [arg]   Help\n";
	struct strbuf text = { 0 };
	char **words;

	(void)state;
	strbuf_append(&text, table, sizeof(table));
	words = mgmt_help_words(&text);
	assert_string_equal(words[0], "help");
	assert_string_equal(words[1], "port/print");
	assert_null(words[2]);
	mgmt_words_free(words);
	words = mgmt_table_words(&text);
	assert_string_equal(words[0], "port");
	assert_string_equal(words[2], "help");
	assert_null(words[3]);
	mgmt_words_free(words);
	strbuf_clear(&text);
	words = mgmt_table_words(&text);
	assert_null(words[0]);
	mgmt_words_free(words);
	strbuf_done(&text);
}

static void test_exit_status(void **state)
{
	(void)state;
	assert_int_equal(mgmt_exit_status(0), 0);
	assert_int_equal(mgmt_exit_status(133), 133);
	assert_int_equal(mgmt_exit_status(254), 254);
	assert_int_equal(mgmt_exit_status(524), 254);
	assert_int_equal(mgmt_exit_status(-1), 255);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command), cmocka_unit_test(test_late_answer),
		cmocka_unit_test(test_open_errors), cmocka_unit_test(test_words),
		cmocka_unit_test(test_exit_status),
	};

	return RUN_TESTS(tests);
}
