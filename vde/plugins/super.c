/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vde/plugins/super.h"

#include <stdlib.h>

#include "base/cleanup.h"

static const struct offload_tag no_change = { .change = OFFLOAD_KEEP };

struct vnet_header super_from_program(const struct vde_vnet *vnet)
{
	return (struct vnet_header){
		.flags = vnet->flags & VNET_NEEDS_CSUM, .gso_type = vnet->gso_type,
		.hdr_len = vnet->hdr_len, .gso_size = vnet->gso_size,
		.csum_start = vnet->csum_start, .csum_offset = vnet->csum_offset,
	};
}

void super_continue(struct super_rest *rest, struct plugin_sink *sink)
{
	while (rest->active && !plugin_sink_full(sink)) {
		struct vde_frame *to = &sink->frames[sink->done];
		ssize_t len = offload_cut_copy(&rest->cut, to->data, to->len);

		if (len > 0)
			plugin_sink_done(sink, (size_t)len, NULL);
		/* -EMSGSIZE: that one is dropped. */
		rest->active = len != 0 && rest->cut.index < rest->of.segments;
	}
}

/* Keeps a copy of what will be cut; without memory for it the frame is lost. */
static void keep(struct super_rest *rest, const struct offload_frame *of)
{
	if (!rest->copy)
		rest->copy = malloc(VNET_FRAME_MAX);
	if (!rest->copy)
		return;
	rest->of = *of;
	rest->of.rest = memcpy(rest->copy, of->rest, of->rest_len);
	offload_cut_start(&rest->cut, &rest->of);
	rest->active = true;
}

void super_deliver(struct super_rest *rest, struct offload_frame *of, uint64_t features,
		   struct plugin_sink *sink)
{
	struct iovec parts[OFFLOAD_PIECES];
	struct vnet_header vnet;
	unsigned count;

	if (!offload_takes(of, features, &no_change)) {
		if (of->segments > 1) {
			keep(rest, of);
			super_continue(rest, sink);
			return;
		}
		offload_complete(of);
	}
	vnet = offload_vnet(of, &no_change);
	count = offload_gather(of, &no_change, parts);
	plugin_sink_put(sink, parts, count, of->len, &vnet);
}

void super_done(struct super_rest *rest)
{
	rest->active = false;
	free(TAKE_PTR(rest->copy));
}
