/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Netnodes: theory of operation.
 *
 * A node is a small switch inside the process that opened it, the host, which is port 0. Clients
 * are vde:// plugs of other processes; they find a directory with a `ctl` socket, as a vde_switch
 * makes it, and get a datagram socket each. All descriptors are in one epoll set, which is the
 * datafd: it becomes readable when the node has anything to do.
 *
 *	host ── vde_recv, vde_send ── node ──┬─ port 1: control connection, data socket DIR/fd7
 *	          (port 0)           rule    ├─ port 2: ...
 *	                                     └─ DIR/ctl: new control connections
 *
 * 1. All work is done by the host's calls, there is no thread: vde_recv serves events, forwards
 *    what clients send each other, and returns with the first frame for the host. So that a program
 *    that polls is not called for nothing, it goes on as long as there are events (up to a budget),
 *    and returns 1 only when none had a frame for the host.
 * 2. Events are fetched one by one: the kernel then serves ready descriptors in turn, and no event
 *    is left over for a descriptor that was closed meanwhile.
 * 3. The rule (node_rule.h) says where a frame goes. A frame is read into the caller's buffer, with
 *    a buffer of ours behind it, so forwarding does not depend on the size of the caller's. What is
 *    too long for the host is dropped for the host, never cut.
 * 4. A full client loses that frame, and nobody else does. The host's own frame to a single client
 *    waits for it a little (plugin.h). A client's queue is the send buffer of our socket.
 * 5. What clients can do to us is bounded: NODE_CLIENTS_MAX of them, a request of 256 bytes, a
 *    budget of frames for each call.
 */
#include "vde/plugins/node_internal.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "wire/ether.h"

/* Frames and events that one vde_recv serves, and frames taken from one client in a row. */
#define BUDGET 256
#define BURST  8
/* Bytes of a frame that a rule reads in one piece. */
#define RULE_BYTES (ETHER_HEADER_SIZE + ETHER_TAG_SIZE)

/* A frame in two pieces: in the caller's buffer, and in node.rest. */
struct frame {
	struct iovec parts[2];
	size_t len;
	size_t host_room; /* bytes of the caller's buffer */
};

static struct node *node_of(VDECONN *conn)
{
	return PLUGIN_OF(conn, struct node);
}

/* Where to read a frame to. A caller's buffer too small for a header is not used at all. */
static struct frame frame_for(struct node *n, void *buf, size_t len)
{
	size_t first = len < RULE_BYTES ? 0 : MIN(len, PLUGIN_FRAME_MAX);

	return (struct frame){
		.parts = { { buf, first }, { n->rest, PLUGIN_FRAME_MAX - first } },
		.host_room = first,
	};
}

static const uint8_t *frame_start(const struct frame *f)
{
	return f->parts[f->host_room ? 0 : 1].iov_base;
}

/* Cuts the pieces to the frame's length. */
static void frame_set_len(struct frame *f, size_t len)
{
	f->len = len;
	f->parts[0].iov_len = MIN(len, f->parts[0].iov_len);
	f->parts[1].iov_len = len - f->parts[0].iov_len;
}

static void port_send(struct node *n, unsigned port, const struct frame *f, bool wait)
{
	struct node_client *c = &n->clients[port];

	/* A client that is full, or has closed its socket but not its connection, misses it. */
	(void)plugin_send(c->data, f->parts, ARRAY_SIZE(f->parts), &c->out, wait);
}

/*
 * Reads one frame from PORT. Returns 1 with it in *F; 0 for one to be dropped; -EAGAIN when there
 * is none, or another negative errno: the kernel has forgotten that error by now.
 */
static int port_receive(struct node *n, unsigned port, struct frame *f)
{
	struct msghdr message = { .msg_iov = f->parts, .msg_iovlen = ARRAY_SIZE(f->parts) };
	ssize_t len = recvmsg(n->clients[port].data, &message, MSG_DONTWAIT | MSG_TRUNC);

	if (len < 0)
		return -errno;
	if (len < PLUGIN_FRAME_MIN || len > PLUGIN_FRAME_MAX)
		return 0;
	frame_set_len(f, (size_t)len);
	return 1;
}

/* Sends the frame where the rule says; true when the host is to have it. */
static bool node_forward(struct node *n, unsigned from, const struct frame *f)
{
	uint64_t now = clock_now() / NS_PER_SEC;
	struct node_target target =
		n->rule->route(n->memory, &n->ports, from, frame_start(f), f->len, now);
	bool wait = from == NODE_HOST && (target.verdict == NODE_ONE || n->ports.count == 1);

	if (target.verdict == NODE_DROP)
		return false;
	if (target.verdict == NODE_ONE) {
		if (target.port == NODE_HOST)
			return true;
		if (n->ports.joined[target.port])
			port_send(n, target.port, f, wait);
		return false;
	}
	for (unsigned port = 1, left = n->ports.count; left; port++) {
		if (!n->ports.joined[port])
			continue;
		left--;
		if (port != from)
			port_send(n, port, f, wait);
	}
	return from != NODE_HOST;
}

/* Takes frames from PORT. Returns the length of one for the host, 0 when there is none. */
static size_t node_data_ready(struct node *n, unsigned port, void *buf, size_t len, int *budget)
{
	for (int i = 0; i < BURST; i++) {
		struct frame f = frame_for(n, buf, len);
		int r = port_receive(n, port, &f);

		if (r < 0)
			return 0;
		--*budget;
		if (r && node_forward(n, port, &f) && f.len <= f.host_room)
			return f.len;
	}
	return 0;
}

/*
 * Serves what is ready. Returns the length of a frame for the host; 0 when there was something,
 * but not that; -EAGAIN when there was nothing at all.
 */
static ssize_t node_serve(struct node *n, void *buf, size_t len)
{
	ssize_t r = -EAGAIN;
	int budget = BUDGET;
	struct epoll_event event;

	while (r <= 0 && budget > 0 && epoll_wait(n->epoll, &event, 1, 0) == 1) {
		unsigned port = event.data.u32 & 0xffff;

		r = 0;
		budget--;
		switch ((enum node_event)(event.data.u32 >> 16)) {
		case NODE_EVENT_LISTENER:
			node_accept(n);
			break;
		case NODE_EVENT_CONTROL:
			node_control_ready(n, port);
			break;
		default:
			r = (ssize_t)node_data_ready(n, port, buf, len, &budget);
		}
	}
	return r;
}

static ssize_t node_serve_locked(struct node *n, void *buf, size_t len)
{
	ssize_t r;

	(void)pthread_mutex_lock(&n->lock);
	r = node_serve(n, buf, len);
	(void)pthread_mutex_unlock(&n->lock);
	return r;
}

ssize_t node_recv(VDECONN *conn, void *buf, size_t len, int flags)
{
	struct node *n = node_of(conn);
	ssize_t r;

	(void)flags;
	while ((r = node_serve_locked(n, buf, len)) == -EAGAIN && !plugin_nonblock(n->epoll)) {
		r = plugin_wait_readable(n->epoll);
		if (r < 0)
			return plugin_failed((int)r);
	}
	return r > 0 ? r : plugin_nothing();
}

ssize_t node_send(VDECONN *conn, const void *buf, size_t len, int flags)
{
	struct node *n = node_of(conn);
	struct frame f = { .parts = { { (void *)buf, len } }, .len = len, .host_room = len };

	(void)flags;
	if (len < PLUGIN_FRAME_MIN || len > PLUGIN_FRAME_MAX)
		return (ssize_t)len;
	(void)pthread_mutex_lock(&n->lock);
	(void)node_forward(n, NODE_HOST, &f);
	(void)pthread_mutex_unlock(&n->lock);
	return (ssize_t)len;
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
