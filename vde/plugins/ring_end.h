/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Peers behind rings (vde/plug/ring_port.h), for plug-ins that are run by their host's calls: nodes,
 * each with many of them, and ptp with one.
 *
 * A ring is asleep or awake. Asleep, its peer rings the doorbell when it has written; awake, the owner
 * looks at it without being asked. It goes to sleep only when it was found empty (ring_end_rest()).
 * The datafd, an epoll set, has to be readable all the while a ring is awake: either because the
 * doorbell that woke it up has not been heard yet (`rung`; it is heard last, so that a wake-up costs
 * one system call), or by an eventfd (`more`), which ring_set_settle() sets and clears at
 * the end of each of the host's calls. So in a stream of frames that are not taken as fast as they
 * come there is no system call at all.
 *
 * Memory that a burst has touched is given back when the rings have been empty for a while, by the
 * server's end. The timer for that makes the datafd readable, too, once or a few times after a burst.
 *
 * Nothing here locks; the owner's lock is over all of it.
 */
#pragma once

#include <pthread.h>
#include <sys/uio.h>

#include "vde/plug/ring_port.h"
#include "vde/plugins/plugin.h"

struct ring_end {
	struct ring_port rp;
	struct ring_set *set;              /* borrowed; NULL: not attached */
	struct ring_end *next, *prev;      /* among those awake, a circle */
	struct ring_end *next_written;     /* among those with records that are not published */
	struct ring_end *next_used;        /* among those to trim */
	struct ring_end *next_member;      /* among all */
	uint64_t serial;                   /* among all that have ever been in the set */
	bool server;
	bool awake, rung, written, used;
	bool deaf;            /* nobody has the other end of its doorbell any more */
	bool stalled;         /* it was waited for in vain, and took nothing since */
	uint32_t room_wanted; /* bytes that a batch waits for; 0: none does */
	uint32_t trimmed[2];  /* tail of the input, head of the output when memory was given back */
	uint32_t looked[2];   /* and at the last look of the timer */
	unsigned tries;       /* looks in a row that found it silent, but not empty */
};

/* All ends of a connection. */
struct ring_set {
	int epoll; /* borrowed */
	int more;  /* owned eventfd; -1: not started */
	int timer; /* owned */
	bool more_set, timer_set;
	bool pending; /* the owner has more for the host */
	bool room; /* the host was promised to be woken for room, and there is */
	struct ring_end *awake;   /* whose turn it is; NULL: all sleep */
	unsigned num_awake, num_rung;
	struct ring_end *written, *used, *members;
	uint64_t serial;
};

#define RING_SET_NONE { .epoll = -1, .more = -1, .timer = -1 }

/*
 * Makes what a set needs, with epoll data MORE_KEY and TIMER_KEY in the set EPOLL (borrowed). Does nothing
 * the second time. -errno.
 */
int ring_set_start(struct ring_set *set, int epoll, uint64_t more_key, uint64_t timer_key);
void ring_set_done(struct ring_set *set);

/* At the beginning of each call of the host: what it was woken for, it knows by now. */
static inline void ring_set_begin(struct ring_set *set)
{
	set->room = false;
}

/* At the end of each: publishes what was written, and makes the datafd tell the truth. */
void ring_set_settle(struct ring_set *set);

/* Publishes what was written, so that others begin while we go on. */
void ring_set_flush(struct ring_set *set);

/* The eventfd, or the timer, is ready. */
void ring_set_more(struct ring_set *set);
void ring_set_trim(struct ring_set *set);

/*
 * The server's part with a HELLO that came on *CONTROL_FD: makes the rings and sends WELCOME (the control
 * connection is then in e->rp). FEATURES are those that are known here. On failure the error is what to
 * refuse with.
 */
int ring_end_serve(struct ring_end *e, int *control_fd, const struct vde_ring_message_parts *hello,
		   uint64_t features, unsigned port, struct error *error);

/*
 * Puts E, whose rings are set up, into SET; its doorbell gets the epoll data KEY. Nobody looks into it
 * before ring_end_wake(). -errno.
 */
int ring_end_attach(struct ring_end *e, struct ring_set *set, uint64_t key);

/* Takes it out and frees what it has; *e is as ring_end_init() leaves it. */
void ring_end_done(struct ring_end *e);
void ring_end_init(struct ring_end *e);

/* The doorbell is ready with EVENTS (EPOLLIN, ...). */
void ring_end_bell(struct ring_end *e, uint32_t events);

/* It has to be looked at, though nobody rang. */
void ring_end_wake(struct ring_end *e);

/* The peer wrote nonsense: there is nothing more to do with it. */
static inline bool ring_end_broken(const struct ring_end *e)
{
	return e->rp.in.broken || e->rp.out.broken;
}

/*
 * The next frame and its offload header, which is a copy; the frame itself may change at any time, and
 * stays until ring_end_release(). NULL: none now.
 */
const uint8_t *ring_end_next(struct ring_end *e, struct vnet_header *ret_vnet, uint32_t *ret_len);

/* Gives back the room of what was taken, when it is worth it, or at once when NOW. */
void ring_end_release(struct ring_end *e, bool now);

/* Goes to sleep if there is nothing to take. False: there is something. */
bool ring_end_rest(struct ring_end *e);

/* Has it left alone, whatever there is to take, until it is woken again. */
void ring_end_leave(struct ring_end *e);

/*
 * Writes a frame of LEN bytes in COUNT pieces behind VNET (NULL: plain); the other end sees it after
 * ring_set_flush() or ring_set_settle(). False: there is no room for it now.
 */
bool ring_end_put(struct ring_end *e, const struct vnet_header *vnet, const struct iovec *iov,
		  unsigned count, uint32_t len);

/*
 * Runs of plain frames, of which a batch mostly consists: written from, or copied to, the frames of a program.
 * They end at the first frame that is something else, has no place, or is longer than MAX (not written) or
 * than its buffer (not taken). How many it was.
 */
unsigned ring_end_put_run(struct ring_end *e, const struct vde_frame *frames, unsigned count,
			  uint32_t max);
unsigned ring_end_take_run(struct ring_end *e, struct plugin_sink *sink);

/* True when no frame of LEN bytes will ever fit. */
bool ring_end_too_long(const struct ring_end *e, uint32_t len);

/* The set's descriptor becomes readable when there is room for LEN bytes. */
void ring_end_want_room(struct ring_end *e, uint32_t len);

/*
 * As ring_end_put(), the way vde_send does: without room it is -EAGAIN if DATAFD does not block, else
 * it waits up to PLUGIN_WAIT_MS, once in a row of drops. LOCK, which guards everything here, is released
 * meanwhile, so that another thread can receive. 0: written or dropped; -EPIPE: the end is gone,
 * *e included; -EPROTO: it is broken.
 */
int ring_end_send(struct ring_end *e, const struct vnet_header *vnet, const struct iovec *iov,
		  unsigned count, uint32_t len, int datafd, pthread_mutex_t *lock);
