/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rule of a netnode: where a frame goes. It knows port numbers and bytes, no sockets, so that
 * it is tested as a table of decisions.
 */
#pragma once

#include <stdint.h>

#include "base/util.h"

/* Port 0 is the host, the program that holds the node; 1 and up are its clients. */
#define NODE_HOST        0
#define NODE_CLIENTS_MAX 256
#define NODE_PORTS       (NODE_CLIENTS_MAX + 1)

enum node_verdict {
	NODE_DROP,
	NODE_ONE,   /* to one port, which is not the one it came from */
	NODE_FLOOD, /* to every port but the one it came from */
};

struct node_target {
	enum node_verdict verdict;
	unsigned port; /* NODE_ONE */
};

#define NODE_TO(number) ((struct node_target){ NODE_ONE, (number) })
#define NODE_TO_ALL     ((struct node_target){ .verdict = NODE_FLOOD })
#define NODE_TO_NOBODY  ((struct node_target){ .verdict = NODE_DROP })

/* Which clients are there. */
struct node_ports {
	unsigned count;
	bool joined[NODE_PORTS];
};

/* The first client behind port AFTER, round and round; NODE_HOST when there is none. */
static inline unsigned node_ports_next(const struct node_ports *ports, unsigned after)
{
	for (unsigned i = 0; i < NODE_CLIENTS_MAX; i++) {
		unsigned port = (after + i) % NODE_CLIENTS_MAX + 1;

		if (ports->joined[port])
			return port;
	}
	return NODE_HOST;
}

/* What the options of a locator say about learning. */
struct node_learning {
	unsigned table_size; /* most addresses */
	uint64_t seed;
	unsigned expire_s; /* an address not seen for longer is forgotten */
};

#define NODE_LEARNING_DEFAULT { .table_size = 256, .expire_s = 120 }
#define NODE_TABLE_SIZE_MAX (1u << 20)

struct node_rule {
	const char *name; /* the locator's scheme */
	bool learns;      /* takes the options of struct node_learning */
	size_t memory;    /* bytes of the rule's own, zero at the start */
	/* 0 or a negative errno; NULL: nothing to start. */
	int (*start)(void *memory, const struct node_learning *learning);
	void (*stop)(void *memory);
	/* Where the frame (14 bytes or more) that came from port FROM at NOW (seconds) goes. */
	struct node_target (*route)(void *memory, const struct node_ports *ports, unsigned from,
				    const uint8_t *frame, size_t len, uint64_t now);
	/* The port's number is going to be somebody else's. NULL: nothing is kept about ports. */
	void (*gone)(void *memory, unsigned port);
};
