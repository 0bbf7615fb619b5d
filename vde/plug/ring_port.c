/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Both sides of a pair of rings up to the first frame.
 *
 * The server believes nothing: it maps memory that it made itself, and its ends of the doorbells are
 * open file descriptions that it never gave away. The client has to take what it is sent, so it
 * checks all of that before use: memory that cannot be taken from under it (seals), places within
 * it, pipes that go the right way. Doorbells are used with RWF_NOWAIT on both sides, so that neither
 * depends on a flag that somebody else can set.
 */
#include "vde/plug/ring_port.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>

#include <linux/magic.h>

#include "base/clock.h"
#include "base/io.h"

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100 /* Linux 6.18 */
#endif

#define SEALS      (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define CLIENT_FDS 3
#define FDS_MAX    4 /* of a message; more make it truncated */
#define FRAME_MIN  60
#define BELL_READ  4096
#define BELL_SIZE  4096 /* bytes that a doorbell's pipe holds; one would do */

_Static_assert(VDE_RING_SHARED_TO_SWITCH + sizeof(struct ring_shared) <= VDE_RING_SHARED_TO_PLUG,
	       "shared words");
_Static_assert(VDE_RING_SHARED_TO_PLUG + sizeof(struct ring_shared) <= VDE_RING_DATA,
	       "shared words");

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static struct ring_shared *shared_at(const struct ring_port *rp, size_t offset)
{
	return (struct ring_shared *)((char *)rp->memory + offset);
}

void ring_port_done(struct ring_port *rp)
{
	int fds[] = { rp->control_fd, rp->memory_fd, rp->ring_fd, rp->bell_fd };

	if (rp->memory)
		(void)munmap(rp->memory, rp->memory_size);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		cleanup_close(&fds[i]);
	*rp = (struct ring_port)RING_PORT_INIT;
}

void ring_port_client_done(struct ring_port_client_fds *client)
{
	cleanup_close(&client->memory_fd);
	cleanup_close(&client->ring_fd);
	cleanup_close(&client->bell_fd);
	*client = (struct ring_port_client_fds)RING_PORT_CLIENT_INIT;
}

/* --- messages with descriptors ------------------------------------------------------------ */

/* Room for the descriptors of a message, aligned as the kernel wants it. */
union control {
	struct cmsghdr align;
	char data[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

static int send_message(int fd, const struct vde_ring_message_parts *parts, const int *fds,
			size_t num_fds, int flags)
{
	struct strbuf out CLEANUP(strbuf_done) = { .limit = VDE_RING_MAX };
	union control control = { 0 };
	struct msghdr msg = { .msg_iovlen = 1 };
	struct iovec iov;

	vde_ring_build(parts, &out);
	if (out.error)
		return out.error;
	iov = (struct iovec){ .iov_base = out.data, .iov_len = out.len };
	msg.msg_iov = &iov;
	if (num_fds) {
		control.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
						  .cmsg_len = CMSG_LEN(num_fds * sizeof(int)) };
		memcpy(CMSG_DATA(&control.align), fds, num_fds * sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(num_fds * sizeof(int));
	}
	while (sendmsg(fd, &msg, flags | MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* Descriptors that came with a message and that nobody has taken yet. */
struct received_fds {
	int fds[FDS_MAX];
	size_t count;
};

static void received_fds_done(struct received_fds *received)
{
	for (size_t i = 0; i < received->count; i++)
		cleanup_close(&received->fds[i]);
	received->count = 0;
}

/*
 * One message; its descriptors are in *ret_fds also when it is refused. A message whose descriptors
 * did not all come is no message.
 */
static int receive_message(int fd, int flags, struct vde_ring_message_parts *ret,
			   struct received_fds *ret_fds)
{
	char data[VDE_RING_MAX];
	union control control;
	struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n;

	do {
		n = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	io_take_fds(&msg, ret_fds->fds, FDS_MAX, &ret_fds->count);
	if (n == 0)
		return -EPIPE;
	if (msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC))
		return -EBADMSG;
	return vde_ring_parse(data, (size_t)n, ret);
}

/* --- the server --------------------------------------------------------------------------- */

/* Rings over what is mapped; the server is the producer of the second. */
static void set_up_rings(struct ring_port *rp, const uint32_t sizes[2], const uint64_t offsets[2],
			 bool server)
{
	int in = server ? 0 : 1, out = server ? 1 : 0;
	const size_t shared[2] = { VDE_RING_SHARED_TO_SWITCH, VDE_RING_SHARED_TO_PLUG };

	ring_consumer_init(&rp->in, shared_at(rp, shared[in]), (char *)rp->memory + offsets[in],
			   sizes[in]);
	ring_producer_init(&rp->out, shared_at(rp, shared[out]), (char *)rp->memory + offsets[out],
			   sizes[out], !server);
}

static void server_offsets(const uint32_t sizes[2], uint64_t ret[2])
{
	ret[0] = MAX((size_t)VDE_RING_DATA, page_size());
	ret[1] = ret[0] + sizes[0];
}

static int map_memory(struct ring_port *rp, int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	rp->memory = memory;
	rp->memory_size = size;
	return 0;
}

static int make_memory(struct ring_port *rp, const uint32_t sizes[2])
{
	uint64_t offsets[2];
	int r;

	server_offsets(sizes, offsets);
	rp->memory_fd = memfd_create("vde-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (rp->memory_fd < 0 || ftruncate(rp->memory_fd, (off_t)(offsets[1] + sizes[1])) < 0 ||
	    fcntl(rp->memory_fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	r = map_memory(rp, rp->memory_fd, offsets[1] + sizes[1]);
	if (r == 0)
		set_up_rings(rp, sizes, offsets, true);
	return r;
}

/* A doorbell; OUR end never blocks, the other is as it was born. */
static int make_bell(int fds[2], int ours)
{
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	(void)fcntl(fds[ours], F_SETPIPE_SZ, BELL_SIZE); /* a larger one works as well */
	return io_set_nonblock(fds[ours], true);
}

int ring_port_make(struct ring_port *rp, const uint32_t sizes[2],
		   struct ring_port_client_fds *ret_client)
{
	int to_us[2] = { -1, -1 }, to_client[2] = { -1, -1 };
	int r;

	*rp = (struct ring_port)RING_PORT_INIT;
	*ret_client = (struct ring_port_client_fds)RING_PORT_CLIENT_INIT;
	if (!ring_size_valid(sizes[0]) || !ring_size_valid(sizes[1]))
		return -EINVAL;
	r = make_memory(rp, sizes);
	if (r == 0)
		r = make_bell(to_us, 0);
	rp->bell_fd = to_us[0];
	ret_client->ring_fd = to_us[1];
	if (r == 0)
		r = make_bell(to_client, 1);
	rp->ring_fd = to_client[1];
	ret_client->bell_fd = to_client[0];
	if (r == 0) {
		ret_client->memory_fd = fcntl(rp->memory_fd, F_DUPFD_CLOEXEC, 0);
		r = ret_client->memory_fd < 0 ? -errno : 0;
	}
	if (r < 0) {
		ring_port_done(rp);
		ring_port_client_done(ret_client);
	}
	return r;
}

int ring_port_welcome(struct ring_port *rp, struct vde_ring_message_parts *parts, int *control_fd,
		      struct ring_port_client_fds *client)
{
	const int fds[CLIENT_FDS] = { client->memory_fd, client->ring_fd, client->bell_fd };
	int r;

	parts->message = VDE_RING_WELCOME;
	parts->error = 0;
	parts->sizes[0] = rp->in.size;
	parts->sizes[1] = rp->out.size;
	server_offsets(parts->sizes, parts->offsets);
	r = send_message(*control_fd, parts, fds, CLIENT_FDS, MSG_DONTWAIT);
	ring_port_client_done(client);
	if (r == 0)
		rp->control_fd = TAKE_FD(*control_fd);
	return r;
}

void ring_port_refuse(int control_fd, int code, const char *sentence)
{
	struct vde_ring_message_parts parts = { .message = VDE_RING_REFUSAL,
						.error = (uint32_t)(code > 0 ? code : EPROTO) };

	(void)str_copy(parts.text, sizeof(parts.text), sentence); /* cut is fine */
	(void)send_message(control_fd, &parts, NULL, 0, MSG_DONTWAIT); /* best effort */
}

/* Only memory files have these seals; huge pages can run out, which would be a signal at a write. */
static const char *memory_fault(int fd, uint64_t *ret_size)
{
	struct stat st;
	struct statfs fs;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & SEALS) != SEALS)
		return "memory that is not sealed";
	if (fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC || fstat(fd, &st) < 0)
		return "memory of another kind";
	*ret_size = (uint64_t)st.st_size;
	return *ret_size > UINT64_C(2) * RING_MAX + (1 << 20) ? "too much memory" : NULL;
}

int ring_port_resume(struct ring_port *rp, const uint32_t sizes[2])
{
	uint64_t offsets[2], size = 0;
	int r;

	if (!ring_size_valid(sizes[0]) || !ring_size_valid(sizes[1]))
		return -EPROTO;
	server_offsets(sizes, offsets);
	if (memory_fault(rp->memory_fd, &size) || size != offsets[1] + sizes[1])
		return -EPROTO;
	r = map_memory(rp, rp->memory_fd, (size_t)size);
	if (r < 0)
		return r;
	set_up_rings(rp, sizes, offsets, true);
	(void)ring_consumer_resume(&rp->in); /* nonsense makes them broken, as at any other time */
	(void)ring_producer_resume(&rp->out);
	return 0;
}

int ring_port_receive(int control_fd, struct vde_ring_message_parts *ret, int *ret_fd)
{
	struct received_fds received CLEANUP(received_fds_done) = { .count = 0 };
	int r = receive_message(control_fd, MSG_DONTWAIT, ret, &received);

	if (ret_fd)
		*ret_fd = -1;
	if (r == 0 && ret_fd && received.count == 1) {
		*ret_fd = received.fds[0];
		received.count = 0;
	}
	return r;
}

/* --- the client --------------------------------------------------------------------------- */

/* Both time-outs to what is left until DEADLINE; they count for connect(2), too. */
static int limit_waiting(int fd, uint64_t deadline)
{
	uint64_t now = clock_now(), left = now < deadline ? deadline - now : 0;
	struct timeval tv = { .tv_sec = (time_t)(left / NS_PER_SEC),
			      .tv_usec = (suseconds_t)(left % NS_PER_SEC / NS_PER_USEC) };

	if (left < NS_PER_USEC)
		return -ETIMEDOUT;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
		return -errno;
	return 0;
}

static void unlimit_waiting(int fd)
{
	struct timeval never = { 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &never, sizeof(never));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof(never));
}

/* A path that can be no socket, or none that has a name short enough, has no rings either. */
static int no_rings(int r)
{
	return r == -ENOTDIR || r == -ENAMETOOLONG ? -ENOENT : r;
}

/* A connected socket, or a negative errno. */
static int connect_until(const char *path, uint64_t deadline)
{
	auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	do {
		r = limit_waiting(fd, deadline);
		if (r == 0)
			r = io_connect_path(fd, path);
	} while (r == -EINTR);
	if (r < 0)
		return r == -EAGAIN ? -ETIMEDOUT : r;
	return TAKE_FD(fd);
}

/*
 * Sends HELLO and waits for the answer. A server that refuses without listening may have closed before
 * we sent: the answer is there behind the error that this made.
 */
static int converse(int fd, const struct vde_ring_message_parts *hello, int pass_fd,
		    uint64_t deadline, struct vde_ring_message_parts *ret, struct received_fds *ret_fds)
{
	int r = send_message(fd, hello, &pass_fd, pass_fd >= 0 ? 1 : 0, 0);

	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		return r;
	for (int attempt = 0; attempt < 2; attempt++) {
		r = limit_waiting(fd, deadline);
		if (r == 0)
			r = receive_message(fd, 0, ret, ret_fds);
		if (r != -ECONNRESET)
			break;
	}
	if (r == -EAGAIN)
		return -ETIMEDOUT;
	return r == -EPIPE ? -ECONNRESET : r;
}

static bool is_pipe_end(int fd, int mode)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) == mode && fstat(fd, &st) == 0 &&
	       S_ISFIFO(st.st_mode);
}

static bool region_fits(uint64_t offset, uint32_t size, uint64_t memory_size)
{
	return ring_size_valid(size) && offset % page_size() == 0 && offset >= VDE_RING_DATA &&
	       offset <= memory_size && size <= memory_size - offset;
}

/* What is wrong with the server's answer, or NULL. */
static const char *welcome_fault(const struct vde_ring_message_parts *w,
				 const struct vde_ring_message_parts *hello,
				 const struct received_fds *received, uint64_t *ret_size)
{
	const uint64_t *at = w->offsets;
	const char *fault;

	if (w->message != VDE_RING_WELCOME)
		return "no answer to what was asked";
	if (received->count != CLIENT_FDS)
		return "not three descriptors";
	fault = memory_fault(received->fds[0], ret_size);
	if (fault)
		return fault;
	if (!is_pipe_end(received->fds[1], O_WRONLY) || !is_pipe_end(received->fds[2], O_RDONLY))
		return "doorbells that are no pipes";
	if (!region_fits(at[0], w->sizes[0], *ret_size) ||
	    !region_fits(at[1], w->sizes[1], *ret_size))
		return "rings of impossible places or sizes";
	if (at[0] < at[1] ? at[1] - at[0] < w->sizes[0] : at[0] - at[1] < w->sizes[1])
		return "rings that overlap";
	if (w->queue_pairs > 1 || (w->max_frame && w->max_frame < FRAME_MIN))
		return "impossible numbers";
	if (hello->required & ~w->required)
		return "not the features that are required";
	return NULL;
}

/*
 * Codes that mean "no rings here" to the caller are the client's own findings; a server that has
 * answered is there, whatever it says. A refusal of the version is one.
 */
static int refusal(const char *path, const struct vde_ring_message_parts *answer,
		   struct error *error)
{
	int code = (int)answer->error;

	if (code == ENOENT || code == ECONNREFUSED || code == EPROTOTYPE)
		code = EREMOTEIO;
	if (answer->text[0])
		return error_set(error, code, "%s refused: %s", path, answer->text);
	return error_set_errno(error, code, "%s refused", path);
}

static int accept_welcome(struct ring_port *rp, const struct vde_ring_message_parts *w,
			  const struct vde_ring_message_parts *hello, uint64_t memory_size,
			  struct received_fds *received)
{
	int r = map_memory(rp, received->fds[0], (size_t)memory_size);

	if (r < 0)
		return r;
	set_up_rings(rp, w->sizes, w->offsets, false);
	rp->ring_fd = TAKE_FD(received->fds[1]);
	rp->bell_fd = TAKE_FD(received->fds[2]);
	rp->features = w->required & (hello->required | hello->offered);
	rp->peer_features = w->offered;
	rp->max_frame = w->max_frame ? w->max_frame : VNET_FRAME_MAX;
	rp->port = w->port;
	return 0;
}

/* Whether the answer in W, which came with RECEIVED from PATH, makes RP a pair of rings. */
static int take_answer(const char *path, const struct vde_ring_message_parts *hello,
		       const struct vde_ring_message_parts *w, struct received_fds *received,
		       struct ring_port *rp, struct error *error)
{
	uint64_t memory_size = 0;
	const char *fault;
	int r;

	if (w->message == VDE_RING_REFUSAL)
		return refusal(path, w, error);
	fault = welcome_fault(w, hello, received, &memory_size);
	if (fault)
		return error_set(error, EPROTO, "%s offered %s; ring=no in the locator avoids it",
				 path, fault);
	r = accept_welcome(rp, w, hello, memory_size, received);
	if (r < 0)
		return error_set_errno(error, -r, "cannot map the rings of %s", path);
	return 0;
}

/* The conversation over a connected socket FD: 0 with an answer that is no refusal. */
static int ask_over(int fd, const char *path, const struct vde_ring_message_parts *hello,
		    int pass_fd, uint64_t deadline, struct vde_ring_message_parts *ret_welcome,
		    struct received_fds *received, struct error *error)
{
	int r = converse(fd, hello, pass_fd, deadline, ret_welcome, received);

	if (r == -EPROTONOSUPPORT)
		return error_set(error, EPROTONOSUPPORT,
				 "%s speaks another version of the ring protocol", path);
	if (r < 0)
		return error_set_errno(error, -r, "no answer from %s", path);
	return ret_welcome->message == VDE_RING_REFUSAL ? refusal(path, ret_welcome, error) : 0;
}

static int join_over(int fd, const char *path, const struct vde_ring_message_parts *hello,
		     int pass_fd, uint64_t deadline, struct ring_port *rp,
		     struct vde_ring_message_parts *ret_welcome, struct error *error)
{
	struct received_fds received CLEANUP(received_fds_done) = { .count = 0 };
	int r = ask_over(fd, path, hello, pass_fd, deadline, ret_welcome, &received, error);

	return r < 0 ? r : take_answer(path, hello, ret_welcome, &received, rp, error);
}

int ring_port_ask(int fd, const struct vde_ring_message_parts *hello)
{
	return send_message(fd, hello, NULL, 0, MSG_DONTWAIT);
}

int ring_port_answer(int fd, const char *name, const struct vde_ring_message_parts *hello,
		     struct ring_port *ret, struct error *error)
{
	struct received_fds received CLEANUP(received_fds_done) = { .count = 0 };
	struct vde_ring_message_parts welcome = { 0 };
	int r = receive_message(fd, MSG_DONTWAIT, &welcome, &received);

	*ret = (struct ring_port)RING_PORT_INIT;
	if (r < 0)
		return error_set_errno(error, -r, "no answer from %s", name);
	return take_answer(name, hello, &welcome, &received, ret, error);
}

int ring_port_join(const char *path, const struct vde_ring_message_parts *hello, int pass_fd,
		   struct ring_port *ret, struct vde_ring_message_parts *ret_welcome,
		   struct error *error)
{
	uint64_t deadline = clock_now() + VDE_RING_PATIENCE_MS * NS_PER_MSEC;
	auto_close int fd = no_rings(connect_until(path, deadline));
	int r;

	*ret = (struct ring_port)RING_PORT_INIT;
	*ret_welcome = (struct vde_ring_message_parts){ 0 };
	if (fd < 0)
		return error_set_errno(error, -fd, "cannot connect to %s", path);
	r = join_over(fd, path, hello, pass_fd, deadline, ret, ret_welcome, error);
	if (r < 0)
		return r;
	unlimit_waiting(fd);
	ret->control_fd = TAKE_FD(fd);
	return 0;
}

/* --- a device in place of rings ----------------------------------------------------------- */

int ring_port_hand_over(const char *path, const struct vde_ring_message_parts *hello, int device_fd,
			int *ret_control_fd, struct vde_ring_message_parts *ret_welcome,
			struct error *error)
{
	struct received_fds received CLEANUP(received_fds_done) = { .count = 0 };
	uint64_t deadline = clock_now() + VDE_RING_PATIENCE_MS * NS_PER_MSEC;
	auto_close int fd = no_rings(connect_until(path, deadline));
	int r;

	*ret_welcome = (struct vde_ring_message_parts){ 0 };
	if (fd < 0)
		return error_set_errno(error, -fd, "cannot connect to %s", path);
	r = ask_over(fd, path, hello, device_fd, deadline, ret_welcome, &received, error);
	if (r < 0)
		return r;
	if (ret_welcome->message != VDE_RING_WELCOME || ret_welcome->kind != VDE_RING_KIND_DEVICE)
		return error_set(error, EPROTO, "%s gave no answer to what was asked", path);
	unlimit_waiting(fd);
	*ret_control_fd = TAKE_FD(fd);
	return 0;
}

int ring_port_welcome_device(struct vde_ring_message_parts *parts, int control_fd)
{
	parts->message = VDE_RING_WELCOME;
	parts->kind = VDE_RING_KIND_DEVICE;
	parts->error = 0;
	return send_message(control_fd, parts, NULL, 0, MSG_DONTWAIT);
}

/* --- doorbells ---------------------------------------------------------------------------- */

/* One byte into a pipe on a kernel without RWF_NOSIGNAL: no signal if nobody holds the other end. */
static int ring_quietly(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
	const struct timespec now = { 0 };
	sigset_t pipe_signal, before, pending;
	bool was_pending;
	int r = 0;

	(void)sigemptyset(&pipe_signal);
	(void)sigaddset(&pipe_signal, SIGPIPE);
	if (pthread_sigmask(SIG_BLOCK, &pipe_signal, &before) != 0)
		return 0;
	was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE);
	/* Only we write: what poll(2) says holds until we do. */
	if (poll(&pollfd, 1, 0) > 0 && (pollfd.revents & POLLOUT) && write(fd, "", 1) < 0 &&
	    errno == EPIPE) {
		r = -EPIPE;
		if (!was_pending)
			(void)sigtimedwait(&pipe_signal, NULL, &now);
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

/* A full pipe (EAGAIN) will wake the peer, and one without a reader (EPIPE) has nobody to wake. */
int ring_port_ring(const struct ring_port *rp)
{
	struct iovec iov = { .iov_base = (char[]){ 0 }, .iov_len = 1 };
	int saved = errno, r = 0;

	if (pwritev2(rp->ring_fd, &iov, 1, -1, RWF_NOWAIT | RWF_NOSIGNAL) < 0) {
		if (errno == EPIPE)
			r = -EPIPE;
		else if (errno != EAGAIN && errno != EBADF)
			r = ring_quietly(rp->ring_fd);
	}
	errno = saved;
	return r;
}

/* What the peer writes faster than it is read stays, and makes the next wait end at once. */
bool ring_port_hear(const struct ring_port *rp)
{
	char signals[BELL_READ];
	struct iovec iov = { .iov_base = signals, .iov_len = sizeof(signals) };
	struct pollfd pollfd = { .fd = rp->bell_fd, .events = POLLIN };
	int saved = errno;
	ssize_t n = preadv2(rp->bell_fd, &iov, 1, -1, RWF_NOWAIT);

	if (n < 0 && errno != EAGAIN && errno != EBADF && poll(&pollfd, 1, 0) > 0 &&
	    (pollfd.revents & POLLIN))
		n = read(rp->bell_fd, signals, sizeof(signals));
	errno = saved;
	return n == (ssize_t)sizeof(signals);
}
