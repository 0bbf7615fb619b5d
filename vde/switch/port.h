/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports: numbered places with a VLAN, access rules, counters and any number of endpoints. Port 0
 * is the management port; it is not in the automatic pool and not part of a hub.
 */
#pragma once

#include "vde/switch/switch.h"

#define PORT_LIMIT 16383 /* the highest number there can be */

enum drop_reason {
	DROP_SHORT,      /* in: fewer than 14 bytes */
	DROP_OVERSIZE,   /* in or out: above the largest frame of that endpoint */
	DROP_VLAN,       /* in: of a VLAN that the port is not in, or untagged where there is none */
	DROP_STATE,      /* in: the spanning tree holds the port shut */
	DROP_OFFLOAD,    /* in: its offload header contradicts the frame */
	DROP_PLUGIN,     /* in: a plug-in of the switch refused it */
	DROP_QUEUE_FULL, /* out: the endpoint does not read fast enough */
	DROP_NO_BUFFER,  /* out: the memory for all queues is used up */
	DROP_REFUSED,    /* out: the endpoint's socket or interface took it not */
	DROP_NUM_REASONS,
};

/* "short", "oversize" ...: names for listings. */
const char *drop_reason_name(enum drop_reason reason);
/* -1: there is none of that name. */
int drop_reason_parse(const char *name);

struct traffic {
	uint64_t packets;
	uint64_t bytes;
};

/* Frames are counted as they are on the wire: a super-frame counts as what it is cut into. */
struct counters {
	struct traffic in;
	struct traffic out;
	uint64_t super_in; /* super-frames among them */
	uint64_t super_out;
	uint64_t drops[DROP_NUM_REASONS];
};

struct port {
	unsigned number;
	uint16_t untagged_vlan; /* VLAN_NONE: none */
	bool allocatable;       /* in the pool for clients that ask for any port */
	uid_t user;             /* of its endpoints; (uid_t)-1 while there is none */
	uid_t access_user;      /* (uid_t)-1: NONE */
	gid_t access_group;     /* (gid_t)-1: NONE */
	struct counters counters;
	struct endpoint *endpoints; /* list through ->next_on_port, in order of arrival */
};

static inline bool port_active(const struct port *port)
{
	return port->endpoints != NULL;
}

/* NULL when there is none, or NUMBER is out of range. */
struct port *port_find(const struct vde_switch *sw, long long number);

/* -EINVAL out of range, -EEXIST, -ENOMEM. Joins untagged VLAN 0. *ret may be NULL. */
int port_create(struct vde_switch *sw, unsigned number, bool allocatable, struct port **ret);

/* -ENXIO when there is none, -EADDRINUSE while it has endpoints. */
int port_remove(struct vde_switch *sw, unsigned number);

/* The lowest number from 1 up for which no port exists; -ENOSPC. */
int port_free_number(const struct vde_switch *sw);

/* -EADDRINUSE when a port above NUMBER exists, -EINVAL out of range. */
int port_set_limit(struct vde_switch *sw, long long number);

/* Who asks for a port: from SO_PEERCRED and SO_PEERGROUPS, or a user somebody else acts for. */
struct port_client {
	uid_t uid;
	bool named_groups; /* the groups are those of the user database, not the ones below */
	gid_t gid;
	const gid_t *groups;
	size_t num_groups;
};

/*
 * The port for a client that wants NUMBER (0: any in the pool; with MANAGEMENT: port 0), created
 * if need be. -EPERM by access rules, -EADDRINUSE when another user has it, -ENOSPC, -EINVAL above
 * the limit.
 */
int port_acquire(struct vde_switch *sw, unsigned number, bool management,
		 const struct port_client *client, struct port **ret);

/* Called by endpoint.c: the port gained its first, or lost its last, endpoint. */
void port_activity_changed(struct vde_switch *sw, struct port *port);

/* Closes everything and frees. */
void ports_done(struct vde_switch *sw);
