/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "io.h"
#include "parse.h"

#define LISTEN_FDS_START 3

/* The parent's part: waits for the word of the child. Does not return. */
static void daemon_wait_child(pid_t child, int fd)
{
	char word;
	int status;

	if (io_read(fd, &word, 1) == 1)
		_exit(EXIT_SUCCESS);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

int daemon_begin(struct daemon *d, struct error *error)
{
	auto_close int read_end = -1, write_end = -1;
	int ends[2];
	pid_t child;

	/* Its reader waits for the end: what we start must not keep it. */
	if (d->ready_fd >= 0 && io_set_cloexec(d->ready_fd, true) < 0)
		return error_set(error, EBADF, "--ready-fd: %d is not an open descriptor", d->ready_fd);
	if (!d->detach)
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set_errno(error, errno, "cannot detach: pipe");
	read_end = ends[0];
	write_end = ends[1];
	child = fork();
	if (child < 0)
		return error_set_errno(error, errno, "cannot detach: fork");
	if (child > 0) {
		(void)close(TAKE_FD(write_end));
		daemon_wait_child(child, read_end);
	}
	(void)setsid(); /* cannot fail in a fresh child */
	d->parent_fd = TAKE_FD(write_end);
	return 0;
}

/* True when PATH holds the pid of a process that no longer is. */
static bool pid_file_stale(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[32] = "";
	long long pid;

	if (fd < 0 || io_read_full(fd, text, sizeof(text) - 1) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	if (parse_decimal(text, 1, INT_MAX, &pid) < 0)
		return false;
	return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

static int pid_file_create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : fd;
}

static int pid_file_open(const char *path)
{
	int fd = pid_file_create(path);

	if (fd != -EEXIST || !pid_file_stale(path))
		return fd;
	return unlink(path) < 0 ? -errno : pid_file_create(path);
}

/* The daemon may leave its directory later: the name is made absolute now. */
static char *path_absolute(const char *path)
{
	auto_free char *cwd = NULL;
	char *absolute;

	if (path[0] == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	if (!cwd || asprintf(&absolute, "%s/%s", cwd, path) < 0)
		return NULL;
	return absolute;
}

static int pid_file_write(const struct daemon *d, int fd, struct error *error)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	int r = io_write_all(fd, text, (size_t)len);

	return r < 0 ? error_set_errno(error, -r, "cannot write the pid file '%s'", d->pid_file) : 0;
}

int daemon_write_pid(struct daemon *d, struct error *error)
{
	auto_close int fd = -1;

	if (!d->pid_file || d->pid_path)
		return 0;
	d->pid_path = path_absolute(d->pid_file);
	if (!d->pid_path)
		return error_set_errno(error, ENOMEM, "pid file '%s'", d->pid_file);
	fd = pid_file_open(d->pid_path);
	if (fd < 0) {
		free(TAKE_PTR(d->pid_path)); /* not ours: must not be removed at the end */
		if (fd == -EEXIST)
			return error_set(error, EEXIST,
					 "the pid file '%s' exists: stop the program that made it, "
					 "or remove the file", d->pid_file);
		return error_set_errno(error, -fd, "cannot create the pid file '%s'", d->pid_file);
	}
	return pid_file_write(d, fd, error);
}

static bool same_file(const char *path, int fd)
{
	struct stat a, b;

	return stat(path, &a) == 0 && fstat(fd, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

int daemon_adopt_pid(struct daemon *d, const char *old, struct error *error)
{
	auto_close int fd = -1;

	if (!d->pid_file)
		return 0;
	fd = open(d->pid_file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || !old || !same_file(old, fd))
		return daemon_write_pid(d, error);
	d->pid_path = path_absolute(d->pid_file);
	if (!d->pid_path)
		return error_set_errno(error, ENOMEM, "pid file '%s'", d->pid_file);
	d->pid_fd = TAKE_FD(fd);
	return 0;
}

/* Whoever reads it meanwhile finds one number or the other on the first line, never none. */
static int pid_file_rewrite(struct daemon *d, struct error *error)
{
	auto_close int fd = TAKE_FD(d->pid_fd);
	int r = pid_file_write(d, fd, error);

	if (r == 0 && ftruncate(fd, lseek(fd, 0, SEEK_CUR)) < 0)
		return error_set_errno(error, errno, "cannot write the pid file '%s'", d->pid_file);
	return r;
}

void daemon_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	auto_close int fd = -1;
	size_t len;

	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(addr.sun_path))
		return;
	len = strlen(path);
	memcpy(addr.sun_path, path, len);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Nobody to tell about a failure: the service manager then times out and says so. */
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

static void daemon_close_stdio(void)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null_fd >= 0 && fd <= 2; fd++)
		(void)dup2(null_fd, fd);
	if (null_fd > 2)
		(void)close(null_fd);
}

/* The waiter may have gone, which is its business and must not end us by SIGPIPE. */
static void daemon_tell(int *fd)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, saved;

	if (*fd < 0)
		return;
	(void)sigaction(SIGPIPE, &ignore, &saved);
	(void)io_write_all(*fd, "\n", 1);
	(void)sigaction(SIGPIPE, &saved, NULL);
	(void)close(*fd);
	*fd = -1;
}

int daemon_ready(struct daemon *d, struct error *error)
{
	int r = d->pid_fd >= 0 ? pid_file_rewrite(d, error) : daemon_write_pid(d, error);

	if (r < 0)
		return r;
	if (d->detach)
		daemon_close_stdio();
	daemon_notify("READY=1");
	daemon_tell(&d->ready_fd);
	daemon_tell(&d->parent_fd);
	return 0;
}

int daemon_listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	long long number;

	if (!pid || !count || parse_decimal(pid, 1, INT_MAX, &number) < 0 || number != getpid())
		return 0;
	if (parse_decimal(count, 0, 64, &number) < 0)
		return 0;
	for (int fd = LISTEN_FDS_START; fd < LISTEN_FDS_START + (int)number; fd++)
		(void)io_set_cloexec(fd, true);
	return (int)number;
}

int daemon_inherited_socket(const char *path)
{
	int count = daemon_listen_fds();

	for (int fd = LISTEN_FDS_START; fd < LISTEN_FDS_START + count; fd++) {
		struct sockaddr_un address = { 0 };
		socklen_t len = sizeof(address);

		if (getsockname(fd, (struct sockaddr *)&address, &len) < 0 ||
		    address.sun_family != AF_UNIX ||
		    strncmp(address.sun_path, path, sizeof(address.sun_path)) != 0)
			continue;
		return io_set_nonblock(fd, true) < 0 ? -1 : fd;
	}
	return -1;
}

void daemon_end(struct daemon *d)
{
	if (d->pid_path && d->pid_fd < 0)
		(void)unlink(d->pid_path);
	if (d->pid_fd >= 0)
		(void)close(TAKE_FD(d->pid_fd));
	free(TAKE_PTR(d->pid_path));
	if (d->parent_fd >= 0)
		(void)close(TAKE_FD(d->parent_fd));
}
