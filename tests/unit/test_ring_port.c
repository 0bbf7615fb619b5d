/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two sides of a ring against each other, without a server, with one that does not answer, and
 * against clients that send what they should not; then the doorbells.
 */
#include "ring_scene.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/clock.h"

/* With this limit no number is free. */
static rlim_t no_number_free(void)
{
	int fd = dup(STDIN_FILENO);

	assert_true(fd >= 0);
	(void)close(fd);
	return (rlim_t)fd;
}

/* --- as it should be ---------------------------------------------------------------------- */

static void serve_well(struct scene *s, int fd)
{
	struct vde_ring_message_parts parts, welcome = { .port = 42, .max_frame = 9000,
							 .required = UINT64_MAX, .offered = 8 };
	struct ring_port_client_fds client;
	int control = dup(fd);

	await_hello(fd, &parts);
	assert_int_equal(parts.port, 3);
	assert_string_equal(parts.description, "unit test");
	assert_int_equal(ring_port_make(&s->server, sizes, &client), 0);
	if (s->argument)
		welcome.max_frame = 0;
	assert_int_equal(ring_port_welcome(&s->server, &welcome, &control, &client), 0);
	assert_int_equal(control, -1);
	assert_int_equal(client.memory_fd, -1);
	assert_int_equal(client.ring_fd, -1);
	assert_int_equal(client.bell_fd, -1);
}

static void send_text(struct ring_port *rp, const char *text)
{
	uint32_t len = (uint32_t)strlen(text) + 1;
	void *room = ring_reserve(&rp->out, len);

	assert_non_null(room);
	memcpy(room, text, len);
	ring_commit(&rp->out, len, RING_FRAME);
	if (ring_publish(&rp->out))
		ring_port_ring(rp);
}

static void expect_text(struct ring_port *rp, const char *text)
{
	uint32_t len;
	uint16_t type;
	const char *record = ring_next(&rp->in, &len, &type);

	assert_non_null(record);
	assert_string_equal(record, text);
	ring_consume(&rp->in, len);
	if (ring_release(&rp->in))
		ring_port_ring(rp);
}

static void there_and_back(struct ring_port *a, struct ring_port *b)
{
	assert_true(ring_sleep(&b->in));
	assert_false(has_input(b->bell_fd));
	send_text(a, "one");
	send_text(a, "two");
	assert_true(has_input(b->bell_fd));
	ring_port_hear(b);
	assert_false(has_input(b->bell_fd));
	expect_text(b, "one");
	expect_text(b, "two");
	assert_true(ring_sleep(&b->in));
}

static void joins(void **state)
{
	struct scene *s = *state;
	struct ring_port rp;
	struct error error;

	start(s, serve_well, NULL);
	assert_int_equal(join(s, &rp, &error), 0);
	assert_int_equal(rp.port, 42);
	assert_int_equal(rp.max_frame, 9000);
	assert_int_equal(rp.features, hello.offered); /* nothing that was not offered */
	assert_int_equal(rp.peer_features, 8);
	assert_int_equal(rp.out.size, sizes[0]);
	assert_int_equal(rp.in.size, sizes[1]);
	assert_int_equal(rp.memory_fd, -1);
	assert_true(rp.out.guarded && !s->server.out.guarded);
	for (int i = 0; i < 3; i++) {
		there_and_back(&rp, &s->server);
		there_and_back(&s->server, &rp);
	}
	ring_port_done(&s->server);
	assert_true(has_input(rp.control_fd)); /* gone */
	assert_true(fcntl(rp.control_fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(rp.ring_fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(rp.bell_fd, F_GETFD) & FD_CLOEXEC);
	ring_port_ring(&rp); /* no SIGPIPE */
	ring_port_hear(&rp);
	ring_port_done(&rp);
	ring_port_done(&rp);
}

static void largest_frame_unsaid(void **state)
{
	struct scene *s = *state;
	struct ring_port rp;
	struct error error;

	start(s, serve_well, "");
	assert_int_equal(join(s, &rp, &error), 0);
	assert_int_equal(rp.max_frame, VNET_FRAME_MAX);
	ring_port_done(&rp);
	ring_port_done(&s->server);
}

static void made(void **state)
{
	struct ring_port_client_fds client;
	struct ring_port rp;
	struct stat st;

	(void)state;
	assert_int_equal(ring_port_make(&rp, sizes, &client), 0);
	assert_int_equal(fcntl(rp.memory_fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_int_equal(ftruncate(client.memory_fd, 0), -1);
	assert_int_equal(ftruncate(client.memory_fd, 1 << 24), -1);
	assert_int_equal(fstat(rp.memory_fd, &st), 0);
	assert_int_equal(st.st_size, rp.memory_size);
	assert_true(fcntl(rp.bell_fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(rp.ring_fd, F_GETFL) & O_NONBLOCK);
	assert_false(fcntl(client.bell_fd, F_GETFL) & O_NONBLOCK);
	assert_false(fcntl(client.ring_fd, F_GETFL) & O_NONBLOCK);
	for (int fd = 3; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && fcntl(fd, F_GET_SEALS) >= 0)
			assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ring_port_client_done(&client);
	ring_port_done(&rp);
}

static void cannot_be_made(void **state)
{
	const uint32_t bad[][2] = { { 0, 1 << 16 }, { 1 << 16, 0 }, { 4096, 1 << 16 },
				    { 1 << 16, 3 << 16 }, { 1u << 31, 1 << 16 } };
	struct ring_port_client_fds client;
	struct rlimit limit, before;
	struct ring_port rp;
	size_t fds = open_fds();
	int r = -EMFILE, failures = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ring_port_make(&rp, bad[i], &client), -EINVAL);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	for (limit.rlim_cur = no_number_free(); r == -EMFILE; limit.rlim_cur++) {
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		r = ring_port_make(&rp, sizes, &client);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (r < 0)
			assert_int_equal(open_fds(), fds);
		failures += r < 0;
	}
	assert_int_equal(r, 0);
	assert_true(failures >= 6); /* each of the six descriptors */
	ring_port_client_done(&client);
	ring_port_done(&rp);
	assert_int_equal(open_fds(), fds);
}

/* --- no rings here ------------------------------------------------------------------------ */

static void no_server(void **state)
{
	struct scene *s = *state;
	struct vde_ring_message_parts welcome;
	char path[300];
	struct ring_port rp;
	struct error error;
	auto_close int stream = -1;

	(void)close(s->listener);
	assert_int_equal(ring_port_join(s->path, &hello, -1, &rp, &welcome, &error), -ECONNREFUSED);
	(void)snprintf(path, sizeof(path), "%s/ring", s->path); /* under a socket */
	assert_int_equal(ring_port_join(path, &hello, -1, &rp, &welcome, &error), -ENOENT);
	(void)unlink(s->path);
	assert_int_equal(ring_port_join(s->path, &hello, -1, &rp, &welcome, &error), -ENOENT);
	assert_non_null(strstr(error.text, s->path));
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(ring_port_join(path, &hello, -1, &rp, &welcome, &error), -ENOENT);
	stream = io_listen_unix(s->path, SOCK_STREAM, 0700, (gid_t)-1, 1);
	assert_true(stream >= 0);
	assert_int_equal(ring_port_join(s->path, &hello, -1, &rp, &welcome, &error), -EPROTOTYPE);
	assert_int_equal(rp.control_fd, -1);
	s->listener = -1;
}

struct refusal {
	int code;
	const char *text;
	bool early; /* before the request is read */
	int result;
	const char *told;
};

static void serve_refusal(struct scene *s, int fd)
{
	const struct refusal *refusal = s->argument;
	struct vde_ring_message_parts parts;

	if (!refusal->early)
		await_hello(fd, &parts);
	ring_port_refuse(fd, refusal->code, refusal->text);
}

static void refused(void **state)
{
	static const struct refusal refusals[] = {
		{ EPERM, "port 7 belongs to root", false, -EPERM, "port 7 belongs to root" },
		{ ENOSPC, "all ports are taken", true, -ENOSPC, "all ports are taken" },
		{ EADDRINUSE, "", false, -EADDRINUSE, "Address already in use" },
		{ EPROTONOSUPPORT, "no such feature", false, -EPROTONOSUPPORT, "no such feature" },
		/* it is there, so "no rings here" would be wrong */
		{ ENOENT, "no such port", false, -EREMOTEIO, "no such port" },
		{ ECONNREFUSED, "go", true, -EREMOTEIO, "go" },
		{ EPROTOTYPE, "go", true, -EREMOTEIO, "go" },
		{ 0, "no code", false, -EPROTO, "no code" },
	};
	struct scene *s = *state;

	for (int round = 0; round < 4; round++) /* early ones are a race: more than once */
		for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
			struct ring_port rp;
			struct error error;

			start(s, serve_refusal, &refusals[i]);
			assert_int_equal(join(s, &rp, &error), refusals[i].result);
			assert_non_null(strstr(error.text, refusals[i].told));
			assert_non_null(strstr(error.text, s->path));
			assert_null(rp.memory);
		}
}

static void long_refusal(void **state)
{
	static char text[1000];
	static const struct refusal refusal = { EBUSY, text, false, -EBUSY, NULL };
	struct scene *s = *state;
	struct ring_port rp;
	struct error error;

	memset(text, 'x', sizeof(text) - 1);
	start(s, serve_refusal, &refusal);
	assert_int_equal(join(s, &rp, &error), -EBUSY);
	assert_int_equal(strspn(strstr(error.text, "xxx"), "x"), VDE_RING_TEXT_SIZE - 1);
}

/* --- patience ----------------------------------------------------------------------------- */

static void serve_nothing(struct scene *s, int fd)
{
	struct pollfd pollfd = { .fd = fd };

	(void)s;
	(void)poll(&pollfd, 1, 10000); /* until the client goes */
}

static void *join_and_fail(void *context)
{
	struct scene *s = context;
	struct vde_ring_message_parts welcome;
	struct ring_port rp;
	struct error error;

	assert_int_equal(ring_port_join(s->path, &hello, -1, &rp, &welcome, &error), -ETIMEDOUT);
	return NULL;
}

/* One client that is accepted and not answered, and one that finds the queue full. */
static void silence(void **state)
{
	struct scene *s = *state;
	uint64_t begin = clock_now(), took;
	pthread_t other;
	int queue[2];

	start(s, serve_nothing, NULL);
	assert_int_equal(pthread_create(&other, NULL, join_and_fail, s), 0);
	while (!atomic_load(&s->accepted))
		(void)sched_yield();
	for (int i = 0; i < 2; i++) /* a backlog of 1 holds two */
		queue[i] = io_connect_unix(s->path, SOCK_SEQPACKET);
	(void)join_and_fail(s);
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	took = (clock_now() - begin) / NS_PER_MSEC;
	assert_in_range(took, VDE_RING_PATIENCE_MS - 1, VDE_RING_PATIENCE_MS + 2000);
	(void)close(queue[0]);
	(void)close(queue[1]);
}

static void on_alarm(int number)
{
	(void)number;
}

static void serve_late(struct scene *s, int fd)
{
	struct pollfd pollfd = { .fd = -1 };

	for (int i = 0; i < 10; i++)
		(void)poll(&pollfd, 1, 10);
	serve_well(s, fd);
}

/* Signals while it waits do not end it. */
static void interrupted(void **state)
{
	const struct itimerval often = { { 0, 3000 }, { 0, 3000 } }, never = { 0 };
	struct sigaction action = { .sa_handler = on_alarm }, before;
	struct scene *s = *state;
	struct ring_port rp;
	struct error error;
	sigset_t alarm_set;

	(void)sigemptyset(&alarm_set);
	(void)sigaddset(&alarm_set, SIGALRM);
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &alarm_set, NULL), 0); /* in the server */
	start(s, serve_late, NULL);
	assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &alarm_set, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	assert_int_equal(join(s, &rp, &error), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
	ring_port_done(&rp);
	ring_port_done(&s->server);
}

/* --- clients that send what they should not ----------------------------------------------- */

static void send_request(int fd, const void *data, size_t len, int count)
{
	union {
		struct cmsghdr align;
		char data[CMSG_SPACE(8 * sizeof(int))];
	} control = { .align = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
				 .cmsg_len = CMSG_LEN((size_t)count * sizeof(int)) } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	for (int i = 0; i < count; i++)
		memcpy(CMSG_DATA(&control.align) + (size_t)i * sizeof(int), &(int){ 2 }, sizeof(int));
	if (count) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), len);
}

static void requests(void **state)
{
	struct strbuf out CLEANUP(strbuf_done) = { 0 };
	struct vde_ring_message_parts parts;
	static char large[VDE_RING_MAX + 1];
	int pair[2], fd;
	size_t fds;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	vde_ring_build(&hello, &out);
	fds = open_fds();
	assert_int_equal(ring_port_receive(pair[0], &parts, NULL), -EAGAIN);
	for (int count = 0; count <= 8; count++) {
		send_request(pair[1], out.data, out.len, count);
		send_request(pair[1], out.data, out.len, count);
		assert_int_equal(ring_port_receive(pair[0], &parts, NULL), count <= 4 ? 0 : -EBADMSG);
		assert_int_equal(open_fds(), fds);
		assert_int_equal(ring_port_receive(pair[0], &parts, &fd), count <= 4 ? 0 : -EBADMSG);
		assert_true((fd >= 0) == (count == 1));
		if (fd >= 0)
			assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		cleanup_close(&fd);
		assert_int_equal(open_fds(), fds);
	}
	memcpy(large, out.data, out.len);
	send_request(pair[1], large, sizeof(large), 1);
	assert_int_equal(ring_port_receive(pair[0], &parts, &fd), -EBADMSG);
	assert_int_equal(fd, -1);
	out.data[8] = 9;
	send_request(pair[1], out.data, out.len, 1);
	assert_int_equal(ring_port_receive(pair[0], &parts, &fd), -EPROTONOSUPPORT);
	assert_int_equal(parts.major, 9);
	assert_int_equal(fd, -1);
	send_request(pair[1], "", 0, 3);
	assert_int_equal(ring_port_receive(pair[0], &parts, &fd), -EPIPE);
	assert_int_equal(open_fds(), fds);
	(void)close(pair[1]);
	assert_int_equal(ring_port_receive(pair[0], &parts, &fd), -EPIPE);
	(void)close(pair[0]);
}

/* No number free for a descriptor that comes: it is lost, and the message with it. */
static void no_room_for_fds(void **state)
{
	struct strbuf out CLEANUP(strbuf_done) = { 0 };
	struct vde_ring_message_parts parts;
	struct rlimit limit, before;
	int pair[2], fd;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	vde_ring_build(&hello, &out);
	send_request(pair[1], out.data, out.len, 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = no_number_free();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(ring_port_receive(pair[0], &parts, &fd), -EBADMSG);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(fd, -1);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void client_is_gone(void **state)
{
	struct vde_ring_message_parts welcome = { 0 };
	struct ring_port_client_fds client;
	struct ring_port rp;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(ring_port_make(&rp, sizes, &client), 0);
	(void)close(pair[1]);
	ring_port_refuse(pair[0], EBUSY, "nobody reads this");
	assert_int_equal(ring_port_welcome(&rp, &welcome, &pair[0], &client), -EPIPE);
	assert_int_equal(client.bell_fd, -1);
	assert_true(pair[0] >= 0);
	assert_int_equal(rp.control_fd, -1);
	(void)close(pair[0]);
	ring_port_done(&rp);
}

/* --- doorbells ---------------------------------------------------------------------------- */

/* A server that is one process with its client. */
struct ends {
	struct ring_port server;
	struct ring_port_client_fds client;
};

static void open_ends(struct ends *ends)
{
	assert_int_equal(ring_port_make(&ends->server, sizes, &ends->client), 0);
}

static void close_ends(struct ends *ends)
{
	ring_port_client_done(&ends->client);
	ring_port_done(&ends->server);
}

/* The peer never reads, and its end waits: ours does not. */
static void full_doorbell(void)
{
	struct ends ends;

	open_ends(&ends);
	assert_int_equal(io_set_nonblock(ends.client.bell_fd, false), 0);
	assert_int_equal(io_set_nonblock(ends.client.ring_fd, false), 0);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(ring_port_ring(&ends.server), 0);
	assert_true(has_input(ends.client.bell_fd));
	assert_true(fcntl(ends.server.ring_fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(ends.server.bell_fd, F_GETFL) & O_NONBLOCK);
	ring_port_hear(&ends.server); /* nothing there */
	close_ends(&ends);
}

/* The peer fills what we read: it ends, and leaves what it did not read. */
static void flooded_doorbell(void)
{
	struct ends ends;
	int times = 0;

	open_ends(&ends);
	assert_int_equal(io_set_nonblock(ends.client.ring_fd, true), 0);
	(void)fcntl(ends.client.ring_fd, F_SETPIPE_SZ, 65536);
	while (write(ends.client.ring_fd, &times, sizeof(times)) > 0)
		;
	for (; has_input(ends.server.bell_fd); times++)
		ring_port_hear(&ends.server);
	assert_in_range(times, 1, 65536 / 4096 + 1);
	close_ends(&ends);
}

/* Nobody at the other end: no signal, no wait. */
static void deserted_doorbell(void)
{
	struct ends ends;
	int saved;

	open_ends(&ends);
	ring_port_client_done(&ends.client);
	errno = saved = ENOTTY;
	assert_int_equal(ring_port_ring(&ends.server), -EPIPE);
	assert_int_equal(ring_port_ring(&ends.server), -EPIPE);
	ring_port_hear(&ends.server);
	assert_int_equal(errno, saved);
	close_ends(&ends);
	ring_port_ring(&ends.server); /* nor with what is closed */
	ring_port_hear(&ends.server);
}

/* The client's ends wait, and its calls do not. */
static void client_doorbell(void)
{
	struct ends ends;
	struct ring_port rp;

	open_ends(&ends);
	rp = (struct ring_port){ .ring_fd = ends.client.ring_fd, .bell_fd = ends.client.bell_fd };
	ring_port_hear(&rp);
	for (int i = 0; i < 10000; i++)
		ring_port_ring(&rp);
	assert_true(has_input(ends.server.bell_fd));
	ring_port_ring(&ends.server);
	ring_port_hear(&rp);
	assert_false(has_input(rp.bell_fd));
	close_ends(&ends);
}

static void all_doorbells(void)
{
	full_doorbell();
	flooded_doorbell();
	deserted_doorbell();
	client_doorbell();
}

static void doorbells(void **state)
{
	struct sigaction action = { .sa_handler = SIG_DFL }, before;

	(void)state;
	assert_int_equal(sigaction(SIGPIPE, &action, &before), 0);
	all_doorbells();
	assert_int_equal(sigaction(SIGPIPE, &before, NULL), 0);
}

/* As before Linux 6.18, and as on a kernel without these calls for pipes. */
static int without_flags(int error)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwritev2, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_preadv2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = ARRAY_SIZE(program), .filter = program };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		return -errno;
	return 0;
}

static void doorbells_of_old_kernels(void **state)
{
	static const int errors[] = { EOPNOTSUPP, EINVAL, EPERM };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0) {
			(void)signal(SIGPIPE, SIG_DFL);
			if (without_flags(errors[i]) < 0)
				_exit(77);
			all_doorbells(); /* a failed assertion ends with another status */
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			skip();
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(joins),
		SCENE(largest_frame_unsaid),
		SCENE(made),
		SCENE(cannot_be_made),
		SCENE(no_server),
		SCENE(refused),
		SCENE(long_refusal),
		SCENE(silence),
		SCENE(interrupted),
		SCENE(requests),
		SCENE(no_room_for_fds),
		SCENE(client_is_gone),
		SCENE(doorbells),
		SCENE(doorbells_of_old_kernels),
	};

	return RUN_TESTS(tests);
}
