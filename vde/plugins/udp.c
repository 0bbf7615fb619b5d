/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * udp://[SOURCE:]PORT->DESTINATION:PORT: one raw frame per datagram, one peer.
 *
 * Only what comes from the destination is received. The socket is connected to it, so that the
 * kernel drops the rest; where it cannot be yet (no route so far), vde_send tries again. Nothing
 * that the network reports (no listener, no route, an empty datagram) ends the connection: frames
 * are lost instead, as on a cable that is not plugged in.
 */
#include "vde/plugins/udp_address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>

#include "base/cleanup.h"
#include "vde/plugins/plugin.h"

#define BUDGET 64 /* datagrams that are not for us, in one vde_recv */

union udp_sockaddr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage storage;
};

struct udp {
	struct plugin_head head;
	int fd; /* owned */
	bool connected;
	socklen_t peer_len;
	union udp_sockaddr peer;
	struct plugin_out out;
};

static struct udp *udp_of(VDECONN *conn)
{
	return PLUGIN_OF(conn, struct udp);
}

/* Errors by which the network says that a frame is lost. */
static bool is_loss(int error)
{
	static const int losses[] = {
		EAGAIN,      EINTR,         ECONNREFUSED, ECONNRESET, EHOSTUNREACH, EHOSTDOWN,
		ENETUNREACH, ENETDOWN,      ENETRESET,    EMSGSIZE,   ENOBUFS,      EPERM,
		EACCES,      EADDRNOTAVAIL, ENOPROTOOPT,  EPROTO,
	};

	for (size_t i = 0; i < ARRAY_SIZE(losses); i++)
		if (losses[i] == error)
			return true;
	return false;
}

static void udp_connect(struct udp *u)
{
	if (!u->connected)
		u->connected = connect(u->fd, &u->peer.any, u->peer_len) == 0;
}

static bool same_address(const union udp_sockaddr *a, const union udp_sockaddr *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_port == b->v4.sin_port &&
		       a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->v6.sin6_port == b->v6.sin6_port &&
	       memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
}

/* One datagram. Its length, 0 for one that is no frame of the peer's, or a negative errno. */
static ssize_t udp_receive(struct udp *u, void *buf, size_t len, int flags)
{
	union udp_sockaddr from = { 0 };
	socklen_t from_len = sizeof(from);
	ssize_t got = recvfrom(u->fd, buf, len, flags | MSG_TRUNC, &from.any, &from_len);

	if (got < 0)
		return -errno;
	if (got < PLUGIN_FRAME_MIN || (size_t)got > len)
		return 0;
	/* Also when connected: what came before that is still in the queue. */
	return same_address(&from, &u->peer) ? got : 0;
}

static ssize_t udp_recv(VDECONN *conn, void *buf, size_t len, int flags)
{
	struct udp *u = udp_of(conn);
	int how = 0; /* the first may block */

	(void)flags;
	for (int i = 0; i < BUDGET; i++) {
		ssize_t r = udp_receive(u, buf, len, how);

		if (r > 0)
			return r;
		if (r == -EAGAIN)
			break;
		if (r == -EINTR || (r < 0 && !is_loss((int)-r)))
			return plugin_failed((int)r);
		how = MSG_DONTWAIT;
	}
	return plugin_nothing();
}

static ssize_t udp_send(VDECONN *conn, const void *buf, size_t len, int flags)
{
	struct udp *u = udp_of(conn);
	struct iovec part = { (void *)buf, len };
	int r;

	(void)flags;
	if (len < PLUGIN_FRAME_MIN)
		return (ssize_t)len;
	udp_connect(u);
	if (!u->connected)
		return (ssize_t)len;
	r = plugin_send(u->fd, &part, 1, &u->out, true);
	if (r == -ECONNREFUSED) /* said of the frame before: this one was not sent */
		r = plugin_send(u->fd, &part, 1, &u->out, true);
	return r == 0 || is_loss(-r) ? (ssize_t)len : plugin_failed(r);
}

/* Addresses of END; a list that the caller frees. Resolver failures become ECONNABORTED. */
static int resolve(const struct udp_end *end, int family, int flags, struct addrinfo **ret,
		   struct error *error)
{
	struct addrinfo hints = { .ai_family = family,
				  .ai_socktype = SOCK_DGRAM,
				  .ai_flags = flags };
	int r = getaddrinfo(*end->host ? end->host : NULL, end->port, &hints, ret);

	if (r)
		return error_set(error, ECONNABORTED,
				 "the address '%s' port '%s' cannot be found: %s", end->host,
				 end->port, r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
	return 0;
}

static void cleanup_addrinfo(struct addrinfo **list)
{
	if (*list)
		freeaddrinfo(*list);
}

static int udp_begin(struct udp *u, const struct udp_end *source, const struct udp_end *destination,
		     struct error *error)
{
	CLEANUP(cleanup_addrinfo) struct addrinfo *to = NULL;
	CLEANUP(cleanup_addrinfo) struct addrinfo *from = NULL;
	int size = PLUGIN_SNDBUF, on = 1;
	int r = resolve(destination, AF_UNSPEC, 0, &to, error);

	if (r == 0)
		r = resolve(source, to->ai_family, AI_PASSIVE, &from, error);
	if (r < 0)
		return r;
	u->fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (u->fd < 0)
		return error_set_errno(error, errno, "no UDP socket can be made");
	(void)setsockopt(u->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)); /* wishes */
	(void)setsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (to->ai_family == AF_INET6) /* so that another may have the port for IPv4 */
		(void)setsockopt(u->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(u->fd, from->ai_addr, from->ai_addrlen) < 0)
		return error_set_errno(error, errno, "cannot use the local address '%s' port '%s'",
				       source->host, source->port);
	memcpy(&u->peer, to->ai_addr, to->ai_addrlen);
	u->peer_len = to->ai_addrlen;
	udp_connect(u);
	return 0;
}

static int udp_close(VDECONN *conn)
{
	struct udp *u = udp_of(conn);

	if (u->fd >= 0)
		(void)close(u->fd);
	free(u);
	return 0;
}

static VDECONN *udp_open(char *args, char *descr, int interface_version,
			 struct vde_open_args *open_args)
{
	struct udp_end source, destination;
	struct error error = { 0 };
	struct udp *u;

	(void)descr, (void)interface_version, (void)open_args;
	if (udp_address_parse(args, &source, &destination, &error) < 0)
		return plugin_fail(&error);
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->fd = -1;
	if (udp_begin(u, &source, &destination, &error) < 0) {
		(void)udp_close(plugin_conn(&u->head));
		return plugin_fail(&error);
	}
	return plugin_conn(&u->head);
}

static int udp_datafd(VDECONN *conn)
{
	return udp_of(conn)->fd;
}

static int udp_ctlfd(VDECONN *conn)
{
	(void)conn;
	return -1;
}

extern const struct vdeplug_module vdeplug_ops;
PUBLIC const struct vdeplug_module vdeplug_ops = {
	.vde_open_real = udp_open,
	.vde_recv = udp_recv,
	.vde_send = udp_send,
	.vde_datafd = udp_datafd,
	.vde_ctlfd = udp_ctlfd,
	.vde_close = udp_close,
};
