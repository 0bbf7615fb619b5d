/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* null://: a network where nothing ever arrives. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "vde/plugins/plugin.h"

struct null {
	struct plugin_head head;
	int fd; /* owned eventfd that nobody raises */
};

static struct null *null_of(VDECONN *conn)
{
	return PLUGIN_OF(conn, struct null);
}

static VDECONN *null_open(char *args, char *descr, int interface_version,
			  struct vde_open_args *open_args)
{
	auto_free struct null *null = calloc(1, sizeof(*null));

	(void)args, (void)descr, (void)interface_version, (void)open_args;
	if (!null)
		return NULL;
	null->fd = eventfd(0, EFD_CLOEXEC);
	return null->fd < 0 ? NULL : plugin_conn(&TAKE_PTR(null)->head);
}

static ssize_t null_recv(VDECONN *conn, void *buf, size_t len, int flags)
{
	(void)conn, (void)buf, (void)len, (void)flags;
	return plugin_nothing();
}

static ssize_t null_send(VDECONN *conn, const void *buf, size_t len, int flags)
{
	(void)conn, (void)buf, (void)flags;
	return (ssize_t)len;
}

static int null_datafd(VDECONN *conn)
{
	return null_of(conn)->fd;
}

static int null_ctlfd(VDECONN *conn)
{
	(void)conn;
	return -1;
}

static int null_close(VDECONN *conn)
{
	(void)close(null_of(conn)->fd);
	free(null_of(conn));
	return 0;
}

extern const struct vdeplug_module vdeplug_ops;
PUBLIC const struct vdeplug_module vdeplug_ops = {
	.vde_open_real = null_open,
	.vde_recv = null_recv,
	.vde_send = null_send,
	.vde_datafd = null_datafd,
	.vde_ctlfd = null_ctlfd,
	.vde_close = null_close,
};
