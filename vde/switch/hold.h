/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pressing back: an endpoint whose frames have filled another one's way out is not read for a while.
 *
 * Theory of operation. A sender that is read at full speed while its receiver waits for the processor
 * fills the receiver's ring or socket, then its queue, and then loses frames; on a machine with few
 * processors that is the rule, not the exception. So when a batch has left known unicast frames in a
 * queue (above `queue_mark` of its class), its sender is held: it is not read until the receiver has
 * made room, or for HOLD_TIME at most. Its own ring fills up meanwhile, and it waits as for a slow switch.
 *
 * What a slow or hostile receiver can do with that is bounded. Only who sends to it is held, others are
 * not; frames that are flooded hold nobody. A receiver that let HOLD_TIME pass is waited for no more until
 * it has taken HOLD_PRICE bytes from its queue, or all. Whoever reads less in that time has its frames queued,
 * and then dropped, and its senders go on for most of the time. At worst what a sender sends to others is as
 * slow as the receiver, which then has to read 64 MB a second.
 *
 * Only classes with resume() are held: the others' inputs have a kernel behind them which drops.
 */
#pragma once

#include "base/loop.h"

struct endpoint;
struct vde_switch;

/* Of an endpoint. */
struct hold {
	struct endpoint *by; /* the receiver that is waited for; NULL: not held */
	struct endpoint *next;
	uint64_t until; /* ns */
	uint64_t price; /* as a receiver: nobody waits for it before so many bytes left its queue */
};

/* Of the switch: those that are held. */
struct holds {
	struct endpoint *first;
	struct loop_timer timer;
};

/* EP is not read until BY has room, if its class can do that. */
void hold_begin(struct vde_switch *sw, struct endpoint *ep, struct endpoint *by);

/* EP goes, or is to be read all the same. */
void hold_end(struct vde_switch *sw, struct endpoint *ep);

/* BY has room again, or goes: those that wait for it are read. */
void hold_end_by(struct vde_switch *sw, struct endpoint *by);

void holds_done(struct vde_switch *sw);
