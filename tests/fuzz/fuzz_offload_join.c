/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames behind their lengths (16 bits, big endian), joined to super-frames; what comes out is cut
 * again, and has to be as many frames as went in, and all their bytes but for padding.
 */
#include "fuzz.h"

#include "wire/coalesce.h"
#include "wire/segment.h"

struct counts {
	size_t frames;
	size_t bytes;
};

static void take(void *context, const struct vnet_header *vnet, const uint8_t *frame, size_t len)
{
	struct counts *out = context;
	uint8_t *copy = malloc(len ? len : 1);
	const uint8_t *piece;
	struct segment s;

	FUZZ_CHECK(copy);
	memcpy(copy, frame, len);
	if (len < ETHER_HEADER_SIZE) { /* passed as it came, which no cutter takes */
		FUZZ_CHECK(vnet->gso_type == VNET_GSO_NONE && vnet->flags == 0);
		out->frames++;
		out->bytes += len;
	} else {
		FUZZ_CHECK(segment_start(&s, vnet, copy, len) == 0);
		while (segment_next(&s, &piece, &len)) {
			out->frames++;
			out->bytes += len;
		}
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct coalesce coalesce;
	struct cursor c = cursor_of(data, size);
	struct counts in = { 0 }, out = { 0 };

	coalesce_init(&coalesce, take, &out);
	while (c.left >= 2) {
		size_t wanted = cursor_be16(&c), len = MIN(wanted, c.left);
		uint8_t *frame = malloc(len ? len : 1);
		struct tcp_layout l;

		FUZZ_CHECK(frame);
		FUZZ_CHECK(cursor_copy(&c, frame, len));
		coalesce_add(&coalesce, frame, len);
		in.frames++;
		in.bytes += tcp_parse(frame, len, false, &l) == 0 ? l.end : len;
		free(frame);
	}
	coalesce_flush(&coalesce);
	FUZZ_CHECK(coalesce.held == 0);
	FUZZ_CHECK(in.frames == out.frames);
	FUZZ_CHECK(out.bytes >= in.bytes);
	return 0;
}
