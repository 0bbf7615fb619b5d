/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bonding://: clients are parallel links to the host, which uses them in turn, one per frame. */
#include "vde/plugins/node.h"

struct bonding {
	unsigned last; /* the port that had the last frame */
};

static struct node_target bonding_route(void *memory, const struct node_ports *ports, unsigned from,
					const uint8_t *frame, size_t len, uint64_t now)
{
	struct bonding *bonding = memory;
	unsigned next;

	(void)frame, (void)len, (void)now;
	if (from != NODE_HOST)
		return NODE_TO(NODE_HOST);
	next = node_ports_next(ports, bonding->last);
	if (next == NODE_HOST)
		return NODE_TO_NOBODY;
	bonding->last = next;
	return NODE_TO(next);
}

NODE_PLUGIN(.name = "bonding", .memory = sizeof(struct bonding), .route = bonding_route);
