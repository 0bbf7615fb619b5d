/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A socket that listens, and a thread behind it that serves one client of ring_port_join(). */
#pragma once

#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/io.h"
#include "vde/plug/ring_port.h"

static const uint32_t sizes[2] = { 1 << 16, 1 << 17 };

static inline size_t open_fds(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static inline bool has_input(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) == 1 && (pollfd.revents & POLLIN);
}

/* --- a listening socket and a thread behind it -------------------------------------------- */

struct scene {
	char dir[64], path[80];
	int listener;
	pthread_t thread;
	void (*serve)(struct scene *s, int fd); /* of one connection, which is closed then */
	const void *argument;
	size_t fds; /* open before */
	atomic_bool accepted;
	struct ring_port server;
};

static inline int scene_setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct sockaddr_un address;
	socklen_t len;

	assert_non_null(s);
	s->fds = open_fds();
	(void)test_directory(s->dir);
	(void)snprintf(s->path, sizeof(s->path), "%s/ring", s->dir);
	s->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(io_unix_address(&address, s->path, &len), 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(s->listener, 1), 0);
	s->server = (struct ring_port)RING_PORT_INIT;
	*state = s;
	return 0;
}

static inline int scene_teardown(void **state)
{
	struct scene *s = *state;

	(void)close(s->listener);
	(void)unlink(s->path);
	assert_int_equal(rmdir(s->dir), 0);
	assert_int_equal(open_fds(), s->fds); /* nothing is left open by any test */
	free(s);
	return 0;
}

static inline void *server_thread(void *context)
{
	struct scene *s = context;
	auto_close int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);

	atomic_store(&s->accepted, true);
	s->serve(s, fd);
	return NULL;
}

static inline void start(struct scene *s, void (*serve)(struct scene *s, int fd), const void *argument)
{
	s->serve = serve;
	s->argument = argument;
	assert_int_equal(pthread_create(&s->thread, NULL, server_thread, s), 0);
}

static const struct vde_ring_message_parts hello = {
	.message = VDE_RING_HELLO, .required = VDE_RING_F_CSUM,
	.offered = VDE_RING_F_CSUM | VDE_RING_F_TSO4, .port = 3, .description = "unit test",
};

static inline int join(struct scene *s, struct ring_port *ret, struct error *error)
{
	struct vde_ring_message_parts welcome;
	int r;

	*error = (struct error){ 0 };
	r = ring_port_join(s->path, &hello, -1, ret, &welcome, error);
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	assert_true(r == 0 || error->text[0] != '\0');
	assert_int_equal(r, -error->code);
	return r;
}

static inline void await_hello(int fd, struct vde_ring_message_parts *ret)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&pollfd, 1, 5000), 1);
	assert_int_equal(ring_port_receive(fd, ret, NULL), 0);
}

#define SCENE(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
