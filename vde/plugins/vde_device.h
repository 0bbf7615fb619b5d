/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handing a TAP to a switch that reads and writes it by itself: wire/vde_ring.h, kind DEVICE. */
#pragma once

#include "vde/plugins/vde_port.h"

struct vde_device {
	int ctl_fd;        /* silent; its end is the end of the port */
	uint64_t features; /* VDE_RING_F_...: what the switch takes from the interface */
};

/*
 * Offers the TAP (borrowed) to the switch of WISH, waiting VDE_RING_PATIENCE_MS at most, and then sets
 * the interface's offloads to what the switch takes. The caller owns ret->ctl_fd. ERROR gets a sentence;
 * -EOPNOTSUPP: there is no switch that takes this interface, but there may be one.
 */
int vde_device_open(const struct vde_wish *wish, int tap_fd, struct vde_device *ret,
		    struct error *error);
