/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a switch sends to vde_capture, cut into pieces of a size that the first byte gives: the same
 * blocks have to come out as in one piece, whole ones, and no more frames than the limit.
 */
#include "fuzz.h"

#include "vde/programs/capture_stream.h"

#define LIMIT 3 /* frames; only with pieces of an odd size */

struct outcome {
	struct capture_stream stream;
	int result;
};

static void parse(const uint8_t *data, size_t size, size_t piece, uint64_t limit,
		  struct outcome *ret)
{
	*ret = (struct outcome){ .stream.limit = limit };
	while (size && ret->result == 0) {
		size_t len = piece && piece < size ? piece : size;

		strbuf_append(&ret->stream.in, data, len);
		ret->result = capture_stream_advance(&ret->stream, NULL);
		data += len;
		size -= len;
	}
	FUZZ_CHECK(!limit || ret->stream.frames <= limit);
}

static void check_blocks(const struct strbuf *out)
{
	size_t at = 0;

	while (at < out->len) {
		uint32_t len;

		FUZZ_CHECK(out->len - at >= 12);
		memcpy(&len, out->data + at + 4, sizeof(len));
		FUZZ_CHECK(len >= 12 && len <= out->len - at);
		at += len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, pieces;
	uint64_t limit;

	if (!size)
		return 0;
	limit = data[0] % 2 ? LIMIT : 0;
	parse(data + 1, size - 1, 0, limit, &whole);
	parse(data + 1, size - 1, data[0], limit, &pieces);
	check_blocks(&whole.stream.out);
	check_blocks(&pieces.stream.out);
	if (whole.result == 0 && pieces.result == 0) {
		const struct strbuf *a = &whole.stream.out, *b = &pieces.stream.out;

		FUZZ_CHECK(whole.stream.frames == pieces.stream.frames);
		FUZZ_CHECK(whole.stream.dropped == pieces.stream.dropped);
		FUZZ_CHECK(a->len == b->len && (!a->len || memcmp(a->data, b->data, a->len) == 0));
	}
	capture_stream_done(&whole.stream);
	capture_stream_done(&pieces.stream);
	return 0;
}
