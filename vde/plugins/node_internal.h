/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by node.c (frames), node_open.c (life cycle) and node_client.c (control connections). */
#pragma once

#include <pthread.h>

#include "vde/plugins/node.h"
#include "vde/plugins/node_dir.h"
#include "vde/plugins/plugin.h"
#include "wire/vde_control.h"

enum node_client_state {
	NODE_CLIENT_NONE,   /* the slot is free */
	NODE_CLIENT_ASKING, /* connected, its request is not whole yet */
	NODE_CLIENT_JOINED, /* has a data socket */
	NODE_CLIENT_NUM_STATES,
};

/* Slot N of the table is port N; slot 0 stays unused. */
struct node_client {
	enum node_client_state state;
	int control;    /* owned */
	int data;       /* owned; -1 before NODE_CLIENT_JOINED */
	uint64_t since; /* order of arrival */
	size_t request_len;
	uint8_t request[VDE_CONTROL_MAX];
	size_t excess; /* bytes on the control connection behind the request */
	struct plugin_out out;
};

/* What an epoll event is about. */
enum node_event {
	NODE_EVENT_LISTENER,
	NODE_EVENT_CONTROL,
	NODE_EVENT_DATA,
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
	int reserve;  /* owned; given up for a moment to refuse when descriptors run out */
	struct node_dir dir;
	mode_t mode; /* of sockets */
	gid_t gid;   /* of sockets; (gid_t)-1: as it comes */
	uint64_t arrivals;
	struct node_ports ports;
	struct node_client clients[NODE_PORTS];
	uint8_t rest[PLUGIN_FRAME_MAX]; /* what of a frame does not fit the caller's buffer */
};

/* node_client.c */

/* Watches FD (borrowed) for input. 0 or a negative errno. */
int node_watch(struct node *n, int fd, enum node_event event, unsigned port);

/* Accepts one connection from the listener, or refuses it. */
void node_accept(struct node *n);

/* Input or the end on the control connection of PORT. */
void node_control_ready(struct node *n, unsigned port);

/* Ends PORT: closes and removes all it has. Does nothing for a free slot. */
void node_client_drop(struct node *n, unsigned port);
