/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. A plug connects to DIR/ctl and sends one request (wire/vde_control.h) that
 * names its own datagram socket. The switch makes a datagram socket DIR/PPP.FD for it, connects
 * that to the plug's, and answers with its address. From then on frames go through the pair of
 * datagram sockets, and the control connection only tells, by its end, that the plug is gone.
 *
 * The sockets are connected to each other, which does two things: nobody else can send to
 * the switch's socket, and the kernel does not apply net.unix.max_dgram_qlen (ten datagrams) to
 * connected pairs, so that a burst is bounded by the socket's buffer and not lost or stalled.
 *
 * A stranger can only hurt itself: whoever has connected and not sent a valid request within
 * REQUEST_TIMEOUT is closed; above --max-pending, and when descriptors run out, the oldest of them
 * goes; when there is none, a reserved descriptor lets the new connection be taken and closed.
 */
#include "vde/switch/datasock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "vde/switch/endpoint.h"
#include "vde/switch/forward.h"

#define LISTEN_BACKLOG  1024
#define ACCEPTS_A_TURN  64
#define BATCHES_A_TURN  4
#define BATCHES_AT_END  64
#define BURST_NS        (10 * NS_PER_USEC) /* frames nearer to each other are read together */
#define REQUEST_TIMEOUT (5 * NS_PER_SEC)
#define SOCKET_BUFFER   (1 << 20)
#define MAX_GROUPS      64

/* A control connection without a valid request yet. */
struct pending {
	struct pending *next, *prev;
	struct control *control;
	int fd;
	loop_ref ref;
	uint64_t due;
	size_t len;
	uint8_t bytes[VDE_CONTROL_MAX];
};

struct control {
	struct vde_switch *sw;
	int listen_fd;
	char *path; /* of ctl, owned */
	loop_ref listen_ref;
	int reserve_fd; /* given up for a moment when descriptors run out */
	gid_t gid;      /* of the sockets; (gid_t)-1: leave it */
	bool made_dir;
	bool inherited; /* the service manager's socket: its name stays when we go */
	struct pending pending; /* ring, oldest first */
	int num_pending;
	struct loop_timer timer; /* of the oldest */
	struct log_limit complaints;
};

void datasock_raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* then fewer ports fit: they are refused */
}

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

static const struct endpoint_class plug_class = { "unix prog", plug_write, plug_close };

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
 * A plug that was silent for a while gets the cheaper call: recvmmsg(2) looks for a second frame,
 * which takes as long as the first, and it is not there when frames wait for answers.
 */
static void plug_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct endpoint *ep = object;
	bool bursts = loop_now(loop) - ep->read_at < BURST_NS;

	if (events & EPOLLOUT)
		endpoint_flush_queue(ep->sw, ep);
	if (!(events & (EPOLLIN | EPOLLERR)))
		return;
	ep->read_at = loop_now(loop);
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
	char ignored[512];
	ssize_t n = recv(fd, ignored, sizeof(ignored), MSG_DONTWAIT);

	(void)loop;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
	    (n < 0 && events & (EPOLLHUP | EPOLLERR))) {
		plug_read_last(ep);
		endpoint_close(ep->sw, ep);
	}
}

static const struct loop_class plug_control_class = { "plug control", plug_control_ready };

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
static int plug_set_access(const struct control *control, const struct port *port,
			   const char *path, uid_t uid)
{
	mode_t mode = control->sw->settings.mode;
	gid_t gid = control->gid;

	if (port->number == 0) {
		mode = control->sw->settings.mgmt_mode;
		if (control->sw->settings.mgmt_group &&
		    parse_group(control->sw->settings.mgmt_group, &gid) < 0)
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
static int plug_bind(const struct control *control, const struct port *port, int fd, int id,
		     uid_t uid, char **ret_path, struct sockaddr_un *ret_address)
{
	auto_free char *path = NULL;
	socklen_t len;
	int r;

	if (asprintf(&path, "%s/%03u.%d", control->sw->dir, port->number, id) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = io_unix_address(ret_address, path, &len);
	if (r < 0)
		return r;
	(void)unlink(path); /* left by a switch that was killed */
	if (fchmod(fd, 0) < 0 || bind(fd, (struct sockaddr *)ret_address, len) < 0)
		return -errno;
	r = plug_set_access(control, port, path, uid);
	if (r < 0) {
		(void)unlink(path);
		return r;
	}
	*ret_path = TAKE_PTR(path);
	return 0;
}

/* Who is at the other end of a control connection. */
static int plug_credentials(int fd, struct port_client *client, gid_t groups[MAX_GROUPS])
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	*client = (struct port_client){ .uid = cred.uid, .gid = cred.gid, .groups = groups };
	len = MAX_GROUPS * sizeof(gid_t);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
		client->num_groups = len / sizeof(gid_t);
	return 0;
}

static struct endpoint *plug_new(const struct vde_control *request, uid_t uid, int control_fd,
				 int data_fd)
{
	struct endpoint *ep = calloc(1, sizeof(*ep));

	if (!ep)
		return NULL;
	*ep = (struct endpoint){ .class = &plug_class, .id = control_fd, .data_fd = data_fd,
				 .control_fd = control_fd, .data_events = EPOLLIN, .user = uid };
	(void)str_copy(ep->descr, sizeof(ep->descr), request->description);
	return ep;
}

/* Puts both descriptors in the loop and answers the plug; on failure nothing is left behind. */
static int plug_start(struct vde_switch *sw, struct endpoint *ep, const struct sockaddr_un *address)
{
	int r = loop_add(sw->loop, &plug_data_class, ep->data_fd, EPOLLIN, ep, &ep->data_ref);

	if (r == 0)
		r = loop_add(sw->loop, &plug_control_class, ep->control_fd, EPOLLIN, ep,
			     &ep->control_ref);
	if (r == 0 && send(ep->control_fd, address, sizeof(*address), MSG_DONTWAIT | MSG_NOSIGNAL) !=
			      (ssize_t)sizeof(*address))
		r = -EPIPE;
	if (r < 0) {
		loop_remove(sw->loop, &ep->data_ref);
		loop_remove(sw->loop, &ep->control_ref);
	}
	return r;
}

/* Makes an endpoint of a valid request; takes CONTROL_FD on success. */
static int plug_join(struct control *control, int *control_fd, const struct vde_control *request)
{
	struct vde_switch *sw = control->sw;
	auto_close int data_fd = -1;
	auto_free char *path = NULL;
	gid_t groups[MAX_GROUPS];
	struct port_client client;
	struct sockaddr_un address;
	struct endpoint *ep;
	struct port *port;
	int r;

	if (request->type > VDE_CONTROL_NEW_PORT_0)
		return -EPROTO;
	r = plug_credentials(*control_fd, &client, groups);
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
	r = plug_bind(control, port, data_fd, *control_fd, client.uid, &path, &address);
	if (r < 0)
		return r;
	ep = plug_new(request, client.uid, *control_fd, data_fd);
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

/* --- requests ------------------------------------------------------------------------- */

static void pending_arm(struct control *control)
{
	if (control->num_pending)
		(void)loop_timer_set(control->sw->loop, &control->timer,
				     control->pending.next->due);
	else
		loop_timer_cancel(control->sw->loop, &control->timer);
}

static void pending_close(struct pending *p)
{
	struct control *control = p->control;

	loop_remove(control->sw->loop, &p->ref);
	p->next->prev = p->prev;
	p->prev->next = p->next;
	control->num_pending--;
	if (p->fd >= 0)
		(void)close(p->fd);
	loop_defer_free(control->sw->loop, free, p);
	pending_arm(control);
}

static void pending_expire(struct loop *loop, struct loop_timer *timer)
{
	struct control *control = container_of(timer, struct control, timer);

	while (control->num_pending && control->pending.next->due <= loop_now(loop))
		pending_close(control->pending.next);
	pending_arm(control);
}

static void complain(struct control *control, const char *what, unsigned detail)
{
	if (log_limit_pass(&control->complaints, loop_now(control->sw->loop)))
		log_warning("control socket: %s%u: closed", what, detail);
}

static void pending_judge(struct pending *p, bool at_end)
{
	struct control *control = p->control;
	struct vde_control request;
	int r;

	switch (vde_control_parse(p->bytes, p->len, &request)) {
	case VDE_CONTROL_OK:
		loop_remove(control->sw->loop, &p->ref);
		r = plug_join(control, &p->fd, &request);
		if (r < 0 && log_limit_pass(&control->complaints, loop_now(control->sw->loop)))
			log_message_errno(LOG_LEVEL_INFO, r, "port %u refused to '%s'", request.port,
					  request.description);
		break;
	case VDE_CONTROL_BAD_MAGIC:
		complain(control, "request for a port with version ", 0);
		break;
	case VDE_CONTROL_BAD_VERSION:
		complain(control, "request for a port with version ", request.version);
		break;
	case VDE_CONTROL_BAD_ADDRESS:
		complain(control, "request without a usable socket address, version ",
			 VDE_CONTROL_VERSION);
		break;
	case VDE_CONTROL_SHORT:
		if (!at_end && p->len < sizeof(p->bytes))
			return; /* the rest may come */
		break;
	}
	pending_close(p);
}

static void pending_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct pending *p = object;
	ssize_t n = io_read(fd, p->bytes + p->len, sizeof(p->bytes) - p->len);

	(void)loop;
	(void)events;
	if (n == -EAGAIN)
		return;
	if (n > 0)
		p->len += (size_t)n;
	pending_judge(p, n <= 0);
}

static const struct loop_class pending_class = { "control request", pending_ready };

static int pending_add(struct control *control, int fd)
{
	struct pending *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct pending){ .control = control, .fd = fd,
			       .due = loop_now(control->sw->loop) + REQUEST_TIMEOUT };
	r = loop_add(control->sw->loop, &pending_class, fd, EPOLLIN, p, &p->ref);
	if (r < 0) {
		free(p);
		return r;
	}
	p->prev = control->pending.prev;
	p->next = &control->pending;
	p->prev->next = p;
	control->pending.prev = p;
	if (++control->num_pending > control->sw->settings.max_pending)
		pending_close(control->pending.next);
	pending_arm(control);
	return 0;
}

void datasock_out_of_descriptors(struct vde_switch *sw, int listen_fd)
{
	struct control *control = sw->control;
	int fd;

	if (control->num_pending) {
		pending_close(control->pending.next);
		return;
	}
	if (control->reserve_fd < 0)
		return;
	(void)close(control->reserve_fd);
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		(void)close(fd);
	control->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	complain(control, "no descriptors left, connection refused, ports ", sw->num_ports);
}

static void control_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct control *control = object;

	(void)loop;
	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		auto_close int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client < 0 && (errno == EMFILE || errno == ENFILE))
			datasock_out_of_descriptors(control->sw, fd);
		if (client < 0)
			return;
		if (pending_add(control, client) == 0)
			(void)TAKE_FD(client);
	}
}

static const struct loop_class control_class = { "control socket", control_ready };

/* --- the directory -------------------------------------------------------------------- */

/* A directory is searched by whoever may read or write in it. */
static mode_t with_search(mode_t mode)
{
	return mode | (mode & 0444) >> 2 | (mode & 0222) >> 1;
}

/* What only one of the two modes was given for follows from it. */
static void derive_modes(struct switch_settings *settings)
{
	if (settings->mode_given && !settings->dir_mode_given)
		settings->dir_mode = 02000 | with_search(settings->mode & 0777);
	else if (settings->dir_mode_given && !settings->mode_given)
		settings->mode = settings->dir_mode & 0666;
}

/* Permissions and group of the directory; one that a service manager keeps is left as it is. */
static int control_set_dir(struct control *control, struct error *error)
{
	struct vde_switch *sw = control->sw;

	if (control->listen_fd >= 0)
		return 0;
	if (control->gid != (gid_t)-1 && chown(sw->dir, (uid_t)-1, control->gid) < 0)
		return error_set_errno(error, errno,
				       "cannot give '%s' to the group %s (you must be a member of it)",
				       sw->dir, sw->settings.group);
	if (chmod(sw->dir, sw->settings.dir_mode) < 0)
		return error_set_errno(error, errno, "cannot set the permissions of '%s'", sw->dir);
	return 0;
}

/* Not a file, and not a directory that all share, as /tmp: its permissions are going to change. */
static bool is_private_dir(const char *dir)
{
	struct stat st;

	return stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && !(st.st_mode & S_ISVTX);
}

static int control_make_dir(struct control *control, const char *dir, struct error *error)
{
	struct vde_switch *sw = control->sw;

	if (mkdir(dir, 0700) == 0)
		control->made_dir = true;
	else if (errno == ENOENT)
		return error_set_errno(error, ENOENT, "cannot make the control directory '%s' (the one "
				       "that it is to be in has to exist)", dir);
	else if (errno != EEXIST)
		return error_set_errno(error, errno, "cannot make the control directory '%s' (choose "
				       "another with -s)", dir);
	else if (!is_private_dir(dir))
		return error_set(error, ENOTDIR, "'%s' is not a directory that a switch can have for "
				 "itself; choose another with -s", dir);
	sw->dir = realpath(dir, NULL);
	if (!sw->dir)
		return error_set_errno(error, errno, "control directory '%s'", dir);
	if (asprintf(&control->path, "%s/ctl", sw->dir) < 0) {
		control->path = NULL;
		return error_set_errno(error, ENOMEM, "control socket");
	}
	control->listen_fd = daemon_inherited_socket(control->path);
	control->inherited = control->listen_fd >= 0;
	return control_set_dir(control, error);
}

static int control_listen(struct control *control, struct error *error)
{
	const struct switch_settings *settings = &control->sw->settings;
	int fd = control->listen_fd;

	if (fd < 0)
		fd = io_listen_unix(control->path, settings->mode, control->gid, LISTEN_BACKLOG);
	if (fd == -EADDRINUSE)
		return error_set(error, EADDRINUSE,
				 "Could not bind to '%s': another switch answers there; "
				 "stop it or choose another directory with -s", control->path);
	if (fd < 0)
		return error_set_errno(error, -fd, "Could not bind to '%s'", control->path);
	control->listen_fd = fd;
	return 0;
}

/* PORT.FD of a switch, or .PID-N of a client. */
static bool is_data_name(const char *name)
{
	static const char digits[] = "0123456789";
	size_t dot = name[0] == '.' ? 1 : 0, first = strspn(name + dot, digits);
	const char *rest = name + dot + first;

	return first && rest[0] == (dot ? '-' : '.') && rest[1] &&
	       rest[1 + strspn(rest + 1, digits)] == '\0';
}

/*
 * Removes the data sockets that a switch, or clients, left here when they were killed: nobody is
 * behind them. They would keep the directory from being removed at the end.
 */
static void control_sweep(const struct control *control)
{
	auto_closedir DIR *dir = opendir(control->sw->dir);
	const struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir)) != NULL) {
		char path[PATH_MAX];
		auto_close int fd = -1;
		int len = snprintf(path, sizeof(path), "%s/%s", control->sw->dir, entry->d_name);

		if (len >= (int)sizeof(path) || !is_data_name(entry->d_name))
			continue;
		fd = io_connect_unix(path, SOCK_DGRAM);
		if (fd == -ECONNREFUSED && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
			(void)unlink(path); /* if it cannot be, it stays, as it did before */
	}
}

int datasock_open(struct vde_switch *sw, struct error *error)
{
	struct control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return error_set_errno(error, ENOMEM, "control socket");
	sw->control = control;
	*control = (struct control){ .sw = sw, .listen_fd = -1, .gid = (gid_t)-1,
				     .timer.fire = pending_expire };
	control->pending.next = control->pending.prev = &control->pending;
	control->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (sw->settings.group && parse_group(sw->settings.group, &control->gid) < 0)
		return error_set(error, ENOENT, "no group '%s'", sw->settings.group);
	derive_modes(&sw->settings);
	r = control_make_dir(control, sw->settings.dir, error);
	if (r == 0)
		r = control_listen(control, error);
	if (r < 0)
		return r;
	control_sweep(control);
	r = loop_add(sw->loop, &control_class, control->listen_fd, EPOLLIN, control,
		     &control->listen_ref);
	return r < 0 ? error_set_errno(error, -r, "control socket") : 0;
}

void datasock_close(struct vde_switch *sw)
{
	struct control *control = sw->control;

	if (!control)
		return;
	while (control->num_pending)
		pending_close(control->pending.next);
	loop_timer_cancel(sw->loop, &control->timer);
	loop_remove(sw->loop, &control->listen_ref);
	if (control->listen_fd >= 0) {
		(void)close(control->listen_fd);
		if (!control->inherited)
			(void)unlink(control->path);
	}
	if (!control->inherited && (control->listen_fd >= 0 || control->made_dir))
		(void)rmdir(sw->dir); /* others' files may be in it: then it stays */
	if (control->reserve_fd >= 0)
		(void)close(control->reserve_fd);
	free(control->path);
	free(control);
	sw->control = NULL;
}
