/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way out. forward_deliver() only notes a frame's index with each endpoint of the port; when the
 * batch is done, forward_flush() has each endpoint write its share in one go, straight from where the
 * frames lie. A tag that has to come or go is a matter of which pieces are gathered: bytes are never moved.
 *
 * A super-frame, or one with an unfinished checksum, is passed on to endpoints that take it. For
 * the others it is cut, once for all of them, and written at once, behind what they get already.
 */
#include "vde/switch/forward_internal.h"

#include <errno.h>

#include "vde/switch/capture.h"
#include "vde/switch/plugin_host.h"
#include "vde/switch/vlan.h"

#define ADDRESSES_SIZE   (2 * ETHER_ADDR_SIZE)

static const struct offload_tag keep_tag = { .change = OFFLOAD_KEEP };
static const struct offload_tag pop_tag = { .change = OFFLOAD_POP };

const struct offload_tag *forward_change(const struct frame *frame, bool leaves_tagged)
{
	if (frame->tagged == leaves_tagged)
		return &keep_tag;
	return leaves_tagged ? &frame->push : &pop_tag;
}

struct vnet_header forward_vnet(const struct frame *frame, bool leaves_tagged)
{
	if (!frame->work)
		return (struct vnet_header){ 0 };
	return offload_vnet(frame->work, forward_change(frame, leaves_tagged));
}

/* The pieces of a plain frame. */
static unsigned plain_pieces(const struct frame *frame, const struct offload_tag *change,
			     struct iovec iov[FORWARD_PIECES])
{
	unsigned count = 0, from = 0;

	if (change->change != OFFLOAD_KEEP) {
		iov[count++] = (struct iovec){ frame->head, ADDRESSES_SIZE };
		from = ADDRESSES_SIZE;
	}
	if (change->change == OFFLOAD_PUSH)
		iov[count++] = (struct iovec){ (void *)&change->tag, ETHER_TAG_SIZE };
	else if (change->change == OFFLOAD_POP)
		from += ETHER_TAG_SIZE;
	if (frame->body == frame->head + frame->head_len) {
		iov[count++] = (struct iovec){ frame->head + from, frame->len - from };
		return count;
	}
	iov[count++] = (struct iovec){ frame->head + from, frame->head_len - from };
	if (frame->len > frame->head_len)
		iov[count++] = (struct iovec){ (void *)frame->body, frame->len - frame->head_len };
	return count;
}

unsigned forward_pieces(const struct frame *frame, bool leaves_tagged,
			struct iovec iov[FORWARD_PIECES], unsigned *ret_len)
{
	const struct offload_tag *change = forward_change(frame, leaves_tagged);

	*ret_len = frame->len + (unsigned)offload_tag_delta(change);
	return frame->work ? offload_gather(frame->work, change, iov)
			   : plain_pieces(frame, change, iov);
}

uint8_t *frame_whole(struct forward *f, const struct frame *frame)
{
	if (frame->work) {
		size_t head_len = offload_complete_head(frame->work, f->scratch);

		memcpy(f->scratch + head_len, frame->work->rest, frame->work->rest_len);
		return f->scratch;
	}
	if (frame->body == frame->head + frame->head_len)
		return frame->head;
	memcpy(mempcpy(f->scratch, frame->head, frame->head_len), frame->body,
	       frame->len - frame->head_len);
	return f->scratch;
}

/* The share of an endpoint whose class takes messages. */
static void flush_messages(struct vde_switch *sw, struct endpoint *ep)
{
	struct mmsghdr msgs[FORWARD_BATCH];
	struct iovec iov[FORWARD_BATCH * FORWARD_PIECES];
	unsigned count = 0;

	for (unsigned i = 0; i < ep->num_pending; i++) {
		struct iovec *pieces = &iov[count * FORWARD_PIECES];
		bool tagged;
		const struct frame *frame = forward_share(sw->forward, ep, i, &tagged);
		unsigned len, num_pieces = forward_pieces(frame, tagged, pieces, &len);

		if (len > ep->max_out) {
			endpoint_count_drop(ep, DROP_OVERSIZE);
			continue;
		}
		msgs[count++] = (struct mmsghdr){
			.msg_hdr = { .msg_iov = pieces, .msg_iovlen = num_pieces }, .msg_len = len
		};
	}
	endpoint_write(sw, ep, msgs, count);
}

/* Its queue is so long that who sends to it should wait. */
static bool is_congested(const struct endpoint *ep)
{
	return ep->queue.bytes > endpoint_queue_mark(ep);
}

static bool has_known(const struct forward *f, const struct endpoint *ep)
{
	for (unsigned i = 0; i < ep->num_pending; i++)
		if (f->frames[ep->pending[i] & FORWARD_INDEX].known)
			return true;
	return false;
}

static void flush_share(struct vde_switch *sw, struct endpoint *ep)
{
	if (!ep->gone && ep->class->flush)
		ep->class->flush(sw, ep);
	else if (!ep->gone)
		flush_messages(sw, ep);
	if (is_congested(ep) && has_known(sw->forward, ep))
		sw->forward->congested = ep;
	ep->num_pending = 0;
}

void forward_flush(struct vde_switch *sw)
{
	struct endpoint *ep = sw->forward->dirty;

	sw->forward->dirty = NULL;
	while (ep) {
		struct endpoint *next = ep->next_dirty;

		ep->dirty = false;
		flush_share(sw, ep);
		ep = next;
	}
}

/* --- cutting ---------------------------------------------------------------------------- */

/* Cuts FRAME, unless the last endpoint had it cut already: a flood is cut once. */
static void cut_frame(struct forward *f, const struct frame *frame)
{
	struct offload_cut cut;

	if (f->cut.frame == frame)
		return;
	offload_cut_start(&cut, frame->work);
	f->cut.frame = frame;
	f->cut.count = offload_cut_fill(&cut, f->cut.pieces, FORWARD_CUT_MAX);
}

/* Up to FORWARD_BATCH pieces from FROM on, as messages; returns how many pieces were looked at. */
static unsigned cut_messages(struct vde_switch *sw, struct endpoint *ep, unsigned from,
			     const struct offload_tag *change)
{
	const struct forward_cut *cut = &sw->forward->cut;
	struct mmsghdr msgs[FORWARD_BATCH];
	struct iovec iov[FORWARD_BATCH * FORWARD_PIECES];
	unsigned count = 0, i;

	for (i = from; i < cut->count && i - from < FORWARD_BATCH; i++) {
		const struct offload_piece *piece = &cut->pieces[i];
		struct iovec *pieces = &iov[count * FORWARD_PIECES];
		unsigned len = piece->len + (unsigned)offload_tag_delta(change);

		if (len > ep->max_out) {
			endpoint_count_drop(ep, DROP_OVERSIZE);
			continue;
		}
		msgs[count++] = (struct mmsghdr){
			.msg_hdr = { .msg_iov = pieces,
				     .msg_iovlen = offload_piece_gather(piece, change, pieces) },
			.msg_len = len,
		};
	}
	if (count)
		endpoint_write(sw, ep, msgs, count);
	return i - from;
}

/* For an endpoint that does not take the frame as it is; behind what it gets already. */
static void deliver_cut(struct vde_switch *sw, struct endpoint *ep, const struct frame *frame,
			const struct offload_tag *change)
{
	unsigned from = 0;

	flush_share(sw, ep);
	cut_frame(sw->forward, frame);
	while (from < sw->forward->cut.count && !ep->gone)
		from += cut_messages(sw, ep, from, change);
	if (frame->known && is_congested(ep))
		sw->forward->congested = ep;
}

/* --- delivery --------------------------------------------------------------------------- */

/*
 * A plug-in wants to see (and may change or refuse) what leaves: one frame at a time, copied. Super-frames
 * are only shown. True: the frame is still to be delivered.
 */
static bool deliver_through_plugin(struct vde_switch *sw, struct port *port,
				   const struct frame *frame, bool tagged)
{
	uint8_t *scratch = sw->forward->scratch, *at = scratch;
	struct iovec iov[FORWARD_PIECES];
	unsigned len, count = forward_pieces(frame, tagged, iov, &len);
	int passed;

	if (frame->work)
		return plugin_host_packet(sw, true, port->number, frame_whole(sw->forward, frame),
					  (int)frame->len) > 0;
	for (unsigned i = 0; i < count; i++)
		at = mempcpy(at, iov[i].iov_base, iov[i].iov_len);
	passed = plugin_host_packet(sw, true, port->number, scratch, (int)len);
	for (struct endpoint *ep = port->endpoints; ep && passed > 0; ep = ep->next_on_port)
		endpoint_send(sw, ep, scratch, (size_t)passed);
	return false;
}

/* A frame with work left can go to EP as it is. */
static bool takes_whole(const struct endpoint *ep, const struct frame *frame, bool tagged)
{
	if (ep->max_super && frame->len + ETHER_TAG_SIZE > ep->max_super)
		return false;
	return offload_takes(frame->work, ep->takes, forward_change(frame, tagged));
}

void forward_deliver(struct vde_switch *sw, struct port *port, unsigned index, bool tagged)
{
	struct forward *f = sw->forward;
	struct frame *frame = &f->frames[index];

	if (capture_wants(sw, port))
		capture_frame(sw, port, CAPTURE_OUT, frame_whole(f, frame), frame->len);
	if (plugin_host_wants_packets(sw, true) && !deliver_through_plugin(sw, port, frame, tagged))
		return;
	for (struct endpoint *ep = port->endpoints; ep; ep = ep->next_on_port) {
		if (frame->work && !takes_whole(ep, frame, tagged)) {
			if (frame->segments > 1) {
				deliver_cut(sw, ep, frame, forward_change(frame, tagged));
				continue;
			}
			offload_complete(frame->work); /* from here on it is plain, for everybody */
			frame->work = NULL;
		}
		forward_pend(f, ep, index, tagged);
	}
}

void frame_set_push(struct frame *frame, uint16_t vlan)
{
	frame->push = (struct offload_tag){
		.change = OFFLOAD_PUSH, .tag = { htobe16(ETHER_TYPE_VLAN), htobe16(vlan) }
	};
}

void frame_set(struct frame *frame, uint8_t *data, uint32_t len)
{
	frame->head = data;
	frame->head_len = MIN(len, FORWARD_HEAD);
	frame->body = data + frame->head_len;
	frame->len = frame->wire_bytes = len;
	frame->segments = 1;
	frame->work = NULL;
	frame->tagged = frame->known = false;
}

void forward_send(struct vde_switch *sw, struct port *port, const struct vlan *vlan,
		  const void *data, size_t len)
{
	struct iovec iov[FORWARD_PIECES];
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = iov } };
	struct frame frame;

	frame_set(&frame, (uint8_t *)data, (uint32_t)len);
	frame_set_push(&frame, vlan->id);
	if (capture_wants(sw, port))
		capture_frame(sw, port, CAPTURE_OUT, data, len);
	for (struct endpoint *ep = port->endpoints; ep; ep = ep->next_on_port) {
		msg.msg_hdr.msg_iovlen =
			forward_pieces(&frame, vlan_is_tagged(vlan, port->number), iov, &msg.msg_len);
		endpoint_write(sw, ep, &msg, 1);
	}
}
