/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How two ends of ptp come to rings, on the socket that carries their frames until then.
 *
 *	listener                          the other end
 *	byte 0 and an offer        ──►
 *	                           ◄──    HELLO (wire/vde_ring.h), its first message
 *	WELCOME, with descriptors  ──►
 *	                           ◄──    byte 0: what I send from here on is in the ring
 *	byte 0: likewise           ──►
 *
 * The offer stands behind the byte in one message, where ends that know nothing of it do not look. A
 * byte other than 0, an errno value, or REFUSAL means: no rings. Frames go on as messages all the
 * while, so neither end waits for the other; because each byte stands between the last message and the
 * first record, frames stay in order. After the bytes the socket tells only the peer's end.
 */
#include "vde/plugins/ptp.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/log.h"

#define FEATURES ((uint64_t)VDE_RING_F_ALL)

static void ring_state(struct ptp *p, enum ptp_ring_state state)
{
	static const char *const names[] = { "none", "offered", "asked", "made", "in" };

	log_debug("ptp://%s: rings: %s -> %s", p->path, names[p->ring_state], names[state]);
	p->ring_state = state;
}

void ptp_ring_done(struct ptp *p)
{
	ring_end_done(&p->ring);
	p->ring_state = PTP_RING_NONE;
	p->ring_out = false;
	p->leaving = 0;
}

void ptp_ring_accept(struct ptp *p, int fd, int error)
{
	struct ptp_ack ack = { .error = (uint8_t)error, .magic = VDE_RING_MAGIC };
	bool offer = p->offers_rings && !error;

	/* Should it fail, the peer's end is seen later. */
	(void)send(fd, &ack, offer ? sizeof(ack) : sizeof(ack.error), MSG_DONTWAIT | MSG_NOSIGNAL);
	if (!offer)
		return;
	ring_state(p, PTP_RING_OFFERED);
	p->ring_until = clock_now() + VDE_RING_PATIENCE_MS * NS_PER_MSEC;
}

static struct vde_ring_message_parts hello(void)
{
	return (struct vde_ring_message_parts){
		.message = VDE_RING_HELLO, .offered = FEATURES, .max_frame = VNET_FRAME_MAX,
		.queue_pairs = 1, .description = "ptp",
	};
}

void ptp_ring_accepted(struct ptp *p, const struct ptp_ack *ack, size_t len)
{
	struct vde_ring_message_parts request = hello();

	if (!p->offers_rings || len < sizeof(*ack) || ack->magic != VDE_RING_MAGIC)
		return;
	if (ring_port_ask(p->peer, &request) == 0)
		ring_state(p, PTP_RING_ASKED);
}

static int attach(struct ptp *p)
{
	int r = ring_set_start(&p->rings, p->epoll, PTP_KEY_MORE, PTP_KEY_TRIM);

	return r < 0 ? r : ring_end_attach(&p->ring, &p->rings, PTP_KEY_BELL);
}

static bool send_byte(struct ptp *p, int error)
{
	uint8_t byte = (uint8_t)error;

	return send(p->peer, &byte, sizeof(byte), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(byte);
}

/* From here on our frames go through the ring; when the socket is full, some time later. */
static void begin_output(struct ptp *p)
{
	if (!p->ring_out)
		p->ring_out = send_byte(p, 0);
}

/* HELLO is there. */
static void serve(struct ptp *p)
{
	struct vde_ring_message_parts request;
	struct error error = { 0 };
	int r = ring_port_receive(p->peer, &request, NULL);

	ring_state(p, PTP_RING_NONE);
	if (r < 0)
		error_set_errno(&error, -r, "rings");
	else
		r = ring_end_serve(&p->ring, &p->peer, &request, FEATURES, 0, &error);
	if (r < 0) {
		ring_port_refuse(p->peer, error.code, error_text(&error));
		return;
	}
	p->peer = p->ring.rp.control_fd;
	p->ring.rp.control_fd = -1;
	/* After WELCOME: without them the peer waits for our byte, and goes on with messages. */
	if (attach(p) < 0)
		ptp_ring_done(p);
	else
		ring_state(p, PTP_RING_MADE);
}

/* WELCOME or a refusal is there. */
static void take_answer(struct ptp *p)
{
	struct vde_ring_message_parts request = hello();
	struct error error = { 0 };
	int r = ring_port_answer(p->peer, p->path, &request, &p->ring.rp, &error);

	if (r == 0)
		r = attach(p);
	if (r < 0) {
		log_debug("ptp://%s: no rings: %s", p->path, error.code ? error_text(&error) : strerror(-r));
		ptp_ring_done(p);
		(void)send_byte(p, -r); /* who refused does not care */
		return;
	}
	ring_state(p, PTP_RING_MADE);
	begin_output(p);
}

/* The peer's byte is there. */
static void take_byte(struct ptp *p)
{
	uint8_t byte = EPROTO;

	(void)!recv(p->peer, &byte, sizeof(byte), MSG_DONTWAIT);
	if (byte != 0) {
		log_debug("ptp://%s: the other end has no rings: %s", p->path, strerror(byte));
		ptp_ring_done(p);
		return;
	}
	ring_state(p, PTP_RING_IN);
	ring_end_wake(&p->ring);
	begin_output(p);
}

/* What message is next: 0: a frame, or none. */
static int next_message(const struct ptp *p, ssize_t *ret_len)
{
	struct vde_ring_header header = { 0 };
	ssize_t len = recv(p->peer, &header, sizeof(header), MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);

	*ret_len = len;
	if (len < (ssize_t)sizeof(header) || header.magic != VDE_RING_MAGIC || header.size != len)
		return 0;
	return header.message;
}

void ptp_ring_catch_up(struct ptp *p)
{
	if (p->ring_state == PTP_RING_NONE || (p->ring_state == PTP_RING_IN && p->ring_out) ||
	    (p->ring_state == PTP_RING_OFFERED && clock_now() > p->ring_until))
		return;
	while (ptp_ring_negotiate(p))
		continue;
}

void ptp_ring_bell(struct ptp *p, uint32_t events)
{
	ring_end_bell(&p->ring, events);
	/* Before its byte a peer has nothing to ring for; it shall not keep the program awake. */
	if (p->ring_state != PTP_RING_IN)
		ring_end_leave(&p->ring);
}

bool ptp_ring_negotiate(struct ptp *p)
{
	ssize_t len;
	int message;

	if (p->ring_state == PTP_RING_NONE)
		return false;
	if (p->ring_state == PTP_RING_IN) {
		begin_output(p); /* what is left of it */
		return false;
	}
	message = next_message(p, &len);
	if (p->ring_state == PTP_RING_OFFERED) {
		if (message == VDE_RING_HELLO)
			serve(p);
		else if (len >= 0)
			ring_state(p, PTP_RING_NONE); /* it has begun without */
		return message == VDE_RING_HELLO;
	}
	if (p->ring_state == PTP_RING_ASKED) {
		if (message == VDE_RING_WELCOME || message == VDE_RING_REFUSAL) {
			take_answer(p);
			return true;
		}
		return false;
	}
	if (len != 1)
		return false;
	take_byte(p);
	return true;
}

static void deliver(struct ptp *p, const uint8_t *data, uint32_t len,
		    const struct vnet_header *vnet, struct plugin_sink *sink)
{
	struct offload_frame of;
	struct iovec part = { (void *)data, len };

	if (!super_has_work(vnet))
		plugin_sink_put(sink, &part, 1, len, NULL);
	else if (offload_check(&of, data, len, vnet) == 0)
		super_deliver(&p->rest_of_super, &of, p->features, sink);
}

unsigned ptp_ring_take(struct ptp *p, struct plugin_sink *sink, bool *ret_gone)
{
	unsigned taken = 0;
	uint32_t begin = p->ring.rp.in.tail, len, bytes;
	struct vnet_header vnet;
	const uint8_t *data;

	for (;;) {
		taken += ring_end_take_run(&p->ring, sink);
		data = plugin_sink_full(sink) ? NULL : ring_end_next(&p->ring, &vnet, &len);
		if (!data)
			break;
		deliver(p, data, len, &vnet, sink);
		taken++;
	}
	bytes = p->ring.rp.in.tail - begin;
	ring_end_release(&p->ring, taken >= RING_MANY);
	*ret_gone = ring_end_broken(&p->ring);
	if (p->leaving)
		*ret_gone |= bytes >= p->leaving;
	p->leaving -= MIN(p->leaving, bytes);
	if (!ring_linger(&p->ring.rp.in, taken))
		*ret_gone |= ring_end_rest(&p->ring) && p->leaving;
	return taken;
}

bool ptp_ring_leaves(struct ptp *p)
{
	if (p->ring_state != PTP_RING_IN || ring_end_broken(&p->ring))
		return false;
	if (!p->leaving) {
		(void)epoll_ctl(p->epoll, EPOLL_CTL_DEL, p->peer, NULL);
		p->leaving = p->ring.rp.in.size;
		ring_end_wake(&p->ring);
	}
	return true;
}
