/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "vde/switch/capture_sink.h"

#define LIMIT (256 * 1024)

struct fixture {
	struct loop *loop;
	struct capture_sink sink;
	int peer;
	int asked, ended;
};

static void asked_to_end(struct capture_sink *sink)
{
	container_of(sink, struct fixture, sink)->asked++;
}

static void ended(struct capture_sink *sink)
{
	container_of(sink, struct fixture, sink)->ended++;
}

static void open_sink(struct fixture *f, int fd, int peer)
{
	*f = (struct fixture){ .peer = peer, .sink.fd = -1 };
	assert_int_equal(loop_new(&f->loop), 0);
	f->sink.asked_to_end = asked_to_end;
	f->sink.ended = ended;
	assert_int_equal(capture_sink_open(&f->sink, f->loop, fd, LIMIT), 0);
}

static void open_socket(struct fixture *f)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	open_sink(f, fds[0], fds[1]);
}

static void close_all(struct fixture *f)
{
	capture_sink_close(&f->sink);
	capture_sink_close(&f->sink); /* twice is once */
	loop_free(f->loop);
	if (f->peer >= 0)
		assert_int_equal(close(f->peer), 0);
}

static void turn(struct fixture *f)
{
	assert_int_equal(loop_run_once(f->loop, 0), 0);
}

/* Reads what is there, checks that it goes on counting, and returns how many bytes it was. */
static size_t drain(struct fixture *f, uint8_t *next)
{
	static uint8_t data[64 * 1024];
	size_t total = 0;
	ssize_t len;

	while ((len = recv(f->peer, data, sizeof(data), MSG_DONTWAIT)) > 0) {
		for (ssize_t i = 0; i < len; i++)
			assert_int_equal(data[i], (*next)++);
		total += (size_t)len;
	}
	return total;
}

/* Appends blocks of 1000 bytes that count on, as long as there is room. */
static size_t fill(struct fixture *f, uint8_t *next)
{
	uint8_t block[1000];
	size_t total = 0;

	while (capture_sink_has_room(&f->sink, sizeof(block))) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (*next)++;
		strbuf_append(&f->sink.buffer, block, sizeof(block));
		capture_sink_kick(&f->sink);
		total += sizeof(block);
		assert_true(total <= 64 * LIMIT);
		if (total % LIMIT < sizeof(block))
			turn(f);
	}
	return total;
}

/* The reader stalls: memory stays bounded, nothing is lost of what was taken, order stays. */
static void stalled_reader(void **state)
{
	uint8_t written = 0, read_back = 0;
	struct fixture f;
	size_t in = 0, out = 0;

	(void)state;
	open_socket(&f);
	for (int round = 0; round < 40; round++) {
		in += fill(&f, &written);
		assert_true(f.sink.buffer.len - f.sink.written <= LIMIT);
		assert_false(capture_sink_has_room(&f.sink, 1000));
		out += drain(&f, &read_back);
		turn(&f);
	}
	while (out < in) {
		size_t now = drain(&f, &read_back);

		out += now;
		turn(&f);
	}
	assert_int_equal(f.ended, 0);
	assert_int_equal(f.sink.buffer.len, 0);
	assert_false(f.sink.events & EPOLLOUT); /* an idle one is not woken */
	close_all(&f);
}

static void finishing(void **state)
{
	uint8_t written = 0, read_back = 0;
	struct fixture f;
	size_t in;

	(void)state;
	open_socket(&f);
	in = fill(&f, &written);
	capture_sink_finish(&f.sink);
	assert_int_equal(f.ended, 0); /* the reader has not got all */
	while (!f.ended) {
		in -= drain(&f, &read_back);
		turn(&f);
	}
	assert_int_equal(f.sink.error, 0);
	in -= drain(&f, &read_back);
	assert_int_equal(in, 0);
	assert_false(capture_sink_has_room(&f.sink, 1));
	capture_sink_finish(&f.sink); /* no second end */
	turn(&f);
	assert_int_equal(f.ended, 1);
	close_all(&f);
}

static void reader_leaves(void **state)
{
	struct fixture f;

	(void)state;
	open_socket(&f);
	assert_int_equal(send(f.peer, "ignored", 7, 0), 7);
	turn(&f);
	assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
	turn(&f);
	assert_int_equal(f.asked, 1);
	turn(&f);
	assert_int_equal(f.asked, 1); /* said once */
	assert_int_equal(f.ended, 0);
	assert_int_equal(close(f.peer), 0);
	f.peer = -1;
	turn(&f);
	assert_int_equal(f.ended, 1);
	assert_int_equal(f.sink.error, -EPIPE);
	close_all(&f);
}

static void pipe_reader_leaves(void **state)
{
	struct fixture f;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	open_sink(&f, fds[1], -1);
	assert_true(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
	turn(&f);
	assert_int_equal(f.ended, 0);
	assert_int_equal(close(fds[0]), 0);
	turn(&f);
	assert_int_equal(f.ended, 1);
	close_all(&f);
}

static void regular_file(void **state)
{
	char directory[64], path[80], text[64];
	struct fixture f;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/file", test_directory(directory));
	open_sink(&f, open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), -1);
	strbuf_puts(&f.sink.buffer, "hello");
	capture_sink_kick(&f.sink);
	turn(&f);
	assert_string_equal(test_read_file(path, text, sizeof(text)), "hello");
	strbuf_puts(&f.sink.buffer, " world");
	capture_sink_finish(&f.sink); /* a file has all at once */
	assert_int_equal(f.ended, 1);
	close_all(&f);
	assert_string_equal(test_read_file(path, text, sizeof(text)), "hello world");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void full_disk(void **state)
{
	struct fixture f;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	if (fd < 0)
		skip();
	open_sink(&f, fd, -1);
	strbuf_puts(&f.sink.buffer, "hello");
	capture_sink_kick(&f.sink);
	turn(&f);
	assert_int_equal(f.ended, 1);
	assert_int_equal(f.sink.error, -ENOSPC);
	close_all(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stalled_reader),
		cmocka_unit_test(finishing),
		cmocka_unit_test(reader_leaves),
		cmocka_unit_test(pipe_reader_leaves),
		cmocka_unit_test(regular_file),
		cmocka_unit_test(full_disk),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as the switch has it */
	return RUN_TESTS(tests);
}
