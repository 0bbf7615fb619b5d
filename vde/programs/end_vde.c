/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames are received as the library lends them, which never waits, so one call brings what is there.
 *
 * A network with rings takes each frame at once, super-frames included, and tells by its data
 * descriptor when it has room again. For others frames are gathered and sent together: most have a
 * socket as their data descriptor, which is made non-blocking, so that it says when it is full and when
 * not any more. Those of a third kind (epoll, eventfd, pipes, terminals) wait by themselves, for as
 * long as their vde_send() does, and then drop.
 */
#include "end_vde.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/io.h"

#define ETHERNET_HEADER 14
#define BATCH           32
/* Errors in a row, none of which ends a network by itself, after which it counts as gone. */
#define ERRORS_MAX 1000

#define FEATURES (VDE_FEATURE_CSUM | VDE_FEATURE_TSO4 | VDE_FEATURE_TSO6 | VDE_FEATURE_USO)

struct end_vde {
	struct relay_end end;
	VDECONN *conn;
	bool has_ring;
	bool is_socket;
	unsigned errors; /* in a row */
	/* lent by the library; those before in_at are done with */
	unsigned in_at, in_count;
	struct vde_frame in[BATCH];
	/* gathered; those before out_at are sent */
	unsigned out_at, out_count;
	struct vde_frame out[BATCH];
	uint8_t data[BATCH][VDE_ETHBUFSIZE];
};

/* What vde_datafd() gave: whether it is a socket; whether a flag on it can do harm. */
static bool fd_is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static bool fd_may_be_nonblocking(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode);
}

/* Errors that a datagram socket has for one frame and then gets over. */
static bool error_passes(int code)
{
	static const int passing[] = { EAGAIN,	    EWOULDBLOCK, EINTR,	   ECONNREFUSED, ENOBUFS,
				       ENOMEM,	    EMSGSIZE,	 ENETDOWN, ENETUNREACH,	 EHOSTDOWN,
				       EHOSTUNREACH };

	for (size_t i = 0; i < ARRAY_SIZE(passing); i++)
		if (passing[i] == code)
			return true;
	return false;
}

static int end_vde_failed(struct end_vde *vde, int code)
{
	if (code == EAGAIN || code == EWOULDBLOCK || code == EINTR)
		return 0;
	return error_passes(code) && ++vde->errors < ERRORS_MAX ? 0 : -code;
}

static struct vnet_header to_wire(const struct vde_vnet *vnet)
{
	return (struct vnet_header){ vnet->flags,    vnet->gso_type,   vnet->hdr_len,
				     vnet->gso_size, vnet->csum_start, vnet->csum_offset };
}

static struct vde_vnet to_library(const struct vnet_header *vnet)
{
	return (struct vde_vnet){ vnet->flags,	    vnet->gso_type,    vnet->hdr_len,
				  vnet->gso_size,   vnet->csum_start,  vnet->csum_offset, 0 };
}

/* The next frames from the library: how many, or what end_vde_next() is to say. */
static int end_vde_refill(struct end_vde *vde)
{
	int n;

	if (vde->in_count)
		vde_rx_put(vde->conn, vde->in_count);
	vde->in_at = vde->in_count = 0;
	n = vde_rx_get(vde->conn, vde->in, BATCH);
	if (n < 0)
		return errno == EPIPE ? -ENODATA : end_vde_failed(vde, errno);
	if (n > 0)
		vde->errors = 0;
	vde->in_count = (unsigned)n;
	return n;
}

static int end_vde_next(struct relay_end *end, struct relay_frame *ret)
{
	struct end_vde *vde = container_of(end, struct end_vde, end);
	const struct vde_frame *frame;

	end->readable = false;
	if (vde->in_at == vde->in_count) {
		int n = end_vde_refill(vde);

		end->more = false;
		if (n <= 0)
			return n;
	}
	frame = &vde->in[vde->in_at++];
	end->more = vde->in_at < vde->in_count;
	*ret = (struct relay_frame){ frame->data, frame->len, to_wire(&frame->vnet) };
	return 1;
}

/* A network may have got its ring after it was opened, with a peer. */
static bool end_vde_tells_room(struct end_vde *vde)
{
	if (!vde->end.room_by_input)
		vde->end.room_by_input = vde_features(vde->conn, 0) & VDE_FEATURE_RING;
	return vde->end.room_by_input;
}

/* Sends what was gathered: 0, or 1 when the network is full and tells when it is not any more. */
static int end_vde_flush(struct relay_end *end)
{
	struct end_vde *vde = container_of(end, struct end_vde, end);

	while (vde->out_at < vde->out_count) {
		int n = vde_send_batch(vde->conn, vde->out + vde->out_at,
				       vde->out_count - vde->out_at);

		if (n == 0 && (vde->is_socket || end_vde_tells_room(vde)))
			return 1;
		if (n == 0) /* it cannot tell when it has room: it waits itself, for a while */
			n = vde_send(vde->conn, vde->out[vde->out_at].data,
				     vde->out[vde->out_at].len, 0) < 0 ? -1 : 1;
		if (n <= 0) /* one frame's fault */
			end->counters.dropped++;
		vde->out_at += n > 0 ? (unsigned)n : 1;
	}
	vde->out_at = vde->out_count = 0;
	return 0;
}

static int end_vde_gather(struct end_vde *vde, const struct relay_frame *frame)
{
	struct vde_frame *out;

	if (vde->out_count == BATCH && end_vde_flush(&vde->end) != 0)
		return -EAGAIN;
	out = &vde->out[vde->out_count];
	*out = (struct vde_frame){ .data = vde->data[vde->out_count], .len = frame->len };
	memcpy(out->data, frame->data, frame->len);
	vde->out_count++;
	return 0;
}

static int end_vde_send(struct relay_end *end, const struct relay_frame *frame)
{
	struct end_vde *vde = container_of(end, struct end_vde, end);
	const struct vde_frame out = {
		.data = (void *)(uintptr_t)frame->data, .len = frame->len,
		.vnet = to_library(&frame->vnet),
	};
	int n;

	if (frame->len < ETHERNET_HEADER || (!end->takes && frame->len > VDE_ETHBUFSIZE)) {
		end->counters.dropped++;
		return 0;
	}
	if (!vde->has_ring)
		return end_vde_gather(vde, frame);
	n = vde_send_batch(vde->conn, &out, 1);
	if (n < 0)
		end->counters.dropped++; /* its end is told of in another way */
	return n == 0 ? -EAGAIN : 0;
}

/* Frames that leave work to others come from rings only. */
static void end_vde_offer(struct relay_end *end, uint64_t features)
{
	struct end_vde *vde = container_of(end, struct end_vde, end);

	if (vde->has_ring)
		(void)vde_features(vde->conn, features);
}

static void end_vde_free(struct relay_end *end)
{
	struct end_vde *vde = container_of(end, struct end_vde, end);

	(void)vde_close(vde->conn);
	free(vde);
}

static const struct relay_end_class end_vde_class = {
	.name = "network",
	.next = end_vde_next,
	.offer = end_vde_offer,
	.send = end_vde_send,
	.flush = end_vde_flush,
	.free = end_vde_free,
};

int end_vde_new(VDECONN *conn, const char *title, struct relay_end **ret)
{
	struct end_vde *vde = malloc(sizeof(*vde)); /* large: what is not used is not touched */
	int fd = vde_datafd(conn);

	if (!vde)
		return -ENOMEM;
	vde->conn = conn;
	vde->errors = vde->in_at = vde->in_count = vde->out_at = vde->out_count = 0;
	vde->has_ring = vde_features(conn, 0) & VDE_FEATURE_RING;
	vde->is_socket = fd_may_be_nonblocking(fd) && io_set_nonblock(fd, true) == 0 &&
			 fd_is_socket(fd);
	vde->end = (struct relay_end){
		.class = &end_vde_class,
		.title = title,
		.in_fd = fd,
		.out_fd = fd,
		.gone_fd = vde_ctlfd(conn),
		.takes = vde->has_ring ? FEATURES : 0,
		.room_by_input = vde->has_ring,
	};
	*ret = &vde->end;
	return 0;
}
