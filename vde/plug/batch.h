/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames in batches on any connection: the plug-in's own way (struct vdeplug_ops_ext) as far as it
 * goes, the old operations for the rest. All return negative errno; see libvdeplug.h.
 */
#pragma once

#include <libvdeplug.h>

#include "vde/plug/loader.h"

uint64_t batch_features(VDECONN *conn, uint64_t features);
int batch_recv(VDECONN *conn, struct vde_frame *frames, unsigned count);
int batch_send(VDECONN *conn, const struct vde_frame *frames, unsigned count);
int batch_rx_get(VDECONN *conn, struct vde_frame *frames, unsigned count);
void batch_rx_put(VDECONN *conn, unsigned count);
int batch_tx_get(VDECONN *conn, struct vde_frame *frames, unsigned count, size_t len);
int batch_tx_commit(VDECONN *conn, const struct vde_frame *frames, unsigned count);
int batch_busy_poll(VDECONN *conn, unsigned usec);

/* Frees what the calls above made for a connection with MODULE. */
void batch_done(struct plug_module *module);
