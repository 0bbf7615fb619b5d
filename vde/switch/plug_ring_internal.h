/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between plug_ring.c (joining, the way in, memory) and plug_ring_out.c (the way out). */
#pragma once

#include "vde/plug/ring_port.h"
#include "vde/switch/forward.h"
#include "vde/switch/plug_ring.h"

struct plug_ring {
	struct endpoint ep; /* first: it is what the switch knows */
	struct ring_port rp;
	struct loop_task again; /* more was there than a turn allows */
	struct plug_ring *next_asleep; /* in the list of those to ring */
	bool asleep;                   /* is in it */
	struct plug_ring *next_used; /* in the list of those to trim */
	bool used;                   /* is in it */
	bool busy;                   /* was used since the last look */
	uint64_t heard;              /* ns: when the signals were last taken off its bell */
	uint64_t spin_until;         /* ns: with --busy-poll it is not slept on before */
};

struct plug_rings {
	struct vde_switch *sw;
	struct plug_ring *used;
	struct loop_timer trim;
	struct plug_ring *asleep; /* those to be rung at the end of the turn */
	struct loop_task bells;
	struct log_limit complaints;
	long preempted;       /* involuntary context switches so far */
	uint64_t look_again;  /* ns: when they are counted again */
	uint64_t rest_until;  /* ns: no spinning before */
};

static inline struct plug_ring *plug_of(struct endpoint *ep)
{
	return container_of(ep, struct plug_ring, ep);
}

/* One of its rings was used: its memory is given back some time. */
void plug_ring_used(struct vde_switch *sw, struct plug_ring *plug);

/* The operations of its class. write() has what is made for it: pieces, BPDUs, what plug-ins changed. */
void plug_ring_flush(struct vde_switch *sw, struct endpoint *ep);
int plug_ring_write(struct endpoint *ep, struct mmsghdr *msgs, unsigned count);

/* There may be room for what waits. */
void plug_ring_go_on(struct plug_ring *plug);

/* Rings those that sleep although there is something for them. */
void plug_rings_ring(struct plug_rings *rings);

/* At the end of the turn it is rung, if it sleeps then although there is something for it. */
void plug_ring_wake_later(struct vde_switch *sw, struct plug_ring *plug);

/* It goes, and is not to be rung. */
void plug_ring_unlink_asleep(struct plug_ring *plug);
