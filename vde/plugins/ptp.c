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
 * All work is done in vde_recv and vde_send. vde_recv serves the datafd, an epoll set with the
 * listener, the peer and a timer, until there is a frame. The message with the byte may be longer:
 * the rest is for ends that can do more.
 */
#include "vde/plugins/ptp.h"

#include <errno.h>
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
#define ACK_SIZE      64 /* bytes that are read of the message with the byte */
#define PAUSE_MS      200
#define RETRY_STEP_MS 10
#define JOIN_TRIES    4  /* in one call: each may find the name changed under it */
#define BUDGET        64 /* events and dropped frames of one vde_recv */

enum ptp_state {
	PTP_ENDED, /* also before the first join */
	PTP_LISTENING,
	PTP_SERVING,
	PTP_WAITING,
	PTP_JOINED,
	PTP_PAUSED,
	PTP_DATAGRAM,
	PTP_NUM_STATES,
};

static const char *const ptp_state_names[PTP_NUM_STATES] = {
	[PTP_ENDED] = "ended",       [PTP_LISTENING] = "listening", [PTP_SERVING] = "serving",
	[PTP_WAITING] = "waiting",   [PTP_JOINED] = "joined",       [PTP_PAUSED] = "paused",
	[PTP_DATAGRAM] = "datagram",
};
DEFINE_STRTAB(ptp_state, enum ptp_state, PTP_NUM_STATES);

struct ptp {
	struct plugin_head head;
	pthread_mutex_t
		lock; /* over all that follows: one thread may receive while another sends */
	char *path;   /* owned */
	mode_t mode;
	enum ptp_state state;
	int error;            /* of an ended connection: why, positive errno value */
	int epoll;            /* owned; the datafd */
	int timer;            /* owned; runs in PTP_PAUSED, and wakes vde_recv for PTP_ENDED */
	int listener;         /* owned; in PTP_LISTENING and PTP_SERVING */
	int peer;             /* owned; in PTP_SERVING, PTP_WAITING, PTP_JOINED, PTP_DATAGRAM */
	struct ptp_name name; /* of the listener, or of the datagram socket */
	struct plugin_out out;
};

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
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

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
	if (p->peer >= 0)
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

static void send_ack(int fd, int error)
{
	uint8_t byte = (uint8_t)error;

	(void)send(fd, &byte, sizeof(byte),
		   MSG_DONTWAIT | MSG_NOSIGNAL); /* its end is seen later */
}

/* Somebody connects: the peer, or a third. */
static void ptp_accept(struct ptp *p)
{
	int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (p->state == PTP_SERVING) {
		send_ack(fd, EISCONN);
		(void)close(fd);
		return;
	}
	if (ptp_set_peer(p, fd, PTP_SERVING) == 0)
		send_ack(fd, 0);
}

/* The byte. 0: nothing yet, or joined; else the connection was refused or has ended. */
static int ptp_read_ack(struct ptp *p)
{
	uint8_t ack[ACK_SIZE];
	ssize_t len = recv(p->peer, ack, sizeof(ack), MSG_DONTWAIT);

	if (len < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -ECONNRESET;
	if (len == 0)
		return -ECONNRESET;
	if (ack[0] != 0)
		return -(int)ack[0];
	ptp_set_state(p, PTP_JOINED);
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

/* A frame: its length; 0 when there is none to deliver. */
static ssize_t ptp_receive(struct ptp *p, void *buf, size_t len)
{
	ssize_t got = recv(p->peer, buf, len, MSG_DONTWAIT | MSG_TRUNC);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	/* An empty message looks like the end; only after the end the socket is hung up. */
	if (p->state != PTP_DATAGRAM && got <= 0 && plugin_hung_up(p->peer)) {
		ptp_peer_gone(p);
		return 0;
	}
	/* Too long for the caller: dropped, never cut. */
	return got < PLUGIN_FRAME_MIN || (size_t)got > len ? 0 : got;
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

/* One event. The length of a frame, or 0. */
static ssize_t ptp_event(struct ptp *p, int fd, void *buf, size_t len)
{
	if (fd == p->timer) {
		ptp_timer_ready(p);
	} else if (fd == p->peer) {
		if (p->state != PTP_WAITING)
			return ptp_receive(p, buf, len);
		ptp_wait_ready(p);
	} else if (fd == p->listener) {
		/* A peer that is gone makes place, after its last frames were read. */
		if (p->state == PTP_SERVING && plugin_hung_up(p->peer))
			return ptp_receive(p, buf, len);
		ptp_accept(p);
	}
	return 0;
}

/*
 * As node_serve(): a frame's length; 0: something happened; -EAGAIN: nothing did. -ENOTCONN: the
 * connection has ended for good.
 */
static ssize_t ptp_serve(struct ptp *p, void *buf, size_t len)
{
	ssize_t r = -EAGAIN;
	struct epoll_event event;

	(void)pthread_mutex_lock(&p->lock);
	for (int i = 0; r <= 0 && i < BUDGET && epoll_wait(p->epoll, &event, 1, 0) == 1; i++) {
		r = ptp_event(p, event.data.fd, buf, len);
		if (p->state == PTP_ENDED)
			break;
	}
	if (r <= 0 && p->state == PTP_ENDED)
		r = -ENOTCONN;
	(void)pthread_mutex_unlock(&p->lock);
	return r;
}

static ssize_t ptp_recv(VDECONN *conn, void *buf, size_t len, int flags)
{
	struct ptp *p = ptp_of(conn);
	ssize_t r;

	(void)flags;
	while ((r = ptp_serve(p, buf, len)) == -EAGAIN && !plugin_nonblock(p->epoll)) {
		r = plugin_wait_readable(p->epoll);
		if (r < 0)
			return plugin_failed((int)r);
	}
	if (r > 0)
		return r;
	if (r != -ENOTCONN)
		return plugin_nothing();
	errno = p->error; /* does not change any more */
	return 0;
}

/* Ahead of a frame: what a program that only sends would never see in vde_recv. */
static void ptp_catch_up(struct ptp *p)
{
	if (p->state == PTP_LISTENING)
		ptp_accept(p);
	else if (p->state == PTP_WAITING)
		ptp_wait_ready(p);
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

static void ptp_send_frame(struct ptp *p, const void *buf, size_t len)
{
	struct iovec part = { (void *)buf, len };

	for (int i = 0; i < 2; i++) {
		int r;

		ptp_catch_up(p);
		if (p->state != PTP_SERVING && p->state != PTP_JOINED && p->state != PTP_DATAGRAM)
			return;
		r = plugin_send(p->peer, &part, 1, &p->out, true);
		if (r == 0 || r == -EAGAIN || r == -EMSGSIZE)
			return;
		if (p->state == PTP_DATAGRAM)
			ptp_find_datagram(p);
		else
			ptp_peer_gone(p);
	}
}

static ssize_t ptp_send(VDECONN *conn, const void *buf, size_t len, int flags)
{
	struct ptp *p = ptp_of(conn);

	(void)flags;
	if (len < PLUGIN_FRAME_MIN)
		return (ssize_t)len;
	(void)pthread_mutex_lock(&p->lock);
	ptp_send_frame(p, buf, len);
	(void)pthread_mutex_unlock(&p->lock);
	return (ssize_t)len;
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
	if (p->timer >= 0)
		(void)close(p->timer);
	if (p->epoll >= 0)
		(void)close(p->epoll);
	(void)pthread_mutex_destroy(&p->lock);
	free(p->path);
	free(p);
	return 0;
}

static struct ptp *ptp_new(const char *path, mode_t mode)
{
	struct ptp *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	(void)pthread_mutex_init(&p->lock, NULL); /* does not fail with these attributes */
	p->listener = p->peer = -1;
	p->mode = mode;
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
	struct ptp *p;
	int r;

	(void)descr;
	errno = ENOENT;
	p = *args ? ptp_new(args, plugin_mode(open_args, interface_version, MODE_DEFAULT)) : NULL;
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
