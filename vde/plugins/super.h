/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames with work left (wire/vnet.h) for the host: as they are when it has asked for such
 * (vde_features), else complete, a super-frame as the frames it stands for. Those that the host gave no
 * buffers for are kept, in a copy of ours: the ring is the sender's.
 */
#pragma once

#include "vde/plug/offload.h"
#include "vde/plugins/plugin.h"

struct super_rest {
	bool active;   /* there are pieces for the host */
	uint8_t *copy; /* owned; what follows the head of the frame that is being cut */
	struct offload_frame of;
	struct offload_cut cut;
};

/* A header that leaves work. */
static inline bool super_has_work(const struct vnet_header *vnet)
{
	return (vnet->flags & VNET_NEEDS_CSUM) || vnet->gso_type != VNET_GSO_NONE;
}

/* The same of a program's frame. */
static inline bool super_is_work(const struct vde_vnet *vnet)
{
	return (vnet->flags & VDE_VNET_NEEDS_CSUM) || vnet->gso_type != VDE_VNET_GSO_NONE;
}

struct vnet_header super_from_program(const struct vde_vnet *vnet);

/* Gives the host OF, which may be completed by that. SINK is not full, and REST not active. */
void super_deliver(struct super_rest *rest, struct offload_frame *of, uint64_t features,
		   struct plugin_sink *sink);

/* Gives it more of what is kept. */
void super_continue(struct super_rest *rest, struct plugin_sink *sink);

void super_done(struct super_rest *rest);
