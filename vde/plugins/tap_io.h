/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tap:// and macvtap:// share: a character device that gives and takes one frame per call. */
#pragma once

#include "vde/plugins/plugin.h"

struct tap {
	struct plugin_head head;
	int fd; /* owned */
};

/*
 * Opens the network locator's device, ready for raw frames; a descriptor that the caller closes, or
 * a negative errno with a sentence.
 */
typedef int tap_opener(const char *name, struct error *error);

VDECONN *tap_connect(tap_opener *opener, const char *name);
ssize_t tap_recv(VDECONN *conn, void *buf, size_t len, int flags);
ssize_t tap_send(VDECONN *conn, const void *buf, size_t len, int flags);
int tap_datafd(VDECONN *conn);
int tap_ctlfd(VDECONN *conn);
int tap_close(VDECONN *conn);

#define TAP_PLUGIN(opener)                                                          \
	static VDECONN *plugin_open(char *args, char *descr, int interface_version, \
				    struct vde_open_args *open_args)                \
	{                                                                           \
		(void)descr, (void)interface_version, (void)open_args;              \
		return tap_connect(opener, args);                                   \
	}                                                                           \
	extern const struct vdeplug_module vdeplug_ops;                             \
	PUBLIC const struct vdeplug_module vdeplug_ops = {                          \
		.vde_open_real = plugin_open,                                       \
		.vde_recv = tap_recv,                                               \
		.vde_send = tap_send,                                               \
		.vde_datafd = tap_datafd,                                           \
		.vde_ctlfd = tap_ctlfd,                                             \
		.vde_close = tap_close,                                             \
	}
