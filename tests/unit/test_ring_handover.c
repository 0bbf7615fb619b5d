/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A device in place of rings: what the server gets, and which answers are believed. */
#include "ring_scene.h"

static const struct vde_ring_message_parts device_hello = {
	.message = VDE_RING_HELLO, .kind = VDE_RING_KIND_DEVICE, .offered = VDE_RING_F_CSUM,
	.description = "unit test",
};

static int hand_over(struct scene *s, int device_fd, int *ret_control,
		     struct vde_ring_message_parts *welcome, struct error *error)
{
	int r;

	*error = (struct error){ 0 };
	r = ring_port_hand_over(s->path, &device_hello, device_fd, ret_control, welcome, error);
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	assert_int_equal(r, -error->code);
	assert_true(r == 0 || strstr(error->text, s->path));
	return r;
}

/* The request with the device, which is the one that ARGUMENT has the number of. */
static void await_device(struct scene *s, int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	struct vde_ring_message_parts parts;
	auto_close int device = -1;
	struct stat sent, got;

	assert_int_equal(poll(&pollfd, 1, 5000), 1);
	assert_int_equal(ring_port_receive(fd, &parts, &device), 0);
	assert_int_equal(parts.kind, VDE_RING_KIND_DEVICE);
	assert_true(device >= 0);
	assert_int_equal(fstat(device, &got), 0);
	assert_int_equal(fstat(*(const int *)s->argument, &sent), 0);
	assert_int_equal(got.st_ino, sent.st_ino);
}

static void serve_well(struct scene *s, int fd)
{
	struct vde_ring_message_parts welcome = { .port = 7, .required = VDE_RING_F_ALL };

	await_device(s, fd);
	assert_int_equal(ring_port_welcome_device(&welcome, fd), 0);
}

static void handed_over(void **state)
{
	struct scene *s = *state;
	struct vde_ring_message_parts welcome;
	int ends[2], control;
	struct error error;
	char end;

	assert_int_equal(pipe(ends), 0);
	start(s, serve_well, &ends[0]);
	assert_int_equal(hand_over(s, ends[0], &control, &welcome, &error), 0);
	assert_int_equal(welcome.port, 7);
	assert_int_equal(welcome.required, VDE_RING_F_ALL);
	assert_true(fcntl(ends[0], F_GETFD) >= 0); /* still ours */
	assert_true(fcntl(control, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(recv(control, &end, 1, 0), 0); /* the server's thread has closed */
	(void)close(control);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void serve_refusal(struct scene *s, int fd)
{
	await_device(s, fd);
	ring_port_refuse(fd, EOPNOTSUPP, "not of this user");
}

/* Rings, with three descriptors, are no answer to what was asked: all are closed. */
static void serve_rings(struct scene *s, int fd)
{
	struct vde_ring_message_parts welcome = { .port = 1 };
	struct ring_port_client_fds client;
	int control = dup(fd);

	await_device(s, fd);
	assert_int_equal(ring_port_make(&s->server, sizes, &client), 0);
	assert_int_equal(ring_port_welcome(&s->server, &welcome, &control, &client), 0);
	ring_port_done(&s->server);
}

static void serve_end(struct scene *s, int fd)
{
	await_device(s, fd);
}

static void refused(void **state)
{
	static const struct {
		void (*serve)(struct scene *s, int fd);
		int result;
		const char *told;
	} cases[] = {
		{ serve_refusal, -EOPNOTSUPP, "not of this user" },
		{ serve_rings, -EPROTO, "no answer" },
		{ serve_end, -ECONNRESET, "no answer" },
	};
	struct scene *s = *state;
	struct vde_ring_message_parts welcome;
	struct error error;
	int ends[2], control;

	assert_int_equal(pipe(ends), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start(s, cases[i].serve, &ends[0]);
		assert_int_equal(hand_over(s, ends[0], &control, &welcome, &error), cases[i].result);
		assert_non_null(strstr(error.text, cases[i].told));
	}
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void nobody_there(void **state)
{
	struct scene *s = *state;
	struct vde_ring_message_parts welcome;
	struct error error = { 0 };
	char path[96];
	int control;

	(void)snprintf(path, sizeof(path), "%s-no", s->path);
	assert_int_equal(ring_port_hand_over(path, &device_hello, STDIN_FILENO, &control, &welcome,
					     &error), -ENOENT);
}

/* The client has gone before the answer. */
static void client_is_gone(void **state)
{
	struct vde_ring_message_parts welcome = { .port = 1 };
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	(void)close(ends[1]);
	assert_int_equal(ring_port_welcome_device(&welcome, ends[0]), -EPIPE);
	(void)close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(handed_over),
		SCENE(refused),
		SCENE(nobody_there),
		SCENE(client_is_gone),
	};

	return RUN_TESTS(tests);
}
