/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VLANs: which ports belong to each, with or without a tag, and what the spanning tree lets each
 * do. Sets of ports are bit maps of as many words as the switch's port limit needs.
 */
#pragma once

#include "vde/switch/port.h"

typedef uint64_t port_word;
#define PORT_WORD_BITS 64

enum port_state {
	PORT_DISCARDING,
	PORT_LEARNING,
	PORT_FORWARDING,
	PORT_NUM_STATES,
};

/* "Discarding", "Learning", "Forwarding". */
const char *port_state_name(enum port_state state);

struct vlan {
	uint16_t id;
	size_t words;
	port_word *untagged; /* ports whose untagged VLAN this is */
	port_word *tagged;   /* ports that are members with a tag (untagged ones may be in both) */
	port_word *learn;    /* members that may learn */
	port_word *forward;  /* active members that may send and receive */
	struct counters counters;
};

static inline bool port_set_has(const port_word *set, unsigned port)
{
	return set[port / PORT_WORD_BITS] >> (port % PORT_WORD_BITS) & 1;
}

/* NULL when it is not there or ID is out of range. */
struct vlan *vlan_find(const struct vde_switch *sw, long long id);

/* VLAN 0 exists from the start. -EINVAL outside 1 to 4094, -EEXIST, -ENOMEM. */
int vlan_create(struct vde_switch *sw, long long id);

/* -EINVAL for VLAN 0, -ENXIO, -EADDRINUSE while it is some port's untagged VLAN. */
int vlan_remove(struct vde_switch *sw, long long id);

/* Tagged membership. -ENXIO: no such VLAN or port. -EADDRINUSE: vlan_del_port() of untagged. */
int vlan_add_port(struct vde_switch *sw, long long id, long long port);
int vlan_del_port(struct vde_switch *sw, long long id, long long port);

/* The untagged VLAN of a port; VLAN_NONE: none. -ENXIO: no such VLAN. */
int vlan_set_untagged(struct vde_switch *sw, struct port *port, long long id);

/* True when PORT is a member, tagged or not. */
static inline bool vlan_has_port(const struct vlan *vlan, unsigned port)
{
	return port_set_has(vlan->untagged, port) || port_set_has(vlan->tagged, port);
}

/* True when frames of this VLAN leave PORT with a tag. */
static inline bool vlan_is_tagged(const struct vlan *vlan, unsigned port)
{
	return !port_set_has(vlan->untagged, port);
}

enum port_state vlan_port_state(const struct vde_switch *sw, const struct vlan *vlan,
				unsigned port);

/* Of the spanning tree: sets what a member may do; announces changes (fstp/status). */
void vlan_set_port_state(struct vde_switch *sw, struct vlan *vlan, unsigned port,
			 enum port_state state);

/* Membership, activity or the spanning tree's mode changed: works out state and sets again. */
void vlan_update_port(struct vde_switch *sw, struct vlan *vlan, unsigned port);
void vlan_update_all(struct vde_switch *sw);

/* Makes all sets wide enough for the switch's port limit; -ENOMEM. */
int vlan_resize(struct vde_switch *sw, unsigned num_ports);
void vlans_done(struct vde_switch *sw);

/* Walks the ports of a set, from 0 up. */
#define PORT_SET_FOREACH(set, num_words, number)                                            \
	for (size_t w_ = 0; w_ < (num_words); w_++)                                         \
		for (port_word left_ = (set)[w_]; left_; left_ &= left_ - 1)                \
			for (unsigned number = (unsigned)(w_ * PORT_WORD_BITS) +            \
					       (unsigned)__builtin_ctzll(left_), once_ = 1; \
			     once_; once_ = 0)
