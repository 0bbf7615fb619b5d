/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control directory and the plugs that come through it; datasock.c tells the protocol. */
#pragma once

#include "vde/switch/switch.h"

/* Works out modes, makes the directory and listens on DIR/ctl. Errors name cause and remedy. */
int datasock_open(struct vde_switch *sw, struct error *error);

/* Closes pending connections, removes ctl and the directory if it is empty. */
void datasock_close(struct vde_switch *sw);

/*
 * accept(2) on LISTEN_FD failed for want of a descriptor: closes a connection that has asked for
 * nothing yet, or the one that waits, so that nobody spins.
 */
void datasock_out_of_descriptors(struct vde_switch *sw, int listen_fd);

/* Raises the soft limit of descriptors to the hard one. */
void datasock_raise_limits(void);
