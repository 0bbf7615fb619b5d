/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A frame of a stranger behind its header, in a buffer of exactly its size: cut to pieces, which
 * are joined and cut again, which has to give the same pieces. Then the stranger writes over his
 * frame, which must not matter but for the payload.
 */
#include "fuzz.h"

#include "vde/plug/offload.h"
#include "wire/checksum.h"

#define PIECES_MAX 2048

struct pieces {
	size_t count;
	size_t len[PIECES_MAX];
	uint8_t *data[PIECES_MAX];
};

static const struct offload_tag keep = { OFFLOAD_KEEP };

static void pieces_free(struct pieces *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->data[i]);
	p->count = 0;
}

/* Cuts with a copy into buffers that fit exactly. */
static void cut(const struct offload_frame *of, struct pieces *to)
{
	struct offload_cut one, other;
	struct offload_piece piece;
	struct iovec iov[OFFLOAD_PIECES];

	offload_cut_start(&one, of);
	offload_cut_start(&other, of);
	while (offload_cut_next(&one, &piece)) {
		uint8_t *data = malloc(piece.len);
		size_t done = 0;
		unsigned n;

		FUZZ_CHECK(data && to->count < PIECES_MAX && piece.len <= of->wire_max);
		FUZZ_CHECK(offload_cut_copy(&other, data, piece.len) == (ssize_t)piece.len);
		n = offload_piece_gather(&piece, &keep, iov);
		for (unsigned i = 0; i < n; done += iov[i++].iov_len)
			FUZZ_CHECK(memcmp(data + done, iov[i].iov_base, iov[i].iov_len) == 0);
		FUZZ_CHECK(done == piece.len);
		to->data[to->count] = data;
		to->len[to->count++] = piece.len;
	}
	FUZZ_CHECK(offload_cut_copy(&other, NULL, 0) == 0);
}

/* What leaves the joining side, as another switch takes it. */
static void take(void *context, const struct offload_out *out)
{
	uint8_t *copy = malloc(out->len), *at = copy;
	struct pieces *to = context;
	struct offload_frame of;
	size_t before = to->count;

	FUZZ_CHECK(copy);
	for (unsigned i = 0; i < out->count; i++)
		at = mempcpy(at, out->iov[i].iov_base, out->iov[i].iov_len);
	FUZZ_CHECK((size_t)(at - copy) == out->len);
	FUZZ_CHECK(offload_check(&of, copy, out->len, &out->vnet) == 0);
	FUZZ_CHECK(memcmp(&of.vnet, &out->vnet, sizeof(of.vnet)) == 0);
	cut(&of, to);
	FUZZ_CHECK(to->count - before == out->segments);
	free(copy);
}

/* Of one stream, in order: the order is kept. */
static void join_again(const struct pieces *in)
{
	static struct offload_frame frames[PIECES_MAX];
	static struct pieces out;
	struct offload_join *join;

	FUZZ_CHECK(offload_join_new(VDE_RING_F_ALL, take, &out, &join) == 0);
	for (size_t i = 0; i < in->count; i++) {
		FUZZ_CHECK(offload_check(&frames[i], in->data[i], in->len[i], NULL) == 0);
		offload_join_add(join, &frames[i], &keep);
	}
	offload_join_flush(join);
	offload_join_free(join);
	FUZZ_CHECK(out.count == in->count);
	for (size_t i = 0; i < in->count; i++) {
		FUZZ_CHECK(out.len[i] <= in->len[i]); /* padding may go */
		FUZZ_CHECK(memcmp(out.data[i], in->data[i], out.len[i]) == 0);
	}
	pieces_free(&out);
}

/* Every piece of a super-frame is a packet with a right checksum. */
static void check_pieces(const struct offload_frame *of, const struct pieces *pieces)
{
	size_t bytes = 0;

	FUZZ_CHECK(pieces->count == of->segments);
	for (size_t i = 0; i < pieces->count; i++) {
		const uint8_t *data = pieces->data[i];
		size_t len = pieces->len[i];
		struct transport_layout l;
		uint64_t sum;

		bytes += len;
		if (of->kind == OFFLOAD_PLAIN)
			continue;
		FUZZ_CHECK(transport_parse(data, len, len, false, &l) == 0);
		sum = transport_pseudo_sum(data, &l, l.end - l.transport);
		sum = checksum_add(sum, data + l.transport, l.end - l.transport);
		FUZZ_CHECK(checksum_finish(sum) == 0);
	}
	FUZZ_CHECK(bytes == of->wire_bytes);
}

/* With a tag, the frame is still what it is. */
static void check_tag(const struct offload_frame *of, uint64_t features)
{
	static const struct offload_tag push = { OFFLOAD_PUSH, { 0x0081, 0x0500 } };
	struct offload_frame tagged = *of, again;
	struct vnet_header vnet = offload_vnet(of, &push);
	struct iovec iov[OFFLOAD_PIECES];
	uint8_t *flat = malloc(of->len + ETHER_TAG_SIZE), *at = flat;
	unsigned n = offload_gather(of, &push, iov);

	FUZZ_CHECK(flat);
	for (unsigned i = 0; i < n; i++)
		at = mempcpy(at, iov[i].iov_base, iov[i].iov_len);
	offload_push_tag(&tagged, &push.tag);
	FUZZ_CHECK(memcmp(&vnet, &tagged.vnet, sizeof(vnet)) == 0);
	FUZZ_CHECK(memcmp(flat, offload_head(&tagged), tagged.head_len) == 0);
	FUZZ_CHECK((size_t)(at - flat) == tagged.len);
	if (tagged.len <= VNET_FRAME_MAX && offload_takes(of, features, &push) &&
	    tagged.head_len <= OFFLOAD_HEAD_MAX) {
		FUZZ_CHECK(offload_check(&again, flat, tagged.len, &vnet) == 0);
		FUZZ_CHECK(of->kind == OFFLOAD_CSUM || again.segments == of->segments);
	}
	free(flat);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pieces pieces;
	struct cursor c = cursor_of(data, size);
	struct vnet_header vnet;
	struct offload_frame of;
	struct offload_cut again;
	struct offload_piece piece;
	size_t len, total = 0;
	uint8_t *frame, head[OFFLOAD_HEAD_MAX];

	if (!cursor_copy(&c, &vnet, sizeof(vnet)) || c.left > VNET_FRAME_MAX)
		return 0;
	len = c.left;
	frame = malloc(len ? len : 1);
	FUZZ_CHECK(frame && cursor_copy(&c, frame, len));
	if (offload_check(&of, frame, len, &vnet) == 0) {
		FUZZ_CHECK(of.len == len && of.head_len + of.rest_len == len);
		cut(&of, &pieces);
		check_pieces(&of, &pieces);
		join_again(&pieces);
		pieces_free(&pieces);
		check_tag(&of, VDE_RING_F_ALL);
		memset(frame, 0xff, len);
		offload_cut_start(&again, &of);
		while (offload_cut_next(&again, &piece))
			total += piece.len;
		FUZZ_CHECK(total == of.wire_bytes);
		FUZZ_CHECK(offload_complete_head(&of, head) == of.head_len);
		offload_complete(&of);
	}
	free(frame);
	return 0;
}
