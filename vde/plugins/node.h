/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Netnodes: hub, switch, multi and bonding inside the process that opens them. One engine, and a
 * rule (node_rule.h) for each scheme. node.c has the theory of operation.
 */
#pragma once

#include <libvdeplug_mod.h>

#include "vde/plugins/node_rule.h"

VDECONN *node_open(char *args, char *descr, int interface_version, struct vde_open_args *open_args);
ssize_t node_recv(VDECONN *conn, void *buf, size_t len, int flags);
ssize_t node_send(VDECONN *conn, const void *buf, size_t len, int flags);
int node_datafd(VDECONN *conn);
int node_ctlfd(VDECONN *conn);
int node_close(VDECONN *conn);
uint64_t node_features(VDECONN *conn, uint64_t features);
int node_recv_batch(VDECONN *conn, struct vde_frame *frames, unsigned count);
int node_send_batch(VDECONN *conn, const struct vde_frame *frames, unsigned count);

extern const struct node_rule node_rule; /* of this plug-in */
extern const struct vdeplug_module vdeplug_ops;
extern const struct vdeplug_ops_ext vdeplug_ops_ext;

/* Makes a plug-in of a rule; the arguments are the initialiser of its struct node_rule. */
#define NODE_PLUGIN(...)                                    \
	const struct node_rule node_rule = { __VA_ARGS__ }; \
	PUBLIC const struct vdeplug_module vdeplug_ops = {  \
		.vde_open_real = node_open,                 \
		.vde_recv = node_recv,                      \
		.vde_send = node_send,                      \
		.vde_datafd = node_datafd,                  \
		.vde_ctlfd = node_ctlfd,                    \
		.vde_close = node_close,                    \
	};                                                  \
	PUBLIC const struct vdeplug_ops_ext vdeplug_ops_ext = { \
		.size = sizeof(vdeplug_ops_ext),            \
		.vde_features = node_features,              \
		.vde_recv_batch = node_recv_batch,          \
		.vde_send_batch = node_send_batch,          \
	}
