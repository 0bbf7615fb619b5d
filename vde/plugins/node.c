/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Netnodes: theory of operation.
 *
 * A node is a small switch inside the process that opened it, the host, which is port 0. Clients
 * are vde:// plugs of other processes; they find a directory as a vde_switch makes it, with a `ring`
 * socket, by which they get rings in shared memory, and a `ctl` socket for those who know only the
 * older way, a datagram socket each. All descriptors are in one epoll set, which is the
 * datafd: it becomes readable when the node has anything to do.
 *
 *	host ── vde_recv, vde_send ── node ──┬─ port 1: control connection, data socket DIR/fd7
 *	          (port 0)           rule    ├─ port 2: control connection, two rings, two doorbells
 *	                                     ├─ DIR/ctl: new control connections
 *	                                     └─ DIR/ring
 *
 * 1. All work is done by the host's calls, there is no thread: vde_recv serves events, forwards
 *    what clients send each other, and returns with the first frame for the host (vde_recv_batch: with
 *    as many as there are). So that a program that polls is not called for nothing, it goes on as long
 *    as there are events (up to a budget), and returns 1 only when none had a frame for the host.
 * 2. Events are fetched one by one: the kernel then serves ready descriptors in turn, and no event
 *    is left over for a descriptor that was closed meanwhile. Rings that are awake (ring_end.h) are
 *    served in turn before events, up to LOOK_AFTER frames.
 * 3. The rule (node_rule.h) says where a frame goes. A frame from a socket is read into the host's buffer,
 *    with one of ours behind it; one from a ring is copied from there to each destination. What is
 *    too long for the host is dropped for the host, never cut.
 * 4. A full client loses that frame, and nobody else does. The host's own frame to a single client
 *    waits for it a little (plugin.h). A client's queue is the send buffer of our socket, or its ring.
 * 5. What clients can do to us is bounded: NODE_CLIENTS_MAX of them, a request of one message, rings of
 *    1 MiB each way, a budget of frames for each call. A client that writes nonsense into its ring ends.
 */
#include "vde/plugins/node_internal.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>

#include "base/clock.h"

/* Frames and events that one vde_recv serves besides what it was asked for. */
#define BUDGET 256
/* Frames that rings may have before the epoll set is looked at again. */
#define LOOK_AFTER 256

static struct node *node_of(VDECONN *conn)
{
	return PLUGIN_OF(conn, struct node);
}

/* One event. */
static unsigned node_event(struct node *n, enum node_event what, unsigned port, uint32_t events,
			   struct plugin_sink *sink)
{
	switch (what) {
	case NODE_EVENT_LISTENER:
	case NODE_EVENT_RING_LISTENER:
		node_accept(n, what == NODE_EVENT_RING_LISTENER);
		break;
	case NODE_EVENT_CONTROL:
		node_control_ready(n, port);
		break;
	case NODE_EVENT_DATA:
		return node_take_socket(n, port, sink);
	case NODE_EVENT_BELL:
		ring_end_bell(n->clients[port].ring, events);
		break;
	case NODE_EVENT_MORE:
		ring_set_more(&n->rings);
		break;
	default:
		ring_set_trim(&n->rings);
	}
	return 0;
}

/* Serves one event. False: there is none. */
static bool node_look(struct node *n, struct plugin_sink *sink, int *budget)
{
	struct epoll_event e;

	n->unlooked = 0;
	if (epoll_wait(n->epoll, &e, 1, 0) != 1)
		return false;
	*budget -= 1 + (int)node_event(n, (enum node_event)(e.data.u64 >> 16),
				       e.data.u64 & 0xffff, e.events, sink);
	return true;
}

static void node_begin_call(struct node *n)
{
	(void)pthread_mutex_lock(&n->lock);
	ring_set_begin(&n->rings);
	if (n->rule->learns)
		n->now = clock_now() / NS_PER_SEC;
}

static void node_end_call(struct node *n)
{
	n->rings.pending = n->rest_of_super.active;
	ring_set_settle(&n->rings);
	(void)pthread_mutex_unlock(&n->lock);
}

/* Serves what is ready. False when there was nothing at all. */
static bool node_serve(struct node *n, struct plugin_sink *sink)
{
	int budget = BUDGET + (int)sink->count;
	bool any = false;

	node_begin_call(n);
	super_continue(&n->rest_of_super, sink);
	while (!plugin_sink_full(sink) && budget > 0) {
		if (n->rings.awake && n->unlooked < LOOK_AFTER) {
			unsigned taken = node_take_ring(n, sink);

			n->unlooked += taken;
			budget -= (int)taken + 1;
			any |= taken > 0;
		} else if (node_look(n, sink, &budget)) {
			any = true;
		} else if (!n->rings.awake) {
			break;
		}
	}
	node_end_call(n);
	return any || sink->done;
}

ssize_t node_recv(VDECONN *conn, void *buf, size_t len, int flags)
{
	struct node *n = node_of(conn);
	struct vde_frame frame = { .data = buf, .len = len };
	struct plugin_sink sink = { .frames = &frame, .count = 1 };

	(void)flags;
	while (!node_serve(n, &sink) && !plugin_nonblock(n->epoll)) {
		int r = plugin_wait_readable(n->epoll);

		if (r < 0)
			return plugin_failed(r);
	}
	return sink.done ? (ssize_t)frame.len : plugin_nothing();
}

int node_recv_batch(VDECONN *conn, struct vde_frame *frames, unsigned count)
{
	struct plugin_sink sink = { .frames = frames, .count = MIN(count, (unsigned)INT_MAX) };

	(void)node_serve(node_of(conn), &sink);
	return (int)sink.done;
}

/* The host's plain frame in *RET; false when it cannot be one. */
static bool host_frame(const void *data, size_t len, struct node_frame *ret)
{
	if (len < PLUGIN_FRAME_MIN || len > VNET_FRAME_MAX)
		return false;
	*ret = (struct node_frame){ .parts = { { (void *)data, len } }, .num_parts = 1,
				    .len = (uint32_t)len };
	memcpy(ret->head, data, MIN(len, NODE_RULE_BYTES));
	return true;
}

/* The same of any frame; what is found out about one with work left is kept in OF. */
static bool host_any_frame(const struct vde_frame *frame, struct offload_frame *of,
			   struct node_frame *ret)
{
	static const struct offload_tag no_change = { .change = OFFLOAD_KEEP };
	const struct vnet_header vnet = super_from_program(&frame->vnet);

	if (!host_frame(frame->data, frame->len, ret))
		return false;
	if (!super_has_work(&vnet))
		return true;
	if (offload_check(of, frame->data, frame->len, &vnet) < 0)
		return false;
	ret->of = of;
	ret->vnet = offload_vnet(of, &no_change);
	ret->num_parts = offload_gather(of, &no_change, ret->parts);
	return true;
}

ssize_t node_send(VDECONN *conn, const void *buf, size_t len, int flags)
{
	struct node *n = node_of(conn);
	struct node_frame f;
	int r;

	(void)flags;
	if (!host_frame(buf, len, &f))
		return (ssize_t)len;
	node_begin_call(n);
	r = node_host_send(n, &f, true);
	node_end_call(n);
	return r < 0 ? plugin_failed(r) : (ssize_t)len;
}

int node_send_batch(VDECONN *conn, const struct vde_frame *frames, unsigned count)
{
	struct node *n = node_of(conn);
	unsigned done = 0;

	count = MIN(count, (unsigned)INT_MAX);
	node_begin_call(n);
	for (; done < count; done++) {
		struct offload_frame of;
		struct node_frame f;

		if (host_any_frame(&frames[done], &of, &f) && node_host_send(n, &f, false) < 0)
			break;
	}
	node_end_call(n);
	return (int)done;
}

uint64_t node_features(VDECONN *conn, uint64_t features)
{
	struct node *n = node_of(conn);

	(void)pthread_mutex_lock(&n->lock);
	n->features = features & VDE_RING_F_ALL;
	if (!(features & VDE_FEATURE_CSUM))
		n->features = 0;
	features = n->features | (n->ring_listener >= 0 ? VDE_FEATURE_RING : 0);
	(void)pthread_mutex_unlock(&n->lock);
	return features;
}

int node_datafd(VDECONN *conn)
{
	return node_of(conn)->epoll;
}

int node_ctlfd(VDECONN *conn)
{
	(void)conn;
	return -1;
}
