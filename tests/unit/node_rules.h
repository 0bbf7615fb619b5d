/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A rule of a netnode under test: three clients, on ports 1, 2 and 5. */
#pragma once

#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "vde/plugins/node.h"
#include "wire/ether.h"

struct bench {
	void *memory;
	struct node_ports ports;
	uint64_t now;
};

static inline struct bench bench_new(const struct node_learning *learning)
{
	struct bench b = { .memory = calloc(1, node_rule.memory + 1), .now = 1000 };

	assert_non_null(b.memory);
	b.ports.count = 3;
	b.ports.joined[1] = b.ports.joined[2] = b.ports.joined[5] = true;
	if (node_rule.start)
		assert_int_equal(node_rule.start(b.memory, learning), 0);
	return b;
}

static inline void bench_done(struct bench *b)
{
	if (node_rule.stop)
		node_rule.stop(b->memory);
	free(b->memory);
}

/* Addresses are numbers here: 0xff is broadcast, 0x1NN a group, others unicast. */
static inline void bench_address(uint8_t mac[6], unsigned number)
{
	if (number == 0xff)
		memset(mac, 0xff, 6);
	else
		memcpy(mac, (uint8_t[]){ number & 0x100 ? 3 : 2, 0, 0, (uint8_t)(number >> 24),
					 (uint8_t)(number >> 16), (uint8_t)number }, 6);
}

#define UNTAGGED 0x10000u

/* Where a frame from port FROM goes: a port, -1 nowhere, 100 to all others. */
static inline int bench_route(struct bench *b, unsigned from, unsigned dest, unsigned source,
			      unsigned tci)
{
	uint8_t frame[ETHER_MIN_FRAME] = { 0 };
	struct node_target target;

	bench_address(frame, dest);
	bench_address(frame + 6, source);
	if (tci != UNTAGGED)
		memcpy(frame + 12, (uint8_t[]){ 0x81, 0x00, (uint8_t)(tci >> 8), (uint8_t)tci }, 4);
	target = node_rule.route(b->memory, &b->ports, from, frame, sizeof(frame), b->now);
	return target.verdict == NODE_FLOOD ? 100 : target.verdict == NODE_DROP ? -1 :
	       (int)target.port;
}

#define ALL  100
#define NONE (-1)
