/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>

#include "base/log.h"

#define FRAMES_PER_TURN 256
#define BYTES_PER_TURN  (512 * 1024) /* then the other direction has its turn */
#define FRAMES_AT_END   65536 /* carried at most when the end is known to come */
#define RETRY_INTERVAL  NS_PER_MSEC
#define HANG_UP         (EPOLLHUP | EPOLLERR)

struct relay {
	struct loop *loop; /* borrowed */
	struct relay_end *end[2]; /* owned */
	relay_ended *ended;
	void *context;
	bool stopped;
	struct loop_timer retry; /* of ends that cannot tell now that they have room */
};

static struct relay_end *relay_other(const struct relay *relay, const struct relay_end *end)
{
	return relay->end[relay->end[0] == end];
}

/* --- what the loop watches ------------------------------------------------------------ */

static void relay_input_ready(struct loop *loop, void *object, int fd, uint32_t events);
static void relay_output_ready(struct loop *loop, void *object, int fd, uint32_t events);
static void relay_gone_ready(struct loop *loop, void *object, int fd, uint32_t events);

static const struct loop_class input_class = { "relay input", relay_input_ready };
static const struct loop_class output_class = { "relay output", relay_output_ready };
static const struct loop_class gone_class = { "relay control", relay_gone_ready };

/* A source that the loop was told to forget (see relay_input_ready()) is added again. */
static int relay_watch(struct relay *relay, const struct loop_class *class, int fd,
		       struct relay_end *end, uint32_t events, uint32_t *now, loop_ref *ref)
{
	int r;

	if (*ref && *now == events)
		return 0;
	if (*ref)
		r = loop_modify(relay->loop, *ref, events);
	else if (events)
		r = loop_add(relay->loop, class, fd, events, end, ref);
	else
		r = 0;
	*now = events;
	return r;
}

static bool relay_wants_input(const struct relay_end *end)
{
	return !end->held && !end->ended;
}

/* END waits for room, which its input would tell of, but that would tell of frames, too. */
static bool relay_needs_retry(const struct relay_end *end)
{
	return end->waiting && end->room_by_input && !relay_wants_input(end);
}

/* Asks the loop for what END can be served with now. */
static int relay_update(struct relay *relay, struct relay_end *end)
{
	uint32_t in = relay_wants_input(end) ? EPOLLIN : 0;
	uint32_t out = end->waiting && !end->room_by_input ? EPOLLOUT : 0;
	int r;

	if (end->in_fd == end->out_fd)
		return relay_watch(relay, &input_class, end->in_fd, end, in | out, &end->in_events,
				   &end->in_ref);
	r = relay_watch(relay, &input_class, end->in_fd, end, in, &end->in_events, &end->in_ref);
	if (r < 0)
		return r;
	return relay_watch(relay, &output_class, end->out_fd, end, out, &end->out_events,
			   &end->out_ref);
}

static int relay_update_retry(struct relay *relay)
{
	if (!relay_needs_retry(relay->end[0]) && !relay_needs_retry(relay->end[1])) {
		loop_timer_cancel(relay->loop, &relay->retry);
		return 0;
	}
	if (loop_timer_armed(&relay->retry))
		return 0;
	return loop_timer_set(relay->loop, &relay->retry, clock_now() + RETRY_INTERVAL);
}

/* --- carrying ------------------------------------------------------------------------- */

static void relay_end_gone(struct relay *relay, struct relay_end *end, int reason)
{
	if (relay->stopped)
		return;
	relay_stop(relay);
	relay->ended(relay->context, relay, end, reason == -ENODATA ? 0 : -reason);
}

/* Offers the frame of FROM to TO; -EAGAIN when it has to wait. */
static int relay_offer(struct relay_end *from, struct relay_end *to)
{
	int r = to->class->send(to, &from->frame);

	from->held = r == -EAGAIN;
	if (from->held)
		return r;
	to->counters.frames_out += relay_frame_segments(&from->frame);
	to->counters.bytes_out += from->frame.len;
	return 0;
}

/* Takes frames from FROM to TO, until there are no more, one has to wait, or FROM has ended. */
static void relay_carry(struct relay_end *from, struct relay_end *to)
{
	unsigned left = from->closing ? FRAMES_AT_END : FRAMES_PER_TURN;
	size_t bytes = from->closing ? SIZE_MAX : BYTES_PER_TURN;
	int r = 0;

	if (from->held && relay_offer(from, to) < 0)
		return;
	while (!from->ended && (left > 0 || from->more)) {
		r = from->class->next(from, &from->frame);
		if (r <= 0)
			break;
		from->counters.frames_in += relay_frame_segments(&from->frame);
		from->counters.bytes_in += from->frame.len;
		if (from->seen)
			from->seen(from->seen_context, &from->frame);
		bytes -= MIN(bytes, from->frame.len);
		if (relay_offer(from, to) < 0)
			return;
		left = left > 0 && bytes > 0 ? left - 1 : 0;
	}
	if (r < 0)
		from->ended = r;
	else if (from->closing)
		from->ended = -ENODATA;
}

static void relay_pump(struct relay *relay, struct relay_end *from)
{
	struct relay_end *to = relay_other(relay, from);
	int pending, r;

	relay_carry(from, to);
	pending = to->class->flush ? to->class->flush(to) : 0;
	if (pending < 0) {
		relay_end_gone(relay, to, pending);
		return;
	}
	/* What came before the end goes out first. */
	if (from->ended && !pending) {
		relay_end_gone(relay, from, from->ended);
		return;
	}
	to->waiting = from->held || pending > 0;
	r = relay_update(relay, from);
	if (r == 0)
		r = relay_update(relay, to);
	if (r == 0)
		r = relay_update_retry(relay);
	if (r < 0)
		relay_end_gone(relay, from, r);
}

static void relay_retry(struct loop *loop, struct loop_timer *timer)
{
	struct relay *relay = container_of(timer, struct relay, retry);

	(void)loop;
	for (size_t i = 0; i < ARRAY_SIZE(relay->end) && !relay->stopped; i++)
		relay_pump(relay, relay->end[i]);
}

/* A hang-up that is of no use yet would be reported for ever: the source is put aside. */
static void relay_put_aside(struct relay *relay, loop_ref *ref, uint32_t *now)
{
	loop_remove(relay->loop, ref);
	*now = 0;
}

static void relay_input_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct relay_end *end = object;
	struct relay *relay = end->relay;

	(void)loop;
	(void)fd;
	if (events & HANG_UP && !end->in_events)
		relay_put_aside(relay, &end->in_ref, &end->in_events);
	if (end->in_events & EPOLLOUT && events & (EPOLLOUT | HANG_UP))
		relay_pump(relay, relay_other(relay, end));
	if (!relay->stopped && end->waiting && end->room_by_input)
		relay_pump(relay, relay_other(relay, end));
	if (!relay->stopped && end->in_events & EPOLLIN && events & (EPOLLIN | HANG_UP)) {
		end->readable = true;
		relay_pump(relay, end);
	}
}

static void relay_output_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct relay_end *end = object;
	struct relay *relay = end->relay;

	(void)loop;
	(void)fd;
	if (end->out_events)
		relay_pump(relay, relay_other(relay, end));
	else if (events & HANG_UP)
		relay_put_aside(relay, &end->out_ref, &end->out_events);
}

static void relay_gone_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct relay_end *end = object;

	int reason;

	(void)fd;
	(void)events;
	if (!end->class->look) {
		loop_remove(loop, &end->gone_ref);
		relay_end_input(end->relay, end);
		return;
	}
	reason = end->class->look(end);
	if (reason < 0)
		relay_end_gone(end->relay, end, reason);
}

void relay_end_input(struct relay *relay, struct relay_end *end)
{
	if (relay->stopped)
		return;
	end->closing = true;
	relay_pump(relay, end);
}

/* --- life ----------------------------------------------------------------------------- */

static int relay_start_end(struct relay *relay, struct relay_end *end)
{
	int r;

	end->relay = relay;
	if (end->class->offer)
		end->class->offer(end, relay_other(relay, end)->takes);
	if (end->gone_fd >= 0) {
		r = loop_add(relay->loop, &gone_class, end->gone_fd, EPOLLIN, end, &end->gone_ref);
		if (r < 0)
			return r;
	}
	return relay_update(relay, end);
}

static void end_free(struct relay_end *end)
{
	if (end)
		end->class->free(end);
}

int relay_new(struct loop *loop, struct relay_end *one, struct relay_end *two, relay_ended *ended,
	      void *context, struct relay **ret)
{
	struct relay *relay = calloc(1, sizeof(*relay));
	int r;

	if (!relay) {
		end_free(one);
		end_free(two);
		return -ENOMEM;
	}
	*relay = (struct relay){
		.loop = loop, .end = { one, two }, .ended = ended, .context = context,
		.retry = { .fire = relay_retry },
	};
	r = relay_start_end(relay, one);
	if (r == 0)
		r = relay_start_end(relay, two);
	if (r < 0) {
		relay_free(relay);
		return r;
	}
	*ret = relay;
	return 0;
}

void relay_stop(struct relay *relay)
{
	relay->stopped = true;
	loop_timer_cancel(relay->loop, &relay->retry);
	for (size_t i = 0; i < ARRAY_SIZE(relay->end); i++) {
		loop_remove(relay->loop, &relay->end[i]->in_ref);
		loop_remove(relay->loop, &relay->end[i]->out_ref);
		loop_remove(relay->loop, &relay->end[i]->gone_ref);
	}
}

void relay_finish(struct relay *relay, unsigned patience_ms)
{
	uint64_t deadline = clock_now() + patience_ms * NS_PER_MSEC;

	for (size_t i = 0; i < ARRAY_SIZE(relay->end); i++) {
		struct relay_end *end = relay->end[i];

		while (end->class->flush && end->class->flush(end) > 0) {
			struct pollfd p = { .fd = end->out_fd, .events = POLLOUT };
			uint64_t now = clock_now();

			if (now >= deadline)
				return;
			(void)poll(&p, 1, (int)((deadline - now) / NS_PER_MSEC) + 1);
		}
	}
}

void relay_free(struct relay *relay)
{
	if (!relay)
		return;
	relay_stop(relay);
	for (size_t i = 0; i < ARRAY_SIZE(relay->end); i++)
		end_free(relay->end[i]);
	free(relay);
}

struct relay_end *relay_get_end(struct relay *relay, unsigned index)
{
	return relay->end[index];
}

void relay_log_counters(const struct relay *relay)
{
	for (size_t i = 0; i < ARRAY_SIZE(relay->end); i++) {
		const struct relay_counters *c = &relay->end[i]->counters;

		log_info("%s: in %" PRIu64 " frames, %" PRIu64 " bytes; out %" PRIu64
			 " frames, %" PRIu64 " bytes; dropped %" PRIu64,
			 relay->end[i]->title, c->frames_in, c->bytes_in, c->frames_out, c->bytes_out,
			 c->dropped);
	}
}
