/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <libvdeplug.h>

#include "base/io.h"
#include "base/util.h"

struct sink {
	unsigned frames;
	size_t bytes;
	unsigned char last[10000];
	size_t last_len;
	unsigned errors;
};

static ssize_t on_frame(void *opaque, void *buf, size_t count)
{
	struct sink *sink = opaque;

	sink->frames++;
	sink->bytes += count;
	memcpy(sink->last, buf, count);
	sink->last_len = count;
	return 0;
}

static void on_error(void *opaque, int type, char *format, ...)
{
	struct sink *sink = opaque;

	assert_int_equal(type, PACKET_LENGTH_ERROR);
	assert_non_null(format);
	sink->errors++;
}

static void frames_survive_any_cut(void **state)
{
	unsigned char bytes[] = { 0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd', 0, 2, 'e', 'f' };

	(void)state;
	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		struct sink sink = { 0 };
		VDESTREAM *stream = vdestream_open(&sink, -1, on_frame, on_error);

		vdestream_recv(stream, bytes, cut);
		vdestream_recv(stream, bytes + cut, sizeof(bytes) - cut);
		assert_int_equal(sink.frames, 3);
		assert_int_equal(sink.bytes, 6);
		assert_memory_equal(sink.last, "ef", 2);
		vdestream_close(stream);
	}
}

static void one_byte_at_a_time(void **state)
{
	unsigned char bytes[] = { 0, 2, 'a', 'b', 1, 0 };
	struct sink sink = { 0 };
	VDESTREAM *stream = vdestream_open(&sink, -1, on_frame, NULL);
	unsigned char zero = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		vdestream_recv(stream, bytes + i, 1);
	for (int i = 0; i < 256; i++)
		vdestream_recv(stream, &zero, 1);
	assert_int_equal(sink.frames, 2);
	assert_int_equal(sink.last_len, 256);
	vdestream_close(stream);
}

static void a_wrong_length_is_told_and_skipped(void **state)
{
	unsigned char bytes[2 + 9237 + 4] = { 9237 >> 8, 9237 & 0xff };
	struct sink sink = { 0 };
	VDESTREAM *stream = vdestream_open(&sink, -1, on_frame, on_error);

	(void)state;
	memcpy(bytes + 2 + 9237, "\0\2ok", 4);
	vdestream_recv(stream, bytes, sizeof(bytes));
	assert_int_equal(sink.errors, 1);
	assert_int_equal(sink.frames, 1);
	assert_memory_equal(sink.last, "ok", 2);
	vdestream_close(stream);
}

static void sends_header_and_frame(void **state)
{
	static unsigned char frame[9237];
	unsigned char got[9240];
	int ends[2];
	VDESTREAM *stream;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	stream = vdestream_open(NULL, ends[1], NULL, NULL);
	memset(frame, 7, sizeof(frame));
	assert_int_equal(vdestream_send(stream, frame, 9236), 9238);
	assert_int_equal(read(ends[0], got, sizeof(got)), 9238);
	assert_int_equal(got[0] << 8 | got[1], 9236);
	assert_memory_equal(got + 2, frame, 9236);
	assert_int_equal(vdestream_send(stream, frame, 9237), 0);
	assert_int_equal(close(ends[1]), 0);
	errno = 0;
	assert_int_equal(vdestream_send(stream, frame, 10), -1);
	assert_int_equal(errno, EBADF);
	vdestream_close(stream);
	(void)close(ends[0]);
}

/* Reads slowly: a little, again and again, until the end. */
static void *slow_reader(void *argument)
{
	int fd = *(int *)argument;
	size_t total = 0;
	char part[1000];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) > 0)
		total += (size_t)n;
	return (void *)(uintptr_t)total;
}

static void a_full_pipe_gets_whole_frames(void **state)
{
	static const unsigned char frame[9000];
	pthread_t reader;
	void *total;
	int ends[2], count = 0;
	VDESTREAM *stream;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(io_set_nonblock(ends[1], true), 0);
	stream = vdestream_open(NULL, ends[1], NULL, NULL);
	/* Then the pipe takes a frame in part, and the reader makes room for the rest. */
	while (count < 4) {
		assert_int_equal(vdestream_send(stream, frame, sizeof(frame)), 9002);
		count++;
	}
	assert_int_equal(pthread_create(&reader, NULL, slow_reader, &ends[0]), 0);
	while (count < 100) {
		ssize_t n = vdestream_send(stream, frame, sizeof(frame));

		if (n < 0)
			assert_int_equal(errno, EAGAIN); /* nothing of it was written */
		else
			count++;
	}
	(void)close(ends[1]);
	assert_int_equal(pthread_join(reader, &total), 0);
	assert_int_equal((uintptr_t)total, 100 * 9002);
	vdestream_close(stream);
	(void)close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_survive_any_cut),
		cmocka_unit_test(one_byte_at_a_time),
		cmocka_unit_test(a_wrong_length_is_told_and_skipped),
		cmocka_unit_test(sends_header_and_frame),
		cmocka_unit_test(a_full_pipe_gets_whole_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
