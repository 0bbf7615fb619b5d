/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seqpacket://FD: one frame per message of a socket that was inherited; the way by which a program
 * that cannot load plug-ins is joined to vde_plug. The descriptor is this connection's from then
 * on.
 */
#include <errno.h>
#include <limits.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/parse.h"
#include "vde/plugins/plugin.h"

struct seqpacket {
	struct plugin_head head;
	int fd; /* owned */
	int type;
	struct plugin_out out;
};

static struct seqpacket *seqpacket_of(VDECONN *conn)
{
	return PLUGIN_OF(conn, struct seqpacket);
}

static ssize_t seqpacket_recv(VDECONN *conn, void *buf, size_t len, int flags)
{
	struct seqpacket *s = seqpacket_of(conn);
	ssize_t got = recv(s->fd, buf, len, MSG_TRUNC);

	(void)flags;
	if (got < 0)
		return errno == EAGAIN ? plugin_nothing() : errno == ECONNRESET ? 0 : -1;
	if (got == 0 && s->type == SOCK_SEQPACKET && plugin_hung_up(s->fd))
		return 0; /* an empty message looks the same */
	/* Too long for the caller: dropped, never cut. */
	return got < PLUGIN_FRAME_MIN || (size_t)got > len ? plugin_nothing() : got;
}

static ssize_t seqpacket_send(VDECONN *conn, const void *buf, size_t len, int flags)
{
	struct seqpacket *s = seqpacket_of(conn);
	struct iovec part = { (void *)buf, len };
	int r;

	(void)flags;
	if (len < PLUGIN_FRAME_MIN)
		return (ssize_t)len;
	r = plugin_send(s->fd, &part, 1, &s->out, true);
	return r == 0 || r == -EAGAIN || r == -EMSGSIZE ? (ssize_t)len : plugin_failed(r);
}

/* What is wrong with the descriptor FD; 0 with its type when nothing is. */
static int check_descriptor(int fd, int *ret_type, struct error *error)
{
	socklen_t len = sizeof(*ret_type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, ret_type, &len) < 0)
		return error_set(
			error, errno,
			errno == EBADF
				? "descriptor %d is not open; who starts this program has to leave "
				  "it open"
				: "descriptor %d is not a socket",
			fd);
	if (*ret_type != SOCK_SEQPACKET && *ret_type != SOCK_DGRAM)
		return error_set(error, EPROTOTYPE,
				 "descriptor %d does not keep messages apart; a "
				 "SOCK_SEQPACKET socket is wanted",
				 fd);
	return 0;
}

static int seqpacket_begin(struct seqpacket *s, const char *text, struct error *error)
{
	long long number;
	int r;

	if (parse_decimal(text, 0, INT_MAX, &number) < 0)
		return error_set(error, EINVAL,
				 "'%s' is not a descriptor; the form is "
				 "seqpacket://NUMBER",
				 text);
	r = check_descriptor((int)number, &s->type, error);
	if (r < 0)
		return r;
	s->fd = (int)number;
	return io_set_cloexec(s->fd, true);
}

static VDECONN *seqpacket_open(char *args, char *descr, int interface_version,
			       struct vde_open_args *open_args)
{
	auto_free struct seqpacket *s = calloc(1, sizeof(*s));
	struct error error = { 0 };

	(void)descr, (void)interface_version, (void)open_args;
	if (!s)
		return NULL;
	if (seqpacket_begin(s, args, &error) < 0)
		return plugin_fail(&error);
	return plugin_conn(&TAKE_PTR(s)->head);
}

static int seqpacket_datafd(VDECONN *conn)
{
	return seqpacket_of(conn)->fd;
}

static int seqpacket_ctlfd(VDECONN *conn)
{
	(void)conn;
	return -1;
}

static int seqpacket_close(VDECONN *conn)
{
	(void)close(seqpacket_of(conn)->fd);
	free(seqpacket_of(conn));
	return 0;
}

extern const struct vdeplug_module vdeplug_ops;
PUBLIC const struct vdeplug_module vdeplug_ops = {
	.vde_open_real = seqpacket_open,
	.vde_recv = seqpacket_recv,
	.vde_send = seqpacket_send,
	.vde_datafd = seqpacket_datafd,
	.vde_ctlfd = seqpacket_ctlfd,
	.vde_close = seqpacket_close,
};
