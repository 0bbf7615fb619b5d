/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_switch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "vde/switch/capture.h"
#include "vde/switch/vlan.h"
#include "wire/cursor.h"

static const uint8_t frame_1[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x06 };
static const uint8_t frame_2[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00 };

/* What a file of captures has in it. */
struct content {
	unsigned interfaces, packets, in, out, statistics;
	uint64_t received, dropped;
	size_t first_captured, first_original;
};

static void take_options(struct cursor c, struct content *content, uint32_t type)
{
	while (c.left) {
		uint16_t head[2] = { 0 };
		uint64_t value = 0;
		struct cursor option;

		assert_true(cursor_copy(&c, head, sizeof(head)));
		if (!head[0])
			return;
		option = cursor_cut(&c, head[1]);
		assert_non_null(cursor_take(&c, (4 - head[1] % 4) % 4));
		(void)cursor_copy(&option, &value, MIN(option.left, sizeof(value)));
		if (type == 6 && head[0] == 2) {
			content->in += (value & 3) == 1;
			content->out += (value & 3) == 2;
		} else if (type == 5) {
			content->received += head[0] == 4 ? value : 0;
			content->dropped += head[0] == 5 ? value : 0;
		}
	}
}

static void take_block(struct cursor body, uint32_t type, struct content *content)
{
	uint32_t captured, original;

	switch (type) {
	case 1:
		content->interfaces++;
		break;
	case 5:
		content->statistics++;
		assert_non_null(cursor_take(&body, 12));
		take_options(body, content, type);
		break;
	case 6:
		assert_true(cursor_host32(&body) < content->interfaces);
		assert_non_null(cursor_take(&body, 8));
		captured = cursor_host32(&body);
		original = cursor_host32(&body);
		assert_non_null(cursor_take(&body, (captured + 3) & ~3u));
		if (!content->packets++) {
			content->first_captured = captured;
			content->first_original = original;
		}
		take_options(body, content, type);
		break;
	default:
		assert_int_equal(type, 0x0a0d0d0a);
	}
}

/* Also checks that the file is made of whole blocks. */
static struct content read_capture(const char *path)
{
	static char data[8 * 1024 * 1024];
	struct content content = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;
	struct cursor c;

	assert_true(fd >= 0);
	while ((n = read(fd, data + len, sizeof(data) - len)) > 0)
		len += (size_t)n;
	assert_int_equal(close(fd), 0);
	c = cursor_of(data, len);
	while (c.left) {
		uint32_t type = cursor_host32(&c);
		uint32_t size = cursor_host32(&c);
		struct cursor body = cursor_cut(&c, size - 12);

		assert_int_equal(cursor_host32(&c), size);
		assert_true(c.ok && body.ok);
		take_block(body, type, &content);
	}
	return content;
}

static struct vde_switch sw;
static struct fake one, two;
static char directory[64], path[80];

static int set_up(void **state)
{
	(void)state;
	memset(&sw, 0, sizeof(sw));
	sw.settings.no_sandbox = true;
	fake_switch_init(&sw);
	fake_attach(&sw, 1, &one);
	fake_attach(&sw, 2, &two);
	(void)snprintf(path, sizeof(path), "%s/c.pcapng", test_directory(directory));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	switch_done(&sw);
	(void)unlink(path);
	return rmdir(directory);
}

static struct capture_request request_of(int port)
{
	return (struct capture_request){ .port = port, .snap_len = CAPTURE_SNAP_LEN, .filter = "" };
}

static int begin(const struct capture_request *request)
{
	return capture_start(&sw, request, path, NULL);
}

static void traffic(void)
{
	fake_send(&sw, &one, frame_1, sizeof(frame_1), 60);
	fake_send(&sw, &two, frame_2, sizeof(frame_2), 100);
	assert_int_equal(loop_run_once(sw.loop, 0), 0);
}

/* Once each, on the way in, and on the interface of its port. */
static void whole_switch(void **state)
{
	struct capture_request request = request_of(CAPTURE_ALL_PORTS);
	struct content content;

	(void)state;
	assert_int_equal(begin(&request), 1);
	traffic();
	assert_int_equal(capture_stop(&sw, 1), 0);
	assert_int_equal(capture_stop(&sw, 1), -ENOENT);
	traffic(); /* is too late */
	content = read_capture(path);
	assert_int_equal(content.interfaces, 2);
	assert_int_equal(content.packets, 2);
	assert_int_equal(content.in, 2);
	assert_int_equal(content.statistics, 2);
	assert_int_equal(content.received, 2);
	assert_int_equal(content.dropped, 0);
	assert_int_equal(content.first_original, 60);
}

static void one_port(void **state)
{
	struct capture_request request = request_of(2);
	struct content content;

	(void)state;
	request.snap_len = 20;
	assert_int_equal(begin(&request), 1);
	assert_true(capture_wants(&sw, port_find(&sw, 2)));
	assert_false(capture_wants(&sw, port_find(&sw, 1)));
	traffic();
	assert_int_equal(capture_stop(&sw, 1), 0);
	assert_false(capture_wants(&sw, port_find(&sw, 2)));
	content = read_capture(path);
	assert_int_equal(content.interfaces, 1);
	assert_int_equal(content.in, 1);
	assert_int_equal(content.out, 1);
	assert_int_equal(content.first_captured, 20);
	assert_int_equal(content.first_original, 60);
}

static void filtered(void **state)
{
	struct capture_request request = request_of(CAPTURE_ALL_PORTS);

	(void)state;
	request.filter = "arp";
	assert_int_equal(begin(&request), 1);
	traffic();
	assert_int_equal(capture_stop(&sw, 1), 0);
	assert_int_equal(read_capture(path).packets, 1);
}

/* A reader that stalls gets whole blocks, and the number of those that it missed. */
static void drops_are_counted(void **state)
{
	struct capture_request request = request_of(1);
	const unsigned sent = 2000;
	static char data[64 * 1024];
	struct content content;
	int fifo, copy;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(begin(&request), -ENXIO); /* nobody reads */
	fifo = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fifo >= 0);
	assert_int_equal(begin(&request), 1);
	assert_int_equal(begin(&request), -EEXIST);
	for (unsigned i = 0; i < sent; i++) {
		fake_send(&sw, &one, frame_1, sizeof(frame_1), 9000);
		two.count = 0;
	}
	assert_int_equal(loop_run_once(sw.loop, 0), 0);
	assert_int_equal(capture_stop(&sw, 1), 0);
	assert_int_equal(unlink(path), 0);
	copy = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(copy >= 0);
	for (;;) { /* the last part comes when the switch closes its end */
		ssize_t len = read(fifo, data, sizeof(data));

		if (len == 0)
			break;
		if (len > 0)
			assert_int_equal(write(copy, data, (size_t)len), len);
		assert_int_equal(loop_run_once(sw.loop, 0), 0);
	}
	assert_int_equal(close(copy), 0);
	assert_int_equal(close(fifo), 0);
	content = read_capture(path);
	assert_in_range(content.packets, 400, sent - 1);
	assert_int_equal(content.received, sent);
	assert_int_equal(content.packets + content.dropped, sent);
}

static void wrong_requests(void **state)
{
	struct capture_request request = request_of(31);

	(void)state;
	assert_int_equal(begin(&request), -ENXIO);
	request.port = 1;
	request.filter = "host nowhere";
	assert_int_equal(begin(&request), -EINVAL);
	request.filter = "";
	assert_int_equal(capture_start(&sw, &request, "/dev/null", NULL), -EINVAL);
	assert_int_equal(capture_start(&sw, &request, "/nonexistent/file", NULL), -ENOENT);
	assert_int_equal(capture_start(&sw, &request, directory, NULL), -EISDIR);
	assert_int_equal(capture_stream(&sw, &request, NULL, NULL), -ENOTSOCK);
	assert_int_equal(access(path, F_OK), -1); /* none was made */
}

/* The table is bounded; numbers are used again. */
static void full_table(void **state)
{
	struct capture_request request = request_of(1);
	char name[120];

	(void)state;
	for (int i = 1; i <= CAPTURE_MAX; i++) {
		(void)snprintf(name, sizeof(name), "%s.%d", path, i);
		assert_int_equal(capture_start(&sw, &request, name, NULL), i);
	}
	assert_int_equal(begin(&request), -ENOSPC);
	assert_int_equal(capture_stop(&sw, 7), 0);
	assert_int_equal(begin(&request), 7);
	for (int i = 1; i <= CAPTURE_MAX; i++) {
		(void)snprintf(name, sizeof(name), "%s.%d", path, i);
		assert_int_equal(unlink(name), 0);
	}
}

/* The end of the switch ends its captures in order. */
static void switch_ends(void **state)
{
	struct capture_request request = request_of(CAPTURE_ALL_PORTS);

	assert_int_equal(begin(&request), 1);
	traffic();
	switch_done(&sw);
	assert_int_equal(read_capture(path).statistics, 2);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(set_up(state), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whole_switch, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_port, set_up, tear_down),
		cmocka_unit_test_setup_teardown(filtered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(drops_are_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wrong_requests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(full_table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(switch_ends, set_up, tear_down),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as the switch has it */
	return RUN_TESTS(tests);
}
