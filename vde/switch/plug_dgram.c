/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plugs of the old protocol (wire/vde_control.h): the plug has named its own datagram socket, the
 * switch makes a datagram socket DIR/PPP.FD for it, connects that to the plug's, and answers with
 * its address. From then on frames go through the pair of datagram sockets, one each, and the
 * control connection only tells, by its end, that the plug is gone.
 *
 * The sockets are connected to each other, which does two things: nobody else can send to
 * the switch's socket, and the kernel does not apply net.unix.max_dgram_qlen (ten datagrams) to
 * connected pairs, so that a burst is bounded by the socket's buffer and not lost or stalled.
 */
#include "vde/switch/plug_dgram.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/parse.h"
#include "vde/switch/control.h"
#include "vde/switch/endpoint.h"
#include "vde/switch/forward.h"

#define BATCHES_A_TURN 4
#define BATCHES_AT_END 64
#define SOCKET_BUFFER  (1 << 20)

/* --- frames --------------------------------------------------------------------------- */

static int plug_write(struct endpoint *ep, struct mmsghdr *msgs, unsigned count)
{
	const struct msghdr *first = &msgs[0].msg_hdr;
	const int how = MSG_DONTWAIT | MSG_NOSIGNAL;
	int n;

	if (count > 1)
		n = sendmmsg(ep->data_fd, msgs, count, how);
	else if (first->msg_iovlen > 1)
		n = sendmsg(ep->data_fd, first, how) < 0 ? -1 : 1;
	else
		n = send(ep->data_fd, first->msg_iov->iov_base, first->msg_iov->iov_len, how) < 0 ? -1 : 1;
	if (n > 0)
		return n;
	return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 0 : -errno;
}

static void plug_close(struct vde_switch *sw, struct endpoint *ep)
{
	(void)sw;
	if (ep->path)
		(void)unlink(ep->path); /* it may be gone: then that is what is wanted */
}

/* Reads one batch; returns how many frames there were, 0 when there was none. */
static unsigned plug_read_batch(struct vde_switch *sw, struct endpoint *ep, int fd)
{
	struct mmsghdr msgs[FORWARD_BATCH];
	struct iovec iov[FORWARD_BATCH];
	uint32_t len[FORWARD_BATCH];
	int n;

	for (unsigned i = 0; i < FORWARD_BATCH; i++) {
		iov[i] = (struct iovec){ forward_buffer(sw->forward, i),
					 (size_t)sw->settings.max_frame + 1 };
		msgs[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
	}
	n = recvmmsg(fd, msgs, FORWARD_BATCH, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return 0; /* EAGAIN, or the peer's reset: the control connection tells the rest */
	for (int i = 0; i < n; i++)
		len[i] = msgs[i].msg_len;
	forward_batch(sw, ep, len, (unsigned)n);
	return (unsigned)n;
}

/* Reads what there is, up to the share of a turn. */
static void plug_read_burst(struct endpoint *ep, int fd)
{
	for (int i = 0; i < BATCHES_A_TURN && !ep->gone; i++)
		if (plug_read_batch(ep->sw, ep, fd) < FORWARD_BATCH)
			break;
}

/* Reads one frame; a second one is a matter of the next turn. */
static void plug_read_one(struct endpoint *ep, int fd)
{
	ssize_t n = recv(fd, forward_buffer(ep->sw->forward, 0), (size_t)ep->sw->settings.max_frame + 1,
			 MSG_DONTWAIT);

	if (n >= 0)
		forward_batch(ep->sw, ep, &(uint32_t){ (uint32_t)n }, 1);
}

/*
 * A plug that was silent in the last turn gets the cheaper call: recvmmsg(2) looks for a second frame,
 * which takes as long as the first, and it is not there when frames wait for answers.
 */
static void plug_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct endpoint *ep = object;
	bool bursts = loop_turn(loop) - ep->read_turn <= 1;

	if (events & EPOLLOUT)
		endpoint_flush_queue(ep->sw, ep);
	if (!(events & (EPOLLIN | EPOLLERR)))
		return;
	ep->read_turn = loop_turn(loop);
	if (bursts)
		plug_read_burst(ep, fd);
	else
		plug_read_one(ep, fd);
}

static const struct loop_class plug_data_class = { "plug data", plug_ready };

/* What a plug sent before it went is delivered; bounded, since others may have its socket, too. */
static void plug_read_last(struct endpoint *ep)
{
	for (int i = 0; i < BATCHES_AT_END && !ep->gone; i++)
		if (plug_read_batch(ep->sw, ep, ep->data_fd) == 0)
			break;
}

/* What comes after the request means nothing; the end means that the plug is gone. */
static void plug_control_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct endpoint *ep = object;

	(void)loop;
	(void)events;
	if (!io_connection_ended(fd))
		return;
	plug_read_last(ep);
	endpoint_close(ep->sw, ep);
}

static const struct loop_class plug_control_class = { "plug control", plug_control_ready };

/* Puts both descriptors in the loop. */
static int plug_watch(struct vde_switch *sw, struct endpoint *ep)
{
	int r = loop_add(sw->loop, &plug_data_class, ep->data_fd, EPOLLIN, ep, &ep->data_ref);

	if (r == 0)
		r = loop_add(sw->loop, &plug_control_class, ep->control_fd, EPOLLIN, ep,
			     &ep->control_ref);
	if (r < 0)
		loop_remove(sw->loop, &ep->data_ref);
	return r;
}

static int plug_unpack(struct vde_switch *sw, const struct endpoint *common,
		       struct takeover_message *m, struct endpoint **ret)
{
	auto_free struct endpoint *ep = malloc(sizeof(*ep));
	int r;

	(void)m;
	if (!ep)
		return -ENOMEM;
	*ep = *common;
	ep->class = &plug_dgram_class;
	r = ep->control_fd < 0 ? -EBADMSG : plug_watch(sw, ep);
	if (r == 0)
		*ret = TAKE_PTR(ep);
	return r;
}

const struct endpoint_class plug_dgram_class = {
	.module = "unix prog",
	.transport = "datagram",
	.queue_mark = 256 * 1024,
	.write = plug_write,
	.close = plug_close,
	.unpack = plug_unpack,
};

/* --- joining -------------------------------------------------------------------------- */

/*
 * Who uses the port: the owner of the plug's socket. Only root may show a socket that is not its
 * own, and then acts for its owner.
 */
static int plug_owner(const struct sockaddr_un *address, struct port_client *client)
{
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	if (st.st_uid == client->uid)
		return 0;
	if (client->uid != 0)
		return -EACCES;
	client->uid = st.st_uid;
	client->num_groups = 0;
	client->gid = (gid_t)-1;
	client->named_groups = true;
	return 0;
}

/* A datagram socket connected to the plug's. Returns the descriptor. */
static int plug_connect(const struct vde_control *request)
{
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int size = SOCKET_BUFFER;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&request->address, sizeof(request->address)) < 0)
		return -errno;
	/* The kernel cuts it to net.core.wmem_max, which is fine. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return TAKE_FD(fd);
}

/* Mode and owner of a plug's socket: as the others', or, when root, the plug's alone. */
static int plug_set_access(const struct vde_switch *sw, const struct port *port,
			   const char *path, uid_t uid)
{
	mode_t mode = sw->settings.mode;
	gid_t gid = control_gid(sw);

	if (port->number == 0) {
		mode = sw->settings.mgmt_mode;
		if (sw->settings.mgmt_group &&
		    parse_group(sw->settings.mgmt_group, &gid) < 0)
			gid = (gid_t)-1;
	}
	if (geteuid() == 0) {
		mode = port->number == 0 ? mode : mode & 0700;
		if (lchown(path, uid, gid) < 0)
			return -errno;
	}
	return chmod(path, mode) < 0 ? -errno : 0;
}

/* Gives the plug's data socket its name DIR/PPP.FD; *ret_path is the caller's. */
static int plug_bind(const struct vde_switch *sw, const struct port *port, int fd, int id,
		     uid_t uid, char **ret_path, struct sockaddr_un *ret_address)
{
	auto_free char *path = NULL;
	socklen_t len;
	int r;

	if (asprintf(&path, "%s/%03u.%d", sw->dir, port->number, id) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = io_unix_address(ret_address, path, &len);
	if (r < 0)
		return r;
	(void)unlink(path); /* left by a switch that was killed */
	if (fchmod(fd, 0) < 0 || bind(fd, (struct sockaddr *)ret_address, len) < 0)
		return -errno;
	r = plug_set_access(sw, port, path, uid);
	if (r < 0) {
		(void)unlink(path);
		return r;
	}
	*ret_path = TAKE_PTR(path);
	return 0;
}

static struct endpoint *plug_new(const struct vde_control *request, uid_t uid, int id,
				 int control_fd, int data_fd)
{
	struct endpoint *ep = calloc(1, sizeof(*ep));

	if (!ep)
		return NULL;
	*ep = (struct endpoint){ .class = &plug_dgram_class, .id = id, .data_fd = data_fd,
				 .control_fd = control_fd, .data_events = EPOLLIN, .user = uid };
	(void)str_copy(ep->descr, sizeof(ep->descr), request->description);
	return ep;
}

/* Begins to listen and answers the plug; on failure nothing is left behind. */
static int plug_start(struct vde_switch *sw, struct endpoint *ep, const struct sockaddr_un *address)
{
	int r = plug_watch(sw, ep);

	if (r < 0)
		return r;
	if (send(ep->control_fd, address, sizeof(*address), MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    (ssize_t)sizeof(*address))
		return 0;
	loop_remove(sw->loop, &ep->data_ref);
	loop_remove(sw->loop, &ep->control_ref);
	return -EPIPE;
}

int plug_dgram_join(struct vde_switch *sw, int *control_fd, const struct vde_control *request)
{
	auto_close int data_fd = -1;
	auto_free char *path = NULL;
	gid_t groups[CONTROL_MAX_GROUPS];
	struct port_client client;
	struct sockaddr_un address;
	struct endpoint *ep;
	struct port *port;
	int id, r;

	if (request->type > VDE_CONTROL_NEW_PORT_0)
		return -EPROTO;
	r = control_credentials(*control_fd, &client, groups);
	if (r < 0)
		return r;
	r = plug_owner(&request->address, &client);
	if (r < 0)
		return r;
	data_fd = plug_connect(request);
	if (data_fd < 0)
		return data_fd;
	r = port_acquire(sw, request->port, request->type == VDE_CONTROL_NEW_PORT_0, &client, &port);
	if (r < 0)
		return r;
	id = endpoint_new_id(sw, *control_fd);
	r = plug_bind(sw, port, data_fd, id, client.uid, &path, &address);
	if (r < 0)
		return r;
	ep = plug_new(request, client.uid, id, *control_fd, data_fd);
	r = ep ? plug_start(sw, ep, &address) : -ENOMEM;
	if (r < 0) {
		(void)unlink(path);
		free(ep);
		return r;
	}
	ep->path = TAKE_PTR(path);
	(void)TAKE_FD(data_fd);
	(void)TAKE_FD(*control_fd);
	endpoint_attach(sw, port, ep);
	return 0;
}
