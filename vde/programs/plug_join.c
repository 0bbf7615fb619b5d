/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each wake-up of a side moves many frames: a network is received from until it is empty or BUDGET
 * is used up, a stream is read READ_SIZE bytes at a time, and what goes into a stream is written
 * once for all of them.
 *
 * Back-pressure is one hop. A stream that its reader does not empty stops the reception from the network
 * that feeds it, and the network drops what its own queue cannot hold. A network that does not take a
 * frame is waited for, SEND_PATIENCE at most; once it dropped one there is no waiting until it takes
 * one again.
 *
 * vde_recv() may block when there is no frame. A network whose descriptor is a socket is made
 * non-blocking; others (an epoll descriptor, a pipe, a terminal) are asked with poll(2) before each
 * further frame.
 */
#include "vde/programs/plug_join.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "vde/programs/stream_out.h"
#include "wire/ether.h"
#include "wire/vde_stream.h"

#define BUDGET          64          /* frames of one side in one turn */
#define READ_SIZE       (64 * 1024) /* bytes; what a pipe holds */
#define FRAME_SIZE      (64 * 1024 + 64)
#define SEND_PATIENCE   50   /* ms */
#define FINISH_PATIENCE 1000 /* ms */
#define DRAIN_MAX       64   /* reads */
#define ERRORS_MAX      100  /* failed receptions in a row that a network may have */

struct join_side;

struct side_class {
	void (*put)(struct join_side *side, const uint8_t *frame, size_t len);
	bool (*has_room)(const struct join_side *side);
	void (*flush)(struct join_side *side); /* after a batch of put() */
	void (*resume)(struct join_side *side); /* the other side has room again */
};

struct join_side {
	const struct side_class *class;
	struct join *join;
	struct join_side *other;
	loop_ref in_ref, end_ref; /* frames; what tells of the end */

	/* a network */
	VDECONN *conn;
	int data_fd;
	bool nonblocking;
	bool choked; /* the last frame was dropped: do not wait */
	unsigned errors;

	/* a stream */
	int in_fd;
	struct vde_stream reader;
	struct stream_out out;
	bool out_watched;
	bool writing; /* waits for room in the pipe */
};

struct join {
	struct loop *loop;
	struct plug_log *log;
	unsigned count;
	bool ended;
	struct join_side side[2];
	uint8_t buffer[MAX(FRAME_SIZE, READ_SIZE)];
};

static void join_end(struct join *join, int status)
{
	if (join->ended)
		return;
	join->ended = true;
	loop_stop(join->loop, status);
}

/* A whole frame from SIDE to the other one. */
static void side_pass(struct join_side *side, const uint8_t *frame, size_t len)
{
	struct join *join = side->join;

	if (len < ETHER_HEADER_SIZE)
		return;
	if (side == &join->side[1])
		plug_log_frame(join->log, frame, len);
	side->other->class->put(side->other, frame, len);
}

/* --- networks ----------------------------------------------------------------------------- */

static bool is_ready(int fd, short events, int patience_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, patience_ms) > 0;
}

/* Sends to a network that has no room: waits for it unless it dropped the frame before this one. */
static ssize_t network_send_patiently(struct join_side *side, const uint8_t *frame, size_t len)
{
	uint64_t deadline = clock_now() + SEND_PATIENCE * NS_PER_MSEC;
	ssize_t n = -1;

	for (uint64_t now = clock_now(); !side->choked && now < deadline; now = clock_now()) {
		if (!is_ready(side->data_fd, POLLOUT, (int)((deadline - now) / NS_PER_MSEC) + 1))
			continue;
		n = vde_send(side->conn, frame, len, 0);
		if (n >= 0 || errno != EAGAIN)
			return n;
	}
	side->choked = true;
	return n;
}

static void network_put(struct join_side *side, const uint8_t *frame, size_t len)
{
	ssize_t n = vde_send(side->conn, frame, len, 0);

	if (n < 0 && errno == EAGAIN)
		n = network_send_patiently(side, frame, len);
	if (n >= 0)
		side->choked = false;
}

static bool network_has_room(const struct join_side *side)
{
	(void)side;
	return true; /* it drops */
}

static void network_flush(struct join_side *side)
{
	(void)side;
}

/* What passes by itself: a peer that is not there yet, an interface that is down. */
static bool is_transient(int code)
{
	static const int transient[] = { EAGAIN,	EINTR,	     ECONNREFUSED, ENETDOWN,
					 ENETUNREACH,	EHOSTUNREACH, EHOSTDOWN,   ENOBUFS,
					 ENOMEM };

	for (size_t i = 0; i < ARRAY_SIZE(transient); i++)
		if (transient[i] == code)
			return true;
	return false;
}

/* vde_recv() gave N, which is no frame. */
static void network_no_frame(struct join_side *side, ssize_t n)
{
	int code = errno;

	if (n > 0 || (n < 0 && (code == EAGAIN || code == EINTR)))
		return;
	if (n == 0) {
		join_end(side->join, EXIT_SUCCESS);
	} else if (!is_transient(code) || ++side->errors > ERRORS_MAX) {
		log_error_errno(code, "cannot receive from the network");
		join_end(side->join, EXIT_FAILURE);
	}
}

/* Stops watching until the other side has room; a hang-up would be reported all the time. */
static void network_pause(struct join_side *side)
{
	loop_remove(side->join->loop, &side->in_ref);
}

/* Receives a batch; true when there was a frame. */
static bool network_receive(struct join_side *side)
{
	struct join *join = side->join;
	bool any = false;

	for (int i = 0; i < BUDGET && !join->ended; i++) {
		ssize_t n;

		if (!side->other->class->has_room(side->other)) {
			network_pause(side);
			break;
		}
		n = vde_recv(side->conn, join->buffer, FRAME_SIZE, 0);
		if (n <= 1) {
			network_no_frame(side, n);
			break;
		}
		side->errors = 0;
		any = true;
		side_pass(side, join->buffer, (size_t)n);
		if (!side->nonblocking && !is_ready(side->data_fd, POLLIN, 0))
			break;
	}
	side->other->class->flush(side->other);
	return any;
}

static void network_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct join_side *side = object;
	bool any = network_receive(side);

	(void)loop;
	(void)fd;
	if (!any && side->in_ref && events & EPOLLHUP)
		join_end(side->join, EXIT_SUCCESS);
}

static const struct loop_class network_source = { "network", network_ready };

static void network_gone(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct join_side *side = object;

	(void)loop;
	(void)fd;
	(void)events;
	if (side->nonblocking && side->in_ref)
		(void)network_receive(side); /* what came before the end */
	join_end(side->join, EXIT_SUCCESS);
}

static const struct loop_class network_end_source = { "network end", network_gone };

static void network_resume(struct join_side *side)
{
	int r;

	if (side->in_ref)
		return;
	r = loop_add(side->join->loop, &network_source, side->data_fd, EPOLLIN, side, &side->in_ref);
	if (r < 0) {
		log_error_errno(r, "cannot wait for the network");
		join_end(side->join, EXIT_FAILURE);
	}
}

static const struct side_class network_class = { network_put, network_has_room, network_flush,
						 network_resume };

/* --- streams ------------------------------------------------------------------------------ */

static void stream_put(struct join_side *side, const uint8_t *frame, size_t len)
{
	stream_out_put(&side->out, frame, len);
}

static bool stream_has_room(const struct join_side *side)
{
	return stream_out_has_room(&side->out);
}

static void stream_out_ready(struct loop *loop, void *object, int fd, uint32_t events);

static const struct loop_class stream_out_source = { "stream out", stream_out_ready };

/* Waits (or no longer waits) for the reader of the stream. */
static void stream_wait(struct join_side *side, bool on)
{
	if (side->writing == on || !side->out_watched)
		return;
	side->writing = on;
	(void)loop_modify(side->join->loop, side->end_ref, on ? EPOLLOUT : 0); /* it is there */
}

static void stream_flush(struct join_side *side)
{
	int r = stream_out_flush(&side->out);

	if (r == 0 || r == -EAGAIN) {
		stream_wait(side, r == -EAGAIN);
		return;
	}
	if (r != -EPIPE && r != -ECONNRESET)
		log_error_errno(r, "cannot write the stream");
	join_end(side->join, r == -EPIPE || r == -ECONNRESET ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void stream_out_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct join_side *side = object;

	(void)loop;
	(void)fd;
	if (events & (EPOLLERR | EPOLLHUP)) {
		join_end(side->join, EXIT_SUCCESS);
		return;
	}
	stream_flush(side);
	if (stream_out_has_room(&side->out))
		side->other->class->resume(side->other);
}

static void stream_frame(void *context, const uint8_t *frame, size_t len)
{
	side_pass(context, frame, len);
}

static void stream_oversized(void *context, size_t len)
{
	(void)context;
	log_debug("frame of %zu bytes in the stream: skipped", len);
}

/* Reads once; false at the end. */
static bool stream_read(struct join_side *side)
{
	static const struct vde_stream_handler handler = { stream_frame, stream_oversized };
	struct join *join = side->join;
	ssize_t n = io_read(side->in_fd, join->buffer, READ_SIZE);

	if (n > 0) {
		vde_stream_feed(&side->reader, join->buffer, (size_t)n, &handler, side);
		side->other->class->flush(side->other);
	}
	if (n < 0 && n != -EAGAIN) {
		log_error_errno((int)n, "cannot read the stream");
		join_end(join, EXIT_FAILURE);
	}
	return n > 0 || n == -EAGAIN;
}

static void stream_in_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct join_side *side = object;

	(void)loop;
	(void)fd;
	(void)events;
	if (!stream_read(side))
		join_end(side->join, EXIT_SUCCESS);
}

static const struct loop_class stream_in_source = { "stream in", stream_in_ready };

static void stream_resume(struct join_side *side)
{
	(void)side; /* never paused: the network it feeds drops */
}

static const struct side_class stream_class = { stream_put, stream_has_room, stream_flush,
						stream_resume };

/* --- the join ----------------------------------------------------------------------------- */

int join_new(struct join **ret, struct loop *loop, struct plug_log *log)
{
	struct join *join = calloc(1, sizeof(*join));

	if (!join)
		return -ENOMEM;
	join->loop = loop;
	join->log = log;
	*ret = join;
	return 0;
}

void join_free(struct join *join)
{
	if (!join)
		return;
	for (unsigned i = 0; i < join->count; i++) {
		loop_remove(join->loop, &join->side[i].in_ref);
		loop_remove(join->loop, &join->side[i].end_ref);
		stream_out_done(&join->side[i].out);
	}
	free(join);
}

static struct join_side *join_next_side(struct join *join, const struct side_class *class)
{
	struct join_side *side = &join->side[join->count];

	side->class = class;
	side->join = join;
	side->other = &join->side[!join->count];
	side->out.own_fd = -1;
	join->count++;
	return side;
}

static bool is_kind(int fd, mode_t kind)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == kind;
}

int join_add_network(struct join *join, VDECONN *conn)
{
	struct join_side *side = join_next_side(join, &network_class);
	int ctl_fd = vde_ctlfd(conn);
	int r = 0;

	side->conn = conn;
	side->data_fd = vde_datafd(conn);
	side->nonblocking = is_kind(side->data_fd, S_IFSOCK) &&
			    io_set_nonblock(side->data_fd, true) == 0;
	if (side->data_fd >= 0)
		r = loop_add(join->loop, &network_source, side->data_fd, EPOLLIN, side, &side->in_ref);
	if (r == 0 && ctl_fd >= 0)
		r = loop_add(join->loop, &network_end_source, ctl_fd, EPOLLIN, side, &side->end_ref);
	return r;
}

int join_add_stream(struct join *join, int in_fd, int out_fd)
{
	struct join_side *side = join_next_side(join, &stream_class);
	int r = stream_out_init(&side->out, out_fd);

	side->in_fd = in_fd;
	vde_stream_reset(&side->reader);
	if (r == 0)
		r = loop_add(join->loop, &stream_in_source, in_fd, EPOLLIN, side, &side->in_ref);
	/* Others (files, terminals) are written at once, and do not hang up. */
	side->out_watched = is_kind(out_fd, S_IFIFO) || is_kind(out_fd, S_IFSOCK);
	if (r == 0 && side->out_watched)
		r = loop_add(join->loop, &stream_out_source, side->out.fd, 0, side, &side->end_ref);
	return r;
}

void join_drain(struct join *join)
{
	for (unsigned i = 0; i < join->count; i++) {
		struct join_side *side = &join->side[i];

		if (side->class != &stream_class)
			continue;
		for (int n = 0; n < DRAIN_MAX && is_ready(side->in_fd, POLLIN, 0); n++)
			if (!stream_read(side))
				break;
	}
}

void join_finish(struct join *join)
{
	for (unsigned i = 0; i < join->count; i++) {
		struct join_side *side = &join->side[i];

		if (side->class != &stream_class)
			continue;
		(void)stream_out_finish(&side->out, FINISH_PATIENCE); /* the reader may be gone */
		if (side->out.dropped)
			log_warning("%llu frames of more than %d bytes did not fit into the stream",
				    (unsigned long long)side->out.dropped, VDE_STREAM_FRAME_MAX);
	}
}
