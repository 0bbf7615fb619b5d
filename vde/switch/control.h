/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control directory and the plugs that come through it; control.c tells how they join. */
#pragma once

#include "vde/switch/switch.h"

/* Works out modes, makes the directory and listens on DIR/ctl. Errors name cause and remedy. */
int control_open(struct vde_switch *sw, struct error *error);

/* Closes pending connections, removes ctl and the directory if it is empty. */
void control_close(struct vde_switch *sw);

/*
 * accept(2) on LISTEN_FD failed for want of a descriptor: closes a connection that has asked for
 * nothing yet, or the one that waits, so that nobody spins.
 */
void control_out_of_descriptors(struct vde_switch *sw, int listen_fd);

/* Raises the soft limit of descriptors to the hard one. */
void control_raise_limits(void);

#define CONTROL_MAX_GROUPS 64

struct port_client;

/* Who is at the other end of a control connection: user, group, and the groups, kept in GROUPS. */
int control_credentials(int fd, struct port_client *client, gid_t groups[CONTROL_MAX_GROUPS]);

/* The group of the sockets in the directory; (gid_t)-1: none was named. */
gid_t control_gid(const struct vde_switch *sw);
