/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A relay joins two ends and carries frames both ways: a TAP and a network, a network and a pair of
 * pipes, ... What kind of thing an end is, only its class knows (end_tap.h, end_vde.h, ...).
 *
 * How it works: when an end is readable, frames are taken from it one after another and given to the
 * other end until there are no more or the budget of the turn is used up; then the other end
 * is told to flush what it gathered. An end that is full keeps nothing: the frame stays with the
 * relay, the first end is no longer read, and the loop waits for room. So a slow network presses back
 * on the sender's queue instead of losing frames. An end that cannot tell when it has room drops.
 *
 * Super-frames. Each end says what it takes (`takes`) and is told what the other one takes; it gives
 * no others. So between a TAP and a network with rings, 64 KiB of a stream go through as one frame.
 *
 * Owners: an end is made by its class's function and owned by the relay from relay_new() on.
 */
#pragma once

#include "base/error.h"
#include "base/loop.h"
#include "wire/vnet.h"

struct relay;
struct relay_end;

struct relay_frame {
	const uint8_t *data; /* borrowed from the end it came from until its next frame is asked for */
	size_t len;
	struct vnet_header vnet; /* what is left to do; zero: nothing */
};

/* Frames on the wire that the frame stands for. */
static inline unsigned relay_frame_segments(const struct relay_frame *frame)
{
	const struct vnet_header *vnet = &frame->vnet;

	if (vnet->gso_type == VNET_GSO_NONE || !vnet->gso_size || frame->len <= vnet->hdr_len)
		return 1;
	return (unsigned)((frame->len - vnet->hdr_len + vnet->gso_size - 1) / vnet->gso_size);
}

struct relay_end_class {
	const char *name;
	/*
	 * Gives the next frame: 1, or 0 when none is there now. Negative errno: nothing will ever come
	 * again (-ENODATA: the regular end). Never blocks when `readable` is set; clears it when used.
	 */
	int (*next)(struct relay_end *end, struct relay_frame *ret);
	/*
	 * Learns that the other end takes FEATURES (VDE_RING_F_...); called once, before anything
	 * else. NULL: it gives complete frames only.
	 */
	void (*offer)(struct relay_end *end, uint64_t features);
	/* Sends or drops (and counts) a frame: 0. -EAGAIN: full, offer it again when out_fd is writable. */
	int (*send)(struct relay_end *end, const struct relay_frame *frame);
	/*
	 * Passes on what send() gathered; NULL: nothing is. 0, 1 when something waits for out_fd to
	 * become writable, negative errno when nothing can be sent ever again.
	 */
	int (*flush)(struct relay_end *end);
	/* gone_fd is readable: reads it empty. 0: not gone, else why, negative errno. NULL: it is gone. */
	int (*look)(struct relay_end *end);
	/* Frees the end and what it owns. */
	void (*free)(struct relay_end *end);
};

struct relay_counters {
	uint64_t frames_in; /* taken from the end; as many as they are on the wire */
	uint64_t bytes_in;
	uint64_t frames_out; /* given to it, dropped ones included */
	uint64_t bytes_out;
	uint64_t dropped; /* of either direction: too long, malformed, refused */
};

struct relay_end {
	const struct relay_end_class *class;
	const char *title; /* for messages; borrowed */
	int in_fd;
	int out_fd;  /* may be in_fd */
	int gone_fd; /* readable when the end is gone, or when it should look(); -1: none */
	uint64_t takes; /* features of the frames that it takes, VDE_RING_F_...; 0: complete ones */
	bool room_by_input; /* that it has room again is told by in_fd being readable, not writable */
	bool readable; /* the loop has said that in_fd is readable */
	bool more;     /* frames are left that in_fd does not tell of */
	struct relay_counters counters;
	/* Is shown each frame that comes from this end; NULL: nobody looks. Set before relay_new(). */
	void (*seen)(void *context, const struct relay_frame *frame);
	void *seen_context;
	/* private to relay.c */
	struct relay *relay;
	loop_ref in_ref, out_ref, gone_ref;
	uint32_t in_events, out_events; /* what the loop watches */
	bool held;    /* a frame of this end waits for the other one to have room */
	bool waiting; /* something waits for this end to have room */
	bool closing; /* ends when what is there now has been carried */
	int ended;    /* negative errno once next() has said that nothing will ever come again */
	struct relay_frame frame; /* the held one */
};

/*
 * Called once, when END is gone: REASON is 0 for its regular end, or an errno value. The relay has
 * stopped; it is freed by the owner, now or later.
 */
typedef void relay_ended(void *context, struct relay *relay, struct relay_end *end, int reason);

/*
 * Joins two ends and takes ownership of them, also on failure (-ENOMEM and what loop_add() gives).
 * Frames move while LOOP runs.
 */
int relay_new(struct loop *loop, struct relay_end *one, struct relay_end *two, relay_ended *ended,
	      void *context, struct relay **ret);
void relay_free(struct relay *relay);

/* END will get no more input: what it still holds is carried, then it is gone. */
void relay_end_input(struct relay *relay, struct relay_end *end);

/*
 * Passes on what the ends have gathered, and waits at most PATIENCE_MS for them to take it: for when
 * the loop has stopped, so that a stream does not end in the middle of a frame.
 */
void relay_finish(struct relay *relay, unsigned patience_ms);

/* Carries no more; the ends stay open. */
void relay_stop(struct relay *relay);

/* The ends, in the order of relay_new(). */
struct relay_end *relay_get_end(struct relay *relay, unsigned index);

/* Logs the counters of both ends, at level info. */
void relay_log_counters(const struct relay *relay);
