/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The plug's side of a pair of rings, as the calls of libvdeplug.h want it. All that return int or
 * ssize_t give negative errno.
 *
 * Threads and forks. What a parent and its children have in common is in shared memory, `shared`: the
 * private counters of both rings, and a lock for each direction. The memory of the rings and the
 * descriptors are inherited at the same places. So a frame is received by one of them, and the
 * port is gone when the last of them has closed it.
 */
#pragma once

#include <libvdeplug.h>

#include "base/shared_lock.h"
#include "vde/plug/offload.h"
#include "vde/plug/ring_port.h"

#define RING_LENT_MAX   1024 /* frames that are lent at a time */
#define RING_PIECES     8    /* pieces of super-frames among them */
#define RING_PIECE_SIZE ((VNET_FRAME_MAX + 63) & ~63)
#define RING_ROOM_MAX   256 /* frames that vde_tx_get() gives room for */

/* A frame that was taken off the ring but whose room is not given back, in the ring's order. */
struct ring_lent {
	uint32_t end; /* position in the ring behind it */
	bool back;    /* its borrower is done with it; or nobody ever borrowed it */
	bool piece;   /* it is in pieces[] */
};

struct ring_rx {
	struct shared_lock lock;
	struct ring_consumer in;
	uint64_t features; /* what the program can deal with */
	/* the doorbell, see ring_rx.c */
	bool announced;         /* the switch was told that we sleep */
	uint32_t owed;          /* signals in the bell, or on their way to it */
	atomic_bool told;       /* somebody has the bell's descriptor */
	atomic_bool loose;      /* there may be signals that nobody counted */
	atomic_uint sleepers;   /* threads that wait for the bell */
	unsigned spin, spin_max; /* us */
	/* a super-frame that is received in pieces; it stays in the ring until the last one is out */
	bool cutting;
	uint32_t cut_len; /* of its record */
	struct offload_frame whole;
	struct offload_cut cut;
	/* frames that are lent */
	unsigned lent_first, lent_count;
	unsigned piece_first, piece_count;
	struct ring_lent lent[RING_LENT_MAX];
	uint8_t pieces[RING_PIECES][RING_PIECE_SIZE];
};

struct ring_tx {
	struct shared_lock lock;
	struct ring_producer out;
	atomic_bool gone;     /* the switch is */
	/* Asked for room and has not tried again: how often the bell is rung once more. */
	_Atomic unsigned asking;
	bool choked;          /* the last frame was dropped: do not wait for the switch */
	uint32_t max_plain;   /* bytes of the largest frame that is not a super-frame */
	unsigned reserved;    /* room that is lent; the borrower has the lock */
	uint32_t reserved_len;
	uint8_t *room[RING_ROOM_MAX];
};

struct ring_shared_state {
	_Alignas(RING_LINE) struct ring_rx rx;
	_Alignas(RING_LINE) struct ring_tx tx;
};

struct ring_conn {
	struct ring_port port; /* descriptors and memory; the rings' private parts are in `shared` */
	int echo_fd;           /* the writing end of our own bell; -1: there is no /proc */
	struct ring_shared_state *shared; /* owned mapping */
};

#define RING_CONN_INIT { .port = RING_PORT_INIT, .echo_fd = -1 }

/* Takes PORT (which becomes empty) on success: a joined one, nothing received yet. */
int ring_conn_init(struct ring_conn *c, struct ring_port *port);
void ring_conn_done(struct ring_conn *c);

uint64_t ring_conn_features(struct ring_conn *c, uint64_t features);

/* True once the switch has closed the control connection. */
bool ring_conn_gone(const struct ring_conn *c);

/* Whether calls may wait: O_NONBLOCK of vde_datafd() says not to. */
bool ring_conn_waits(const struct ring_conn *c);

/* Receiving. ring_rx_recv(): 0 at the end. ring_rx_datafd() is to be used to give out the bell. */
int ring_rx_init(struct ring_rx *rx, const struct ring_consumer *in);
int ring_rx_datafd(struct ring_conn *c);
ssize_t ring_rx_recv(struct ring_conn *c, void *buf, size_t len);
int ring_rx_batch(struct ring_conn *c, struct vde_frame *frames, unsigned count);
int ring_rx_get(struct ring_conn *c, struct vde_frame *frames, unsigned count);
void ring_rx_put(struct ring_conn *c, unsigned count);
int ring_rx_busy_poll(struct ring_conn *c, unsigned usec);

/* Sending. */
int ring_tx_init(struct ring_tx *tx, const struct ring_producer *out, uint32_t max_plain);
ssize_t ring_tx_send(struct ring_conn *c, const void *buf, size_t len);
int ring_tx_batch(struct ring_conn *c, const struct vde_frame *frames, unsigned count);
int ring_tx_get(struct ring_conn *c, struct vde_frame *frames, unsigned count, size_t len);
int ring_tx_commit(struct ring_conn *c, const struct vde_frame *frames, unsigned count);
