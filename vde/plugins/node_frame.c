/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What clients send: through data sockets, and through rings. The rule decides by a copy of the first
 * bytes.
 */
#include "vde/plugins/node_internal.h"

#include <errno.h>

#include "base/log.h"
#include "wire/ether.h"

#define SOCKET_BURST 8  /* frames taken from one client in a row */
#define RING_BURST   64

static const struct offload_tag no_change = { .change = OFFLOAD_KEEP };

_Static_assert(NODE_RULE_BYTES == ETHER_HEADER_SIZE + ETHER_TAG_SIZE, "what rules read");

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

/*
 * The next frame of a ring, whose headers are in OF if it has work left. 1; 0 for one to be dropped, -EAGAIN
 * when there is none. *RET_LEN: bytes of the record.
 */
static int ring_receive(struct ring_end *ring, struct offload_frame *of, struct node_frame *f,
			uint32_t *ret_len)
{
	uint32_t len;
	const uint8_t *data = ring_end_next(ring, &f->vnet, &len);

	if (!data)
		return -EAGAIN;
	*ret_len = len;
	f->of = NULL;
	f->len = len;
	if (__builtin_expect(super_has_work(&f->vnet), 0)) {
		if (offload_check(of, data, len, &f->vnet) < 0)
			return 0;
		f->of = of;
		f->len = of->len;
		f->vnet = offload_vnet(of, &no_change);
		f->num_parts = offload_gather(of, &no_change, f->parts);
		memcpy(f->head, offload_head(of), MIN(of->head_len, NODE_RULE_BYTES));
		return 1;
	}
	f->vnet = (struct vnet_header){ 0 };
	f->parts[0] = (struct iovec){ (void *)data, len };
	f->num_parts = 1;
	memcpy(f->head, data, MIN(len, NODE_RULE_BYTES));
	__asm__ volatile("" : "+m"(f->head)); /* the copy is what is looked at */
	return 1;
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
	struct offload_frame of;
	struct node_frame f;
	unsigned taken = 0;
	uint32_t len;
	bool left = false;
	int r;

	while (taken < RING_BURST && !left && !plugin_sink_full(sink) &&
	       (r = ring_receive(ring, &of, &f, &len)) >= 0) {
		taken++;
		if (r)
			node_forward(n, ring->rp.port, &f, sink);
		left = leaves(c, len);
	}
	ring_end_release(ring, false);
	ring_turn(n, ring, left);
	ring_set_flush(&n->rings);
	return taken;
}
