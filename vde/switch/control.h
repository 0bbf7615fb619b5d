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

struct takeover_link;
struct takeover_message;

/*
 * For a takeover: sends the listening sockets, and the connections without a request, other than those that
 * want to take over.
 */
int control_pack(const struct vde_switch *sw, const struct takeover_link *link);

/* The successor's: instead of control_open(), in sw->dir as it is, without any socket yet. */
int control_adopt(struct vde_switch *sw, gid_t gid, bool made_dir);
int control_unpack_door(struct vde_switch *sw, struct takeover_message *m);
int control_unpack_pending(struct vde_switch *sw, struct takeover_message *m);
/* True when all listening sockets are there. */
bool control_complete(const struct vde_switch *sw);
/* Whether the directory was made by this switch, or the one before it. */
bool control_made_dir(const struct vde_switch *sw);

/* The group of the sockets in the directory; (gid_t)-1: none was named. */
gid_t control_gid(const struct vde_switch *sw);
