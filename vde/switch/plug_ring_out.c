/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the switch to a plug with rings: the producer's side.
 *
 * Theory of operation. Frames of a batch are written into the ring and shown to the plug when the batch is
 * over. What has no room waits in the endpoint's queue, as records of the ring, until the plug rings because
 * it has made some; frames that come later go behind it. Only a full queue drops, and only this plug's
 * frames (DROP_QUEUE_FULL). Who sends to a plug for which something waits is held (hold.h).
 *
 * A plug that sleeps is rung when the turn is over, or a good part of its ring is full: not for the first
 * frames, for which it would run at once, and sleep again, where there are few processors.
 */
#include "vde/switch/plug_ring_internal.h"

#define WAKE_SHARE 4 /* part of the ring that a plug which sleeps is rung for at once */

/* A record's payload in pieces: what leads it, and the frame's. */
struct record {
	struct vde_ring_frame lead;
	uint32_t len;
	unsigned count; /* of the pieces */
	struct iovec pieces[1 + FORWARD_PIECES];
};

/* The pieces of the frame are in R already, from the second on. */
static void record_init(struct record *r, const struct vnet_header *vnet, unsigned count, uint32_t len)
{
	r->lead = (struct vde_ring_frame){ .vnet = *vnet };
	r->pieces[0] = (struct iovec){ &r->lead, sizeof(r->lead) };
	r->count = 1 + count;
	r->len = (uint32_t)sizeof(r->lead) + len;
}

/* Copies the pieces of one record into the ring. False: it is full. */
static bool plug_put(struct plug_ring *plug, const struct iovec *pieces, unsigned count, uint32_t len)
{
	uint8_t *to = ring_reserve(&plug->rp.out, len);

	if (!to)
		return false;
	for (unsigned i = 0; i < count; i++)
		to = mempcpy(to, pieces[i].iov_base, pieces[i].iov_len);
	ring_commit(&plug->rp.out, len, RING_FRAME);
	return true;
}

/* Into the ring, or behind what waits already. False: it was dropped, which is counted. */
static bool plug_put_or_queue(struct plug_ring *plug, struct record *r)
{
	const struct msghdr msg = { .msg_iov = r->pieces, .msg_iovlen = r->count };

	if (r->len > ring_max_payload(plug->rp.out.size)) { /* it would stay in the queue for ever */
		endpoint_count_drop(&plug->ep, DROP_OVERSIZE);
		return false;
	}
	if (!plug->ep.queue.frames && plug_put(plug, r->pieces, r->count, r->len))
		return true;
	return endpoint_queue(plug->ep.sw, &plug->ep, &msg, r->len);
}

/* The most frequent case: nothing about the frame changes. False: the ring is full. */
static bool plug_put_plain(struct plug_ring *plug, const struct frame *frame)
{
	uint32_t len = (uint32_t)sizeof(struct vde_ring_frame) + frame->len;
	uint8_t *to = ring_reserve(&plug->rp.out, len);

	if (!to)
		return false;
	memset(to, 0, sizeof(struct vde_ring_frame));
	to += sizeof(struct vde_ring_frame);
	if (frame->head_len == FORWARD_HEAD)
		memcpy(to, frame->head, FORWARD_HEAD);
	else
		memcpy(to, frame->head, frame->head_len);
	if (frame->len > frame->head_len)
		memcpy(to + frame->head_len, frame->body, frame->len - frame->head_len);
	ring_commit(&plug->rp.out, len, RING_FRAME);
	return true;
}

/* Any frame, which leaves with or without a tag. False: it was dropped. */
static bool plug_put_frame(struct plug_ring *plug, const struct frame *frame, bool tagged)
{
	struct vnet_header vnet = forward_vnet(frame, tagged);
	struct record record;
	unsigned len, count = forward_pieces(frame, tagged, record.pieces + 1, &len);

	if (len > plug->ep.max_out && !frame->work) {
		endpoint_count_drop(&plug->ep, DROP_OVERSIZE);
		return false;
	}
	record_init(&record, &vnet, count, len);
	return plug_put_or_queue(plug, &record);
}

/* Moves what waits into the ring, as far as there is room. */
static void plug_move_queue(struct plug_ring *plug)
{
	struct mmsghdr msgs[FORWARD_BATCH];
	struct iovec iov[FORWARD_BATCH];
	unsigned count, done;

	do {
		count = outq_peek(&plug->ep.queue, msgs, iov, FORWARD_BATCH);
		for (done = 0; done < count && plug_put(plug, &iov[done], 1, msgs[done].msg_len); done++)
			;
		outq_pop(&plug->ep.queue, &plug->ep.sw->chunks, done);
	} while (done > 0 && plug->ep.queue.frames);
}

/* Whether something waits for which there is no room; then the plug rings when it has made some. */
static bool plug_waits_for_room(struct plug_ring *plug)
{
	struct mmsghdr first;
	struct iovec iov;

	return outq_peek(&plug->ep.queue, &first, &iov, 1) && !plug->rp.out.broken &&
	       ring_wait_room(&plug->rp.out, first.msg_len);
}

void plug_rings_ring(struct plug_rings *rings)
{
	struct plug_ring *plug;

	while ((plug = rings->asleep)) {
		rings->asleep = TAKE_PTR(plug->next_asleep);
		plug->asleep = false;
		if (ring_ring_again(&plug->rp.out))
			ring_port_ring(&plug->rp);
	}
}

static void rings_bells(struct loop *loop, struct loop_task *task)
{
	(void)loop;
	plug_rings_ring(container_of(task, struct plug_rings, bells));
}

void plug_ring_wake_later(struct vde_switch *sw, struct plug_ring *plug)
{
	struct plug_rings *rings = sw->rings;

	if (plug->asleep)
		return;
	plug->asleep = true;
	plug->next_asleep = rings->asleep;
	rings->asleep = plug;
	rings->bells.run = rings_bells;
	loop_task_add(sw->loop, &rings->bells);
}

/* The plug sleeps. It is rung at the end of the turn, or now if there is much for it. */
static void plug_wake(struct plug_ring *plug)
{
	struct ring_producer *out = &plug->rp.out;

	if (ring_used(out) < out->size / WAKE_SHARE)
		plug_ring_wake_later(plug->ep.sw, plug);
	else if (ring_ring_again(out))
		ring_port_ring(&plug->rp);
}

void plug_ring_unlink_asleep(struct plug_ring *plug)
{
	struct plug_ring **at = &plug->ep.sw->rings->asleep;

	while (*at && *at != plug)
		at = &(*at)->next_asleep;
	if (*at)
		*at = plug->next_asleep;
	plug->asleep = false;
}

/* Shows the plug what is there for it. */
static void plug_publish(struct plug_ring *plug)
{
	plug_ring_used(plug->ep.sw, plug);
	do {
		plug_move_queue(plug);
		ring_show(&plug->rp.out);
		if (ring_consumer_sleeps(&plug->rp.out))
			plug_wake(plug);
	} while (plug->ep.queue.frames && !plug->rp.out.broken && !plug_waits_for_room(plug));
	endpoint_queue_shrunk(plug->ep.sw, &plug->ep);
}

void plug_ring_go_on(struct plug_ring *plug)
{
	if (plug->ep.queue.frames)
		plug_publish(plug);
}

void plug_ring_flush(struct vde_switch *sw, struct endpoint *ep)
{
	struct plug_ring *plug = plug_of(ep);
	uint64_t frames = 0, bytes = 0, super = 0;

	if (ep->queue.frames)
		plug_move_queue(plug);
	for (unsigned i = 0; i < ep->num_pending; i++) {
		bool tagged;
		const struct frame *frame = forward_share(sw->forward, ep, i, &tagged);
		bool plain = !frame->work && frame->tagged == tagged && frame->len <= ep->max_out &&
			     !ep->queue.frames;

		if (!(plain && plug_put_plain(plug, frame)) && !plug_put_frame(plug, frame, tagged))
			continue;
		frames += frame->segments;
		bytes += frame->wire_bytes;
		super += frame->segments > 1;
	}
	endpoint_count_out(ep, frames, bytes, super);
	plug_publish(plug);
}

int plug_ring_write(struct endpoint *ep, struct mmsghdr *msgs, unsigned count)
{
	static const struct vnet_header plain;
	struct plug_ring *plug = plug_of(ep);

	for (unsigned i = 0; i < count; i++) {
		const struct msghdr *msg = &msgs[i].msg_hdr;
		struct record record;

		memcpy(record.pieces + 1, msg->msg_iov, msg->msg_iovlen * sizeof(*msg->msg_iov));
		record_init(&record, &plain, (unsigned)msg->msg_iovlen, msgs[i].msg_len);
		if (plug_put_or_queue(plug, &record))
			endpoint_count_out(ep, 1, msgs[i].msg_len, 0);
	}
	plug_publish(plug);
	return (int)count;
}
