/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cuts super-frames into frames that fit the wire, and completes checksums: what a network card
 * does for the kernel (segmentation offload for TCP and UDP).
 *
 * The plan knows the headers only and writes those of any segment; where payload is, and how its
 * checksum comes about, is the caller's. `struct segment` is the cutter for a frame in private
 * memory: the headers of each segment are written in place, over the end of the payload that went
 * out with the segment before, so nothing but headers is copied.
 */
#pragma once

#include "wire/transport.h"
#include "wire/vnet.h"

/* Ethernet, two tags, IP with options or extension headers, TCP with options. */
#define SEGMENT_HEADERS_MAX 256

#define IP_PACKET_MAX 65535 /* what the length field of IPv4 can say */

struct segment_plan {
	const uint8_t *head; /* borrowed: all headers of the super-frame, layout.payload bytes */
	struct transport_layout layout;
	uint16_t size;        /* bytes of payload in a full segment */
	uint32_t payload_len; /* of all segments */
	uint32_t count;       /* of segments */
	uint16_t ip_id;
	uint32_t seq;
	uint64_t ip_sum;        /* of the IPv4 header without what differs */
	uint64_t transport_sum; /* of pseudo and transport header without what differs */
};

/*
 * Finds the parts of a super-frame of LEN bytes that came with VNET; the first HAVE bytes are at HEAD.
 * Every field is checked against LEN. -EBADMSG for a frame that contradicts its header, or whose
 * headers are not in HAVE and SEGMENT_HEADERS_MAX bytes; -EPROTONOSUPPORT for another kind of GSO.
 */
int segment_parse(const struct vnet_header *vnet, const void *head, size_t have, size_t len,
		  struct transport_layout *ret);

/* HEAD stays as it is while PLAN is used. SIZE is at least 1; payload_len is layout->end - payload. */
void segment_plan(struct segment_plan *plan, const uint8_t *head,
		  const struct transport_layout *layout, uint16_t size);

/* Bytes of payload in segment INDEX; its payload begins INDEX * size behind the headers. */
static inline uint32_t segment_payload(const struct segment_plan *plan, uint32_t index)
{
	return MIN(plan->payload_len - index * plan->size, (uint32_t)plan->size);
}

/*
 * Writes the headers of segment INDEX to TO (layout.payload bytes), and returns a sum to which that
 * of the payload is to be added; what comes out is given to segment_seal().
 */
uint64_t segment_head(const struct segment_plan *plan, uint32_t index, uint8_t *to);

/* Stores the checksum of the TCP segment or UDP datagram behind HEAD. */
void segment_seal(const struct transport_layout *layout, uint8_t *head, uint64_t sum);

struct segment {
	uint8_t *frame; /* borrowed, changed */
	size_t len;
	bool whole;     /* one frame, no cutting */
	struct segment_plan plan;
	uint32_t index; /* of the next segment */
	uint8_t headers[SEGMENT_HEADERS_MAX];
};

/* Nothing to give; also what a failed segment_start() needs before the next call. */
void segment_clear(struct segment *s);

/*
 * Takes a frame of LEN bytes at FRAME that the header VNET stood before. FRAME is borrowed, and
 * changed, until segment_next() has given the last piece. Every field is checked against LEN.
 * -EBADMSG for a frame that contradicts its header, -EPROTONOSUPPORT for another kind of GSO.
 */
int segment_start(struct segment *s, const struct vnet_header *vnet, void *frame, size_t len);

/* The next frame, borrowed until the next call; false when there is no more. */
bool segment_next(struct segment *s, const uint8_t **ret_frame, size_t *ret_len);

/* How many pieces are still to come. */
size_t segment_left(const struct segment *s);
