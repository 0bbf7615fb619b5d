/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client's way in. It connects to DIR/ctl, sends a request (wire/vde_control.h) that names its
 * datagram socket, and gets the address of a datagram socket of its own, DIR/fdN, N being that
 * socket's descriptor. Both versions of the request and the request for port 0 are answered alike:
 * a netnode has no numbered ports. End of file on the connection, from either side, ends the port.
 *
 * What a client can do wrong ends that client alone. It may not make the host send to somebody
 * else's socket: the socket it names has to belong to the user who connected (SO_PEERCRED), root
 * apart. Ours is connected before it is bound, so that a client cannot name our own.
 *
 * By DIR/ring it sends a HELLO (wire/vde_ring.h) instead, and gets rings. Who may connect is a matter
 * of the socket's mode; there is nothing else that a client could name that is not its own. What it
 * wrote before it went is still taken.
 */
#include "vde/plugins/node_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"

#define EXCESS_MAX     4096 /* bytes of nonsense behind a request that are overlooked */
#define PROC_PATH_SIZE 32

int node_watch(struct node *n, int fd, enum node_event event, unsigned port)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = node_event_key(event, port) };

	return epoll_ctl(n->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

/* Closing is not enough for the epoll set: a child of fork(2) may have the descriptor, too. */
static void unwatch_and_close(struct node *n, int *fd)
{
	if (*fd < 0)
		return;
	(void)epoll_ctl(n->epoll, EPOLL_CTL_DEL, *fd, NULL);
	(void)close(*fd);
	*fd = -1;
}

void node_client_drop(struct node *n, unsigned port)
{
	struct node_client *c = &n->clients[port];
	char name[16];

	if (c->state == NODE_CLIENT_NONE)
		return;
	if (c->state == NODE_CLIENT_JOINED) {
		if (n->rule->gone)
			n->rule->gone(n->memory, port);
		n->ports.joined[port] = false;
		n->ports.count--;
	}
	if (c->data >= 0) {
		(void)snprintf(name, sizeof(name), "fd%d", c->data);
		(void)unlinkat(n->dir.fd, name, 0);
		unwatch_and_close(n, &c->data);
	}
	if (c->ring) {
		ring_end_done(c->ring);
		free(TAKE_PTR(c->ring));
	}
	unwatch_and_close(n, &c->control);
	c->state = NODE_CLIENT_NONE;
}

/*
 * Opens the name of a client's socket without using it, for a check that still holds when it is
 * used. Negative errno.
 */
static int client_socket_open(const struct node_client *c, const struct sockaddr_un *address)
{
	auto_close int fd = open(address->sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 ||
	    getsockopt(c->control, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	if (peer.uid != 0 && peer.uid != st.st_uid)
		return -EPERM;
	return TAKE_FD(fd);
}

/* Connects our socket to the client's: by the opened name, where there is /proc. */
static int client_data_connect(int data, int opened, const struct sockaddr_un *address)
{
	struct sockaddr_un by_fd = { .sun_family = AF_UNIX };

	(void)snprintf(by_fd.sun_path, PROC_PATH_SIZE, "/proc/self/fd/%d", opened);
	if (connect(data, (struct sockaddr *)&by_fd, sizeof(by_fd)) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	return connect(data, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
}

/* Gives our socket its name DIR/fdN, which is left in *REPLY. */
static int client_data_name(struct node *n, int data, struct sockaddr_un *reply)
{
	int r;

	*reply = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(reply->sun_path, sizeof(reply->sun_path), "%s/fd%d", n->dir.path, data);
	r = plugin_bind(data, reply->sun_path, n->mode);
	if (r == 0 && n->gid != (gid_t)-1 && chown(reply->sun_path, (uid_t)-1, n->gid) < 0)
		r = -errno; /* the name goes with the client */
	return r;
}

/* Makes the data socket of a client; c->data may be set on failure, too. */
static int client_data_open(struct node *n, struct node_client *c,
			    const struct vde_control *request, struct sockaddr_un *reply)
{
	auto_close int opened = client_socket_open(c, &request->address);
	auto_close int data = -1;
	int size = PLUGIN_SNDBUF;
	int r;

	if (opened < 0)
		return opened;
	data = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (data < 0)
		return -errno;
	(void)setsockopt(data, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)); /* a wish */
	r = client_data_connect(data, opened, &request->address);
	if (r < 0)
		return r;
	c->data = TAKE_FD(data);
	return client_data_name(n, c->data, reply);
}

static void client_joined(struct node *n, unsigned port, const char *description)
{
	n->clients[port].state = NODE_CLIENT_JOINED;
	n->ports.joined[port] = true;
	n->ports.count++;
	log_debug("%s: port %u: %s", n->rule->name, port, description);
}

static int client_join(struct node *n, unsigned port, const struct vde_control *request)
{
	struct node_client *c = &n->clients[port];
	struct sockaddr_un reply;
	int r;

	if (request->type > VDE_CONTROL_NEW_PORT_0)
		return -EOPNOTSUPP;
	r = client_data_open(n, c, request, &reply);
	if (r < 0)
		return r;
	if (send(c->control, &reply, sizeof(reply), MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(reply))
		return -EPIPE;
	r = node_watch(n, c->data, NODE_EVENT_DATA, port);
	if (r == 0)
		client_joined(n, port, request->description);
	return r;
}

/* Takes more of the request. 0: wait for the rest, or done; negative: the client is to go. */
static int client_ask(struct node *n, unsigned port)
{
	struct node_client *c = &n->clients[port];
	ssize_t got = recv(c->control, c->request + c->request_len,
			   sizeof(c->request) - c->request_len, MSG_DONTWAIT);
	struct vde_control request;

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (got == 0)
		return -EPIPE;
	c->request_len += (size_t)got;
	switch (vde_control_parse(c->request, c->request_len, &request)) {
	case VDE_CONTROL_OK:
		return client_join(n, port, &request);
	case VDE_CONTROL_SHORT:
		return c->request_len < sizeof(c->request) ? 0 : -EMSGSIZE;
	default:
		return -EBADMSG;
	}
}

/* Gives a client its rings. The error is what it is refused with. */
static int client_join_ring(struct node *n, unsigned port, const struct vde_ring_message_parts *hello,
			    struct error *error)
{
	struct node_client *c = &n->clients[port];
	int r = ring_set_start(&n->rings, n->epoll, node_event_key(NODE_EVENT_MORE, 0),
			       node_event_key(NODE_EVENT_TRIM, 0));

	if (r < 0)
		return error_set_errno(error, -r, "%s", n->rule->name);
	c->ring = malloc(sizeof(*c->ring));
	if (!c->ring)
		return error_set_errno(error, ENOMEM, "%s", n->rule->name);
	ring_end_init(c->ring);
	r = ring_end_serve(c->ring, &c->control, hello, NODE_FEATURES, port, error);
	if (r < 0)
		return r;
	c->control = TAKE_FD(c->ring->rp.control_fd);
	r = ring_end_attach(c->ring, &n->rings, node_event_key(NODE_EVENT_BELL, port));
	if (r < 0)
		return r; /* after WELCOME there is only the end */
	client_joined(n, port, hello->description);
	ring_end_wake(c->ring); /* what it writes before anybody sleeps */
	return 0;
}

/* As client_ask(), of a client that wants rings: one message. */
static int client_ask_ring(struct node *n, unsigned port)
{
	struct node_client *c = &n->clients[port];
	struct vde_ring_message_parts hello;
	struct error error = { 0 };
	int r = ring_port_receive(c->control, &hello, NULL);

	if (r == -EAGAIN || r == -EPIPE)
		return r == -EAGAIN ? 0 : r;
	if (r == -EPROTONOSUPPORT)
		error_set(&error, EPROTONOSUPPORT, "another version of the ring protocol is spoken here");
	else if (r < 0)
		error_set(&error, -r, "the request is malformed");
	else
		r = client_join_ring(n, port, &hello, &error);
	if (r < 0 && error.code)
		ring_port_refuse(c->control, error.code, error_text(&error));
	return r;
}

/* A client that has joined says nothing more; what it says is read to see its end. */
static int client_overhear(struct node_client *c)
{
	char nonsense[512];
	ssize_t got = recv(c->control, nonsense, sizeof(nonsense), MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	c->excess += (size_t)got;
	return got == 0 ? -EPIPE : c->excess > EXCESS_MAX ? -EMSGSIZE : 0;
}

static int client_hear(struct node *n, unsigned port)
{
	struct node_client *c = &n->clients[port];

	if (c->state == NODE_CLIENT_JOINED)
		return client_overhear(c);
	return c->wants_ring ? client_ask_ring(n, port) : client_ask(n, port);
}

void node_control_ready(struct node *n, unsigned port)
{
	struct node_client *c = &n->clients[port];
	int r = client_hear(n, port);

	if (r == 0)
		return;
	if (c->ring && c->state == NODE_CLIENT_JOINED) { /* first what it has written */
		unwatch_and_close(n, &c->control);
		c->leaving = c->ring->rp.in.size;
		ring_end_wake(c->ring);
		return;
	}
	log_debug("%s: port %u ends: %s", n->rule->name, port, strerror(-r));
	node_client_drop(n, port);
}

/*
 * A free port; when all are taken, that of the client who has been asking for longest; 0 when all
 * have joined.
 */
static unsigned free_port(struct node *n)
{
	unsigned oldest = 0;

	for (unsigned port = 1; port < NODE_PORTS; port++) {
		const struct node_client *c = &n->clients[port];

		if (c->state == NODE_CLIENT_NONE)
			return port;
		if (c->state == NODE_CLIENT_ASKING &&
		    (!oldest || c->since < n->clients[oldest].since))
			oldest = port;
	}
	node_client_drop(n, oldest);
	return oldest;
}

/* Without a descriptor left: answers by end of file all the same, or the listener stays ready. */
static void refuse_without_descriptor(struct node *n, int listener)
{
	int fd;

	if (n->reserve >= 0)
		(void)close(n->reserve);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		(void)close(fd);
	n->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void node_accept(struct node *n, bool ring)
{
	int listener = ring ? n->ring_listener : n->listener;
	auto_close int control = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct node_client *c;
	unsigned port;

	if (control < 0) {
		if (errno == EMFILE || errno == ENFILE)
			refuse_without_descriptor(n, listener);
		return;
	}
	port = free_port(n);
	if (!port) {
		log_debug("%s: a client is refused: there are %d", n->rule->name, NODE_CLIENTS_MAX);
		if (ring)
			ring_port_refuse(control, ENOSPC, "there are as many clients as there can be");
		return;
	}
	if (node_watch(n, control, NODE_EVENT_CONTROL, port) < 0)
		return;
	c = &n->clients[port];
	c->state = NODE_CLIENT_ASKING;
	c->control = TAKE_FD(control);
	c->data = -1;
	c->wants_ring = ring;
	c->ring = NULL;
	c->leaving = 0;
	c->since = n->arrivals++;
	c->request_len = c->excess = 0;
	c->out = (struct plugin_out){ 0 };
	node_control_ready(n, port); /* most send the request right behind the connection */
}
