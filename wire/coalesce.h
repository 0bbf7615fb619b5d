/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Joins consecutive segments of a TCP stream to super-frames, the reverse of segment.h: what a
 * network card does for the kernel (large receive offload that can be undone), done for a TAP.
 *
 * A stream has a slot while segments of it come; whoever feeds frames calls coalesce_flush() when
 * no more are at hand, so that nothing waits. Order is kept within a stream; frames that cannot be
 * joined pass at once.
 */
#pragma once

#include "wire/tcp.h"
#include "wire/vnet.h"

#define COALESCE_SLOTS 8

/* Takes a frame, super or not, with its header; both borrowed for the call. */
typedef void coalesce_emit(void *context, const struct vnet_header *vnet, const uint8_t *frame,
			   size_t len);

struct coalesce_slot {
	size_t len;        /* bytes held; 0: the slot is free */
	unsigned segments;
	uint16_t size;     /* payload of the first segment */
	uint32_t next_seq;
	uint64_t age;      /* when it was begun, to find the oldest */
	struct tcp_layout layout;
	uint8_t frame[VNET_FRAME_MAX];
};

struct coalesce {
	coalesce_emit *emit;
	void *context;
	uint64_t clock; /* counts begun slots */
	unsigned held;  /* slots in use */
	struct coalesce_slot slot[COALESCE_SLOTS];
};

/* Zeroes what has to be zero; C is about 512 KiB, of which only what is used is touched. */
void coalesce_init(struct coalesce *c, coalesce_emit *emit, void *context);

/* Takes one frame (borrowed for the call): holds it, or emits it after what it must not overtake. */
void coalesce_add(struct coalesce *c, const uint8_t *frame, size_t len);

/* Emits everything that is held. */
void coalesce_flush(struct coalesce *c);
