/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plugs of the old protocol: a datagram a frame; plug_dgram.c tells how. */
#pragma once

#include "vde/switch/endpoint.h"
#include "wire/vde_control.h"

extern const struct endpoint_class plug_dgram_class;

/*
 * Makes an endpoint of a valid request and answers it. Takes *CONTROL_FD on success; -errno is why
 * the plug is refused, and nothing is left behind.
 */
int plug_dgram_join(struct vde_switch *sw, int *control_fd, const struct vde_control *request);
