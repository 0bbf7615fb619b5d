/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "base/strbuf.h"
#include "wire/vde_stream.h"

struct seen {
	unsigned frames;
	unsigned oversized;
	size_t oversized_len;
	size_t lens[16];
	uint8_t firsts[16];
	uint64_t sum; /* of all bytes, weighted by place */
};

static void on_frame(void *context, const uint8_t *frame, size_t len)
{
	struct seen *seen = context;

	assert_true(len > 0);
	if (seen->frames < 16) {
		seen->lens[seen->frames] = len;
		seen->firsts[seen->frames] = frame[0];
	}
	seen->frames++;
	for (size_t i = 0; i < len; i++)
		seen->sum += (i + 1) * frame[i];
}

static void on_oversized(void *context, size_t len)
{
	struct seen *seen = context;

	seen->oversized++;
	seen->oversized_len = len;
}

static const struct vde_stream_handler handler = { on_frame, on_oversized };

static void put_frame(struct strbuf *b, size_t len, uint8_t first)
{
	uint8_t header[VDE_STREAM_HEADER_SIZE];

	vde_stream_put_header(header, len);
	strbuf_append(b, header, sizeof(header));
	for (size_t i = 0; i < len; i++)
		strbuf_putc(b, (char)(first + i));
}

/* A stream with every kind of record; what a reader has to see of it. */
static void put_example(struct strbuf *b)
{
	put_frame(b, 60, 1);
	put_frame(b, 0, 0);
	put_frame(b, 1, 2);
	put_frame(b, 300, 3);
	put_frame(b, 0, 0);
	put_frame(b, 0, 0);
	put_frame(b, 14, 4);
}

static void assert_example(const struct seen *seen)
{
	static const size_t lens[] = { 60, 1, 300, 14 };

	assert_int_equal(seen->frames, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(seen->lens[i], lens[i]);
		assert_int_equal(seen->firsts[i], i + 1);
	}
	assert_int_equal(seen->oversized, 0);
}

static struct vde_stream stream;

static void at_once(void **state)
{
	auto_strbuf struct strbuf b = { 0 };
	struct seen seen = { 0 };

	(void)state;
	put_example(&b);
	vde_stream_reset(&stream);
	vde_stream_feed(&stream, b.data, b.len, &handler, &seen);
	assert_example(&seen);
	assert_false(vde_stream_partial(&stream));
}

static void byte_by_byte(void **state)
{
	auto_strbuf struct strbuf b = { 0 };
	struct seen seen = { 0 };

	(void)state;
	put_example(&b);
	vde_stream_reset(&stream);
	for (size_t i = 0; i < b.len; i++)
		vde_stream_feed(&stream, b.data + i, 1, &handler, &seen);
	assert_example(&seen);
}

/* Cut in two at each place, the boundary inside a header too. */
static void split_at_every_byte(void **state)
{
	auto_strbuf struct strbuf b = { 0 };
	struct seen whole = { 0 };

	(void)state;
	put_example(&b);
	vde_stream_reset(&stream);
	vde_stream_feed(&stream, b.data, b.len, &handler, &whole);
	for (size_t cut = 0; cut <= b.len; cut++) {
		struct seen seen = { 0 };

		vde_stream_reset(&stream);
		vde_stream_feed(&stream, b.data, cut, &handler, &seen);
		vde_stream_feed(&stream, b.data + cut, b.len - cut, &handler, &seen);
		assert_example(&seen);
		assert_int_equal(seen.sum, whole.sum);
	}
}

static void partial(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	vde_stream_reset(&stream);
	assert_false(vde_stream_partial(&stream));
	vde_stream_feed(&stream, "", 0, &handler, &seen);
	assert_false(vde_stream_partial(&stream));
	vde_stream_feed(&stream, "\0", 1, &handler, &seen);
	assert_true(vde_stream_partial(&stream));
	vde_stream_feed(&stream, "\2", 1, &handler, &seen);
	assert_true(vde_stream_partial(&stream));
	vde_stream_feed(&stream, "ab", 2, &handler, &seen);
	assert_false(vde_stream_partial(&stream));
	assert_int_equal(seen.frames, 1);
	vde_stream_feed(&stream, "\0", 1, &handler, &seen);
	vde_stream_reset(&stream); /* forgets the half header */
	vde_stream_feed(&stream, "\0\1x", 3, &handler, &seen);
	assert_int_equal(seen.frames, 2);
}

static void largest(void **state)
{
	auto_strbuf struct strbuf b = { 0 };
	struct seen seen = { 0 };

	(void)state;
	put_frame(&b, VDE_STREAM_FRAME_MAX, 9);
	vde_stream_reset(&stream);
	vde_stream_feed(&stream, b.data, 5000, &handler, &seen);
	vde_stream_feed(&stream, b.data + 5000, b.len - 5000, &handler, &seen);
	assert_int_equal(seen.frames, 1);
	assert_int_equal(seen.lens[0], VDE_STREAM_FRAME_MAX);
	assert_int_equal(seen.oversized, 0);
}

/* Too long a frame is skipped to the byte, wherever the pieces end. */
static void oversized_is_skipped(void **state)
{
	static const size_t lens[] = { VDE_STREAM_FRAME_MAX + 1, 20000, 65535 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		for (size_t piece = 1; piece < 100000; piece = piece * 7 + 1) {
			auto_strbuf struct strbuf b = { 0 };
			struct seen seen = { 0 };

			put_frame(&b, lens[i], 7);
			put_frame(&b, 60, 1);
			vde_stream_reset(&stream);
			for (size_t at = 0; at < b.len; at += piece)
				vde_stream_feed(&stream, b.data + at, MIN(piece, b.len - at),
						&handler, &seen);
			assert_int_equal(seen.oversized, 1);
			assert_int_equal(seen.oversized_len, lens[i]);
			assert_int_equal(seen.frames, 1);
			assert_int_equal(seen.lens[0], 60);
			assert_int_equal(stream.oversized, 1);
		}
	}
}

static void oversized_without_handler(void **state)
{
	static const struct vde_stream_handler quiet = { on_frame, NULL };
	auto_strbuf struct strbuf b = { 0 };
	struct seen seen = { 0 };

	(void)state;
	put_frame(&b, 10000, 7);
	put_frame(&b, 5, 1);
	vde_stream_reset(&stream);
	vde_stream_feed(&stream, b.data, b.len, &quiet, &seen);
	assert_int_equal(seen.frames, 1);
}

static void header_bytes(void **state)
{
	uint8_t header[VDE_STREAM_HEADER_SIZE];

	(void)state;
	vde_stream_put_header(header, 0x1234);
	assert_int_equal(header[0], 0x12);
	assert_int_equal(header[1], 0x34);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_once),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(split_at_every_byte),
		cmocka_unit_test(partial),
		cmocka_unit_test(largest),
		cmocka_unit_test(oversized_is_skipped),
		cmocka_unit_test(oversized_without_handler),
		cmocka_unit_test(header_bytes),
	};

	return RUN_TESTS(tests);
}
