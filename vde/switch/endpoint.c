/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Output. A frame goes straight to the kernel while the endpoint keeps up; from the first one
 * that would block on, frames wait in the endpoint's queue, in order, until the descriptor is
 * writable. Only a full queue drops, and only this endpoint's frames.
 */
#include "vde/switch/endpoint.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "vde/switch/debug.h"
#include "vde/switch/forward.h"
#include "vde/switch/plugin_host.h"

#define FLUSH_BATCH 64

void endpoint_count_out(struct endpoint *ep, uint64_t frames, uint64_t bytes, uint64_t super)
{
	ep->counters.out.packets += frames;
	ep->counters.out.bytes += bytes;
	ep->port->counters.out.packets += frames;
	ep->port->counters.out.bytes += bytes;
	ep->counters.super_out += super;
	ep->port->counters.super_out += super;
}

void endpoint_count_drop(struct endpoint *ep, enum drop_reason reason)
{
	ep->counters.drops[reason]++;
	ep->port->counters.drops[reason]++;
}

static void endpoint_watch(struct endpoint *ep, uint32_t events)
{
	if (ep->data_events == events)
		return;
	ep->data_events = events;
	(void)loop_modify(ep->sw->loop, ep->data_ref, events); /* fails only for a wrong reference */
}

/*
 * Bytes that one queue may hold now: never more than half of what is free, so that however many
 * endpoints are stuck, one that is not finds room.
 */
static size_t queue_limit(const struct vde_switch *sw)
{
	size_t free_bytes = (sw->chunks.count - sw->chunks.used) * OUTQ_CHUNK_SIZE;

	return MIN((size_t)sw->settings.queue_size, MAX(free_bytes / 2, (size_t)OUTQ_FRAME_MAX));
}

static bool endpoint_push(struct vde_switch *sw, struct endpoint *ep, const struct msghdr *msg,
			  size_t len, size_t limit)
{
	int r = outq_push(&ep->queue, &sw->chunks, limit, msg, len);

	if (r < 0)
		endpoint_count_drop(ep, r == -ENOMEM ? DROP_NO_BUFFER : DROP_QUEUE_FULL);
	else if (!ep->class->queues)
		endpoint_watch(ep, EPOLLIN | EPOLLOUT);
	return r == 0;
}

bool endpoint_queue(struct vde_switch *sw, struct endpoint *ep, const struct msghdr *msg, size_t len)
{
	return endpoint_push(sw, ep, msg, len, queue_limit(sw));
}

void endpoint_requeue(struct vde_switch *sw, struct endpoint *ep, const void *frame, size_t len)
{
	struct iovec iov = { (void *)frame, len };
	const struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	(void)endpoint_push(sw, ep, &msg, len, SIZE_MAX);
}

/* Gives the kernel what it takes of COUNT frames; returns how many are settled. */
static unsigned endpoint_write_now(struct endpoint *ep, struct mmsghdr *msgs, unsigned count,
				   bool counted)
{
	unsigned done = 0;

	while (done < count) {
		int n = ep->class->write(ep, msgs + done, count - done);

		if (n == 0)
			break;
		if (n < 0) {
			endpoint_count_drop(ep, DROP_REFUSED);
			done++;
			continue;
		}
		for (int i = 0; i < n && !counted; i++)
			endpoint_count_out(ep, 1, msgs[done + (unsigned)i].msg_len, 0);
		done += (unsigned)n;
	}
	return done;
}

void endpoint_write(struct vde_switch *sw, struct endpoint *ep, struct mmsghdr *msgs,
		    unsigned count)
{
	unsigned done = 0;

	if (ep->class->queues || ep->queue.frames == 0)
		done = endpoint_write_now(ep, msgs, count, ep->class->queues);
	for (; done < count; done++)
		if (endpoint_queue(sw, ep, &msgs[done].msg_hdr, msgs[done].msg_len))
			endpoint_count_out(ep, 1, msgs[done].msg_len, 0);
}

void endpoint_send(struct vde_switch *sw, struct endpoint *ep, const void *frame, size_t len)
{
	struct iovec iov = { (void *)frame, len };
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 },
			       .msg_len = (unsigned)len };

	endpoint_write(sw, ep, &msg, 1);
}

size_t endpoint_queue_mark(const struct endpoint *ep)
{
	return MIN(ep->class->queue_mark, (size_t)ep->sw->settings.queue_size / 2);
}

void endpoint_queue_shrunk(struct vde_switch *sw, struct endpoint *ep)
{
	if (ep->queue.bytes <= endpoint_queue_mark(ep) / 2)
		hold_end_by(sw, ep);
}

void endpoint_flush_queue(struct vde_switch *sw, struct endpoint *ep)
{
	struct mmsghdr msgs[FLUSH_BATCH];
	struct iovec iov[FLUSH_BATCH];
	unsigned count;

	while ((count = outq_peek(&ep->queue, msgs, iov, FLUSH_BATCH)) > 0) {
		unsigned done = endpoint_write_now(ep, msgs, count, true);

		outq_pop(&ep->queue, &sw->chunks, done);
		endpoint_queue_shrunk(sw, ep);
		if (done < count)
			return;
	}
	endpoint_watch(ep, EPOLLIN);
}

static void endpoint_free(void *object)
{
	struct endpoint *ep = object;

	free(ep->path);
	free(ep);
}

void endpoint_attach(struct vde_switch *sw, struct port *port, struct endpoint *ep)
{
	struct endpoint **end = &port->endpoints;
	bool first = !port_active(port);

	while (*end)
		end = &(*end)->next_on_port;
	ep->sw = sw;
	ep->port = port;
	ep->next_on_port = NULL;
	if (!ep->max_in)
		ep->max_in = (uint32_t)sw->settings.max_frame;
	if (!ep->max_out) /* a tag may have come on the way */
		ep->max_out = (uint32_t)sw->settings.max_frame + ETHER_TAG_SIZE;
	*end = ep;
	if (first) {
		port->user = ep->user;
		port_activity_changed(sw, port);
	}
	DEBUG(sw, EP_PLUS, "Port %02u FD %2d", port->number, ep->id);
	plugin_host_event(sw, DEBUG_EP_PLUS, (int)port->number, ep->id);
	if (!ep->descr[0])
		return;
	DEBUG(sw, PORT_DESCR, "Port %02u FD %2d -> \"%s\"", port->number, ep->id, ep->descr);
	plugin_host_event(sw, DEBUG_PORT_DESCR, (int)port->number, ep->id, ep->descr);
}

int endpoint_new_id(const struct vde_switch *sw, int fd)
{
	int highest = fd;
	bool taken = false;

	for (unsigned number = 0; sw->took_over && number <= sw->num_ports; number++) {
		const struct endpoint *ep = sw->ports[number] ? sw->ports[number]->endpoints : NULL;

		for (; ep; ep = ep->next_on_port) {
			taken |= ep->id == fd;
			highest = MAX(highest, ep->id);
		}
	}
	return taken ? highest + 1 : fd;
}

static void endpoint_unlink(struct endpoint *ep)
{
	struct endpoint **at = &ep->port->endpoints;

	while (*at != ep)
		at = &(*at)->next_on_port;
	*at = ep->next_on_port;
}

void endpoint_close(struct vde_switch *sw, struct endpoint *ep)
{
	if (ep->gone)
		return;
	ep->gone = true;
	ep->num_pending = 0;
	loop_remove(sw->loop, &ep->data_ref);
	loop_remove(sw->loop, &ep->control_ref);
	outq_clear(&ep->queue, &sw->chunks);
	hold_end(sw, ep);
	hold_end_by(sw, ep);
	endpoint_unlink(ep);
	DEBUG(sw, EP_MINUS, "Port %02u FD %2d", ep->port->number, ep->id);
	plugin_host_event(sw, DEBUG_EP_MINUS, (int)ep->port->number, ep->id);
	if (!port_active(ep->port))
		port_activity_changed(sw, ep->port);
	ep->class->close(sw, ep);
	if (ep->data_fd >= 0)
		(void)close(TAKE_FD(ep->data_fd));
	if (ep->control_fd >= 0)
		(void)close(TAKE_FD(ep->control_fd));
	loop_defer_free(sw->loop, endpoint_free, ep);
}

struct endpoint *endpoint_find(const struct port *port, int id)
{
	for (struct endpoint *ep = port->endpoints; ep; ep = ep->next_on_port)
		if (ep->id == id)
			return ep;
	return NULL;
}
