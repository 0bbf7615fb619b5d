/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The spanning tree of each VLAN, bound to the switch. stp_engine.h has the protocol itself, which
 * knows nothing of the switch. All calls are cheap when it is off.
 */
#pragma once

#include "vde/switch/vlan.h"

struct stp_engine;

int stp_new(struct vde_switch *sw);
void stp_free(struct vde_switch *sw);

bool stp_enabled(const struct vde_switch *sw);
/* All ports begin, or end, to wait for the tree. -EBUSY in hub mode. */
int stp_enable(struct vde_switch *sw, bool on);

/* Told by vlan.c whenever a VLAN comes or goes, or a port's membership, tag or activity changed. */
int stp_vlan_added(struct vde_switch *sw, struct vlan *vlan);
void stp_vlan_removed(struct vde_switch *sw, struct vlan *vlan);
void stp_port_changed(struct vde_switch *sw, struct vlan *vlan, unsigned port);

/* What PORT may do in VLAN while the tree is on (called by vlan_update_port()). */
enum port_state stp_port_state(const struct vde_switch *sw, const struct vlan *vlan, unsigned port);

/*
 * The settings of fstp/setedge and fstp/bonus; stp_engine.h tells what they mean. The port need not
 * exist yet: they are kept by its number. -EINVAL above the port limit, -ENOMEM.
 */
int stp_set_edge(struct vde_switch *sw, const struct vlan *vlan, unsigned port, bool edge);
int stp_set_bonus(struct vde_switch *sw, const struct vlan *vlan, unsigned port, int32_t cost);

/* The protocol of VLAN, for listings; borrowed until the VLAN goes. It may not be running. */
const struct stp_engine *stp_engine_of(const struct vde_switch *sw, const struct vlan *vlan);

struct takeover_link;
struct takeover_message;

/*
 * For a takeover: sends the trees that run; takes one, when the ports of its VLAN are there. The
 * taker's tree is off until then, so nothing is sent: it goes on where the other one stood.
 */
int stp_pack(const struct vde_switch *sw, const struct takeover_link *link);
int stp_unpack(struct vde_switch *sw, const struct takeover_message *m);

/*
 * A frame to 01:80:c2:00:00:0x came in on PORT, in VLAN. Returns true when it was taken: it is not
 * forwarded. While the tree is off all of them are forwarded as data (false).
 */
bool stp_input(struct vde_switch *sw, struct port *port, struct vlan *vlan, const uint8_t *frame,
	       size_t len);
