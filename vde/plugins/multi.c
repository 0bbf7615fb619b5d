/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* multi://: clients talk with the host only; the host talks to all of them at once. */
#include "vde/plugins/node.h"

static struct node_target multi_route(void *memory, const struct node_ports *ports, unsigned from,
				      const uint8_t *frame, size_t len, uint64_t now)
{
	(void)memory, (void)ports, (void)frame, (void)len, (void)now;
	return from == NODE_HOST ? NODE_TO_ALL : NODE_TO(NODE_HOST);
}

NODE_PLUGIN(.name = "multi", .route = multi_route);
