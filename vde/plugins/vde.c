/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vde://DIRECTORY[...]: a port of a vde_switch.
 *
 * The data socket stays blocking, as programs expect. Two things are done about that. Sending waits
 * for a switch that does not keep up 50 ms at most and then drops, and once it dropped it does not
 * wait again until a frame got through: a stopped switch cannot stop its clients. Receiving watches
 * the control socket, too: a datagram socket has no end of file.
 */
#include <libvdeplug_mod.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parse.h"
#include "vde/plugins/vde_device.h"
#include "vde/plugins/vde_port.h"
#include "wire/ether.h"

#define DEFAULT_MODE  0700
#define SEND_PATIENCE 50 /* ms */

struct vde_conn {
	void *handle;                  /* the loader's */
	struct vdeplug_module *module; /* the loader's */
	struct vde_port port;
	atomic_bool choked; /* the last frame was dropped: do not wait for the switch */
	uint64_t features;  /* of a device: what the switch takes from it */
};

/* The parameters in brackets; NULL: not given. */
struct vde_parameters {
	char *port;
	char *group;
	char *mode;
	char *ring;
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
	/* Frames through shared memory, where both ends can; datagrams are what every switch has. */
	if (p->ring && !str_equal(p->ring, "yes") && !str_equal(p->ring, "no"))
		return error_set(error, EINVAL, "ring=%s: neither yes nor no", p->ring);
	return 0;
}

/* A port of the switch, or one that takes the TAP; NULL: none. */
static int open_port(struct vde_conn *conn, const struct vde_wish *wish, const char *ring,
		     const int *tap_fd, struct error *error)
{
	struct vde_device device;
	int r;

	if (!tap_fd)
		return vde_port_open(wish, &conn->port, error);
	if (ring && str_equal(ring, "no"))
		return error_set(error, EOPNOTSUPP, "ring=no: only the old protocol is wanted");
	r = vde_device_open(wish, *tap_fd, &device, error);
	if (r < 0)
		return r;
	conn->port = (struct vde_port){ .data_fd = -1, .ctl_fd = device.ctl_fd };
	conn->features = device.features;
	return 0;
}

static VDECONN *vde_vde_connect(char *vnl, char *descr, int interface_version,
				struct vde_open_args *args, const int *tap_fd)
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
				    { NULL, NULL } };
	struct error error = { 0 };
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
		r = open_port(conn, &wish, p.ring, tap_fd, &error);
	if (r < 0) {
		vde_error_set(-r, "%s", error_text(&error));
		return NULL;
	}
	return (VDECONN *)TAKE_PTR(conn);
}

static VDECONN *vde_vde_open(char *vnl, char *descr, int interface_version,
			     struct vde_open_args *args)
{
	return vde_vde_connect(vnl, descr, interface_version, args, NULL);
}

static VDECONN *vde_vde_open_tap(char *vnl, char *descr, int interface_version,
				 struct vde_open_args *args, int tap_fd)
{
	return vde_vde_connect(vnl, descr, interface_version, args, &tap_fd);
}

/* --- frames --------------------------------------------------------------------------- */

static bool is_nonblocking(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

/* Waits until there is a frame (1) or the port is gone (0); -1 with errno. */
static int wait_for_frame(const struct vde_port *port)
{
	struct pollfd p[] = { { .fd = port->data_fd, .events = POLLIN },
			      { .fd = port->ctl_fd, .events = POLLIN } };

	if (poll(p, ARRAY_SIZE(p), -1) < 0)
		return -1;
	return p[0].revents ? 1 : 0;
}

/* The next frame that fits into BUF and is one; others are dropped. -1 with errno. */
static ssize_t take_frame(int fd, void *buf, size_t len)
{
	ssize_t n;

	do
		n = recv(fd, buf, len, MSG_DONTWAIT | MSG_TRUNC);
	while (n >= 0 && (n < ETHER_HEADER_SIZE || (size_t)n > len));
	return n;
}

static ssize_t vde_vde_recv(VDECONN *conn, void *buf, size_t len, int flags)
{
	const struct vde_port *port = &((struct vde_conn *)conn)->port;

	(void)flags;
	for (;;) {
		ssize_t n = take_frame(port->data_fd, buf, len);
		int r;

		if (n >= 0 || errno != EAGAIN)
			return n;
		if (is_nonblocking(port->data_fd)) {
			errno = EAGAIN;
			return -1;
		}
		r = wait_for_frame(port);
		if (r <= 0)
			return r;
	}
}

/* The switch does not keep up: waits for it, not for long. The result of vde_send(). */
static ssize_t send_patiently(struct vde_conn *conn, const void *buf, size_t len)
{
	uint64_t deadline = clock_now() + SEND_PATIENCE * NS_PER_MSEC;
	int fd = conn->port.data_fd;

	if (is_nonblocking(fd)) {
		errno = EAGAIN;
		return -1;
	}
	while (!atomic_load_explicit(&conn->choked, memory_order_relaxed)) {
		uint64_t now = clock_now();
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t n;

		if (now >= deadline)
			break;
		if (poll(&p, 1, (int)((deadline - now) / NS_PER_MSEC) + 1) < 0)
			return -1;
		n = send(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0 || errno != EAGAIN)
			return n;
	}
	atomic_store_explicit(&conn->choked, true, memory_order_relaxed);
	return (ssize_t)len;
}

static ssize_t vde_vde_send(VDECONN *conn, const void *buf, size_t len, int flags)
{
	struct vde_conn *vde = (struct vde_conn *)conn;
	ssize_t n;

	(void)flags;
	if (len < ETHER_HEADER_SIZE)
		return (ssize_t)len;
	n = send(vde->port.data_fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN)
		return send_patiently(vde, buf, len);
	if (n < 0 && (errno == EMSGSIZE || errno == ENOBUFS))
		return (ssize_t)len; /* larger than the socket carries */
	if (n >= 0 && atomic_load_explicit(&vde->choked, memory_order_relaxed))
		atomic_store_explicit(&vde->choked, false, memory_order_relaxed);
	return n;
}

static int vde_vde_datafd(VDECONN *conn)
{
	return ((struct vde_conn *)conn)->port.data_fd;
}

static int vde_vde_ctlfd(VDECONN *conn)
{
	return ((struct vde_conn *)conn)->port.ctl_fd;
}

static int vde_vde_close(VDECONN *conn)
{
	struct vde_conn *vde = (struct vde_conn *)conn;

	if (vde->port.data_fd >= 0) /* a device has none */
		(void)close(vde->port.data_fd);
	(void)close(vde->port.ctl_fd);
	free(vde);
	return 0;
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

static uint64_t vde_vde_features(VDECONN *conn, uint64_t features)
{
	(void)features;
	return ((struct vde_conn *)conn)->features;
}

extern const struct vdeplug_ops_ext vdeplug_ops_ext;
PUBLIC const struct vdeplug_ops_ext vdeplug_ops_ext = {
	.size = sizeof(vdeplug_ops_ext),
	.vde_features = vde_vde_features,
	.vde_open_tap = vde_vde_open_tap,
};
