/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vde/plugins/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"

#define LOCK_TRIES     20
#define LOCK_STEP_MS   10
#define SECOND_LOOK_MS 20

VDECONN *plugin_fail(const struct error *e)
{
	vde_error_set(e->code, "%s", error_text(e));
	return NULL;
}

ssize_t plugin_nothing(void)
{
	errno = EAGAIN;
	return 1;
}

ssize_t plugin_failed(int r)
{
	errno = -r;
	return -1;
}

bool plugin_nonblock(int datafd)
{
	int saved = errno;
	int flags = fcntl(datafd, F_GETFL);

	errno = saved;
	return flags < 0 || (flags & O_NONBLOCK);
}

int plugin_wait_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, -1) < 0 ? -errno : 0;
}

bool plugin_hung_up(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR));
}

mode_t plugin_mode(const struct vde_open_args *args, int interface_version, mode_t fallback)
{
	if (!args || interface_version != LIBVDEPLUG_INTERFACE_VERSION || args->mode == 0)
		return fallback;
	return args->mode & 0777;
}

int plugin_ring_option(const char *text, bool *ret, struct error *error)
{
	*ret = !text || str_equal(text, "yes");
	if (text && !*ret && !str_equal(text, "no"))
		return error_set(error, EINVAL, "ring=%s: neither yes nor no", text);
	return 0;
}

int plugin_send(int fd, const struct iovec *parts, size_t num_parts, struct plugin_out *out,
		bool wait)
{
	/* sendmsg(2) does not write to what msg_iov points to. */
	struct msghdr message = { .msg_iov = (struct iovec *)parts, .msg_iovlen = num_parts };

	wait = wait && !out->stalled;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
			out->stalled = false;
			return 0;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != ENOBUFS)
			return -errno;
		if (!wait)
			return -EAGAIN;
		(void)poll(&p, 1, PLUGIN_WAIT_MS); /* the next attempt tells */
		out->stalled = true;
		wait = false;
	}
}

void plugin_sink_done(struct plugin_sink *sink, size_t len, const struct vnet_header *vnet)
{
	struct vde_frame *frame = &sink->frames[sink->done++];

	frame->len = len;
	frame->flags = 0;
	frame->vnet = (struct vde_vnet){ 0 };
	if (vnet)
		frame->vnet = (struct vde_vnet){
			.flags = vnet->flags, .gso_type = vnet->gso_type, .hdr_len = vnet->hdr_len,
			.gso_size = vnet->gso_size, .csum_start = vnet->csum_start,
			.csum_offset = vnet->csum_offset,
		};
}

void plugin_sink_put(struct plugin_sink *sink, const struct iovec *parts, unsigned num_parts,
		     size_t len, const struct vnet_header *vnet)
{
	const struct vde_frame *to = &sink->frames[sink->done];
	uint8_t *at = to->data;

	if (len > to->len)
		return;
	for (unsigned i = 0; i < num_parts; i++) {
		if (at != parts[i].iov_base)
			memcpy(at, parts[i].iov_base, parts[i].iov_len);
		at += parts[i].iov_len;
	}
	plugin_sink_done(sink, len, vnet);
}

static bool refuses(const char *path, int type)
{
	int fd = io_connect_unix(path, type | SOCK_NONBLOCK);

	if (fd >= 0)
		(void)close(fd);
	return fd == -ECONNREFUSED;
}

bool plugin_abandoned(const char *path, int type)
{
	if (!refuses(path, type))
		return false;
	(void)poll(NULL, 0, SECOND_LOOK_MS);
	return refuses(path, type);
}

/* The directory part of the first LEN bytes of PATH, which the caller owns. */
static char *parent_of(const char *path, size_t len)
{
	const char *slash = memrchr(path, '/', len);

	return slash ? strndup(path, MAX((size_t)(slash - path), 1)) : strdup(".");
}

int plugin_lock_parent(const char *path)
{
	auto_free char *parent = parent_of(path, strlen(path));
	auto_close int fd = -1;

	if (!parent)
		return -ENOMEM;
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (int i = 0; i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) < 0; i++)
		(void)poll(NULL, 0, LOCK_STEP_MS);
	return TAKE_FD(fd);
}

char *plugin_absolute_path(const char *path)
{
	auto_free char *parent = NULL, *resolved = NULL;
	size_t len = strlen(path);
	const char *slash;
	char *whole;

	while (len > 1 && path[len - 1] == '/')
		len--;
	parent = parent_of(path, len);
	resolved = parent ? realpath(parent, NULL) : NULL;
	if (!resolved)
		return NULL;
	slash = memrchr(path, '/', len);
	if (slash) {
		len -= (size_t)(slash + 1 - path);
		path = slash + 1;
	}
	if (asprintf(&whole, "%s/%.*s", str_equal(resolved, "/") ? "" : resolved, (int)len, path) <
	    0)
		return NULL;
	return whole;
}

int plugin_bind(int fd, const char *path, mode_t mode)
{
	struct sockaddr_un addr;
	socklen_t len;
	int r = io_unix_address(&addr, path, &len);

	if (r < 0)
		return r;
	/* The mode of the descriptor before bind(2) is the most that the name gets. */
	if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0)
		return -errno;
	if (chmod(path, mode) < 0) {
		r = -errno;
		(void)unlink(path);
		return r;
	}
	return 0;
}
