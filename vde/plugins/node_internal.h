/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shared by node.c (what the host calls), node_frame.c (frames of clients), node_out.c (where frames go),
 * node_open.c (life cycle) and node_client.c (control connections).
 */
#pragma once

#include <pthread.h>

#include "vde/plugins/node.h"
#include "vde/plugins/node_dir.h"
#include "vde/plugins/plugin.h"
#include "vde/plugins/ring_end.h"
#include "vde/plugins/super.h"
#include "wire/vde_control.h"

#define NODE_FEATURES   ((uint64_t)VDE_RING_F_ALL) /* what clients may send */
#define NODE_RULE_BYTES 18 /* of a frame that a rule reads: header and tag */

enum node_client_state {
	NODE_CLIENT_NONE,   /* the slot is free */
	NODE_CLIENT_ASKING, /* connected, its request is not whole yet */
	NODE_CLIENT_JOINED, /* has a data socket or rings */
	NODE_CLIENT_NUM_STATES,
};

/* Slot N of the table is port N; slot 0 stays unused. */
struct node_client {
	enum node_client_state state;
	int control;    /* owned */
	int data;       /* owned; -1 before NODE_CLIENT_JOINED, and with rings */
	bool wants_ring;       /* it came to DIR/ring */
	struct ring_end *ring; /* owned; NULL before NODE_CLIENT_JOINED, and with a data socket */
	uint32_t leaving;      /* bytes of its ring that are still taken after its end; 0: it is there */
	uint64_t since; /* order of arrival */
	size_t request_len;
	uint8_t request[VDE_CONTROL_MAX];
	size_t excess; /* bytes on the control connection behind the request */
	struct plugin_out out;
};

/* What an epoll event is about. */
enum node_event {
	NODE_EVENT_LISTENER,
	NODE_EVENT_RING_LISTENER,
	NODE_EVENT_CONTROL,
	NODE_EVENT_DATA,
	NODE_EVENT_BELL,
	NODE_EVENT_MORE,
	NODE_EVENT_TRIM,
	NODE_NUM_EVENTS,
};

struct node {
	struct plugin_head head;
	const struct node_rule *rule;
	void *memory; /* the rule's, owned */
	bool started; /* the rule was */
	pthread_mutex_t
		lock; /* over all that follows: one thread may receive while another sends */
	int epoll;    /* owned; the datafd */
	int listener; /* owned; DIR/ctl */
	int ring_listener; /* owned; DIR/ring; -1: ring=no */
	int reserve;  /* owned; given up for a moment to refuse when descriptors run out */
	struct node_dir dir;
	mode_t mode; /* of sockets */
	gid_t gid;   /* of sockets; (gid_t)-1: as it comes */
	uint64_t arrivals;
	struct ring_set rings;
	uint64_t features; /* what the host takes */
	struct super_rest rest_of_super; /* for the host */
	unsigned unlooked; /* frames taken from rings since the last look at the epoll set */
	uint64_t now;      /* seconds, for rules that learn */
	struct node_ports ports;
	struct node_client clients[NODE_PORTS];
	uint8_t rest[PLUGIN_FRAME_MAX]; /* what of a frame does not fit the caller's buffer */
};

/* A frame on its way. What rules read is private; the rest may be in a stranger's ring. */
struct node_frame {
	uint8_t head[NODE_RULE_BYTES]; /* a copy of its first bytes, as many as it has */
	struct iovec parts[OFFLOAD_PIECES];
	unsigned num_parts;
	uint32_t len;
	struct vnet_header vnet;
	struct offload_frame *of; /* borrowed; NULL: a plain frame */
};

/* node_frame.c */

/* Takes frames from the ring whose turn it is. Returns how many. */
unsigned node_take_ring(struct node *n, struct plugin_sink *sink);

/* Takes frames from the data socket of PORT. Returns how many. */
unsigned node_take_socket(struct node *n, unsigned port, struct plugin_sink *sink);

/* node_out.c */

/* Sends a client's frame where the rule says; the host's copy goes to SINK, which is not full. */
void node_forward(struct node *n, unsigned from, const struct node_frame *f, struct plugin_sink *sink);

/*
 * Sends the host's frame. WAIT: as vde_send (plain frames), else as the batch call. 0, also when it was
 * dropped; -EAGAIN: its only destination is full, and is a ring.
 */
int node_host_send(struct node *n, const struct node_frame *f, bool wait);

/* node_client.c */

static inline uint64_t node_event_key(enum node_event event, unsigned port)
{
	return (uint64_t)event << 16 | port;
}

/* Watches FD (borrowed) for input. 0 or a negative errno. */
int node_watch(struct node *n, int fd, enum node_event event, unsigned port);

/* Accepts one connection from a listener, or refuses it. RING: from that of rings. */
void node_accept(struct node *n, bool ring);

/* Input or the end on the control connection of PORT. */
void node_control_ready(struct node *n, unsigned port);

/* Ends PORT: closes and removes all it has. Does nothing for a free slot. */
void node_client_drop(struct node *n, unsigned port);
