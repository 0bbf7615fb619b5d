/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where frames of a netnode come from and go to: data sockets, rings, the host's buffers. The rule
 * decides by a copy of the first bytes.
 */
#include "vde/plugins/node_internal.h"

#include <errno.h>

#include "base/log.h"
#include "wire/ether.h"

#define SOCKET_BURST 8  /* frames taken from one client in a row */
#define RING_BURST   64

_Static_assert(NODE_RULE_BYTES == ETHER_HEADER_SIZE + ETHER_TAG_SIZE, "what rules read");

static struct node_target route(struct node *n, unsigned from, const struct node_frame *f)
{
	return n->rule->route(n->memory, &n->ports, from, f->head, f->len, n->now);
}

/* --- to a client ---------------------------------------------------------------------------- */

static int ring_send(struct ring_end *ring, const struct node_frame *f)
{
	if (f->len > ring->rp.max_frame || ring_end_too_long(ring, f->len))
		return 0;
	return ring_end_put(ring, NULL, f->parts, f->num_parts, f->len) ? 0 : -EAGAIN;
}

/* A client that is full, or has closed its socket but not its connection, misses the frame. */
static void port_send(struct node *n, unsigned port, const struct node_frame *f, bool wait)
{
	struct node_client *c = &n->clients[port];

	if (c->ring)
		(void)ring_send(c->ring, f);
	else if (f->len <= PLUGIN_FRAME_MAX)
		(void)plugin_send(c->data, f->parts, f->num_parts, &c->out, wait);
}

static void flood(struct node *n, unsigned from, const struct node_frame *f)
{
	for (unsigned port = 1, left = n->ports.count; left; port++) {
		if (!n->ports.joined[port])
			continue;
		left--;
		if (port != from)
			port_send(n, port, f, false);
	}
}

/* --- from clients --------------------------------------------------------------------------- */

void node_forward(struct node *n, unsigned from, const struct node_frame *f, struct plugin_sink *sink)
{
	struct node_target target = route(n, from, f);

	if (target.verdict == NODE_DROP)
		return;
	if (target.verdict == NODE_ONE && target.port != NODE_HOST) {
		if (n->ports.joined[target.port])
			port_send(n, target.port, f, false);
		return;
	}
	if (target.verdict == NODE_FLOOD)
		flood(n, from, f);
	plugin_sink_put(sink, f->parts, f->num_parts, f->len);
}

/*
 * Reads one frame from PORT: into the host's buffer, with one of ours behind it, so that forwarding does
 * not depend on the size of the host's. Returns 1 with it in *F; 0 for one to be dropped; -EAGAIN when
 * there is none, or another negative errno: the kernel has forgotten that error by now.
 */
static int socket_receive(struct node *n, unsigned port, const struct plugin_sink *sink,
			  struct node_frame *f)
{
	const struct vde_frame *to = &sink->frames[sink->done];
	size_t first = to->len < NODE_RULE_BYTES ? 0 : MIN(to->len, PLUGIN_FRAME_MAX);
	struct iovec parts[2] = { { to->data, first }, { n->rest, PLUGIN_FRAME_MAX - first } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = ARRAY_SIZE(parts) };
	ssize_t len = recvmsg(n->clients[port].data, &message, MSG_DONTWAIT | MSG_TRUNC);

	if (len < 0)
		return -errno;
	if (len < PLUGIN_FRAME_MIN || len > PLUGIN_FRAME_MAX)
		return 0;
	parts[0].iov_len = MIN((size_t)len, first);
	parts[1].iov_len = (size_t)len - parts[0].iov_len;
	*f = (struct node_frame){ .parts = { parts[0], parts[1] }, .num_parts = 2,
				  .len = (uint32_t)len };
	memcpy(f->head, first ? to->data : n->rest, MIN((size_t)len, NODE_RULE_BYTES));
	return 1;
}

unsigned node_take_socket(struct node *n, unsigned port, struct plugin_sink *sink)
{
	unsigned taken = 0;

	while (taken < SOCKET_BURST && !plugin_sink_full(sink)) {
		struct node_frame f;
		int r = socket_receive(n, port, sink, &f);

		if (r < 0)
			break;
		taken++;
		if (r)
			node_forward(n, port, &f, sink);
	}
	return taken;
}

/* The next frame of a ring. False: none. */
static bool ring_receive(struct ring_end *ring, struct node_frame *f)
{
	uint32_t len;
	const uint8_t *data = ring_end_next(ring, &f->vnet, &len);

	if (!data)
		return false;
	memcpy(f->head, data, MIN(len, NODE_RULE_BYTES));
	__asm__ volatile("" : "+m"(f->head)); /* the copy is what is looked at */
	f->parts[0] = (struct iovec){ (void *)data, len };
	f->num_parts = 1;
	f->len = len;
	return true;
}

/* A client that has gone: true when nothing more of it is taken. */
static bool leaves(struct node_client *c, uint32_t len)
{
	if (!c->leaving)
		return false;
	c->leaving -= MIN(c->leaving, ring_record_size(len));
	return !c->leaving;
}

/* After a burst: the next one's turn, or the end. */
static void ring_turn(struct node *n, struct ring_end *ring, bool left)
{
	unsigned port = ring->rp.port;

	if (ring_end_broken(ring)) {
		log_debug("%s: port %u has written nonsense into its ring", n->rule->name, port);
		node_client_drop(n, port);
	} else if (left || (ring_end_rest(ring) && n->clients[port].leaving)) {
		node_client_drop(n, port);
	} else if (n->rings.awake == ring) {
		n->rings.awake = ring->next;
	}
}

unsigned node_take_ring(struct node *n, struct plugin_sink *sink)
{
	struct ring_end *ring = n->rings.awake;
	struct node_client *c = &n->clients[ring->rp.port];
	struct node_frame f;
	unsigned taken = 0;
	bool left = false;

	while (taken < RING_BURST && !left && !plugin_sink_full(sink) && ring_receive(ring, &f)) {
		taken++;
		node_forward(n, ring->rp.port, &f, sink);
		left = leaves(c, f.len);
	}
	ring_end_release(ring, false);
	ring_turn(n, ring, left);
	ring_set_flush(&n->rings);
	return taken;
}

/* --- from the host -------------------------------------------------------------------------- */

/* As plugin_send() does: waits a little, and once in a row of drops. */
static int ring_send_patiently(struct node *n, struct ring_end *ring, const struct node_frame *f)
{
	int r;

	if (f->len > ring->rp.max_frame)
		return 0;
	r = ring_end_send(ring, NULL, f->parts, f->num_parts, f->len, n->epoll, &n->lock);
	return r == -EAGAIN ? r : 0;
}

static int host_send_one(struct node *n, unsigned port, const struct node_frame *f, bool wait)
{
	struct node_client *c = &n->clients[port];

	if (!c->ring) {
		port_send(n, port, f, wait);
		return 0;
	}
	if (wait)
		return ring_send_patiently(n, c->ring, f);
	if (ring_send(c->ring, f) == 0 || ring_end_broken(c->ring))
		return 0;
	ring_end_want_room(c->ring, f->len);
	return -EAGAIN;
}

int node_host_send(struct node *n, const struct node_frame *f, bool wait)
{
	struct node_target target = route(n, NODE_HOST, f);

	switch (target.verdict) {
	case NODE_ONE:
		if (target.port == NODE_HOST || !n->ports.joined[target.port])
			return 0;
		return host_send_one(n, target.port, f, wait);
	case NODE_FLOOD:
		if (n->ports.count == 1)
			return host_send_one(n, node_ports_next(&n->ports, 0), f, wait);
		flood(n, NODE_HOST, f);
		return 0;
	default:
		return 0;
	}
}
