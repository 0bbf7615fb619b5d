/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shared by ptp.c (states, messages), ptp_name.c (the meeting point) and ptp_ring.c (frames in rings).
 * ptp.c has the theory.
 */
#pragma once

#include <sys/stat.h>

#include "vde/plugins/plugin.h"
#include "vde/plugins/ring_end.h"
#include "vde/plugins/super.h"

/* The name in the file system that this end made; zero: none. */
struct ptp_name {
	char *path; /* owned */
	dev_t dev;
	ino_t ino;
};

/*
 * Binds the socket FD to PATH with exactly MODE, and remembers that in *NAME. A socket file of TYPE
 * that nobody answers is replaced. -EADDRINUSE when somebody does, -ENOTSOCK when PATH is no
 * socket.
 */
int ptp_name_bind(struct ptp_name *name, int fd, int type, const char *path, mode_t mode);

/* Removes the name, unless it is somebody else's by now. */
void ptp_name_remove(struct ptp_name *name);

enum ptp_state {
	PTP_ENDED, /* also before the first join */
	PTP_LISTENING,
	PTP_SERVING,
	PTP_WAITING,
	PTP_JOINED,
	PTP_PAUSED,
	PTP_DATAGRAM,
	PTP_NUM_STATES,
};

/* How far the two ends are with rings. */
enum ptp_ring_state {
	PTP_RING_NONE,    /* not spoken of, refused, or the peer is of the older kind */
	PTP_RING_OFFERED, /* we listened, and wait for HELLO, which has to be the first message */
	PTP_RING_ASKED,   /* we sent HELLO */
	PTP_RING_MADE,    /* WELCOME was sent or taken; the peer's byte is still to come */
	PTP_RING_IN,      /* its byte has come: what it sends is in the ring */
};

/* The message by which a listener accepts. Who reads one byte only gets `error`. */
struct ptp_ack {
	uint8_t error; /* errno value */
	uint8_t unused[3];
	uint32_t magic; /* VDE_RING_MAGIC: rings are offered */
};

struct ptp {
	struct plugin_head head;
	pthread_mutex_t
		lock; /* over all that follows: one thread may receive while another sends */
	char *path;   /* owned */
	mode_t mode;
	bool offers_rings; /* ring=yes */
	enum ptp_state state;
	int error;            /* of an ended connection: why, positive errno value */
	int epoll;            /* owned; the datafd */
	int timer;            /* owned; runs in PTP_PAUSED, and wakes vde_recv for PTP_ENDED */
	int listener;         /* owned; in PTP_LISTENING and PTP_SERVING */
	int peer;             /* owned; in PTP_SERVING, PTP_WAITING, PTP_JOINED, PTP_DATAGRAM */
	struct ptp_name name; /* of the listener, or of the datagram socket */
	struct plugin_out out;
	bool wants_room; /* a batch waits for room in the peer's socket */
	struct ring_set rings;
	struct ring_end ring; /* attached in PTP_RING_MADE and PTP_RING_IN */
	enum ptp_ring_state ring_state;
	bool ring_out;        /* our byte was sent: what we send is in the ring */
	uint64_t ring_until;  /* ns: before that a program that only sends looks for HELLO */
	uint64_t features;    /* what the program takes */
	struct super_rest rest_of_super;
	uint32_t leaving;     /* bytes of the ring that are still taken after the peer's end */
	unsigned unasked;     /* frames put into the ring since it was looked whether there is a peer */
	unsigned unlooked;    /* frames taken from the ring since the last look at the epoll set */
};

/* Epoll data that are no descriptors. */
#define PTP_KEY_BELL UINT64_C(0x100000000)
#define PTP_KEY_MORE UINT64_C(0x200000000)
#define PTP_KEY_TRIM UINT64_C(0x300000000)

/* ptp_ring.c */

/* Accepts FD as the peer, or refuses it with ERROR (an errno value), in the message with the byte. */
void ptp_ring_accept(struct ptp *p, int fd, int error);

/* The other end has accepted, by ACK of LEN bytes. */
void ptp_ring_accepted(struct ptp *p, const struct ptp_ack *ack, size_t len);

/*
 * Looks whether the next message on the peer's socket is about rings. True: it was, and is taken.
 */
bool ptp_ring_negotiate(struct ptp *p);

/* The same ahead of a frame that is sent, for a program that does not receive. */
void ptp_ring_catch_up(struct ptp *p);

/* The doorbell is ready. */
void ptp_ring_bell(struct ptp *p, uint32_t events);

/* Takes frames from the ring. Returns how many. *RET_GONE: that was the last of a peer. */
unsigned ptp_ring_take(struct ptp *p, struct plugin_sink *sink, bool *ret_gone);

/* Without a peer there are no rings. */
void ptp_ring_done(struct ptp *p);

/* The peer's end was seen. True: there may be more in the ring, which comes first. */
bool ptp_ring_leaves(struct ptp *p);
