/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cuts (argument "cut") or joins ("join") what comes on stdin; what it makes goes to stdout. Each
 * frame stands behind 32 bits of length (host byte order, of frame and header) and its offload
 * header.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vde/plug/offload.h"

#define FRAMES_MAX 4096

static const struct offload_tag keep = { OFFLOAD_KEEP };

static void put(const struct vnet_header *vnet, size_t len)
{
	uint32_t record = (uint32_t)(sizeof(*vnet) + len);

	fwrite(&record, sizeof(record), 1, stdout);
	fwrite(vnet, sizeof(*vnet), 1, stdout);
}

/* The next frame, allocated, with its length; NULL at the end. */
static uint8_t *get(struct vnet_header *vnet, size_t *ret_len)
{
	uint32_t record;
	uint8_t *frame;

	if (fread(&record, sizeof(record), 1, stdin) != 1)
		return NULL;
	if (fread(vnet, sizeof(*vnet), 1, stdin) != 1)
		exit(2);
	*ret_len = record - sizeof(*vnet);
	frame = malloc(*ret_len);
	if (!frame || fread(frame, *ret_len, 1, stdin) != 1)
		exit(2);
	return frame;
}

static void cut(const struct offload_frame *of)
{
	static const struct vnet_header plain;
	struct offload_piece piece;
	struct offload_cut c;
	struct iovec iov[OFFLOAD_PIECES];

	offload_cut_start(&c, of);
	while (offload_cut_next(&c, &piece)) {
		unsigned n = offload_piece_gather(&piece, &keep, iov);

		put(&plain, piece.len);
		for (unsigned i = 0; i < n; i++)
			fwrite(iov[i].iov_base, iov[i].iov_len, 1, stdout);
	}
}

static void emit(void *context, const struct offload_out *out)
{
	(void)context;
	put(&out->vnet, out->len);
	for (unsigned i = 0; i < out->count; i++)
		fwrite(out->iov[i].iov_base, out->iov[i].iov_len, 1, stdout);
}

int main(int argc, char **argv)
{
	static struct offload_frame frames[FRAMES_MAX];
	bool joining = argc > 1 && strcmp(argv[1], "join") == 0;
	struct offload_join *join;
	struct vnet_header vnet;
	uint8_t *frame;
	size_t n = 0, len;

	if (offload_join_new(VDE_RING_F_ALL, emit, NULL, &join) < 0)
		return 2;
	while (n < FRAMES_MAX && (frame = get(&vnet, &len))) {
		int r = offload_check(&frames[n], frame, len, &vnet);

		if (r < 0) {
			fprintf(stderr, "frame %zu: %s\n", n, strerror(-r));
			return 1;
		}
		if (joining)
			offload_join_add(join, &frames[n], &keep);
		else
			cut(&frames[n]);
		n++;
	}
	offload_join_flush(join);
	return fflush(stdout) ? 2 : 0;
}
