/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TAP interfaces of programs that carry their frames (base/tun.h has what all others do, too). */
#pragma once

#include <net/if.h>

#include "base/error.h"

struct tap {
	int fd; /* owned by whoever has the struct; close-on-exec, non-blocking */
	char name[IFNAMSIZ];
	uint8_t mac[6];
	int index;
	bool vnet;       /* each frame stands behind a struct vnet_header */
	bool uso;        /* UDP super-frames, too (Linux 6.2) */
	bool persistent; /* the interface was there before and stays */
};

/*
 * Opens /dev/net/tun and makes, or joins, the TAP interface NAME ("" or a name with %d: the kernel
 * chooses). An interface that ends with the descriptor carries super-frames (see segment.h); one
 * that others made and will use later is left as they know it. The interface is in the caller's
 * network namespace and stays down.
 */
int tap_open(const char *name, struct tap *ret, struct error *error);

/* Lets the kernel hand over super-frames, of UDP, too, if it knows them: true. */
bool tap_offload(int fd);

/* Sets whether the interface has carrier ("the cable is plugged in"); does nothing before Linux 5.0. */
void tap_set_carrier(int fd, bool on);
