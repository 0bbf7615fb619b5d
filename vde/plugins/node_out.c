/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where frames of a netnode go. A super-frame goes as it is to those that take it; for all others
 * together it is cut once.
 */
#include "vde/plugins/node_internal.h"

#include <errno.h>

static const struct offload_tag no_change = { .change = OFFLOAD_KEEP };

/* The clients that a frame goes to. */
struct targets {
	unsigned count;
	uint16_t ports[NODE_CLIENTS_MAX];
};

static struct node_target route(struct node *n, unsigned from, const struct node_frame *f)
{
	return n->rule->route(n->memory, &n->ports, from, f->head, f->len, n->now);
}

static void list_targets(const struct node *n, struct node_target target, unsigned from,
			 struct targets *ret)
{
	ret->count = 0;
	if (target.verdict == NODE_ONE && target.port != NODE_HOST && n->ports.joined[target.port])
		ret->ports[ret->count++] = (uint16_t)target.port;
	if (target.verdict != NODE_FLOOD)
		return;
	for (unsigned port = 1, left = n->ports.count; left; port++) {
		if (!n->ports.joined[port])
			continue;
		left--;
		if (port != from)
			ret->ports[ret->count++] = (uint16_t)port;
	}
}

/* --- one client ----------------------------------------------------------------------------- */

static bool port_takes(const struct node *n, unsigned port, const struct node_frame *f)
{
	const struct ring_end *ring = n->clients[port].ring;

	return !f->of || offload_takes(f->of, ring ? ring->rp.peer_features : 0, &no_change);
}

/* A frame that will never go through: it counts as dropped. */
static bool ring_refuses(const struct ring_end *ring, const struct node_frame *f)
{
	bool super = f->of && f->of->segments > 1;

	return (!super && f->len > ring->rp.max_frame) || ring_end_too_long(ring, f->len);
}

/* Not to wait: 0, also when it was dropped for good; -EAGAIN: there is no room. */
static int port_send(struct node *n, unsigned port, const struct node_frame *f, bool wait)
{
	struct node_client *c = &n->clients[port];

	if (!c->ring) {
		/* One that has closed its socket but not its connection misses it. */
		if (f->len <= PLUGIN_FRAME_MAX)
			(void)plugin_send(c->data, f->parts, f->num_parts, &c->out, wait);
		return 0;
	}
	if (ring_refuses(c->ring, f) || ring_end_put(c->ring, &f->vnet, f->parts, f->num_parts, f->len))
		return 0;
	return ring_end_broken(c->ring) ? 0 : -EAGAIN;
}

/* One piece of a frame that was cut, as a frame. */
static struct node_frame piece_frame(const struct offload_piece *piece)
{
	struct node_frame f = { .len = piece->len };

	f.num_parts = offload_piece_gather(piece, &no_change, f.parts);
	return f;
}

/* Cuts F once for those of TO that do not take it. */
static void send_cut(struct node *n, const struct targets *to, const struct node_frame *f)
{
	struct offload_cut cut;
	struct offload_piece piece;

	offload_cut_start(&cut, f->of);
	while (offload_cut_next(&cut, &piece)) {
		struct node_frame part = piece_frame(&piece);

		for (unsigned i = 0; i < to->count; i++)
			if (!port_takes(n, to->ports[i], f))
				(void)port_send(n, to->ports[i], &part, false);
	}
}

/* Those that are full miss it. */
static void send_all(struct node *n, const struct targets *to, const struct node_frame *f)
{
	bool cut = false;

	for (unsigned i = 0; i < to->count; i++) {
		if (port_takes(n, to->ports[i], f))
			(void)port_send(n, to->ports[i], f, false);
		else
			cut = true;
	}
	if (cut)
		send_cut(n, to, f);
}

void node_forward(struct node *n, unsigned from, const struct node_frame *f, struct plugin_sink *sink)
{
	struct node_target target = route(n, from, f);
	struct targets to;

	list_targets(n, target, from, &to);
	send_all(n, &to, f);
	if (target.verdict == NODE_DROP || (target.verdict == NODE_ONE && target.port != NODE_HOST))
		return;
	if (f->of)
		super_deliver(&n->rest_of_super, f->of, n->features, sink);
	else
		plugin_sink_put(sink, f->parts, f->num_parts, f->len, NULL);
}

/* --- from the host -------------------------------------------------------------------------- */

/* As plugin_send() does: waits a little, and once in a row of drops. */
static int send_patiently(struct node *n, unsigned port, const struct node_frame *f)
{
	struct ring_end *ring = n->clients[port].ring;
	int r;

	if (!ring)
		return port_send(n, port, f, true);
	if (ring_refuses(ring, f))
		return 0;
	r = ring_end_send(ring, &f->vnet, f->parts, f->num_parts, f->len, n->epoll, &n->lock);
	return r == -EAGAIN ? r : 0;
}

/* Of a frame that is cut, the first piece tells whether there is room. */
static int send_pieces(struct node *n, unsigned port, const struct node_frame *f)
{
	struct offload_cut cut;
	struct offload_piece piece;
	bool begun = false;

	offload_cut_start(&cut, f->of);
	while (offload_cut_next(&cut, &piece)) {
		struct node_frame part = piece_frame(&piece);
		int r = port_send(n, port, &part, false);

		if (r < 0)
			return begun ? 0 : r;
		begun = true;
	}
	return 0;
}

static int send_one(struct node *n, unsigned port, const struct node_frame *f)
{
	int r = port_takes(n, port, f) ? port_send(n, port, f, false) : send_pieces(n, port, f);

	if (r == -EAGAIN)
		ring_end_want_room(n->clients[port].ring, f->len);
	return r;
}

int node_host_send(struct node *n, const struct node_frame *f, bool wait)
{
	struct targets to;

	list_targets(n, route(n, NODE_HOST, f), NODE_HOST, &to);
	if (to.count == 1)
		return wait ? send_patiently(n, to.ports[0], f) : send_one(n, to.ports[0], f);
	send_all(n, &to, f);
	return 0;
}
