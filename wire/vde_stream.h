/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames on a byte stream: a big-endian 16-bit length (which does not count itself), then the
 * frame. The reader is a state machine that may be fed any pieces: a half header or half a frame
 * is kept until the rest comes. A zero length is skipped. A length above the limit is reported, and its
 * bytes are skipped, so that the stream stays in step.
 */
#pragma once

#include "wire/cursor.h"

#define VDE_STREAM_HEADER_SIZE 2
#define VDE_STREAM_FRAME_MAX   9236 /* bytes of a frame, the limit of vdeplug4 */

struct vde_stream {
	uint8_t header[VDE_STREAM_HEADER_SIZE];
	unsigned header_len;
	size_t frame_len;  /* of the frame in progress */
	size_t have;       /* bytes of it that were collected or skipped */
	bool skipping;
	uint64_t oversized; /* frames skipped so far */
	uint8_t frame[VDE_STREAM_FRAME_MAX];
};

/* Zero-initialises; between frames. */
void vde_stream_reset(struct vde_stream *s);

struct vde_stream_handler {
	/* A whole frame of LEN bytes (1 or more), borrowed for the call. */
	void (*frame)(void *context, const uint8_t *frame, size_t len);
	/* A length above the limit; NULL: ignore. */
	void (*oversized)(void *context, size_t len);
};

/* Consumes all LEN bytes of DATA and calls HANDLER for each frame completed. */
void vde_stream_feed(struct vde_stream *s, const void *data, size_t len,
		     const struct vde_stream_handler *handler, void *context);

/* True while half a header or half a frame waits for its rest. */
bool vde_stream_partial(const struct vde_stream *s);

static inline void vde_stream_put_header(uint8_t header[VDE_STREAM_HEADER_SIZE], size_t len)
{
	header[0] = (uint8_t)(len >> 8);
	header[1] = (uint8_t)len;
}
