/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

static int io_wait(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

int io_write_all(int fd, const void *data, size_t len)
{
	const char *from = data;

	while (len) {
		ssize_t n = write(fd, from, len);

		if (n >= 0) {
			from += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			int r = io_wait(fd, POLLOUT);

			if (r < 0)
				return r;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

ssize_t io_read(int fd, void *data, size_t len)
{
	ssize_t n;

	do
		n = read(fd, data, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t io_read_full(int fd, void *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = io_read(fd, (char *)data + done, len - done);

		if (n == 0)
			break;
		if (n == -EAGAIN)
			n = io_wait(fd, POLLIN);
		if (n < 0)
			return n;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int io_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	return fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0 ? -errno : 0;
}

int io_set_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int io_unix_address(struct sockaddr_un *addr, const char *path, socklen_t *ret_len)
{
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (path[0] == '\0')
		return -ENOENT; /* the kernel would take it for an abstract name */
	if (str_copy(addr->sun_path, sizeof(addr->sun_path), path) < 0)
		return -ENAMETOOLONG;
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
	return 0;
}

int io_connect_path(int fd, const char *path)
{
	struct sockaddr_un addr;
	socklen_t len;
	int r = io_unix_address(&addr, path, &len);

	if (r < 0)
		return r;
	return connect(fd, (struct sockaddr *)&addr, len) < 0 ? -errno : 0;
}

int io_connect_unix(const char *path, int type)
{
	auto_close int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	int r = fd < 0 ? -errno : io_connect_path(fd, path);

	return r < 0 ? r : TAKE_FD(fd);
}

bool io_unix_alive(const char *path, int type)
{
	auto_close int fd = io_connect_unix(path, type | SOCK_NONBLOCK);

	return fd >= 0 || fd == -EAGAIN; /* a full backlog is alive, too */
}

/*
 * Only a refusal shows that nobody is there: EPROTOTYPE is a socket of another type in use, EACCES
 * somebody else's.
 */
static bool io_unix_stale(const char *path)
{
	auto_close int fd = io_connect_unix(path, SOCK_STREAM | SOCK_NONBLOCK);
	struct stat st;

	return fd == -ECONNREFUSED && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static int io_bind_fresh(int fd, const char *path, const struct sockaddr_un *addr, socklen_t len)
{
	if (bind(fd, (const struct sockaddr *)addr, len) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	if (!io_unix_stale(path))
		return -EADDRINUSE;
	if (unlink(path) < 0)
		return -errno;
	return bind(fd, (const struct sockaddr *)addr, len) < 0 ? -errno : 0;
}

int io_listen_unix(const char *path, int type, mode_t mode, gid_t gid, int backlog)
{
	auto_close int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr;
	socklen_t len;
	int r;

	if (fd < 0)
		return -errno;
	r = io_unix_address(&addr, path, &len);
	if (r < 0)
		return r;
	/* The mode of the descriptor before bind(2) is the most that the file gets. */
	if (fchmod(fd, 0600) < 0)
		return -errno;
	r = io_bind_fresh(fd, path, &addr, len);
	if (r < 0)
		return r;
	if ((gid != (gid_t)-1 && chown(path, (uid_t)-1, gid) < 0) || chmod(path, mode) < 0 ||
	    listen(fd, backlog) < 0) {
		r = -errno;
		(void)unlink(path);
		return r;
	}
	return TAKE_FD(fd);
}

void io_take_fds(struct msghdr *msg, int *fds, size_t max, size_t *count)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t came = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < came; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (*count < max)
				fds[(*count)++] = fd;
			else
				(void)close(fd);
		}
	}
}

bool io_connection_ended(int fd)
{
	char ignored[512];
	ssize_t n = recv(fd, ignored, sizeof(ignored), MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}
