/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * switch://: learns which address is behind which port, for each VLAN (all 12 bits; an untagged
 * frame counts as VLAN 0). A destination that is unknown, expired or a group goes to all.
 *
 * The table is bounded by hashsize=. When it is full, what has expired is forgotten; when that is
 * nothing, the addresses of the port that has most of them are: a client that makes up addresses
 * pushes out its own.
 */
#include "vde/plugins/node.h"

#include <errno.h>

#include "base/map.h"
#include "wire/ether.h"

struct learned {
	struct map table; /* address and VLAN to port and time */
	uint64_t expire_s;
	unsigned per_port[NODE_PORTS]; /* addresses */
};

/* A value of the table: the port in the upper 16 bits, the second last seen below. */
#define SEEN_BITS 48
#define SEEN_MASK ((UINT64_C(1) << SEEN_BITS) - 1)

static uint64_t value_of(unsigned port, uint64_t seen)
{
	return (uint64_t)port << SEEN_BITS | (seen & SEEN_MASK);
}

static unsigned value_port(uint64_t value)
{
	return (unsigned)(value >> SEEN_BITS);
}

static bool value_expired(const struct learned *l, uint64_t value, uint64_t now)
{
	return (value & SEEN_MASK) + l->expire_s < now;
}

static uint64_t key_of(const uint8_t *mac, uint16_t vlan)
{
	return ether_mac_number(mac) | (uint64_t)vlan << 48;
}

/* Which entries to forget: of a port, or expired at a time. */
struct oblivion {
	struct learned *l;
	unsigned port; /* NODE_PORTS: of any that expired */
	uint64_t now;
};

static bool oblivion_takes(void *context, uint64_t key, uint64_t value)
{
	struct oblivion *o = context;

	(void)key;
	if (o->port == NODE_PORTS ? !value_expired(o->l, value, o->now)
				  : value_port(value) != o->port)
		return false;
	o->l->per_port[value_port(value)]--;
	return true;
}

static void switch_gone(void *memory, unsigned port)
{
	struct learned *l = memory;
	struct oblivion o = { .l = l, .port = port };

	if (l->per_port[port])
		(void)map_remove_if(&l->table, oblivion_takes, &o);
}

static void switch_make_room(struct learned *l, uint64_t now)
{
	struct oblivion o = { .l = l, .port = NODE_PORTS, .now = now };
	unsigned most = 0;

	if (map_remove_if(&l->table, oblivion_takes, &o))
		return;
	for (unsigned port = 1; port < NODE_PORTS; port++)
		if (l->per_port[port] > l->per_port[most])
			most = port;
	switch_gone(l, most);
}

static void switch_learn(struct learned *l, uint64_t key, unsigned port, uint64_t now)
{
	uint64_t *value = map_find(&l->table, key);

	if (value) {
		l->per_port[value_port(*value)]--;
		*value = value_of(port, now);
	} else {
		if (l->table.count >= l->table.limit)
			switch_make_room(l, now);
		if (map_set(&l->table, key, value_of(port, now)) < 0)
			return;
	}
	l->per_port[port]++;
}

static struct node_target switch_route(void *memory, const struct node_ports *ports, unsigned from,
				       const uint8_t *frame, size_t len, uint64_t now)
{
	struct learned *l = memory;
	struct ether_info info;
	const uint64_t *value;
	uint16_t vlan;

	(void)ports;
	if (ether_parse(frame, len, &info) < 0)
		return NODE_TO_NOBODY;
	vlan = info.tagged ? VLAN_ID(info.tci) : 0;
	if (!ether_is_multicast(info.source))
		switch_learn(l, key_of(info.source, vlan), from, now);
	if (ether_is_multicast(info.dest))
		return NODE_TO_ALL;
	value = map_find(&l->table, key_of(info.dest, vlan));
	if (!value || value_expired(l, *value, now))
		return NODE_TO_ALL;
	return value_port(*value) == from ? NODE_TO_NOBODY : NODE_TO(value_port(*value));
}

static int switch_start(void *memory, const struct node_learning *learning)
{
	struct learned *l = memory;

	l->expire_s = learning->expire_s;
	return map_init(&l->table, learning->table_size, learning->seed);
}

static void switch_stop(void *memory)
{
	struct learned *l = memory;

	map_done(&l->table);
}

NODE_PLUGIN(.name = "switch", .learns = true, .memory = sizeof(struct learned),
	    .start = switch_start, .stop = switch_stop, .route = switch_route, .gone = switch_gone);
