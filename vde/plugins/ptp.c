/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ptp://PATH: two ends, one frame per message of a sequenced-packet socket at PATH.
 *
 * Who comes first listens; who comes second connects, and waits for one byte: 0 when it is the
 * peer, else an errno value (EISCONN for a third). When the listener goes, the other end takes its
 * place, or connects to who did so before.
 *
 *	           connect: ENOENT, or stale                  accepted
 *	  join ──────────────────────────────► LISTENING ◄────────────────► SERVING
 *	   ▲ │ connect                                        peer gone
 *	   │ ├─────────► WAITING ── byte 0 ──► JOINED
 *	   │ │              │ peer gone           │ peer gone
 *	   ├─│──────────────┴─────────────────────┘
 *	   │ ├─────────► PAUSED: neither works now (queue full, no permission): timer, then join
 *	   └─┘
 *	     └─────────► DATAGRAM: an end of the older protocol is at PATH
 *	  WAITING ── another byte ──► ENDED: the network has two other ends
 *
 * The older protocol (vdeplug4 4.0.1) has datagram sockets: the first end binds PATH, the second
 * PATH+. We can be its second end only; the first of the two protocols at PATH decides.
 *
 * All work is done in vde_recv and vde_send, and the calls for batches. vde_recv serves the datafd, an
 * epoll set with the listener, the peer and a timer, until there is a frame.
 *
 * While frames go as messages both ends agree on rings, if they can (ptp_ring.c); from then on the
 * socket tells only when the peer goes. What it had written before is taken first.
 */
#include "vde/plugins/ptp.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/strtab.h"

#define MODE_DEFAULT  0700
#define ACK_TIMEOUT   (2 * NS_PER_SEC)
#define PAUSE_MS      200
#define RETRY_STEP_MS 10
#define JOIN_TRIES    4  /* in one call: each may find the name changed under it */
#define BUDGET        64 /* events and dropped frames of a call, besides those it asks for */
#define LOOK_AFTER    256 /* frames from the ring before the epoll set is looked at again */
#define ASK_AFTER     256 /* frames into the ring before it is asked whether there is a peer */
#define RING_WAIT_MS  100 /* for rings, at the open: if they come later, they are used later */

static const char *const ptp_state_names[PTP_NUM_STATES] = {
	[PTP_ENDED] = "ended",       [PTP_LISTENING] = "listening", [PTP_SERVING] = "serving",
	[PTP_WAITING] = "waiting",   [PTP_JOINED] = "joined",       [PTP_PAUSED] = "paused",
	[PTP_DATAGRAM] = "datagram",
};
DEFINE_STRTAB(ptp_state, enum ptp_state, PTP_NUM_STATES);

static const struct offload_tag no_change = { .change = OFFLOAD_KEEP };

static struct ptp *ptp_of(VDECONN *conn)
{
	return PLUGIN_OF(conn, struct ptp);
}

static void set_timer(struct ptp *p, uint64_t ns)
{
	struct itimerspec when = { .it_value = { .tv_sec = (time_t)(ns / NS_PER_SEC),
						 .tv_nsec = (long)(ns % NS_PER_SEC) } };

	(void)timerfd_settime(p->timer, 0, &when, NULL); /* a valid time: cannot fail */
}

/* The only place that changes the state. */
static void ptp_set_state(struct ptp *p, enum ptp_state state)
{
	log_debug("ptp://%s: %s -> %s", p->path, ptp_state_to_string(p->state),
		  ptp_state_to_string(state));
	p->state = state;
	set_timer(p, state == PTP_PAUSED ? PAUSE_MS * NS_PER_MSEC : state == PTP_ENDED ? 1 : 0);
}

static int ptp_watch(struct ptp *p, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = (uint64_t)fd };

	return epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

/* FD is owned from here on, also on failure. */
static int ptp_set_peer(struct ptp *p, int fd, enum ptp_state state)
{
	int size = PLUGIN_SNDBUF;
	int r = ptp_watch(p, fd);

	if (r < 0) {
		(void)close(fd);
		return r;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)); /* a wish */
	p->peer = fd;
	p->out = (struct plugin_out){ 0 };
	ptp_set_state(p, state);
	return 0;
}

static void ptp_close_peer(struct ptp *p)
{
	ptp_ring_done(p);
	p->wants_room = false;
	if (p->peer < 0)
		return;
	/* Closing is not enough: a child of fork(2) may have it, too. */
	(void)epoll_ctl(p->epoll, EPOLL_CTL_DEL, p->peer, NULL);
	(void)close(p->peer);
	p->peer = -1;
}

static void ptp_end(struct ptp *p, int error)
{
	ptp_close_peer(p);
	p->error = error;
	ptp_set_state(p, PTP_ENDED);
}

static int ptp_listen(struct ptp *p)
{
	auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* So that nobody takes a name that is not listened at yet for one left by a crash. */
	auto_close int lock = plugin_lock_parent(p->path);
	int r;

	(void)lock;
	if (fd < 0)
		return -errno;
	r = ptp_name_bind(&p->name, fd, SOCK_SEQPACKET, p->path, p->mode);
	if (r < 0)
		return r;
	r = listen(fd, 1) < 0 ? -errno : ptp_watch(p, fd);
	if (r < 0) {
		ptp_name_remove(&p->name);
		return r;
	}
	p->listener = TAKE_FD(fd);
	ptp_set_state(p, PTP_LISTENING);
	return 0;
}

/* An end of the older protocol is at PATH. */
static int ptp_join_datagram(struct ptp *p)
{
	auto_close int fd = io_connect_unix(p->path, SOCK_DGRAM | SOCK_NONBLOCK);
	auto_free char *second = NULL;
	int r;

	if (fd < 0)
		return fd == -EPERM ? -EISCONN : fd; /* EPERM: it is connected to another */
	if (asprintf(&second, "%s+", p->path) < 0)
		return -ENOMEM;
	r = ptp_name_bind(&p->name, fd, SOCK_DGRAM, second, p->mode);
	if (r < 0)
		return r == -EADDRINUSE ? -EISCONN : r;
	r = ptp_set_peer(p, TAKE_FD(fd), PTP_DATAGRAM);
	if (r < 0)
		ptp_name_remove(&p->name);
	return r;
}

/*
 * Connects, or listens where there is nobody to connect to; does not block. 0, or a negative errno:
 * -EAGAIN when the listener's queue is full.
 */
static int ptp_join(struct ptp *p)
{
	int r = -EAGAIN;

	for (int i = 0; i < JOIN_TRIES; i++) {
		int fd = io_connect_unix(p->path, SOCK_SEQPACKET | SOCK_NONBLOCK);

		if (fd >= 0)
			return ptp_set_peer(p, fd, PTP_WAITING);
		if (fd == -EPROTOTYPE)
			return ptp_join_datagram(p);
		if (fd != -ENOENT && fd != -ECONNREFUSED)
			return fd;
		r = ptp_listen(p);
		if (r != -EADDRINUSE)
			return r;
		/* Somebody else was faster: connect to that one. */
	}
	return -EAGAIN;
}

/* After the peer's end: another way to stay in the network, or a pause before the next attempt. */
static void ptp_rejoin(struct ptp *p)
{
	int r;

	ptp_close_peer(p);
	ptp_name_remove(&p->name);
	r = ptp_join(p);
	if (r == -EISCONN)
		ptp_end(p, EISCONN);
	else if (r < 0)
		ptp_set_state(p, PTP_PAUSED);
}

static void ptp_peer_gone(struct ptp *p)
{
	if (p->state == PTP_SERVING) {
		ptp_close_peer(p);
		ptp_set_state(p, PTP_LISTENING);
	} else {
		ptp_rejoin(p);
	}
}

/* Somebody connects: the peer, or a third. */
static void ptp_accept(struct ptp *p)
{
	int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (p->state == PTP_SERVING) {
		ptp_ring_accept(p, fd, EISCONN);
		(void)close(fd);
		return;
	}
	if (ptp_set_peer(p, fd, PTP_SERVING) == 0)
		ptp_ring_accept(p, fd, 0);
}

/* The byte. 0: nothing yet, or joined; else the connection was refused or has ended. */
static int ptp_read_ack(struct ptp *p)
{
	struct ptp_ack ack = { 0 };
	ssize_t len = recv(p->peer, &ack, sizeof(ack), MSG_DONTWAIT);

	if (len < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -ECONNRESET;
	if (len == 0)
		return -ECONNRESET;
	if (ack.error != 0)
		return -(int)ack.error;
	ptp_set_state(p, PTP_JOINED);
	ptp_ring_accepted(p, &ack, (size_t)len);
	return 0;
}

static void ptp_wait_ready(struct ptp *p)
{
	int r = ptp_read_ack(p);

	if (r == -ECONNRESET)
		ptp_rejoin(p);
	else if (r < 0)
		ptp_end(p, -r);
}

/* Takes a message: a frame, or one about rings. */
static void ptp_receive(struct ptp *p, struct plugin_sink *sink)
{
	const struct vde_frame *to = &sink->frames[sink->done];
	ssize_t got;

	if (ptp_ring_negotiate(p))
		return;
	got = recv(p->peer, to->data, to->len, MSG_DONTWAIT | MSG_TRUNC);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* An empty message looks like the end; only after the end the socket is hung up. */
	if (p->state != PTP_DATAGRAM && got <= 0 && plugin_hung_up(p->peer)) {
		if (!ptp_ring_leaves(p))
			ptp_peer_gone(p);
		return;
	}
	/* Too long for the caller: dropped, never cut. Behind the peer's byte there are no frames. */
	if (got < PLUGIN_FRAME_MIN || (size_t)got > to->len || p->ring_state == PTP_RING_IN)
		return;
	plugin_sink_done(sink, (size_t)got, NULL);
}

/* Watches whether the peer's socket takes more. */
static void ptp_watch_room(struct ptp *p, bool on)
{
	struct epoll_event e = { .events = EPOLLIN | (on ? EPOLLOUT : 0),
				 .data.u64 = (uint64_t)p->peer };

	p->wants_room = on;
	(void)epoll_ctl(p->epoll, EPOLL_CTL_MOD, p->peer, &e); /* it is in the set */
}

static void ptp_peer_ready(struct ptp *p, uint32_t events, struct plugin_sink *sink)
{
	if (p->wants_room && (events & EPOLLOUT))
		ptp_watch_room(p, false); /* the program is awake, and can go on */
	if (p->state == PTP_WAITING)
		ptp_wait_ready(p);
	else if (events & ~(uint32_t)EPOLLOUT)
		ptp_receive(p, sink);
}

/* Somebody wants in. A peer that is gone makes place, after its last frames were read. */
static void ptp_listener_ready(struct ptp *p, struct plugin_sink *sink)
{
	if (p->state == PTP_SERVING && p->leaving)
		return;
	if (p->state == PTP_SERVING && plugin_hung_up(p->peer))
		ptp_receive(p, sink);
	else
		ptp_accept(p);
}

static void ptp_timer_ready(struct ptp *p)
{
	uint64_t expirations;

	/* An ended connection stays readable: the timer is left expired. */
	if (p->state == PTP_ENDED || read(p->timer, &expirations, sizeof(expirations)) < 0)
		return;
	if (p->state == PTP_PAUSED)
		ptp_rejoin(p);
}

static void ptp_event(struct ptp *p, const struct epoll_event *e, struct plugin_sink *sink)
{
	if (e->data.u64 == PTP_KEY_BELL)
		ptp_ring_bell(p, e->events);
	else if (e->data.u64 == PTP_KEY_MORE)
		ring_set_more(&p->rings);
	else if (e->data.u64 == PTP_KEY_TRIM)
		ring_set_trim(&p->rings);
	else if (e->data.u64 == (uint64_t)p->timer)
		ptp_timer_ready(p);
	else if (e->data.u64 == (uint64_t)p->peer)
		ptp_peer_ready(p, e->events, sink);
	else
		ptp_listener_ready(p, sink);
}

/* Serves one event. False: there is none. */
static bool ptp_look(struct ptp *p, struct plugin_sink *sink)
{
	struct epoll_event e;

	p->unlooked = 0;
	if (epoll_wait(p->epoll, &e, 1, 0) != 1)
		return false;
	ptp_event(p, &e, sink);
	return true;
}

/* True when frames are taken from the ring; before the peer's byte there are messages to take. */
static bool ring_ready(const struct ptp *p)
{
	return p->ring.awake && p->ring_state == PTP_RING_IN;
}

static unsigned take_from_ring(struct ptp *p, struct plugin_sink *sink)
{
	bool gone;
	unsigned taken = ptp_ring_take(p, sink, &gone);

	if (gone)
		ptp_peer_gone(p);
	return taken;
}

/* As node_serve(): 0: something happened; -EAGAIN: nothing did. -ENOTCONN: it has ended for good. */
static int ptp_serve(struct ptp *p, struct plugin_sink *sink)
{
	unsigned budget = BUDGET + MIN(sink->count, (unsigned)INT_MAX);
	int r = -EAGAIN;

	(void)pthread_mutex_lock(&p->lock);
	ring_set_begin(&p->rings);
	super_continue(&p->rest_of_super, sink);
	if (sink->done)
		r = 0;
	for (unsigned i = 0; !plugin_sink_full(sink) && i < budget && p->state != PTP_ENDED; i++) {
		if (ring_ready(p) && p->unlooked < LOOK_AFTER)
			p->unlooked += take_from_ring(p, sink) + 1;
		else if (!ptp_look(p, sink) && !ring_ready(p))
			break;
		r = 0;
	}
	if (!sink->done && p->state == PTP_ENDED)
		r = -ENOTCONN;
	p->rings.pending = p->rest_of_super.active;
	ring_set_settle(&p->rings);
	(void)pthread_mutex_unlock(&p->lock);
	return r;
}

static ssize_t ptp_recv(VDECONN *conn, void *buf, size_t len, int flags)
{
	struct ptp *p = ptp_of(conn);
	struct vde_frame frame = { .data = buf, .len = len };
	struct plugin_sink sink = { .frames = &frame, .count = 1 };
	int r;

	(void)flags;
	while ((r = ptp_serve(p, &sink)) == -EAGAIN && !plugin_nonblock(p->epoll)) {
		r = plugin_wait_readable(p->epoll);
		if (r < 0)
			return plugin_failed(r);
	}
	if (sink.done)
		return (ssize_t)frame.len;
	if (r != -ENOTCONN)
		return plugin_nothing();
	errno = p->error; /* does not change any more */
	return 0;
}

static int ptp_recv_batch(VDECONN *conn, struct vde_frame *frames, unsigned count)
{
	struct plugin_sink sink = { .frames = frames, .count = MIN(count, (unsigned)INT_MAX) };

	if (ptp_serve(ptp_of(conn), &sink) == -ENOTCONN && count)
		return (int)plugin_failed(-EPIPE);
	return (int)sink.done;
}

/* Ahead of a frame: what a program that only sends would never see in vde_recv. */
static void ptp_catch_up(struct ptp *p)
{
	if (p->state == PTP_LISTENING)
		ptp_accept(p);
	else if (p->state == PTP_WAITING)
		ptp_wait_ready(p);
	ptp_ring_catch_up(p);
}

/* The first end of the older protocol was gone: is there one again? */
static void ptp_find_datagram(struct ptp *p)
{
	struct sockaddr_un addr;
	socklen_t len;

	if (io_unix_address(&addr, p->path, &len) < 0 ||
	    connect(p->peer, (struct sockaddr *)&addr, len) == 0)
		return;
	if (errno == EPROTOTYPE) /* it speaks the newer one */
		ptp_rejoin(p);
}

/* A frame to send, in pieces. */
struct ptp_frame {
	struct iovec parts[OFFLOAD_PIECES];
	unsigned num_parts;
	uint32_t len;
	struct vnet_header vnet;
	bool super;
};

/* Without a WAIT it is -EAGAIN when there is no room, and the datafd tells when there is. */
static int ptp_send_message(struct ptp *p, const struct ptp_frame *f, bool wait)
{
	int r = plugin_send(p->peer, f->parts, f->num_parts, &p->out, wait);

	if (r == -EMSGSIZE)
		return 0;
	if (r != -EAGAIN || wait)
		return r == -EAGAIN ? 0 : r;
	ptp_watch_room(p, true);
	return r;
}

/*
 * A program that only sends sees the end of its peer here: when it rings for nobody, and now and then.
 * A peer that has closed its doorbell only gets nothing.
 */
static int ptp_look_for_peer(struct ptp *p)
{
	p->unasked = 0;
	return plugin_hung_up(p->peer) ? -EPIPE : 0;
}

static int ptp_put_record(struct ptp *p, const struct ptp_frame *f)
{
	if (ring_end_put(&p->ring, &f->vnet, f->parts, f->num_parts, f->len))
		return 0;
	if (ring_end_broken(&p->ring))
		return -EPROTO;
	if (plugin_hung_up(p->peer))
		return -EPIPE;
	ring_end_want_room(&p->ring, f->len);
	return -EAGAIN;
}

static int ptp_send_record(struct ptp *p, const struct ptp_frame *f, bool wait)
{
	int r;

	if (p->leaving || p->ring.deaf || ++p->unasked == ASK_AFTER) {
		r = ptp_look_for_peer(p);
		if (r < 0 || p->ring.deaf)
			return r;
	}
	if ((!f->super && f->len > p->ring.rp.max_frame) || ring_end_too_long(&p->ring, f->len))
		return 0;
	if (!wait)
		return ptp_put_record(p, f);
	r = ring_end_send(&p->ring, &f->vnet, f->parts, f->num_parts, f->len, p->epoll, &p->lock);
	if (r == -EPIPE)
		return 0; /* gone meanwhile, and with it the frame */
	ring_set_flush(&p->rings);
	if (p->ring.deaf || p->ring.stalled)
		return ptp_look_for_peer(p);
	return r;
}

/* Sends one frame, or drops it. -EAGAIN: neither can be done now. */
static int ptp_send_frame(struct ptp *p, const struct ptp_frame *f, bool wait)
{
	for (int i = 0; i < 2; i++) {
		int r;

		ptp_catch_up(p);
		if (p->state != PTP_SERVING && p->state != PTP_JOINED && p->state != PTP_DATAGRAM)
			return 0;
		if (f->super && !p->ring_out)
			return 0; /* meant for a peer that is gone */
		r = p->ring_out ? ptp_send_record(p, f, wait) : ptp_send_message(p, f, wait);
		if (r == 0 || r == -EAGAIN)
			return r;
		if (p->state == PTP_DATAGRAM)
			ptp_find_datagram(p);
		else
			ptp_peer_gone(p);
	}
	return 0;
}

static ssize_t ptp_send(VDECONN *conn, const void *buf, size_t len, int flags)
{
	struct ptp *p = ptp_of(conn);
	struct ptp_frame f = { .parts = { { (void *)buf, len } }, .num_parts = 1,
			       .len = (uint32_t)len };
	int r;

	(void)flags;
	if (len < PLUGIN_FRAME_MIN || len > INT_MAX)
		return (ssize_t)len;
	(void)pthread_mutex_lock(&p->lock);
	ring_set_begin(&p->rings);
	r = ptp_send_frame(p, &f, true);
	ring_set_settle(&p->rings);
	(void)pthread_mutex_unlock(&p->lock);
	return r < 0 ? plugin_failed(r) : (ssize_t)len;
}

/* Sends what OF stands for; the first piece tells whether there is room. */
static int ptp_send_pieces(struct ptp *p, const struct offload_frame *of)
{
	struct offload_cut cut;
	struct offload_piece piece;
	bool begun = false;

	offload_cut_start(&cut, of);
	while (offload_cut_next(&cut, &piece)) {
		struct ptp_frame f = { .len = piece.len };

		f.num_parts = offload_piece_gather(&piece, &no_change, f.parts);
		if (ptp_send_frame(p, &f, false) < 0)
			return begun ? 0 : -EAGAIN;
		begun = true;
	}
	return 0;
}

/* A frame with work left: as it is, if there is a ring and the peer takes it. */
static int ptp_send_super(struct ptp *p, const struct vde_frame *frame)
{
	const struct vnet_header vnet = super_from_program(&frame->vnet);
	struct ptp_frame f = { .super = true };
	struct offload_frame of;

	if (offload_check(&of, frame->data, frame->len, &vnet) < 0)
		return 0;
	ptp_catch_up(p);
	if (!offload_takes(&of, p->ring_out ? p->ring.rp.peer_features : 0, &no_change))
		return ptp_send_pieces(p, &of);
	f.len = of.len;
	f.vnet = offload_vnet(&of, &no_change);
	f.num_parts = offload_gather(&of, &no_change, f.parts);
	return ptp_send_frame(p, &f, false);
}

static int ptp_send_any(struct ptp *p, const struct vde_frame *frame)
{
	struct ptp_frame f = { .parts = { { frame->data, frame->len } }, .num_parts = 1,
			       .len = (uint32_t)frame->len };

	if (frame->len < PLUGIN_FRAME_MIN || frame->len > VNET_FRAME_MAX)
		return 0;
	return super_is_work(&frame->vnet) ? ptp_send_super(p, frame) : ptp_send_frame(p, &f, false);
}

/* Plain frames for the ring of a peer that is there; for the first other one it is to be looked closer. */
static unsigned ptp_send_run(struct ptp *p, const struct vde_frame *frames, unsigned count)
{
	unsigned n;

	if (!p->ring_out || p->ring_state != PTP_RING_IN || p->leaving || p->ring.deaf ||
	    p->unasked >= ASK_AFTER - 1)
		return 0;
	n = ring_end_put_run(&p->ring, frames, MIN(count, ASK_AFTER - 1 - p->unasked),
			     p->ring.rp.max_frame);
	p->unasked += n;
	return n;
}

static int ptp_send_batch(VDECONN *conn, const struct vde_frame *frames, unsigned count)
{
	struct ptp *p = ptp_of(conn);
	unsigned done = 0;

	count = MIN(count, (unsigned)INT_MAX);
	(void)pthread_mutex_lock(&p->lock);
	ring_set_begin(&p->rings);
	do
		done += ptp_send_run(p, frames + done, count - done);
	while (done < count && ptp_send_any(p, &frames[done]) == 0 && ++done < count);
	ring_set_settle(&p->rings);
	(void)pthread_mutex_unlock(&p->lock);
	return (int)done;
}

static uint64_t ptp_features(VDECONN *conn, uint64_t features)
{
	struct ptp *p = ptp_of(conn);

	(void)pthread_mutex_lock(&p->lock);
	p->features = features & VDE_FEATURE_CSUM ? features & VDE_RING_F_ALL : 0;
	features = p->features | (p->ring.set ? VDE_FEATURE_RING : 0);
	(void)pthread_mutex_unlock(&p->lock);
	return features;
}

/* What keeps an open from being complete; 0: it is. -EINPROGRESS: wait for the peer's socket. */
static int ptp_progress(struct ptp *p)
{
	int r = 0;

	if (p->state == PTP_PAUSED)
		r = ptp_join(p);
	if (r == 0 && p->state == PTP_WAITING)
		r = ptp_read_ack(p);
	if (r == -ECONNRESET) { /* the listener ended: perhaps the place is ours */
		ptp_close_peer(p);
		ptp_set_state(p, PTP_PAUSED);
		return -EAGAIN;
	}
	return r == 0 && p->state == PTP_WAITING ? -EINPROGRESS : r;
}

/* Joins, and waits for the other end's byte at most ACK_TIMEOUT. */
static int ptp_begin(struct ptp *p)
{
	uint64_t deadline = clock_now() + ACK_TIMEOUT;
	int r;

	ptp_set_state(p, PTP_PAUSED);
	while ((r = ptp_progress(p)) == -EAGAIN || r == -EINPROGRESS) {
		struct pollfd ack = { .fd = p->peer, .events = POLLIN };
		uint64_t now = clock_now();

		if (now >= deadline)
			return -ETIMEDOUT;
		if (r == -EAGAIN)
			(void)poll(NULL, 0, RETRY_STEP_MS);
		else
			(void)poll(&ack, 1, (int)((deadline - now) / NS_PER_MSEC) + 1);
	}
	if (r == 0 && p->ring_state == PTP_RING_ASKED) {
		struct pollfd answer = { .fd = p->peer, .events = POLLIN };

		if (poll(&answer, 1, RING_WAIT_MS) > 0)
			(void)ptp_ring_negotiate(p);
		ring_set_settle(&p->rings);
	}
	return r;
}

static int explain(struct error *error, int r, const char *path)
{
	switch (-r) {
	case EISCONN:
		return error_set(error, EISCONN, "'%s' has two ends already; name another path",
				 path);
	case ETIMEDOUT:
		return error_set(error, ETIMEDOUT,
				 "who listens at '%s' did not answer within 2 s; it "
				 "has to receive (vde_recv) for another to join",
				 path);
	case ENOTSOCK:
		return error_set(error, ENOTSOCK,
				 "'%s' exists and is not a socket; remove it, or "
				 "name another path",
				 path);
	case ENOENT:
		return error_set(error, ENOENT,
				 "there is no directory for '%s', or no path was given "
				 "(ptp://PATH)",
				 path);
	default:
		return error_set_errno(error, -r, "ptp://%s cannot be opened", path);
	}
}

static int ptp_close(VDECONN *conn)
{
	struct ptp *p = ptp_of(conn);

	/* The name first: the peer looks there for another end when it sees this one go. */
	ptp_name_remove(&p->name);
	if (p->listener >= 0)
		(void)close(p->listener);
	ptp_close_peer(p);
	ring_set_done(&p->rings);
	super_done(&p->rest_of_super);
	if (p->timer >= 0)
		(void)close(p->timer);
	if (p->epoll >= 0)
		(void)close(p->epoll);
	(void)pthread_mutex_destroy(&p->lock);
	free(p->path);
	free(p);
	return 0;
}

static struct ptp *ptp_new(const char *path, mode_t mode, bool offers_rings)
{
	struct ptp *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	(void)pthread_mutex_init(&p->lock, NULL); /* does not fail with these attributes */
	p->listener = p->peer = -1;
	p->rings = (struct ring_set)RING_SET_NONE;
	ring_end_init(&p->ring);
	p->mode = mode;
	p->offers_rings = offers_rings;
	p->path = plugin_absolute_path(path);
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (!p->path || p->epoll < 0 || p->timer < 0 || ptp_watch(p, p->timer) < 0) {
		int saved = errno;

		(void)ptp_close(plugin_conn(&p->head));
		errno = saved;
		return NULL;
	}
	return p;
}

static VDECONN *ptp_open(char *args, char *descr, int interface_version,
			 struct vde_open_args *open_args)
{
	struct error error = { 0 };
	char *ring = NULL;
	struct vdeparms parms[] = { { (char[]){ "ring" }, &ring }, { NULL, NULL } };
	mode_t mode = plugin_mode(open_args, interface_version, MODE_DEFAULT);
	bool offers_rings = true;
	struct ptp *p;
	int r;

	(void)descr;
	if (vde_parsepathparms(args, parms) < 0)
		return NULL; /* the parser said why */
	if (plugin_ring_option(ring, &offers_rings, &error) < 0)
		return plugin_fail(&error);
	errno = ENOENT;
	p = *args ? ptp_new(args, mode, offers_rings) : NULL;
	r = p ? ptp_begin(p) : -errno;
	if (r == 0)
		return plugin_conn(&p->head);
	explain(&error, r, args);
	if (p)
		(void)ptp_close(plugin_conn(&p->head));
	return plugin_fail(&error);
}

static int ptp_datafd(VDECONN *conn)
{
	return ptp_of(conn)->epoll;
}

static int ptp_ctlfd(VDECONN *conn)
{
	(void)conn;
	return -1;
}

extern const struct vdeplug_module vdeplug_ops;
PUBLIC const struct vdeplug_module vdeplug_ops = {
	.vde_open_real = ptp_open,
	.vde_recv = ptp_recv,
	.vde_send = ptp_send,
	.vde_datafd = ptp_datafd,
	.vde_ctlfd = ptp_ctlfd,
	.vde_close = ptp_close,
};

extern const struct vdeplug_ops_ext vdeplug_ops_ext;
PUBLIC const struct vdeplug_ops_ext vdeplug_ops_ext = {
	.size = sizeof(vdeplug_ops_ext),
	.vde_features = ptp_features,
	.vde_recv_batch = ptp_recv_batch,
	.vde_send_batch = ptp_send_batch,
};
