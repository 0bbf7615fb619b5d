/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bridges on fake time, for the tests of the spanning tree. A `struct net` has bridges and
 * segments; a BPDU sent on a port is queued and delivered to the other end 1 ms later, so that
 * nothing is re-entered. After each event what forwards is looked at: at no moment may there be a
 * loop.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "vde/switch/stp_engine.h"

/* Each test uses some of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

#define MAX_BRIDGES 12
#define MAX_LINKS   40
#define MAX_EVENTS  20000
#define MAX_QUEUE   4096
#define TRANSIT     NS_PER_MSEC
#define SECONDS(n)  ((uint64_t)(n)*NS_PER_SEC)
#define CONVERGENCE SECONDS(50) /* maximum age and two forward delays */

struct net;

struct bridge {
	struct net *net;
	struct stp_engine *engine;
	unsigned index;
	unsigned flushes;
	uint64_t last_flush;
	unsigned root_changes;
	unsigned came, went; /* neighbours */
};

/* A segment between two ports (or more: links may share ends). */
struct link {
	unsigned bridge[2];
	unsigned port[2];
	bool up;
};

struct sent {
	uint64_t due;
	unsigned bridge, port;
	struct bpdu bpdu;
};

struct net {
	uint64_t now;
	struct bridge bridges[MAX_BRIDGES];
	unsigned num_bridges;
	struct link links[MAX_LINKS];
	unsigned num_links;
	struct sent queue[MAX_QUEUE];
	size_t head, tail; /* never wrap: moved down when empty */
	uint64_t last_config[MAX_BRIDGES][64];
	struct bpdu last[MAX_BRIDGES][64]; /* sent by a port */
	unsigned tcns;
};

static uint64_t net_now(void *context)
{
	return ((struct bridge *)context)->net->now;
}

static void net_deliver_later(struct net *net, unsigned bridge, unsigned port,
			      const struct bpdu *bpdu)
{
	if (net->head == net->tail)
		net->head = net->tail = 0;
	assert_true(net->tail < MAX_QUEUE);
	net->queue[net->tail++] = (struct sent){ net->now + TRANSIT, bridge, port, *bpdu };
}

static void net_send(void *context, const struct stp_port *port, const struct bpdu *bpdu)
{
	struct bridge *b = context;
	struct net *net = b->net;

	if (bpdu->type == BPDU_CONFIG) {
		uint64_t *last = &net->last_config[b->index][port->number];

		if (*last)
			assert_true(net->now - *last >= NS_PER_SEC); /* the hold time */
		*last = net->now;
		assert_true(bpdu->message_age < bpdu->max_age);
	} else {
		net->tcns++;
	}
	net->last[b->index][port->number] = *bpdu;
	for (unsigned i = 0; i < net->num_links; i++) {
		const struct link *l = &net->links[i];

		for (unsigned end = 0; l->up && end < 2; end++)
			if (l->bridge[end] == b->index && l->port[end] == port->number)
				net_deliver_later(net, l->bridge[!end], l->port[!end], bpdu);
	}
}

static void net_set_state(void *context, const struct stp_port *port)
{
	(void)context;
	assert_true(port->state < STP_NUM_STATES);
}

static void net_flush(void *context)
{
	struct bridge *b = context;

	b->flushes++;
	b->last_flush = b->net->now;
}

static void net_root_changed(void *context, const struct stp_engine *engine)
{
	struct bridge *b = context;

	(void)engine;
	b->root_changes++;
}

static void net_neighbour(void *context, const struct stp_port *port)
{
	struct bridge *b = context;

	b->came += port->neighbour;
	b->went += !port->neighbour;
}

static const struct stp_ops net_ops = {
	.now = net_now,
	.send = net_send,
	.set_state = net_set_state,
	.flush = net_flush,
	.root_changed = net_root_changed,
	.neighbour = net_neighbour,
};

static struct net *net_new(void)
{
	struct net *net = calloc(1, sizeof(*net));

	assert_non_null(net);
	net->now = SECONDS(1000);
	return net;
}

static void net_free(struct net *net)
{
	for (unsigned i = 0; i < net->num_bridges; i++)
		stp_engine_free(net->bridges[i].engine);
	free(net);
}

static uint64_t bridge_id(unsigned priority, unsigned number)
{
	const uint8_t mac[ETHER_ADDR_SIZE] = { 2, 0, 0, 0, 0, (uint8_t)number };

	return bpdu_bridge_id((uint16_t)priority, mac);
}

static struct stp_engine *net_bridge(struct net *net, uint64_t id)
{
	struct bridge *b = &net->bridges[net->num_bridges];

	b->net = net;
	b->index = net->num_bridges++;
	assert_int_equal(stp_engine_new(&net_ops, b, id, &b->engine), 0);
	stp_engine_start(b->engine);
	return b->engine;
}

static struct stp_port *net_port(struct net *net, unsigned bridge, unsigned number)
{
	struct stp_port *port;

	assert_int_equal(stp_engine_add_port(net->bridges[bridge].engine, number, &port), 0);
	return port;
}

static void net_link_set(struct net *net, unsigned link, bool up)
{
	struct link *l = &net->links[link];

	l->up = up;
	for (unsigned end = 0; end < 2; end++)
		stp_engine_set_link(net->bridges[l->bridge[end]].engine,
				    net_port(net, l->bridge[end], l->port[end]), up);
}

static unsigned net_link(struct net *net, unsigned a, unsigned port_a, unsigned b, unsigned port_b)
{
	struct link *l = &net->links[net->num_links];

	assert_true(net->num_links < MAX_LINKS);
	*l = (struct link){ .bridge = { a, b }, .port = { port_a, port_b } };
	net_link_set(net, net->num_links++, true);
	return net->num_links - 1;
}

static void net_arrive(struct net *net)
{
	const struct sent s = net->queue[net->head++];
	struct stp_port *port = stp_engine_port(net->bridges[s.bridge].engine, s.port);

	if (port)
		stp_engine_receive(net->bridges[s.bridge].engine, port, &s.bpdu);
}

/* The bridge whose timer is due first, or -1 when none is before *due. */
static int net_first_due(const struct net *net, uint64_t *due)
{
	int first = -1;

	for (unsigned i = 0; i < net->num_bridges; i++) {
		uint64_t deadline = stp_engine_next_deadline(net->bridges[i].engine);

		if (deadline < *due) {
			*due = deadline;
			first = (int)i;
		}
	}
	return first;
}

/* Two active ports that forward, on an up link. */
static bool net_link_forwards(const struct net *net, unsigned link)
{
	const struct link *l = &net->links[link];

	for (unsigned end = 0; end < 2; end++) {
		const struct stp_port *port =
			stp_engine_port(net->bridges[l->bridge[end]].engine, l->port[end]);

		if (!l->up || !port || port->state != STP_FORWARDING)
			return false;
	}
	return true;
}

/* Union-find over what forwards: returns the number of parts, fails on a loop. */
static unsigned net_parts(const struct net *net, bool physical)
{
	unsigned part[MAX_BRIDGES];
	unsigned parts = net->num_bridges;

	for (unsigned i = 0; i < net->num_bridges; i++)
		part[i] = i;
	for (unsigned i = 0; i < net->num_links; i++) {
		const struct link *l = &net->links[i];
		unsigned a = part[l->bridge[0]], b = part[l->bridge[1]];

		if (physical ? !l->up : !net_link_forwards(net, i))
			continue;
		if (!physical)
			assert_int_not_equal(a, b); /* a loop */
		if (a == b)
			continue;
		for (unsigned j = 0; j < net->num_bridges; j++)
			if (part[j] == b)
				part[j] = a;
		parts--;
	}
	return parts;
}

/* Lets time pass; at no moment is there a loop. */
static void net_run(struct net *net, uint64_t ns)
{
	uint64_t end = net->now + ns;

	for (unsigned events = 0;; events++) {
		uint64_t due = end;
		int bridge = net_first_due(net, &due);

		assert_true(events < MAX_EVENTS); /* a storm */
		if (net->head < net->tail && net->queue[net->head].due <= due) {
			net->now = MAX(net->now, net->queue[net->head].due);
			net_arrive(net);
		} else if (bridge >= 0) {
			net->now = MAX(net->now, due);
			stp_engine_tick(net->bridges[bridge].engine);
		} else {
			break;
		}
		(void)net_parts(net, false);
	}
	net->now = end;
}

static enum stp_role net_role(const struct net *net, unsigned bridge, unsigned port)
{
	const struct stp_engine *e = net->bridges[bridge].engine;

	return stp_engine_role(e, stp_engine_port(e, port));
}

static void assert_spanning(const struct net *net)
{
	assert_int_equal(net_parts(net, false), net_parts(net, true));
}

static struct net *ring_of_three(void)
{
	struct net *net = net_new();

	for (unsigned i = 1; i <= 3; i++)
		net_bridge(net, bridge_id(0x8000, i));
	net_link(net, 0, 1, 1, 2);
	net_link(net, 1, 1, 2, 2);
	net_link(net, 2, 1, 0, 2);
	net_run(net, CONVERGENCE);
	return net;
}
