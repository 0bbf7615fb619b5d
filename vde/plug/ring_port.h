/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A pair of rings between a plug and what it is plugged into, as both sides have it: the memory, the
 * doorbells, a producer and a consumer. wire/vde_ring.h has the messages, base/ring.h the rings.
 *
 * The server (a switch, a node, the listening end of ptp) makes everything and never touches a
 * descriptor of the client's. A doorbell is a pipe: ringing writes one byte, hearing reads all. The
 * server keeps the non-blocking ends of both for itself; the client's are open file descriptions of
 * their own, so nothing that the client does to them changes the server's.
 */
#pragma once

#include "base/error.h"
#include "base/ring.h"
#include "wire/vde_ring.h"

struct ring_port {
	int control_fd; /* owned; its end is the end of the port; -1: none */
	int memory_fd;  /* owned; kept by the server for a takeover; -1 at the client */
	int ring_fd;    /* owned; write end: wakes the peer */
	int bell_fd;    /* owned; read end: the peer wakes us */
	void *memory;   /* owned mapping */
	size_t memory_size;
	struct ring_producer out;
	struct ring_consumer in;
	uint64_t features;      /* accepted: what this side may send */
	uint64_t peer_features; /* offered: what the peer can do; of the server: what it takes */
	uint32_t max_frame;     /* bytes of the largest plain frame the peer takes */
	uint32_t port;
};

#define RING_PORT_INIT { .control_fd = -1, .memory_fd = -1, .ring_fd = -1, .bell_fd = -1 }

/*
 * The server's part: makes sealed memory with rings of SIZES bytes (to the server, to the client; valid
 * per ring_size_valid()) and the doorbells. *ret_client gets the descriptors that the client is sent;
 * they are closed by ring_port_welcome(), or by ring_port_client_done() when it comes to nothing.
 * -errno (and nothing made).
 */
struct ring_port_client_fds {
	int memory_fd, ring_fd, bell_fd; /* owned; memory_fd is a duplicate */
};

#define RING_PORT_CLIENT_INIT { .memory_fd = -1, .ring_fd = -1, .bell_fd = -1 }

int ring_port_make(struct ring_port *rp, const uint32_t sizes[2],
		   struct ring_port_client_fds *ret_client);

void ring_port_client_done(struct ring_port_client_fds *client);

/*
 * Sends WELCOME (sizes, offsets, message are filled in) on *CONTROL_FD without blocking; takes that on
 * success (it becomes -1). CLIENT is closed in any case. The features, largest frame and port of RP
 * are the caller's to fill in. -errno: the client is gone.
 */
int ring_port_welcome(struct ring_port *rp, struct vde_ring_message_parts *parts, int *control_fd,
		      struct ring_port_client_fds *client);

/*
 * The server's part in a process that goes on in the place of another one: control_fd, memory_fd,
 * ring_fd and bell_fd of RP are set (and stay RP's), with rings of SIZES bytes as for
 * ring_port_make(). Maps the memory and goes on where the rings stand; a client that has written
 * nonsense finds them broken, as ever. -EPROTO when that is no memory for such rings.
 */
int ring_port_resume(struct ring_port *rp, const uint32_t sizes[2]);

/* Sends REFUSAL with errno value CODE (positive) and a sentence; best effort, never blocks. */
void ring_port_refuse(int control_fd, int code, const char *sentence);

/*
 * Receives one message (HELLO) without blocking; descriptors that come with it are closed, unless
 * RET_FD is given and exactly one came (else it gets -1). -EAGAIN; -EPIPE at the end; -EBADMSG, also
 * when descriptors were lost on the way; -EPROTONOSUPPORT.
 */
int ring_port_receive(int control_fd, struct vde_ring_message_parts *ret, int *ret_fd);

/*
 * The client's part: connects to the socket PATH, sends HELLO (with PASS_FD, unless that is -1), waits
 * for the answer (VDE_RING_PATIENCE_MS at most), checks it and maps the memory. On a refusal the error has the
 * server's sentence. -ENOENT, -ECONNREFUSED, -EPROTOTYPE, -EPROTONOSUPPORT: there are no rings here,
 * the old protocol may be tried; any other error is final (-ETIMEDOUT, -EPROTO for an answer that does
 * not hold, what the server refused with). A path that cannot be a socket's, or is too long for one,
 * is -ENOENT. *ret_welcome has what was answered, also after a refusal. control_fd and the doorbells
 * stay blocking: ring_port_ring() and ring_port_hear() do not care.
 */
int ring_port_join(const char *path, const struct vde_ring_message_parts *hello, int pass_fd,
		   struct ring_port *ret, struct vde_ring_message_parts *ret_welcome,
		   struct error *error);

/*
 * The same in two steps that do not block, over the connected socket FD, which stays the caller's: send
 * HELLO; take the answer that is there, from who is called NAME in errors. -errno of sendmsg(2), or as
 * ring_port_join().
 */
int ring_port_ask(int fd, const struct vde_ring_message_parts *hello);
int ring_port_answer(int fd, const char *name, const struct vde_ring_message_parts *hello,
		     struct ring_port *ret, struct error *error);

void ring_port_done(struct ring_port *rp);

/*
 * A device in place of rings: as ring_port_join(), but HELLO (kind DEVICE) takes DEVICE_FD (borrowed)
 * along, and what comes of it is a control socket (*ret_control_fd, the caller's), whose end is the
 * end of the port. -EOPNOTSUPP: the server does not take this device, and why is in ERROR.
 */
int ring_port_hand_over(const char *path, const struct vde_ring_message_parts *hello, int device_fd,
			int *ret_control_fd, struct vde_ring_message_parts *ret_welcome,
			struct error *error);

/*
 * The server's answer to that, on CONTROL_FD (borrowed) without blocking; features and port are the
 * caller's to fill in. -errno: the client is gone.
 */
int ring_port_welcome_device(struct vde_ring_message_parts *parts, int control_fd);

/*
 * Rings the peer's doorbell; a full pipe is as good. -EPIPE (and no signal) when the peer is gone;
 * keeps errno.
 */
int ring_port_ring(const struct ring_port *rp);

/*
 * Takes the signals off our doorbell without blocking, whatever the peer did to its end: up to 4096 at
 * once, so a peer that rings without end cannot keep us here. True: there may be more. Keeps errno.
 */
bool ring_port_hear(const struct ring_port *rp);
