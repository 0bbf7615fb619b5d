/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The header of a super-frame as a TAP gives it, then the frame, in a buffer of exactly its size. */
#include "fuzz.h"

#include "wire/checksum.h"
#include "wire/segment.h"

/* A piece has a right checksum, and all its headers before its payload. */
static void check_piece(const struct segment *s, const uint8_t *piece, size_t len)
{
	struct transport_layout l;
	uint64_t sum;

	FUZZ_CHECK(transport_parse(piece, len, len, false, &l) == 0);
	FUZZ_CHECK(l.end == len && len - l.payload <= s->plan.size);
	sum = transport_pseudo_sum(piece, &l, len - l.transport);
	FUZZ_CHECK(checksum_finish(checksum_add(sum, piece + l.transport, len - l.transport)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	struct vnet_header vnet;
	struct segment s;
	const uint8_t *piece;
	uint8_t *frame;
	size_t left, len;

	if (!cursor_copy(&c, &vnet, sizeof(vnet)) || c.left > VNET_FRAME_MAX)
		return 0;
	frame = malloc(c.left ? c.left : 1);
	FUZZ_CHECK(frame);
	left = c.left;
	FUZZ_CHECK(cursor_copy(&c, frame, c.left));
	if (segment_start(&s, &vnet, frame, left) == 0) {
		for (left = segment_left(&s); segment_next(&s, &piece, &len); left--)
			if (!s.whole)
				check_piece(&s, piece, len);
		FUZZ_CHECK(left == 0);
	}
	free(frame);
	return 0;
}
