/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames as datagrams, as every switch has them. All that return int or ssize_t give negative errno.
 *
 * The data socket stays blocking, as programs expect. Two things are done about that. Sending waits
 * for a switch that does not keep up 50 ms at most and then drops, and once it dropped it does not
 * wait again until a frame got through: a stopped switch cannot stop its clients. Receiving watches
 * the control socket, too: a datagram socket has no end of file.
 */
#pragma once

#include <stdatomic.h>

#include <libvdeplug.h>

#include "base/util.h"

struct vde_datagram {
	int data_fd; /* owned, as the other */
	int ctl_fd;
	atomic_bool choked; /* the last frame was dropped: do not wait for the switch */
};

/* 0 at the end of the network. */
ssize_t vde_datagram_recv(struct vde_datagram *d, void *buf, size_t len);
ssize_t vde_datagram_send(struct vde_datagram *d, const void *buf, size_t len);

/* See vde_recv_batch() and vde_send_batch(); frames are complete. */
int vde_datagram_recv_batch(struct vde_datagram *d, struct vde_frame *frames, unsigned count);
int vde_datagram_send_batch(struct vde_datagram *d, const struct vde_frame *frames, unsigned count);

void vde_datagram_done(struct vde_datagram *d);
