/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plug and a switch agree on a port:
 *
 *	plug                                    switch (directory DIR)
 *	connects a stream socket to DIR/ctl  ->
 *	binds a datagram socket to a name,
 *	with the owner, group and mode asked
 *	request: port, name, description     -> connects a datagram socket to that name
 *	                                     <- reply: the name of its own datagram socket
 *	connects to it, removes its own name
 *
 * From then on frames travel as datagrams, and the stream is silent: its end is the port's end. A
 * refusal is the end of the stream in place of a reply, so why has to be guessed from what was asked.
 *
 * Before that, rings are asked for at DIR/ring (wire/vde_ring.h). The control socket is for switches
 * that do not have them: an answer in the negative is final. A socket named like the port in the locator
 * belongs to the old protocol, and is what was asked for: then there are no rings.
 *
 * Names are files in a directory that others may write to. The mode is on the socket before it has
 * a name (the kernel takes the file's mode from the descriptor), and where it has to be changed
 * later that goes through a descriptor of the file, after a look at what the file is.
 */
#include "vde/plugins/vde_port.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"

#define CONNECT_PATIENCE 10 /* s */
#define REPLY_PATIENCE   (10 * NS_PER_SEC)
#define NAME_TRIES       100000
#define BUFFER_SIZE      (1 << 20) /* bytes of frames on their way, as far as the system allows */
#define CONTROL_NAME     "ctl"

static const char *const default_dirs[] = { VS_RUNDIR "/vde.ctl", "/tmp/vde.ctl" };

/* Where the plug's socket is named when the switch's directory cannot be written to. */
static const char *const fallback_names[] = { VS_RUNDIR "/vde", "/var/tmp/vde", "/tmp/vde" };

/* A connected control socket. */
struct control {
	int fd; /* owned */
	char dir[PATH_MAX];
	char path[PATH_MAX + NAME_MAX + 2]; /* of the socket itself */
	struct ucred peer;
};

static void control_done(struct control *control)
{
	cleanup_close(&control->fd);
}

/* --- the control connection ----------------------------------------------------------- */

/* Why connecting to a control socket failed, and what to do about it. */
static int explain_connect(int code, const char *dir, const char *path, struct error *error)
{
	switch (code) {
	case ENOENT:
		return error_set(error, code, "no switch in '%s': '%s': No such file or "
				 "directory; start one with 'vde_switch -s %s'", dir, path, dir);
	case ECONNREFUSED:
		return error_set(error, code, "no switch answers at '%s': the one that made it has "
				 "ended; start it again with 'vde_switch -s %s'", path, dir);
	case EACCES:
		return error_set(error, code, "no permission to use the switch in '%s': its "
				 "owner decides who may, with the options -g and -m of vde_switch", dir);
	case ENOTDIR:
		return error_set(error, code, "'%s' is not the directory of a switch", dir);
	case ENAMETOOLONG:
		return error_set(error, code, "the name '%s' is too long for a socket (107 bytes)",
				 path);
	case EAGAIN:
		return error_set(error, code, "the switch in '%s' does not "
				 "answer: it is stopped, or too busy", dir);
	default:
		return error_set_errno(error, code, "cannot connect to '%s'", path);
	}
}

static int control_connect(struct control *control, const char *name)
{
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = CONNECT_PATIENCE };
	int r;

	(void)snprintf(control->path, sizeof(control->path), "%s/%s", control->dir, name);
	/* A switch that is stopped, with a full backlog, would block connect(2) for good. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	r = io_connect_path(fd, control->path);
	if (r < 0)
		return r;
	control->fd = TAKE_FD(fd);
	return 0;
}

static int control_set_dir(struct control *control, const char *dir, struct error *error)
{
	auto_free char *real = realpath(dir, NULL);

	if (!real)
		return explain_connect(errno, dir, dir, error);
	if (str_copy(control->dir, sizeof(control->dir), real) < 0)
		return error_set_errno(error, ENAMETOOLONG, "'%s'", dir);
	return 0;
}

/* Connects to the switch in its directory: to a socket named like the port if there is one, else to ctl. */
static int control_open(struct control *control, const char *word, struct error *error)
{
	socklen_t len = sizeof(control->peer);
	int r;

	r = word ? control_connect(control, word) : -ENOENT;
	if (r < 0)
		r = control_connect(control, CONTROL_NAME);
	if (r < 0)
		return explain_connect(-r, control->dir, control->path, error);
	if (getsockopt(control->fd, SOL_SOCKET, SO_PEERCRED, &control->peer, &len) < 0)
		return error_set_errno(error, errno, "cannot tell who serves '%s'", control->path);
	return 0;
}

/* --- the plug's socket ---------------------------------------------------------------- */

/* Gives the socket file PATH the MODE, if it is a socket and belongs to OWNER or to us. */
static int socket_chmod(const char *path, uid_t owner, mode_t mode)
{
	auto_close int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char link[64];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode) || (st.st_uid != owner && st.st_uid != geteuid()))
		return -EPERM;
	if ((st.st_mode & 07777) == mode)
		return 0;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (chmod(link, mode) == 0)
		return 0;
	return errno == ENOENT && chmod(path, mode) == 0 ? 0 : -errno; /* without /proc */
}

/* Binds FD to PREFIX.PID-N with the first N that is free; a name may be left from a crash. */
static int bind_named(int fd, const char *prefix, struct sockaddr_un *ret)
{
	for (unsigned n = 0; n < NAME_TRIES; n++) {
		char path[PATH_MAX + 64];
		socklen_t len;
		int r;

		(void)snprintf(path, sizeof(path), "%s.%05ld-%05u", prefix, (long)getpid(), n);
		r = io_unix_address(ret, path, &len);
		if (r < 0)
			return r;
		if (bind(fd, (struct sockaddr *)ret, len) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -errno;
	}
	return -EADDRINUSE;
}

static int bind_somewhere(int fd, const struct control *control, struct sockaddr_un *ret,
			  struct error *error)
{
	char prefix[PATH_MAX + 2];
	int r;

	(void)snprintf(prefix, sizeof(prefix), "%s/", control->dir);
	r = bind_named(fd, prefix, ret);
	for (size_t i = 0; r < 0 && i < ARRAY_SIZE(fallback_names); i++)
		r = bind_named(fd, fallback_names[i], ret);
	if (r < 0)
		return error_set_errno(error, -r, "cannot name a socket in '%s' or /tmp",
				       control->dir);
	return 0;
}

/*
 * A socket that only its owner may use is no good to a switch that is neither root's nor ours: its
 * group gets access, or everybody when we cannot give the socket to that group.
 */
static mode_t open_to_switch(const char *path, const struct control *control, mode_t mode)
{
	struct stat st;

	if (mode & 077 || stat(control->path, &st) < 0 || st.st_uid == 0 || st.st_uid == geteuid())
		return mode;
	if (lchown(path, (uid_t)-1, st.st_gid) == 0)
		return mode | 070;
	return mode | 077;
}

/* Sets group and mode of the plug's socket; *ret_mode is what the mode became. */
static int set_access(const char *path, const struct control *control, const struct vde_wish *wish,
		      mode_t *ret_mode, struct error *error)
{
	int r;

	*ret_mode = wish->mode;
	if (wish->group == (gid_t)-1)
		*ret_mode = open_to_switch(path, control, wish->mode);
	else if (lchown(path, (uid_t)-1, wish->group) < 0)
		return error_set_errno(error, errno, "cannot give the data socket to group %u: you "
				       "have to be a member of it", (unsigned)wish->group);
	r = socket_chmod(path, geteuid(), *ret_mode);
	if (r < 0)
		return error_set_errno(error, -r, "cannot set the mode of '%s'", path);
	return 0;
}

/* --- request and reply ---------------------------------------------------------------- */

static int send_request(const struct control *control, const struct vde_wish *wish,
			const struct sockaddr_un *address, struct error *error)
{
	uint8_t bytes[VDE_CONTROL_MAX];
	struct vde_control request = {
		.type = wish->management ? VDE_CONTROL_NEW_PORT_0 : VDE_CONTROL_NEW_PORT,
		.port = wish->management ? 0 : wish->port,
		.address = *address,
	};
	size_t len;

	(void)str_copy(request.description, sizeof(request.description), wish->descr); /* may cut */
	len = vde_control_build(&request, bytes);
	if (send(control->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		return error_set_errno(error, errno, "the switch in '%s' does not take requests",
				       control->dir);
	return 0;
}

static int explain_refusal(const struct control *control, const struct vde_wish *wish,
			   struct error *error)
{
	if (wish->management)
		return error_set(error, EPERM, "the switch in '%s' refused its management port; its "
				 "access control may exclude you", control->dir);
	if (wish->port)
		return error_set(error, EADDRINUSE, "the switch in '%s' refused port %u: another user "
				 "has it, its access control excludes you, or there are fewer ports",
				 control->dir, (unsigned)wish->port);
	return error_set(error, ECONNREFUSED, "the switch in '%s' refused the connection: it has no "
			 "free port for you, or may not use the data socket (mode %03o)",
			 control->dir, (unsigned)wish->mode);
}

/* Reads the reply, SIZE bytes, until the deadline. */
static int read_reply(const struct control *control, const struct vde_wish *wish, uint8_t *reply,
		      size_t size, struct error *error)
{
	uint64_t deadline = clock_now() + REPLY_PATIENCE;
	size_t have = 0;

	while (have < size) {
		uint64_t now = clock_now();
		int patience = now < deadline ? (int)((deadline - now) / NS_PER_MSEC) + 1 : 0;
		struct pollfd p = { .fd = control->fd, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, patience) == 0)
			return error_set(error, ETIMEDOUT, "the switch in '%s' does not answer: it is "
					 "stopped, or has fewer ports than asked for", control->dir);
		n = recv(control->fd, reply + have, size - have, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return explain_refusal(control, wish, error);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return error_set_errno(error, errno, "no reply from the switch in '%s'",
					       control->dir);
		have += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Takes the address out of the reply; some switches leave garbage behind the path. */
static int parse_reply(const uint8_t reply[VDE_CONTROL_ADDRESS_SIZE], struct sockaddr_un *ret,
		       socklen_t *ret_len)
{
	struct cursor c = cursor_of(reply, VDE_CONTROL_ADDRESS_SIZE);
	struct sockaddr_un address;

	if (!cursor_copy(&c, &address, sizeof(address)) || address.sun_family != AF_UNIX ||
	    !address.sun_path[0] || !memchr(address.sun_path, '\0', sizeof(address.sun_path)))
		return -EPROTO;
	return io_unix_address(ret, address.sun_path, ret_len);
}

static int take_reply(int data_fd, const struct control *control, const struct vde_wish *wish,
		      mode_t mode, struct error *error)
{
	uint8_t reply[VDE_CONTROL_ADDRESS_SIZE];
	struct sockaddr_un address;
	socklen_t len;
	int r = read_reply(control, wish, reply, sizeof(reply), error);

	if (r < 0)
		return r;
	if (parse_reply(reply, &address, &len) < 0)
		return error_set(error, EPROTO, "what listens at '%s' is no switch: its reply is no "
				 "address", control->path);
	if (connect(data_fd, (struct sockaddr *)&address, len) < 0)
		return error_set_errno(error, errno, "cannot connect to the switch's data socket '%s'",
				       address.sun_path);
	/* Best effort: usually the switch has done it, and only it may. */
	(void)socket_chmod(address.sun_path, control->peer.uid, mode);
	return 0;
}

/* Asks through CONTROL with the socket DATA_FD, which has a name for as long as that takes. */
static int ask(int data_fd, const struct control *control, const struct vde_wish *wish,
	       struct error *error)
{
	struct sockaddr_un address;
	mode_t mode;
	int r = bind_somewhere(data_fd, control, &address, error);

	if (r < 0)
		return r;
	r = set_access(address.sun_path, control, wish, &mode, error);
	if (r == 0)
		r = send_request(control, wish, &address, error);
	if (r == 0)
		r = take_reply(data_fd, control, wish, mode, error);
	(void)unlink(address.sun_path);
	return r;
}

/* Gets a port through CONTROL, which is connected. */
static int port_by_datagram(struct control *control, const struct vde_wish *wish,
			    struct vde_port *ret, struct error *error)
{
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int size = BUFFER_SIZE;
	int r;

	if (fd < 0 || fchmod(fd, wish->mode) < 0)
		return error_set_errno(error, errno, "data socket");
	/* Best effort: the default holds fewer than a hundred frames. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	r = ask(fd, control, wish, error);
	if (r < 0)
		return r;
	ret->data_fd = TAKE_FD(fd);
	ret->ctl_fd = TAKE_FD(control->fd);
	return 0;
}

/* --- rings ------------------------------------------------------------------------------ */

/* What is offered is what the library takes, for a program that cannot, too (ring_rx.c). */
static void ring_hello(const struct vde_wish *wish, struct vde_ring_message_parts *hello)
{
	*hello = (struct vde_ring_message_parts){
		.message = VDE_RING_HELLO,
		.major = VDE_RING_MAJOR,
		.offered = VDE_RING_F_ALL,
		.port = wish->management ? 0 : wish->port,
		.management = wish->management,
		.has_group = wish->group != (gid_t)-1,
		.group = wish->group,
		.has_mode = true,
		.mode = wish->mode,
		.max_frame = VNET_FRAME_MAX,
		.queue_pairs = 1,
		.kind = VDE_RING_KIND_RING,
	};
	(void)str_copy(hello->description, sizeof(hello->description), wish->descr); /* may cut */
}

static bool has_named_socket(const struct control *control, const char *word)
{
	char path[sizeof(control->path)];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", control->dir, word);
	return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* Whether a switch may be there that has no rings, after ring_port_join() has failed with R. */
static bool has_no_rings(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED || r == -EPROTOTYPE || r == -EPROTONOSUPPORT;
}

/* Why it failed, in the switch's own words if it has said something. */
static int explain_no_ring(int code, const char *dir, const char *path,
			   const struct vde_ring_message_parts *answer, const struct error *why,
			   struct error *error)
{
	if (answer->message != VDE_RING_REFUSAL && code == EACCES)
		return explain_connect(code, dir, path, error);
	if (code == ETIMEDOUT)
		return error_set(error, code, "the switch in '%s' does not answer: it is stopped, or "
				 "too busy", dir);
	return error_set(error, code, "%s", error_text(why));
}

/* 1: there are no rings, go on without. */
static int port_by_ring(const struct control *control, const struct vde_wish *wish,
			struct vde_port *ret, struct error *error)
{
	struct vde_ring_message_parts hello, welcome;
	char path[PATH_MAX + sizeof(VDE_RING_SOCKET) + 1];
	struct error why = { 0 };
	int r;

	if (wish->ring == VDE_RING_NO ||
	    (wish->ring == VDE_RING_IF_ANY && wish->port_word &&
	     has_named_socket(control, wish->port_word)))
		return 1;
	(void)snprintf(path, sizeof(path), "%s/" VDE_RING_SOCKET, control->dir);
	ring_hello(wish, &hello);
	r = ring_port_join(path, &hello, -1, &ret->ring, &welcome, &why);
	ret->has_ring = r == 0;
	if (r == 0)
		return 0;
	if (!has_no_rings(r))
		return explain_no_ring(-r, control->dir, path, &welcome, &why, error);
	if (wish->ring == VDE_RING_IF_ANY)
		return 1;
	return error_set(error, EOPNOTSUPP, "the switch in '%s' has no rings, without ring=yes it will "
			 "do: %s", control->dir, error_text(&why));
}

/* --- where ------------------------------------------------------------------------------ */

/* A port of the switch in DIR. *ret_found: it is there, so that no other has to be looked for. */
static int port_in_dir(const char *dir, const struct vde_wish *wish, struct vde_port *ret,
		       bool *ret_found, struct error *error)
{
	CLEANUP(control_done) struct control control = { .fd = -1 };
	int r = control_set_dir(&control, dir, error);

	if (r < 0)
		return r;
	r = port_by_ring(&control, wish, ret, error);
	*ret_found = r == 0;
	if (r <= 0)
		return r;
	r = control_open(&control, wish->port_word, error);
	if (r < 0)
		return r;
	*ret_found = true;
	return port_by_datagram(&control, wish, ret, error);
}

/* A port of the first default switch that is there. */
static int port_of_default(const struct vde_wish *wish, struct vde_port *ret, struct error *error)
{
	struct error first = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(default_dirs); i++) {
		struct error e = { 0 };
		bool found = false;
		int r = port_in_dir(default_dirs[i], wish, ret, &found, &e);

		if (found) {
			*error = e;
			return r;
		}
		if (e.code != ENOENT && !first.code)
			first = e;
	}
	if (first.code) {
		*error = first;
		return -first.code;
	}
	return error_set(error, ENOENT, "no default switch: neither '%s' nor '%s' is there; "
			 "start vde_switch, or name a network", default_dirs[0], default_dirs[1]);
}

int vde_port_open(const struct vde_wish *wish, struct vde_port *ret, struct error *error)
{
	bool found;

	*ret = (struct vde_port){ .ring = RING_PORT_INIT, .data_fd = -1, .ctl_fd = -1 };
	if (*wish->dir)
		return port_in_dir(wish->dir, wish, ret, &found, error);
	return port_of_default(wish, ret, error);
}
