/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvdeplug.a, for programs that cannot load shared objects (User-mode Linux): the connection is a
 * SOCK_SEQPACKET socket, and the program vde_plug at its other end, found in PATH, joins it to the
 * network. Nothing but libc is needed. A network that cannot be joined shows as end of file.
 *
 * Options go in long form with `=`, so that no text of the caller can be taken for another option.
 */
#include <libvdeplug.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/spawn.h"
#include "base/util.h"

#define HELPER         "vde_plug"
#define DEFAULT_DESCR  "libvdeplug"
#define CLOSE_PATIENCE 1000 /* ms until a helper that does not see the end is told to go */
#define ARGUMENTS_MAX  8

struct vdeconn {
	int fd; /* owned */
	pid_t helper;
};

/* The helper's command line: owned strings, ended by NULL. */
struct helper_line {
	char *argv[ARGUMENTS_MAX + 1];
	size_t count;
};

static void helper_line_done(struct helper_line *line)
{
	for (size_t i = 0; i < line->count; i++)
		free(line->argv[i]);
}

static int helper_line_add(struct helper_line *line, const char *format, ...) PRINTF_LIKE(2, 3);

static int helper_line_add(struct helper_line *line, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = vasprintf(&line->argv[line->count], format, ap);
	va_end(ap);
	if (r < 0) {
		line->argv[line->count] = NULL;
		return -ENOMEM;
	}
	line->count++;
	return 0;
}

static int helper_line_fill(struct helper_line *line, const char *vnl, const char *descr,
			    const struct vde_open_args *args, int fd)
{
	int r = helper_line_add(line, "%s", HELPER);

	if (r == 0)
		r = helper_line_add(line, "--descr=%s", descr && *descr ? descr : DEFAULT_DESCR);
	if (r == 0 && args && args->port)
		r = helper_line_add(line, "--port2=%d", args->port);
	if (r == 0 && args && args->group)
		r = helper_line_add(line, "--group2=%s", args->group);
	if (r == 0 && args && args->mode)
		r = helper_line_add(line, "--mod2=0%o", (unsigned)args->mode);
	if (r == 0)
		r = helper_line_add(line, "--");
	if (r == 0)
		r = helper_line_add(line, "seqpacket://%d", fd);
	if (r == 0)
		r = helper_line_add(line, "%s", vnl ? vnl : "");
	return r;
}

/* Starts the helper with its descriptor FD, and with signals as a fresh process has them. */
static int helper_spawn(char *const argv[], int fd, pid_t *ret)
{
	const struct spawn_fd itself = { fd, fd };
	sigset_t all;
	struct spawn_plan plan = { .argv = argv, .fds = &itself, .num_fds = 1, .defaults = &all };

	(void)sigfillset(&all);
	return spawn_program(&plan, ret);
}

static int static_open(const char *vnl, const char *descr, int interface_version,
		       const struct vde_open_args *args, VDECONN *conn)
{
	CLEANUP(helper_line_done) struct helper_line line = { 0 };
	auto_close int near_end = -1, far_end = -1;
	int ends[2], r;

	if (interface_version != LIBVDEPLUG_INTERFACE_VERSION || (args && args->port < 0))
		return -EINVAL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	near_end = ends[0];
	far_end = ends[1];
	r = helper_line_fill(&line, vnl, descr, args, far_end);
	if (r == 0)
		r = helper_spawn(line.argv, far_end, &conn->helper);
	if (r < 0)
		return r;
	conn->fd = TAKE_FD(near_end);
	return 0;
}

/*
 * Joins VNL through a helper process. A negative port (management) cannot be passed on and gives
 * EINVAL: write it in the locator, `DIRECTORY[0]`.
 */
VDECONN *vde_open_real(char *vnl, char *descr, int interface_version, struct vde_open_args *args)
{
	auto_free VDECONN *conn = calloc(1, sizeof(*conn));
	int r;

	if (!conn)
		return NULL;
	r = static_open(vnl, descr, interface_version, args, conn);
	if (r < 0) {
		errno = -r;
		return NULL;
	}
	return TAKE_PTR(conn);
}

ssize_t vde_recv(VDECONN *conn, void *buf, size_t len, int flags)
{
	(void)flags;
	if (!conn) {
		errno = EBADF;
		return -1;
	}
	return recv(conn->fd, buf, len, 0);
}

ssize_t vde_send(VDECONN *conn, const void *buf, size_t len, int flags)
{
	(void)flags;
	if (!conn) {
		errno = EBADF;
		return -1;
	}
	return send(conn->fd, buf, len, MSG_NOSIGNAL);
}

int vde_datafd(VDECONN *conn)
{
	if (!conn) {
		errno = EBADF;
		return -1;
	}
	return conn->fd;
}

int vde_ctlfd(VDECONN *conn)
{
	errno = conn ? 0 : EBADF;
	return -1;
}

/* Waits until the helper has seen the end; one that does not is asked to go. */
static void helper_wait(pid_t helper)
{
	auto_close int pidfd = (int)syscall(SYS_pidfd_open, helper, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	if (pidfd >= 0 && poll(&p, 1, CLOSE_PATIENCE) == 0)
		(void)kill(helper, SIGTERM);
	while (waitpid(helper, NULL, 0) < 0 && errno == EINTR)
		;
}

int vde_close(VDECONN *conn)
{
	if (!conn) {
		errno = EBADF;
		return -1;
	}
	(void)close(conn->fd); /* the end of file that ends the helper */
	helper_wait(conn->helper);
	free(conn);
	return 0;
}
