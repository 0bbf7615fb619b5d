/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between forward.c (the way in, and where to) and forward_out.c (the way out). */
#pragma once

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

/* All endpoints write their shares of the batch. */
void forward_flush(struct vde_switch *sw);
