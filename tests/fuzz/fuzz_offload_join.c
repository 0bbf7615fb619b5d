/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames behind their lengths (16 bits, big endian), joined to super-frames; what comes out is cut
 * again, and has to be as many frames as went in, and all their bytes but for padding.
 */
#include "fuzz.h"

#include "vde/plug/offload.h"

#define FRAMES_MAX 256

struct counts {
	size_t frames;
	size_t bytes;
};

static void take(void *context, const struct offload_out *out)
{
	struct counts *counts = context;
	uint8_t *copy = malloc(out->len), *at = copy;
	struct offload_piece piece;
	struct offload_frame of;
	struct offload_cut cut;

	FUZZ_CHECK(copy);
	for (unsigned i = 0; i < out->count; i++)
		at = mempcpy(at, out->iov[i].iov_base, out->iov[i].iov_len);
	FUZZ_CHECK((size_t)(at - copy) == out->len);
	FUZZ_CHECK(offload_check(&of, copy, out->len, &out->vnet) == 0);
	FUZZ_CHECK(of.segments == out->segments && of.wire_bytes == out->wire_bytes);
	offload_cut_start(&cut, &of);
	while (offload_cut_next(&cut, &piece)) {
		counts->frames++;
		counts->bytes += piece.len;
	}
	free(copy);
}

/* Bytes of a frame without padding, if it is a packet whose headers are looked at. */
static size_t counted(const uint8_t *frame, size_t len)
{
	struct transport_layout l;

	return transport_parse(frame, MIN(len, OFFLOAD_HEAD_PLAIN), len, false, &l) == 0 ? l.end
											 : len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct offload_frame frames[FRAMES_MAX];
	static const struct offload_tag keep = { OFFLOAD_KEEP };
	struct cursor c = cursor_of(data, size);
	struct counts in = { 0 }, out = { 0 };
	struct offload_join *join;
	uint8_t *copies[FRAMES_MAX];
	size_t n = 0;

	FUZZ_CHECK(offload_join_new(VDE_RING_F_ALL, take, &out, &join) == 0);
	while (c.left >= 2 && n < FRAMES_MAX) {
		size_t wanted = cursor_be16(&c), len = MIN(wanted, c.left);

		copies[n] = malloc(len ? len : 1);
		FUZZ_CHECK(copies[n] && cursor_copy(&c, copies[n], len));
		if (offload_check(&frames[n], copies[n], len, NULL) == 0) {
			in.frames++;
			in.bytes += counted(copies[n], len);
			offload_join_add(join, &frames[n], &keep);
		}
		n++;
	}
	offload_join_flush(join);
	offload_join_free(join);
	while (n)
		free(copies[--n]);
	FUZZ_CHECK(in.frames == out.frames);
	FUZZ_CHECK(out.bytes >= in.bytes);
	return 0;
}
