/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Endpoints: one connected plug or TAP interface each. The kind (struct endpoint_class) knows how
 * to write; output goes through endpoint_queue or, in the fast path, forward.c's batch.
 */
#pragma once

#include <sys/uio.h>

#include "vde/switch/hold.h"
#include "vde/switch/outq.h"
#include "vde/switch/port.h"
#include "wire/vde_control.h"

struct takeover_message;

struct endpoint_class {
	const char *module;    /* as port/print shows it: "unix prog", "tuntap" */
	const char *transport; /* "datagram", "ring", "tap" */
	/*
	 * Writes COUNT frames (msg_len has the length of each). Returns how many were taken; 0
	 * means that it would block. A negative errno is about the first one, which is dropped.
	 */
	int (*write)(struct endpoint *ep, struct mmsghdr *msgs, unsigned count);
	/*
	 * What waits in the queue is the class's affair: write() takes all frames, in order, counts them, and
	 * has what the peer does not take yet queued (endpoint_queue()), in whatever form it likes.
	 */
	bool queues;
	size_t queue_mark; /* bytes in the queue above which senders are held (hold.h) */
	/* The endpoint is no longer held: it is to be read. NULL: it never is. */
	void (*resume)(struct vde_switch *sw, struct endpoint *ep);
	/*
	 * Takes this batch's share (forward_share()) by itself; NULL: it is written by write(). What is
	 * not taken is dropped and counted (endpoint_count_drop()).
	 */
	void (*flush)(struct vde_switch *sw, struct endpoint *ep);
	/* Called once when the endpoint goes, before it is freed: sockets, names. */
	void (*close)(struct vde_switch *sw, struct endpoint *ep);
	/*
	 * For a takeover (takeover.h tells how a class is added). pack() appends what unpack() needs beside
	 * what all endpoints have: descriptors, and numbers as ITEM_CLASS; NULL: nothing. unpack() makes the
	 * endpoint of COMMON (what all have; `class` is not set) and puts its descriptors in the loop; it
	 * neither reads nor writes anything. On success it owns what COMMON has. NULL: a takeover is refused
	 * while there is such an endpoint.
	 */
	void (*pack)(const struct endpoint *ep, struct takeover_message *m);
	int (*unpack)(struct vde_switch *sw, const struct endpoint *common, struct takeover_message *m,
		      struct endpoint **ret);
};

struct endpoint {
	const struct endpoint_class *class;
	struct vde_switch *sw;
	struct port *port;
	struct endpoint *next_on_port;
	int id;         /* unique while it lives: see endpoint_new_id() */
	int data_fd;    /* owned */
	int control_fd; /* owned; -1: none */
	loop_ref data_ref, control_ref;
	uint32_t data_events; /* EPOLLIN, and EPOLLOUT while the queue is not empty */
	uint64_t read_turn;   /* of the loop, in which frames were last read */
	uid_t user;
	char descr[VDE_CONTROL_DESCR_SIZE]; /* "": none */
	char *path;        /* of its data socket in the switch directory, owned; NULL: none */
	struct outq queue; /* what it did not take yet */
	struct hold hold;
	uint32_t max_in;   /* bytes of the largest frame that it may send; 0: the switch's */
	uint32_t max_out;  /* and that it is sent, super-frames apart */
	uint32_t max_super; /* and of the largest super-frame that it takes whole; 0: all */
	uint64_t takes;    /* VDE_RING_F_...: work that it takes along with frames; needs flush() */
	struct counters counters;

	/* Of forward.c: this batch's share, indexes into the batch with a bit for the tag. */
	struct endpoint *next_dirty;
	bool dirty;
	uint8_t num_pending;
	uint8_t pending[64];
	bool gone;
};

/*
 * Adds EP to PORT, which owns it from here on. The caller has put its descriptors in the loop, the data
 * descriptor for EPOLLIN (as data_events says).
 */
void endpoint_attach(struct vde_switch *sw, struct port *port, struct endpoint *ep);

/*
 * The id of an endpoint whose control (or TAP) descriptor is FD: that number, unless an endpoint that
 * was taken over from another process has it.
 */
int endpoint_new_id(const struct vde_switch *sw, int fd);

/* Puts a frame that was queued (and counted) in another process at the end of the queue. */
void endpoint_requeue(struct vde_switch *sw, struct endpoint *ep, const void *frame, size_t len);

/*
 * Puts LEN bytes at the end of the queue, for a class that minds its queue itself. False: it is full; the
 * drop is counted.
 */
bool endpoint_queue(struct vde_switch *sw, struct endpoint *ep, const struct msghdr *msg, size_t len);

/* Detaches, closes, and frees after this batch. */
void endpoint_close(struct vde_switch *sw, struct endpoint *ep);

/* NULL when PORT has none with this id. */
struct endpoint *endpoint_find(const struct port *port, int id);

/* Hands COUNT frames to the kernel, queues what it does not take, and counts. */
void endpoint_write(struct vde_switch *sw, struct endpoint *ep, struct mmsghdr *msgs,
		    unsigned count);

/* Sends one whole frame that the switch itself made (BPDUs). */
void endpoint_send(struct vde_switch *sw, struct endpoint *ep, const void *frame, size_t len);

/* Bytes in its queue above which who sends to it is held: never more than half of what it may have. */
size_t endpoint_queue_mark(const struct endpoint *ep);

/* For flush(): what was taken, and what was not. */
void endpoint_count_out(struct endpoint *ep, uint64_t frames, uint64_t bytes, uint64_t super);
void endpoint_count_drop(struct endpoint *ep, enum drop_reason reason);

/* The queue may be shorter: whoever is held because of it is read again if it is short enough. */
void endpoint_queue_shrunk(struct vde_switch *sw, struct endpoint *ep);

/* Writable again: empties the queue as far as possible. */
void endpoint_flush_queue(struct vde_switch *sw, struct endpoint *ep);
