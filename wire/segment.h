/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cuts super-frames into frames that fit the wire, and completes checksums: what a network card
 * does for the kernel (TCP segmentation offload), done for a TAP.
 *
 * The headers of each segment are written in place, over the end of the payload that went out
 * with the segment before: nothing but headers is copied.
 */
#pragma once

#include "wire/tcp.h"
#include "wire/vnet.h"

#define SEGMENT_HEADERS_MAX 160 /* Ethernet, two tags, IP with options, TCP with options */

struct segment {
	uint8_t *frame; /* borrowed, changed */
	size_t len;
	bool whole;     /* one frame, no cutting */
	struct tcp_layout layout;
	uint16_t size;  /* bytes of payload in a full segment */
	size_t at;      /* offset of the next payload */
	unsigned index; /* of the next segment */
	uint8_t headers[SEGMENT_HEADERS_MAX];
};

/* Nothing to give; also what a failed segment_start() needs before the next call. */
void segment_clear(struct segment *s);

/*
 * Takes a frame of LEN bytes at FRAME that the header VNET stood before. FRAME is borrowed, and
 * changed, until segment_next() has given the last piece. Every field is checked against LEN.
 * -EBADMSG for a frame that contradicts its header, -EPROTONOSUPPORT for another kind of GSO than TCP.
 */
int segment_start(struct segment *s, const struct vnet_header *vnet, void *frame, size_t len);

/* The next frame, borrowed until the next call; false when there is no more. */
bool segment_next(struct segment *s, const uint8_t **ret_frame, size_t *ret_len);

/* How many pieces are still to come. */
size_t segment_left(const struct segment *s);
