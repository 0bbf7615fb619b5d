/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vde/plugins/tap_io.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/io.h"

static struct tap *tap_of(VDECONN *conn)
{
	return PLUGIN_OF(conn, struct tap);
}

VDECONN *tap_connect(tap_opener *opener, const char *name)
{
	auto_free struct tap *tap = calloc(1, sizeof(*tap));
	struct error error = { 0 };

	if (!tap)
		return NULL;
	tap->fd = opener(name, &error);
	if (tap->fd < 0)
		return plugin_fail(&error);
	return plugin_conn(&TAKE_PTR(tap)->head);
}

/*
 * A read(2) cuts a frame that is longer than the buffer without a word, so a second buffer takes
 * what would be lost, and the frame is dropped.
 */
ssize_t tap_recv(VDECONN *conn, void *buf, size_t len, int flags)
{
	char excess;
	struct iovec parts[] = { { buf, len }, { &excess, sizeof(excess) } };
	ssize_t got = readv(tap_of(conn)->fd, parts, ARRAY_SIZE(parts));

	(void)flags;
	if (got < 0) {
		if (errno == EBADFD || errno == ENODEV) /* the interface was deleted */
			return 0;
		return errno == EAGAIN ? plugin_nothing() : -1;
	}
	return got < PLUGIN_FRAME_MIN || (size_t)got > len ? plugin_nothing() : got;
}

/*
 * An interface that is down refuses frames (EIO; macvtap: ENETDOWN), and any refuses what it cannot
 * carry (EINVAL and others): they are lost, as on a cable that is not plugged in.
 */
ssize_t tap_send(VDECONN *conn, const void *buf, size_t len, int flags)
{
	ssize_t put;

	(void)flags;
	if (len < PLUGIN_FRAME_MIN)
		return (ssize_t)len;
	do
		put = write(tap_of(conn)->fd, buf, len);
	while (put < 0 && errno == EINTR);
	if (put < 0 && (errno == EBADFD || errno == ENODEV || errno == EBADF))
		return -1;
	return (ssize_t)len;
}

int tap_datafd(VDECONN *conn)
{
	return tap_of(conn)->fd;
}

int tap_ctlfd(VDECONN *conn)
{
	(void)conn;
	return -1;
}

int tap_close(VDECONN *conn)
{
	(void)close(tap_of(conn)->fd);
	free(tap_of(conn));
	return 0;
}
