/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way of a frame through the switch; forward.c tells the rules. */
#pragma once

#include "base/log.h"
#include "vde/switch/endpoint.h"

#define FORWARD_BATCH    64 /* frames read and delivered together */
#define FORWARD_HEADROOM 64 /* bytes before a frame in the batch's buffers */

/* One frame of the batch. */
struct frame {
	uint8_t *data;
	uint32_t len;
	bool tagged;   /* it came with an 802.1Q tag */
	uint16_t vlan; /* where it belongs */
	uint8_t tag[ETHER_TAG_SIZE]; /* what leaves on tagged ports when it came without */
};

/* Buffers and the frames of one batch; owned by the switch. */
struct forward {
	struct vde_switch *sw;
	size_t buffer_size; /* of one frame, headroom included */
	uint8_t *buffers;   /* FORWARD_BATCH of them; owned mapping */
	struct frame frames[FORWARD_BATCH];
	struct endpoint *dirty; /* endpoints with a share of this batch */
	uint32_t mac_now;       /* s, of the MAC table */
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

/* A frame that the switch itself sends on PORT of VLAN (untagged bytes; tagged as the port is). */
void forward_send(struct vde_switch *sw, struct port *port, const struct vlan *vlan,
		  const void *frame, size_t len);

/* Forgets learned addresses: of a port (or -1: any) in a VLAN (or -1: any). */
void forward_forget(struct vde_switch *sw, int port, int vlan);

/* Seconds for the MAC table now. */
uint32_t forward_mac_now(const struct vde_switch *sw);

/* The interval between two looks for aged addresses has changed. */
void forward_gc_restart(struct vde_switch *sw);
