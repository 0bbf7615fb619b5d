/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between forward.c (the way in, and where to) and forward_out.c (the way out). */
#pragma once

#include "vde/switch/endpoint.h"
#include "vde/switch/forward.h"

/* Makes *frame the LEN bytes at DATA, which are the switch's own. */
void frame_set(struct frame *frame, uint8_t *data, uint32_t len);

/* What leaves on tagged ports when the frame came without a tag. */
void frame_set_push(struct frame *frame, uint16_t vlan);

/*
 * The frame in one piece, for those who cannot take it in more; its checksum is complete. It is where
 * it is, or in f->scratch.
 */
uint8_t *frame_whole(struct forward *f, const struct frame *frame);

/* Gives the frame with this index to all endpoints of PORT: now, or when the batch is flushed. */
void forward_deliver(struct vde_switch *sw, struct port *port, unsigned index, bool tagged);

/* The same for one endpoint: when the batch is flushed. */
static inline void forward_pend(struct forward *f, struct endpoint *ep, unsigned index, bool tagged)
{
	ep->pending[ep->num_pending++] = (uint8_t)(index | (tagged ? FORWARD_TAGGED : 0));
	if (ep->dirty)
		return;
	ep->dirty = true;
	ep->next_dirty = f->dirty;
	f->dirty = ep;
}

/* FIRST, from EP, has gone to TO only: others may follow it. */
void train_start(struct vde_switch *sw, struct endpoint *ep, const struct frame *first,
		 struct vlan *vlan, struct port *to);

/* Delivers the frame with this index if it belongs to the train. */
bool train_follow(struct forward *f, struct endpoint *ep, unsigned index);

/* The batch from EP is over: counts. */
void train_end(struct forward *f, struct endpoint *ep);

/* All endpoints write their shares of the batch. */
void forward_flush(struct vde_switch *sw);
