/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the load goes: a VDE network through whichever libvdeplug.so.2 the dynamic linker finds, or
 * a network interface through a packet socket. Both block, and move one frame a call,
 * or on VDE batches of frames: through the caller's memory, or borrowed (without a copy).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <libvdeplug.h>

#include "base/error.h"

#define LINK_BATCH_MAX 256

struct link;

struct link_mode {
	int batch;   /* frames a call; 0: the calls for one frame */
	bool borrow; /* with batches */
	bool super;  /* super-frames pass */
};

/* Frames on their way; begins as zeros. */
struct link_batch {
	struct vde_frame frames[LINK_BATCH_MAX];
	unsigned count;
	uint8_t *memory; /* owned, link_batch_free() */
	size_t stride;
};

/*
 * WHERE is "vde:VNL" or "packet:INTERFACE". Returns 0, or a negative errno with the sentence in
 * ERROR; *ret is owned by the caller.
 */
int link_open(const char *where, const struct link_mode *mode, struct link **ret,
	      struct error *error);

/* Closes L; NULL is fine. */
void link_close(struct link *l);

/* The file of the library in use, or the interface. */
const char *link_name(const struct link *l);

/* The length of a frame, 0 or 1 when there was none, or a negative errno. Blocks. */
ssize_t link_recv(struct link *l, void *buf, size_t len);

/* As write(2), with a negative errno. Blocks as the link does. */
ssize_t link_send(struct link *l, const void *buf, size_t len);

/*
 * Waits until there is at least one frame and takes up to a batch of them, which are B's until
 * link_return(). 0 or a negative errno (-EINTR, -EAGAIN: try again).
 */
int link_take(struct link *l, struct link_batch *b);
void link_return(struct link *l, struct link_batch *b);

/* Waits for room for frames of LEN bytes: B has B->count of them to be filled. Errors as above. */
int link_room(struct link *l, struct link_batch *b, size_t len);

/* Sends the frames of B, all of them unless there is an error. */
int link_push(struct link *l, struct link_batch *b);

/* Takes what is there without waiting: how many frames (thrown away), or a negative errno. */
int link_drain(struct link *l, struct link_batch *b);

/* The same where it has to be looked at: waits if the calls are those for one frame. */
int link_peek(struct link *l, struct link_batch *b);

/* Descriptor to poll for input. */
int link_fd(const struct link *l);

void link_batch_free(struct link_batch *b);
