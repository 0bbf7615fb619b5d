/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plugs that hand their TAP to the switch; plug_device.c tells how. */
#pragma once

#include "vde/switch/endpoint.h"
#include "wire/vde_ring.h"

extern const struct endpoint_class plug_device_class;

/*
 * Makes an endpoint of a valid HELLO of kind DEVICE and of the descriptor that came with it (-1: none
 * did), and welcomes it. Takes *CONTROL_FD and *DEVICE_FD on success; else ERROR has the sentence for the
 * refusal, and nothing is left behind. EOPNOTSUPP tells the plug to carry frames by itself.
 */
int plug_device_join(struct vde_switch *sw, int *control_fd,
		     const struct vde_ring_message_parts *hello, int *device_fd,
		     struct error *error);
