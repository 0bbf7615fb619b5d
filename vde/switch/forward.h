/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way of a frame through the switch; forward.c tells the rules. */
#pragma once

#include "base/log.h"
#include "vde/plug/offload.h"
#include "vde/switch/endpoint.h"

#define FORWARD_BATCH  64 /* frames read and delivered together */
#define FORWARD_HEAD   64 /* bytes of a frame that are private when the rest is not */
#define FORWARD_PIECES OFFLOAD_PIECES
#define FORWARD_CUT_MAX 1400 /* segments of the largest super-frame with the smallest gso_size */

/*
 * One frame of the batch: its first head_len bytes are private to the switch, and cover addresses, tag
 * and type; the body may lie in a ring, where its sender can still change it. A frame that leaves work
 * to whoever carries it (a super-frame, an unfinished checksum) is looked at through `work`.
 */
struct frame {
	uint8_t *head;
	const uint8_t *body;
	uint32_t head_len;
	uint32_t len;      /* of both */
	uint32_t segments; /* frames on the wire, and their bytes */
	uint32_t wire_bytes;
	struct offload_frame *work; /* NULL: a plain frame */
	struct offload_tag push;    /* what leaves on tagged ports when it came without */
	uint16_t vlan;              /* where it belongs */
	bool tagged;                /* it came with an 802.1Q tag */
	bool known;                 /* it goes to one port, where its destination is */
};

/* The pieces that one frame was cut into, for all endpoints that do not take it whole. */
struct forward_cut {
	const struct frame *frame; /* NULL: nothing is cut */
	unsigned count;
	struct offload_piece *pieces; /* owned mapping, FORWARD_CUT_MAX of them */
};

/* Buffers and the frames of one batch; owned by the switch. */
struct forward {
	struct vde_switch *sw;
	size_t buffer_size; /* of one frame */
	uint8_t *buffers;   /* FORWARD_BATCH of them; owned mapping */
	struct frame frames[FORWARD_BATCH];
	uint8_t heads[FORWARD_BATCH][FORWARD_HEAD];
	struct offload_frame works[FORWARD_BATCH];
	struct forward_cut cut;
	uint8_t *scratch;       /* OUTQ_FRAME_MAX bytes for those who need a frame in one piece; owned */
	struct endpoint *dirty; /* endpoints with a share of this batch */
	struct endpoint *congested; /* one that did not take its share; NULL: there is none */
	uint32_t mac_now;       /* s, of the MAC table */
	struct {
		bool valid;
		uint16_t vlan;
		int port; /* -1: to all */
		uint8_t addresses[2 * ETHER_ADDR_SIZE];
	} last; /* decision about the frame before, within a batch */
	struct train {
		const struct frame *first; /* NULL: there is none */
		struct vlan *vlan;
		struct port *to;
		bool leaves_tagged;
		uint64_t frames, bytes; /* that followed it, not counted yet */
	} train; /* forward_train.c */
	struct loop_timer gc;
	struct log_limit conflicts; /* messages about addresses that may not move yet */
};

int forward_new(struct vde_switch *sw);
void forward_free(struct vde_switch *sw);

/* Room for frame I of the next batch: max_frame + 1 bytes, so that a larger one shows. */
uint8_t *forward_buffer(struct forward *f, unsigned i);

/* COUNT frames of len[I] bytes, in the buffers 0 to COUNT - 1, came from EP. */
void forward_batch(struct vde_switch *sw, struct endpoint *ep, const uint32_t *len,
		   unsigned count);

/*
 * Frame I of the next batch lies at DATA (LEN bytes, in a ring): its head is copied. VNET (copied
 * already) is its offload header. The bytes must stay until forward_frames() has returned.
 * Negative: the header contradicts the frame, which is not put.
 */
int forward_put(struct forward *f, unsigned i, const uint8_t *data, uint32_t len,
		const struct vnet_header *vnet);

/* COUNT frames that were put came from EP. */
void forward_frames(struct vde_switch *sw, struct endpoint *ep, unsigned count);

/* A share has the frame's index, and whether it leaves with a tag. */
#define FORWARD_TAGGED 0x40
#define FORWARD_INDEX  0x3f
_Static_assert(FORWARD_BATCH <= FORWARD_INDEX + 1, "a frame's index fits beside the flag");
_Static_assert(FORWARD_BATCH <= sizeof(((struct endpoint *)0)->pending), "a share is a batch at most");

/* The share of EP in this batch, for the class's flush(): the I-th frame, and whether it leaves tagged. */
static inline const struct frame *forward_share(const struct forward *f, const struct endpoint *ep,
						unsigned i, bool *ret_tagged)
{
	*ret_tagged = ep->pending[i] & FORWARD_TAGGED;
	return &f->frames[ep->pending[i] & FORWARD_INDEX];
}

/* What happens to the frame's tag on the way out. */
const struct offload_tag *forward_change(const struct frame *frame, bool leaves_tagged);

/* The offload header that a frame leaves with, for an endpoint that takes it whole. */
struct vnet_header forward_vnet(const struct frame *frame, bool leaves_tagged);

/* The pieces that a frame leaves in, with or without a tag; returns how many. */
unsigned forward_pieces(const struct frame *frame, bool leaves_tagged,
			struct iovec iov[FORWARD_PIECES], unsigned *ret_len);

/* A frame that the switch itself sends on PORT of VLAN (untagged bytes; tagged as the port is). */
void forward_send(struct vde_switch *sw, struct port *port, const struct vlan *vlan,
		  const void *frame, size_t len);

/* Forgets learned addresses: of a port (or -1: any) in a VLAN (or -1: any). */
void forward_forget(struct vde_switch *sw, int port, int vlan);

/* Seconds for the MAC table now. */
uint32_t forward_mac_now(const struct vde_switch *sw);

/* The interval between two looks for aged addresses has changed. */
void forward_gc_restart(struct vde_switch *sw);
