/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Most networks have a socket as their data descriptor: it is made non-blocking, then it is read
 * until it says EAGAIN, and one that is full tells when it has room. Others show a descriptor that
 * only can be polled (epoll, eventfd) or that the plug-in may read in pieces (pipes, terminals): those
 * are asked before each frame but the first, and drop what they cannot send. O_NONBLOCK on the former is a
 * sign for plug-ins that know it: not to wait when another thread was faster.
 */
#include "end_vde.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/io.h"

#define ETHERNET_HEADER 14
/* Errors in a row, none of which ends a network by itself, after which it counts as gone. */
#define ERRORS_MAX 1000

struct end_vde {
	struct relay_end end;
	VDECONN *conn;
	bool is_socket;
	unsigned errors; /* in a row */
	uint8_t frame[VDE_ETHBUFSIZE];
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

static bool fd_readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) > 0;
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

static int end_vde_next(struct relay_end *end, struct relay_frame *ret)
{
	struct end_vde *vde = container_of(end, struct end_vde, end);
	ssize_t len;

	do {
		if (!vde->is_socket && !end->readable && !fd_readable(end->in_fd))
			return 0;
		end->readable = false;
		len = vde_recv(vde->conn, vde->frame, sizeof(vde->frame), 0);
		if (len < 0)
			return end_vde_failed(vde, errno);
		if (len == 0)
			return -ENODATA;
		vde->errors = 0;
		if (len == 1)
			return 0;
	} while (len < ETHERNET_HEADER);
	*ret = (struct relay_frame){ vde->frame, (size_t)len };
	return 1;
}

static int end_vde_send(struct relay_end *end, const struct relay_frame *frame)
{
	struct end_vde *vde = container_of(end, struct end_vde, end);

	if (frame->len > VDE_ETHBUFSIZE || frame->len < ETHERNET_HEADER) {
		end->counters.dropped++;
		return 0;
	}
	if (vde_send(vde->conn, frame->data, frame->len, 0) >= 0)
		return 0;
	if (vde->is_socket && (errno == EAGAIN || errno == EWOULDBLOCK))
		return -EAGAIN;
	end->counters.dropped++;
	return 0;
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
	.send = end_vde_send,
	.free = end_vde_free,
};

int end_vde_new(VDECONN *conn, const char *title, struct relay_end **ret)
{
	struct end_vde *vde = calloc(1, sizeof(*vde));
	int fd = vde_datafd(conn);

	if (!vde)
		return -ENOMEM;
	vde->conn = conn;
	vde->is_socket = fd_may_be_nonblocking(fd) && io_set_nonblock(fd, true) == 0 &&
			 fd_is_socket(fd);
	vde->end = (struct relay_end){
		.class = &end_vde_class,
		.title = title,
		.in_fd = fd,
		.out_fd = fd,
		.gone_fd = vde_ctlfd(conn),
	};
	*ret = &vde->end;
	return 0;
}
