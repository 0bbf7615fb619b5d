/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plugs that share rings with the switch; plug_ring.c tells how. */
#pragma once

#include "vde/switch/endpoint.h"
#include "wire/vde_ring.h"

extern const struct endpoint_class plug_ring_class;

int plug_rings_new(struct vde_switch *sw);
void plug_rings_free(struct vde_switch *sw);

/*
 * Makes an endpoint of a valid HELLO and welcomes it. Takes *CONTROL_FD (and *DEVICE_FD, when the
 * plug is a device) on success; else ERROR has the sentence for the refusal, and nothing is left behind.
 */
int plug_ring_join(struct vde_switch *sw, int *control_fd,
		   const struct vde_ring_message_parts *hello, int *device_fd, struct error *error);

struct port;

/* The port that HELLO asks for, for whoever is at the other end of CONTROL_FD; a sentence when not. */
int plug_ring_acquire(struct vde_switch *sw, int control_fd,
		      const struct vde_ring_message_parts *hello, struct port **ret, uid_t *ret_uid,
		      struct error *error);
