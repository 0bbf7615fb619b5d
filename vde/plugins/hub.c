/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hub://: everybody hears everything. */
#include "vde/plugins/node.h"

static struct node_target hub_route(void *memory, const struct node_ports *ports, unsigned from,
				    const uint8_t *frame, size_t len, uint64_t now)
{
	(void)memory, (void)ports, (void)from, (void)frame, (void)len, (void)now;
	return NODE_TO_ALL;
}

NODE_PLUGIN(.name = "hub", .route = hub_route);
