/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vde://DIRECTORY[...]: a port of a vde_switch, with rings (ring_conn.h) if the switch has them, else
 * with datagrams (vde_datagram.h).
 */
#include <libvdeplug_mod.h>

#include <limits.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "vde/plugins/ring_conn.h"
#include "vde/plugins/vde_datagram.h"
#include "vde/plugins/vde_device.h"
#include "vde/plugins/vde_port.h"

#define DEFAULT_MODE  0700
#define BUSY_POLL_MAX 1000000 /* us */

struct vde_conn {
	void *handle;                  /* the loader's */
	struct vdeplug_module *module; /* the loader's */
	bool has_ring;
	struct ring_conn ring;
	struct vde_datagram datagram; /* without a data_fd when a TAP was handed over */
};

/* The parameters in brackets; NULL: not given. */
struct vde_parameters {
	char *port;
	char *group;
	char *mode;
	char *ring;
	char *busy_poll;
};

/* --- opening -------------------------------------------------------------------------- */

static int wish_port(struct vde_wish *wish, const char *word, struct error *error)
{
	long long number;

	if (!word || !*word)
		return 0;
	wish->port_word = word;
	wish->management = false;
	wish->port = 0;
	if (word[strspn(word, "0123456789")] != '\0')
		return 0; /* the name of a socket */
	if (parse_decimal(word, 0, VDE_CONTROL_PORT_MAX, &number) < 0)
		return error_set(error, EINVAL, "port %s: the highest number is %d", word,
				 VDE_CONTROL_PORT_MAX);
	wish->management = number == 0;
	wish->port = (uint32_t)number;
	return 0;
}

static int wish_group(struct vde_wish *wish, const char *name, struct error *error)
{
	if (!name)
		return 0;
	wish->group = vde_grnam2gid(name);
	if (wish->group == (gid_t)-1)
		return error_set(error, EINVAL, "there is no group '%s'", name);
	return 0;
}

/* Mode 0 would shut out the switch itself: it means the default. */
static void wish_mode(struct vde_wish *wish, mode_t mode)
{
	wish->mode = mode ? mode : DEFAULT_MODE;
}

static int wish_ring(struct vde_wish *wish, const char *word, struct error *error)
{
	if (!word)
		return 0;
	if (!str_equal(word, "yes") && !str_equal(word, "no"))
		return error_set(error, EINVAL, "ring=%s: neither yes nor no", word);
	wish->ring = str_equal(word, "yes") ? VDE_RING_YES : VDE_RING_NO;
	return 0;
}

static int wish_from_args(struct vde_wish *wish, const struct vde_open_args *args,
			  struct error *error)
{
	if (args->port > VDE_CONTROL_PORT_MAX)
		return error_set(error, EINVAL, "port %d: the highest number is %d", args->port,
				 VDE_CONTROL_PORT_MAX);
	wish->management = args->port < 0;
	wish->port = wish->management ? 0 : (uint32_t)args->port;
	wish_mode(wish, args->mode & 07777);
	return wish_group(wish, args->group, error);
}

static int wish_from_parameters(struct vde_wish *wish, const struct vde_parameters *p,
				struct error *error)
{
	mode_t mode;
	int r = wish_port(wish, p->port, error);

	if (r == 0 && p->group)
		r = wish_group(wish, p->group, error);
	if (r < 0)
		return r;
	if (p->mode) {
		if (parse_mode(p->mode, &mode) < 0)
			return error_set(error, EINVAL, "mode=%s: not an octal number up to 7777",
					 p->mode);
		wish_mode(wish, mode);
	}
	return wish_ring(wish, p->ring, error);
}

static int get_busy_poll(const char *text, unsigned *ret, struct error *error)
{
	long long usec = 0;

	if (text && parse_decimal(text, 0, BUSY_POLL_MAX, &usec) < 0)
		return error_set(error, EINVAL, "busy_poll=%s: not a number of microseconds up to %d",
				 text, BUSY_POLL_MAX);
	*ret = (unsigned)usec;
	return 0;
}

/* Makes CONN of what the switch has given. */
static int conn_init(struct vde_conn *conn, struct vde_port *port, unsigned busy_poll,
		     struct error *error)
{
	int r;

	conn->has_ring = port->has_ring;
	conn->datagram.data_fd = port->data_fd;
	conn->datagram.ctl_fd = port->ctl_fd;
	if (!port->has_ring)
		return 0;
	r = ring_conn_init(&conn->ring, &port->ring);
	if (r < 0) {
		ring_port_done(&port->ring);
		return error_set_errno(error, -r, "rings");
	}
	return busy_poll ? ring_rx_busy_poll(&conn->ring, busy_poll) : 0;
}

/* Hands the TAP over: a connection without a data descriptor. */
static int open_device(struct vde_conn *conn, const struct vde_wish *wish, int tap_fd,
		       struct error *error)
{
	int r;

	if (wish->ring == VDE_RING_NO)
		return error_set(error, EOPNOTSUPP, "ring=no: only the old protocol is wanted");
	r = vde_device_open(wish, tap_fd, error);
	if (r < 0)
		return r;
	conn->datagram.data_fd = -1;
	conn->datagram.ctl_fd = r;
	return 0;
}

/* A port for frames, or one for the TAP *TAP_FD. */
static VDECONN *conn_open(char *vnl, char *descr, int interface_version, struct vde_open_args *args,
			  const int *tap_fd)
{
	auto_free struct vde_conn *conn = calloc(1, sizeof(*conn));
	struct vde_wish wish = { .dir = vnl, .descr = descr, .mode = DEFAULT_MODE, .group = (gid_t)-1 };
	struct vde_parameters p = { 0 };
	struct vdeparms parms[] = { { (char[]){ "" }, &p.port },
				    { (char[]){ "port" }, &p.port },
				    { (char[]){ "portgroup" }, &p.port },
				    { (char[]){ "group" }, &p.group },
				    { (char[]){ "mode" }, &p.mode },
				    { (char[]){ "ring" }, &p.ring },
				    { (char[]){ "busy_poll" }, &p.busy_poll },
				    { NULL, NULL } };
	struct vde_port port;
	struct error error = { 0 };
	unsigned busy_poll = 0;
	int r = 0;

	if (!conn)
		return NULL;
	if (vde_parsepathparms(vnl, parms) < 0)
		return NULL;
	if (interface_version != LIBVDEPLUG_INTERFACE_VERSION)
		r = error_set(&error, EINVAL, "the program asks for interface version %d of vde_open; "
			      "there is only %d", interface_version, LIBVDEPLUG_INTERFACE_VERSION);
	if (r == 0 && args)
		r = wish_from_args(&wish, args, &error);
	if (r == 0)
		r = wish_from_parameters(&wish, &p, &error);
	if (r == 0)
		r = get_busy_poll(p.busy_poll, &busy_poll, &error);
	if (r == 0 && tap_fd)
		r = open_device(conn, &wish, *tap_fd, &error);
	else if (r == 0)
		r = vde_port_open(&wish, &port, &error);
	if (r == 0 && !tap_fd)
		r = conn_init(conn, &port, busy_poll, &error);
	if (r < 0) {
		vde_error_set(-r, "%s", error_text(&error));
		return NULL;
	}
	return (VDECONN *)TAKE_PTR(conn);
}

static VDECONN *vde_vde_open(char *vnl, char *descr, int interface_version,
			     struct vde_open_args *args)
{
	return conn_open(vnl, descr, interface_version, args, NULL);
}

static VDECONN *vde_vde_open_tap(char *vnl, char *descr, int interface_version,
				 struct vde_open_args *args, int tap_fd)
{
	return conn_open(vnl, descr, interface_version, args, &tap_fd);
}

/* --- the calls ------------------------------------------------------------------------ */

static struct vde_conn *conn_of(VDECONN *conn)
{
	return (struct vde_conn *)conn;
}

static ssize_t posix_result(ssize_t r)
{
	if (r >= 0)
		return r;
	errno = (int)-r;
	return -1;
}

static ssize_t vde_vde_recv(VDECONN *conn, void *buf, size_t len, int flags)
{
	struct vde_conn *vde = conn_of(conn);

	(void)flags;
	return posix_result(vde->has_ring ? ring_rx_recv(&vde->ring, buf, len) :
					    vde_datagram_recv(&vde->datagram, buf, len));
}

static ssize_t vde_vde_send(VDECONN *conn, const void *buf, size_t len, int flags)
{
	struct vde_conn *vde = conn_of(conn);

	(void)flags;
	return posix_result(vde->has_ring ? ring_tx_send(&vde->ring, buf, len) :
					    vde_datagram_send(&vde->datagram, buf, len));
}

static int vde_vde_datafd(VDECONN *conn)
{
	struct vde_conn *vde = conn_of(conn);

	return vde->has_ring ? ring_rx_datafd(&vde->ring) : vde->datagram.data_fd;
}

static int vde_vde_ctlfd(VDECONN *conn)
{
	struct vde_conn *vde = conn_of(conn);

	return vde->has_ring ? vde->ring.port.control_fd : vde->datagram.ctl_fd;
}

static int vde_vde_close(VDECONN *conn)
{
	struct vde_conn *vde = conn_of(conn);

	ring_conn_done(&vde->ring);
	vde_datagram_done(&vde->datagram);
	free(vde);
	return 0;
}

static uint64_t vde_vde_features(VDECONN *conn, uint64_t features)
{
	struct vde_conn *vde = conn_of(conn);

	return vde->has_ring ? ring_conn_features(&vde->ring, features) : 0;
}

static int vde_vde_recv_batch(VDECONN *conn, struct vde_frame *frames, unsigned count)
{
	struct vde_conn *vde = conn_of(conn);

	count = MIN(count, (unsigned)INT_MAX);
	return (int)posix_result(
		vde->has_ring ? ring_rx_batch(&vde->ring, frames, count) :
				vde_datagram_recv_batch(&vde->datagram, frames, count));
}

static int vde_vde_send_batch(VDECONN *conn, const struct vde_frame *frames, unsigned count)
{
	struct vde_conn *vde = conn_of(conn);

	count = MIN(count, (unsigned)INT_MAX);
	return (int)posix_result(
		vde->has_ring ? ring_tx_batch(&vde->ring, frames, count) :
				vde_datagram_send_batch(&vde->datagram, frames, count));
}

/* Nothing can be lent of a socket: -EOPNOTSUPP leaves it to the library. */
static int vde_vde_rx_get(VDECONN *conn, struct vde_frame *frames, unsigned count)
{
	struct vde_conn *vde = conn_of(conn);

	return (int)posix_result(vde->has_ring ? ring_rx_get(&vde->ring, frames, count) : -EOPNOTSUPP);
}

static void vde_vde_rx_put(VDECONN *conn, unsigned count)
{
	struct vde_conn *vde = conn_of(conn);

	if (vde->has_ring)
		ring_rx_put(&vde->ring, count);
}

static int vde_vde_tx_get(VDECONN *conn, struct vde_frame *frames, unsigned count, size_t len)
{
	struct vde_conn *vde = conn_of(conn);

	return (int)posix_result(vde->has_ring ? ring_tx_get(&vde->ring, frames, count, len) :
						 -EOPNOTSUPP);
}

static int vde_vde_tx_commit(VDECONN *conn, const struct vde_frame *frames, unsigned count)
{
	struct vde_conn *vde = conn_of(conn);

	return (int)posix_result(vde->has_ring ? ring_tx_commit(&vde->ring, frames, count) :
						 -EOPNOTSUPP);
}

static int vde_vde_busy_poll(VDECONN *conn, unsigned usec)
{
	struct vde_conn *vde = conn_of(conn);

	return vde->has_ring ? (int)posix_result(ring_rx_busy_poll(&vde->ring, usec)) : 0;
}

extern struct vdeplug_module vdeplug_ops;
PUBLIC struct vdeplug_module vdeplug_ops = {
	.vde_open_real = vde_vde_open,
	.vde_recv = vde_vde_recv,
	.vde_send = vde_vde_send,
	.vde_datafd = vde_vde_datafd,
	.vde_ctlfd = vde_vde_ctlfd,
	.vde_close = vde_vde_close,
};

extern struct vdeplug_ops_ext vdeplug_ops_ext;
PUBLIC struct vdeplug_ops_ext vdeplug_ops_ext = {
	.size = sizeof(struct vdeplug_ops_ext),
	.vde_features = vde_vde_features,
	.vde_recv_batch = vde_vde_recv_batch,
	.vde_send_batch = vde_vde_send_batch,
	.vde_rx_get = vde_vde_rx_get,
	.vde_rx_put = vde_vde_rx_put,
	.vde_tx_get = vde_vde_tx_get,
	.vde_tx_commit = vde_vde_tx_commit,
	.vde_busy_poll = vde_vde_busy_poll,
	.vde_open_tap = vde_vde_open_tap,
};
