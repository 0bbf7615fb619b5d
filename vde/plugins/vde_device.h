/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handing a TAP to a switch that reads and writes it by itself: wire/vde_ring.h, kind DEVICE. */
#pragma once

#include "vde/plugins/vde_port.h"

/*
 * Offers the TAP (borrowed) to the switch of WISH, waiting VDE_RING_PATIENCE_MS at most, and then sets
 * the interface's offloads to what the switch takes. Returns the control socket, which is the caller's and
 * silent: its end is the end of the port. ERROR gets a sentence; -EOPNOTSUPP: there is no switch that
 * takes this interface, but there may be one.
 */
int vde_device_open(const struct vde_wish *wish, int tap_fd, struct error *error);
