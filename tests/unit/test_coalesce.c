/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tcp_frames.h"
#include "wire/coalesce.h"
#include "wire/segment.h"

#define MSS 1448
#define FRAMES_MAX 512

/* What came out, cut again to what a wire would carry. */
struct sink {
	struct coalesce coalesce;
	size_t emitted; /* calls */
	size_t count;   /* frames after cutting */
	struct {
		size_t len;
		uint8_t data[1600];
	} frame[FRAMES_MAX];
};

static void sink_emit(void *context, const struct vnet_header *vnet, const uint8_t *frame, size_t len)
{
	static uint8_t copy[VNET_FRAME_MAX];
	struct sink *sink = context;
	struct segment s;
	const uint8_t *piece;

	memcpy(copy, frame, len);
	sink->emitted++;
	assert_int_equal(segment_start(&s, vnet, copy, len), 0);
	while (segment_next(&s, &piece, &len)) {
		assert_in_range(sink->count, 0, FRAMES_MAX - 1);
		assert_in_range(len, 0, sizeof(sink->frame[0].data));
		memcpy(sink->frame[sink->count].data, piece, len);
		sink->frame[sink->count++].len = len;
	}
}

static int setup(void **state)
{
	struct sink *sink = calloc(1, sizeof(*sink));

	coalesce_init(&sink->coalesce, sink_emit, sink);
	*state = sink;
	return sink ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static const struct tcp_spec base = {
	.version = 4, .source_port = 1000, .seq = 4294900000u, .ack = 5, .flags = TCP_ACK,
	.options = 12, .payload_len = MSS,
};

static void add(struct sink *sink, const struct tcp_spec *spec)
{
	uint8_t frame[2000];

	coalesce_add(&sink->coalesce, frame, build_segment(frame, spec));
}

static void expect_frame(struct sink *sink, size_t index, const struct tcp_spec *spec)
{
	uint8_t wanted[2000];
	size_t len = build_segment(wanted, spec);

	assert_in_range(index, 0, sink->count - 1);
	assert_int_equal(sink->frame[index].len, len);
	assert_memory_equal(sink->frame[index].data, wanted, len);
}

/* COUNT segments in a row, of which the last may be shorter: one super-frame, cut again to the same. */
static void check_stream(struct sink *sink, struct tcp_spec spec, size_t count, size_t last_len)
{
	struct tcp_spec piece = spec;

	for (size_t i = 0; i < count; i++) {
		piece.payload_len = i + 1 < count ? spec.payload_len : last_len;
		add(sink, &piece);
		piece.seq += (uint32_t)piece.payload_len;
		piece.id++;
	}
	coalesce_flush(&sink->coalesce);
	assert_int_equal(sink->emitted, 1);
	assert_int_equal(sink->count, count);
	piece = spec;
	for (size_t i = 0; i < count; i++) {
		piece.payload_len = i + 1 < count ? spec.payload_len : last_len;
		expect_frame(sink, i, &piece);
		piece.seq += (uint32_t)piece.payload_len;
		piece.id++;
	}
	assert_int_equal(sink->coalesce.held, 0);
	sink->count = sink->emitted = 0;
}

static void test_stream(void **state)
{
	struct tcp_spec spec = base;

	for (unsigned tags = 0; tags <= 2; tags++) {
		spec.tags = tags;
		spec.version = 4;
		check_stream(*state, spec, 1, 1000);
		check_stream(*state, spec, 2, MSS);
		check_stream(*state, spec, 45, 10);
		spec.version = 6;
		check_stream(*state, spec, 40, MSS);
	}
}

/* A packet ends at 65535 bytes; the rest of the stream makes the next super-frame. */
static void test_largest(void **state)
{
	struct sink *sink = *state;
	struct tcp_spec spec = base;

	for (int i = 0; i < 100; i++) {
		add(sink, &spec);
		spec.seq += MSS;
		spec.id++;
	}
	coalesce_flush(&sink->coalesce);
	assert_int_equal(sink->count, 100);
	assert_int_equal(sink->emitted, 3); /* 45 + 45 + 10 */
}

static void test_push_ends(void **state)
{
	struct sink *sink = *state;
	struct tcp_spec spec = base;

	add(sink, &spec);
	assert_int_equal(sink->emitted, 0);
	spec.seq += MSS;
	spec.id++;
	spec.flags |= TCP_PSH;
	add(sink, &spec);
	assert_int_equal(sink->emitted, 1);
	assert_int_equal(sink->count, 2);
	expect_frame(sink, 1, &spec);
	spec.seq += MSS; /* alone with PSH: not held at all */
	add(sink, &spec);
	assert_int_equal(sink->emitted, 2);
}

/* Second segments that must not be joined; each comes out unchanged, behind the first. */
static void test_not_joined(void **state)
{
	struct sink *sink = *state;
	struct tcp_spec seconds[11];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
		seconds[i] = base;
		seconds[i].seq += MSS;
		seconds[i].id++;
	}
	seconds[n++].seq++;               /* a gap */
	seconds[n++].seq = base.seq;      /* a repetition */
	seconds[n++].ack++;
	seconds[n++].tos = 3;             /* congestion experienced */
	seconds[n++].flags |= TCP_FIN;
	seconds[n++].flags |= TCP_ECE;
	seconds[n++].flags |= TCP_URG;
	seconds[n++].options = 8;
	seconds[n++].payload_len = 0;     /* a bare acknowledgement */
	seconds[n++].payload_len = MSS + 1;
	seconds[n++].fragments = true;
	assert_int_equal(n, ARRAY_SIZE(seconds));
	for (size_t i = 0; i < n; i++) {
		sink->count = sink->emitted = 0;
		add(sink, &base);
		add(sink, &seconds[i]);
		coalesce_flush(&sink->coalesce);
		assert_int_equal(sink->emitted, 2);
		expect_frame(sink, 0, &base);
		expect_frame(sink, 1, &seconds[i]);
	}
}

static void test_after_shorter(void **state)
{
	struct sink *sink = *state;
	struct tcp_spec spec = base;

	add(sink, &spec);
	spec.seq += MSS;
	spec.payload_len = 100;
	spec.id++;
	add(sink, &spec); /* shorter: the super-frame is complete */
	assert_int_equal(sink->emitted, 1);
	spec.seq += 100;
	spec.payload_len = MSS;
	add(sink, &spec);
	coalesce_flush(&sink->coalesce);
	assert_int_equal(sink->emitted, 2);
	assert_int_equal(sink->count, 3);
	expect_frame(sink, 2, &spec);
}

/* Streams that come mixed are joined each for itself, more of them than there are slots too. */
static void test_streams(void **state)
{
	struct sink *sink = *state;
	struct tcp_spec spec = base;

	for (unsigned round = 0; round < 4; round++, spec.seq += MSS)
		for (unsigned i = 0; i < COALESCE_SLOTS; i++) {
			spec.source_port = (uint16_t)(2000 + i);
			add(sink, &spec);
		}
	assert_int_equal(sink->emitted, 0);
	coalesce_flush(&sink->coalesce);
	assert_int_equal(sink->emitted, COALESCE_SLOTS);
	assert_int_equal(sink->count, 4 * COALESCE_SLOTS);

	sink->count = sink->emitted = 0;
	spec = base;
	for (unsigned i = 0; i <= COALESCE_SLOTS; i++) {
		spec.source_port = (uint16_t)(2000 + i);
		add(sink, &spec);
	}
	assert_int_equal(sink->emitted, 1); /* the oldest made room */
	spec.source_port = 2000;
	expect_frame(sink, 0, &spec);
	coalesce_flush(&sink->coalesce);
	assert_int_equal(sink->count, COALESCE_SLOTS + 1);
}

/* What is broken, or no TCP at all, passes as it is. */
static void test_passes(void **state)
{
	struct sink *sink = *state;
	struct tcp_spec tiny = base;
	uint8_t frame[2000];
	size_t len = build_segment(frame, &base), full = len;

	tiny.payload_len = 47;
	frame[len - 1] ^= 1; /* checksum */
	coalesce_add(&sink->coalesce, frame, len);
	assert_int_equal(sink->emitted, 1);
	assert_memory_equal(sink->frame[0].data, frame, len);
	sink->count = sink->emitted = 0;
	for (size_t i = 0; i < 3; i++, tiny.seq += 47) { /* segments so small are not joined */
		add(sink, &tiny);
		assert_int_equal(sink->emitted, i + 1);
	}
	for (len = 14; len < full; len += 7) {
		coalesce_add(&sink->coalesce, frame, len);
		assert_int_equal(sink->frame[sink->count - 1].len, len);
	}
	assert_int_equal(sink->coalesce.held, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(test_largest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_push_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_joined, setup, teardown),
		cmocka_unit_test_setup_teardown(test_after_shorter, setup, teardown),
		cmocka_unit_test_setup_teardown(test_streams, setup, teardown),
		cmocka_unit_test_setup_teardown(test_passes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
