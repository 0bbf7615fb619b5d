/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "vde/programs/stream_out.h"
#include "wire/vde_stream.h"

struct counter {
	unsigned frames;
	struct vde_stream reader;
};

static void count_frame(void *context, const uint8_t *frame, size_t len)
{
	struct counter *counter = context;

	assert_int_equal(len, 1000);
	assert_int_equal(frame[0], counter->frames & 0xff);
	assert_int_equal(frame[999], counter->frames & 0xff);
	counter->frames++;
}

/* Reads what is there and counts whole frames. */
static void take(int fd, struct counter *counter, size_t most)
{
	static const struct vde_stream_handler handler = { count_frame, NULL };
	char data[65536];
	ssize_t n = read(fd, data, most);

	assert_true(n > 0);
	vde_stream_feed(&counter->reader, data, (size_t)n, &handler, counter);
}

static void put_numbered(struct stream_out *out, unsigned n)
{
	uint8_t frame[1000];

	memset(frame, (int)(n & 0xff), sizeof(frame));
	stream_out_put(out, frame, sizeof(frame));
}

/* Fills and empties through FDS, always in pieces that do not fit frames. */
static void push_through(int in, int out_fd)
{
	struct counter counter = { 0 };
	struct stream_out out;
	unsigned sent = 0;

	assert_int_equal(stream_out_init(&out, out_fd), 0);
	while (counter.frames < 5000) {
		int r;

		while (sent < 5000 && stream_out_has_room(&out))
			put_numbered(&out, sent++);
		r = stream_out_flush(&out);
		assert_true(r == 0 || r == -EAGAIN);
		take(in, &counter, 7777);
	}
	assert_false(stream_out_pending(&out));
	assert_false(vde_stream_partial(&counter.reader));
	stream_out_done(&out);
}

static void a_full_pipe_loses_nothing(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	push_through(ends[0], ends[1]);
	/* Those who share the descriptor see it as before. */
	assert_false(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void a_full_socket_loses_nothing(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	push_through(ends[0], ends[1]);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void long_frames_are_counted(void **state)
{
	static const uint8_t frame[VDE_STREAM_FRAME_MAX + 1];
	struct stream_out out;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(stream_out_init(&out, ends[1]), 0);
	stream_out_put(&out, frame, sizeof(frame));
	assert_int_equal(out.dropped, 1);
	assert_false(stream_out_pending(&out));
	stream_out_put(&out, frame, VDE_STREAM_FRAME_MAX);
	assert_true(stream_out_pending(&out));
	stream_out_done(&out);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void finishing_waits_for_a_while_only(void **state)
{
	struct stream_out out;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(stream_out_init(&out, ends[1]), 0);
	for (unsigned i = 0; stream_out_has_room(&out); i++)
		put_numbered(&out, i);
	assert_int_equal(stream_out_finish(&out, 20), -EAGAIN);
	(void)close(ends[0]);
	assert_int_equal(stream_out_finish(&out, 20), -EPIPE);
	stream_out_done(&out);
	(void)close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_pipe_loses_nothing),
		cmocka_unit_test(a_full_socket_loses_nothing),
		cmocka_unit_test(long_frames_are_counted),
		cmocka_unit_test(finishing_waits_for_a_while_only),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
