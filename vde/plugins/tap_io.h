/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tap:// and macvtap:// share: a character device that gives and takes one frame per call. */
#pragma once

#include <stdatomic.h>

#include "vde/plugins/plugin.h"

struct tap_rest;

struct tap {
	struct plugin_head head;
	int fd; /* owned; IFF_VNET_HDR: each frame stands behind a struct vnet_header */
	_Atomic(uint64_t) features;      /* VDE_FEATURE_...: what the program takes */
	_Atomic(struct tap_rest *) rest; /* owned; made when it asks for the first */
};

/*
 * Opens the network locator's device, with IFF_VNET_HDR; a descriptor that the caller closes, or
 * a negative errno with a sentence.
 */
typedef int tap_opener(const char *name, struct error *error);

VDECONN *tap_connect(tap_opener *opener, const char *name);
ssize_t tap_recv(VDECONN *conn, void *buf, size_t len, int flags);
ssize_t tap_send(VDECONN *conn, const void *buf, size_t len, int flags);
int tap_datafd(VDECONN *conn);
int tap_ctlfd(VDECONN *conn);
int tap_close(VDECONN *conn);
uint64_t tap_features(VDECONN *conn, uint64_t features);
int tap_recv_batch(VDECONN *conn, struct vde_frame *frames, unsigned count);
int tap_send_batch(VDECONN *conn, const struct vde_frame *frames, unsigned count);

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
	};                                                                          \
	extern const struct vdeplug_ops_ext vdeplug_ops_ext;                        \
	PUBLIC const struct vdeplug_ops_ext vdeplug_ops_ext = {                     \
		.size = sizeof(vdeplug_ops_ext),                                    \
		.vde_features = tap_features,                                       \
		.vde_recv_batch = tap_recv_batch,                                   \
		.vde_send_batch = tap_send_batch,                                   \
	}
