/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The relay between two streams: pipes, with the test at their other ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"
#include "vde/programs/end_stream.h"
#include "wire/vde_stream.h"

enum {
	READ,
	WRITE,
};

struct lab {
	struct loop *loop;
	struct relay *relay;
	int left_in[2], left_out[2]; /* pipes; the relay reads left_in */
	int right_in[2], right_out[2];
	struct relay_end *gone; /* as relay_ended() was told */
	int reason;
	unsigned ends;
	/* frames that came out of the right end */
	struct vde_stream parser;
	uint32_t next_number;
};

static void lab_ended(void *context, struct relay *relay, struct relay_end *end, int reason)
{
	struct lab *lab = context;

	assert_ptr_equal(relay, lab->relay);
	lab->gone = end;
	lab->reason = reason;
	lab->ends++;
}

static void make_pipe(int ends[2])
{
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
}

static int setup(void **state)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	struct relay_end *left, *right;

	assert_non_null(lab);
	make_pipe(lab->left_in);
	make_pipe(lab->left_out);
	make_pipe(lab->right_in);
	make_pipe(lab->right_out);
	assert_int_equal(io_set_nonblock(lab->left_in[WRITE], true), 0);
	assert_int_equal(io_set_nonblock(lab->right_out[READ], true), 0);
	assert_int_equal(io_set_nonblock(lab->left_out[READ], true), 0);
	assert_int_equal(loop_new(&lab->loop), 0);
	assert_int_equal(end_stream_new(lab->left_in[READ], lab->left_out[WRITE], "left", &left), 0);
	assert_int_equal(end_stream_new(lab->right_in[READ], lab->right_out[WRITE], "right", &right),
			 0);
	assert_int_equal(relay_new(lab->loop, left, right, lab_ended, lab, &lab->relay), 0);
	*state = lab;
	return 0;
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static int teardown(void **state)
{
	struct lab *lab = *state;
	int *pipes[] = { lab->left_in, lab->left_out, lab->right_in, lab->right_out };

	relay_free(lab->relay);
	loop_free(lab->loop);
	for (size_t i = 0; i < ARRAY_SIZE(pipes); i++) {
		close_end(&pipes[i][READ]);
		close_end(&pipes[i][WRITE]);
	}
	free(lab);
	return 0;
}

/* Turns of the loop until nothing happens any more; fails when that never is. */
static unsigned settle(struct lab *lab)
{
	unsigned turns = 0;

	for (uint64_t before = 1, now = 0; before != now && turns < 1000; turns++) {
		const struct relay_counters *l = &relay_get_end(lab->relay, 0)->counters;
		const struct relay_counters *r = &relay_get_end(lab->relay, 1)->counters;

		before = l->frames_in + l->frames_out + r->frames_in + r->frames_out + lab->ends;
		assert_int_equal(loop_run_once(lab->loop, 0), 0);
		now = l->frames_in + l->frames_out + r->frames_in + r->frames_out + lab->ends;
	}
	assert_in_range(turns, 1, 999);
	return turns;
}

static void frame_out(void *context, const uint8_t *frame, size_t len)
{
	struct lab *lab = context;
	uint32_t number;

	assert_int_equal(len, 100 + lab->next_number % 1000);
	memcpy(&number, frame, sizeof(number));
	assert_int_equal(number, lab->next_number++);
}

/* Reads what the right end wrote. */
static void collect(struct lab *lab)
{
	static const struct vde_stream_handler handler = { frame_out, NULL };
	uint8_t data[8192];
	ssize_t len;

	while ((len = read(lab->right_out[READ], data, sizeof(data))) > 0)
		vde_stream_feed(&lab->parser, data, (size_t)len, &handler, lab);
}

/* Writes frame NUMBER to the left end; false when the pipe has no room. */
static bool feed(struct lab *lab, uint32_t number)
{
	uint8_t data[2 + 1100] = { 0 };
	size_t len = 100 + number % 1000;
	ssize_t written;

	vde_stream_put_header(data, len);
	memcpy(data + 2, &number, sizeof(number));
	written = write(lab->left_in[WRITE], data, 2 + len);
	assert_true(written < 0 || written == (ssize_t)(2 + len));
	return written > 0;
}

static void test_both_ways(void **state)
{
	struct lab *lab = *state;
	static const uint8_t stream[] = { 0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd' };
	static const uint8_t wanted[] = { 0, 3, 'a', 'b', 'c', 0, 1, 'd' };
	uint8_t got[32];

	for (size_t i = 0; i < sizeof(stream); i++) { /* byte by byte: pieces are kept */
		assert_int_equal(write(lab->right_in[WRITE], stream + i, 1), 1);
		settle(lab);
	}
	assert_int_equal(read(lab->left_out[READ], got, sizeof(got)), sizeof(wanted));
	assert_memory_equal(got, wanted, sizeof(wanted));
	for (uint32_t i = 0; i < 50; i++)
		assert_true(feed(lab, i));
	settle(lab);
	collect(lab);
	assert_int_equal(lab->next_number, 50);
	assert_int_equal(lab->ends, 0);
}

/* Nobody reads at the right: the relay stops reading at the left, loses nothing, does not spin. */
static void test_back_pressure(void **state)
{
	struct lab *lab = *state;
	const struct relay_counters *right = &relay_get_end(lab->relay, 1)->counters;
	uint32_t fed = 0;
	uint64_t frames;

	for (unsigned idle = 0; idle < 3; idle++)
		while (feed(lab, fed)) {
			fed++;
			settle(lab);
			idle = 0;
		}
	frames = right->frames_out;
	assert_in_range(frames, 100, fed - 1); /* some wait on either side */
	/* With the pipe full there is nothing to wake up for. */
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_run_once(lab->loop, 0), 0);
	assert_int_equal(right->frames_out, frames);
	while (lab->next_number < fed) {
		uint32_t before = lab->next_number;

		collect(lab);
		settle(lab);
		collect(lab);
		assert_true(lab->next_number > before);
	}
	assert_int_equal(right->dropped, 0);
	assert_int_equal(lab->ends, 0);
}

/* The writer at the left leaves while the right is full: what it wrote still comes through. */
static void test_end_while_full(void **state)
{
	struct lab *lab = *state;
	uint32_t fed = 0;

	for (unsigned idle = 0; idle < 3; idle++)
		while (feed(lab, fed)) {
			fed++;
			settle(lab);
			idle = 0;
		}
	close_end(&lab->left_in[WRITE]);
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_run_once(lab->loop, 0), 0);
	assert_int_equal(lab->ends, 0);
	for (int i = 0; i < 1000 && !lab->ends; i++) {
		collect(lab);
		settle(lab);
	}
	collect(lab);
	assert_int_equal(lab->next_number, fed);
	assert_int_equal(lab->ends, 1);
	assert_ptr_equal(lab->gone, relay_get_end(lab->relay, 0));
	assert_int_equal(lab->reason, 0);
}

static void test_regular_end(void **state)
{
	struct lab *lab = *state;

	assert_true(feed(lab, 0));
	close_end(&lab->left_in[WRITE]);
	settle(lab);
	collect(lab);
	assert_int_equal(lab->next_number, 1);
	assert_int_equal(lab->ends, 1);
	assert_ptr_equal(lab->gone, relay_get_end(lab->relay, 0));
	assert_int_equal(lab->reason, 0);
	settle(lab); /* stopped: nothing more comes */
	assert_int_equal(lab->ends, 1);
}

/* The reader at the right leaves: found out when something is to be written. */
static void test_reader_leaves(void **state)
{
	struct lab *lab = *state;

	(void)signal(SIGPIPE, SIG_IGN);
	close_end(&lab->right_out[READ]);
	assert_true(feed(lab, 0));
	settle(lab);
	assert_int_equal(lab->ends, 1);
	assert_ptr_equal(lab->gone, relay_get_end(lab->relay, 1));
}

static void test_oversized(void **state)
{
	struct lab *lab = *state;
	static uint8_t data[2 + 9300];

	vde_stream_put_header(data, 9300);
	assert_int_equal(write(lab->left_in[WRITE], data, sizeof(data)), sizeof(data));
	assert_true(feed(lab, 0));
	settle(lab);
	collect(lab);
	assert_int_equal(lab->next_number, 1);
	assert_int_equal(relay_get_end(lab->relay, 0)->counters.dropped, 1);
	assert_int_equal(relay_get_end(lab->relay, 0)->counters.frames_in, 1);
}

/* Descriptors are given back as they were. */
static void test_flags_restored(void **state)
{
	struct lab *lab = *state;

	assert_true(fcntl(lab->left_in[READ], F_GETFL) & O_NONBLOCK);
	relay_free(lab->relay);
	lab->relay = NULL;
	assert_false(fcntl(lab->left_in[READ], F_GETFL) & O_NONBLOCK);
	assert_false(fcntl(lab->right_out[WRITE], F_GETFL) & O_NONBLOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_back_pressure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_while_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_regular_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_leaves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_oversized, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flags_restored, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
