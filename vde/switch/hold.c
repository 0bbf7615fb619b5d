/* SPDX-License-Identifier: GPL-2.0-or-later */
/* There are as many holds as senders of stuck receivers: a list that is walked will do. */
#include "vde/switch/hold.h"

#include "base/clock.h"
#include "vde/switch/endpoint.h"
#include "vde/switch/switch.h"

#define HOLD_TIME  (4 * NS_PER_MSEC)
#define HOLD_PRICE (1u << 18) /* bytes */

/* Takes the endpoint at *AT off the list, and has it read. */
static void hold_take_off(struct vde_switch *sw, struct endpoint **at)
{
	struct endpoint *ep = *at;

	*at = ep->hold.next;
	ep->hold.by = ep->hold.next = NULL;
	ep->class->resume(sw, ep);
}

/* Ends the holds that are over; the timer is set for the next one. */
static void holds_expire(struct loop *loop, struct loop_timer *timer)
{
	struct vde_switch *sw = container_of(timer, struct vde_switch, holds.timer);
	struct endpoint **at = &sw->holds.first;
	uint64_t now = loop_now(loop), next = UINT64_MAX;

	while (*at) {
		struct hold *hold = &(*at)->hold;

		if (hold->until <= now) {
			hold->by->hold.price = hold->by->queue.taken + HOLD_PRICE;
			hold_take_off(sw, at);
			continue;
		}
		next = MIN(next, hold->until);
		at = &hold->next;
	}
	if (sw->holds.first && loop_timer_set(loop, timer, next) < 0)
		while (sw->holds.first)
			hold_take_off(sw, &sw->holds.first);
}

void hold_begin(struct vde_switch *sw, struct endpoint *ep, struct endpoint *by)
{
	uint64_t until = clock_now() + HOLD_TIME; /* the turn may have lasted long already */

	if (!ep->class->resume || ep->hold.by || ep->gone || by->gone ||
	    by->queue.taken < by->hold.price)
		return;
	sw->holds.timer.fire = holds_expire;
	if (!loop_timer_armed(&sw->holds.timer) &&
	    loop_timer_set(sw->loop, &sw->holds.timer, until) < 0)
		return; /* no memory */
	ep->hold.by = by;
	ep->hold.until = until;
	ep->hold.next = sw->holds.first;
	sw->holds.first = ep;
}

void hold_end(struct vde_switch *sw, struct endpoint *ep)
{
	struct endpoint **at = &sw->holds.first;

	if (!ep->hold.by)
		return;
	while (*at != ep)
		at = &(*at)->hold.next;
	hold_take_off(sw, at);
}

void hold_end_by(struct vde_switch *sw, struct endpoint *by)
{
	struct endpoint **at = &sw->holds.first;

	by->hold.price = 0;
	while (*at) {
		if ((*at)->hold.by == by)
			hold_take_off(sw, at);
		else
			at = &(*at)->hold.next;
	}
}

void holds_done(struct vde_switch *sw)
{
	loop_timer_cancel(sw->loop, &sw->holds.timer);
}
