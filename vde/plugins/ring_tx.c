/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sending through the ring. The switch rings when there is room again only if it was asked to, by a
 * sender that does not wait; the signal comes through the same bell as those for frames, which is why it is
 * not asked for by one that waits: it looks at the ring from time to time. What is left in a full
 * ring keeps the switch busy for longer than that.
 *
 * vde_tx_get() lends room in the ring as if every frame had the full length, and keeps the lock until
 * vde_tx_commit(), which closes the gaps: a small frame is moved, before a large one there is padding.
 */
#include "vde/plugins/ring_conn.h"

#include <sched.h>

#include "base/clock.h"
#include "wire/ether.h"

#define SEND_PATIENCE (50 * NS_PER_MSEC)
#define NAP_YIELDS    4
#define NAP_MIN       (20 * NS_PER_USEC)
#define NAP_MAX       (1 * NS_PER_MSEC)
#define ASK_ECHOES    64 /* a program that gives up sending is not kept awake for longer */
#define ASKS_MAX      4 /* times that there was said to be room */
#define MOVE_MAX      2048 /* bytes of a frame that is cheaper to move than room to waste */

int ring_tx_init(struct ring_tx *tx, const struct ring_producer *out, uint32_t max_plain)
{
	tx->out = *out;
	tx->max_plain = MIN(max_plain, (uint32_t)VDE_ETHBUFSIZE);
	return shared_lock_init(&tx->lock);
}

/* After the death of one who had the lock: what it had not published is forgotten. */
static void tx_repair(struct ring_tx *tx)
{
	(void)ring_producer_resume(&tx->out);
	tx->reserved = 0;
}

/* -EBUSY: the caller is between vde_tx_get() and vde_tx_commit(). */
static int tx_lock(struct ring_tx *tx)
{
	int r = shared_lock_take(&tx->lock);

	if (r > 0)
		tx_repair(tx);
	if (r >= 0 && atomic_load_explicit(&tx->asking, memory_order_relaxed))
		atomic_store(&tx->asking, 0);
	return r == -EDEADLK ? -EBUSY : MIN(r, 0);
}

/* Publishes, drops the lock, and rings if need be; -EPIPE when the switch is gone. */
static int tx_finish(struct ring_conn *c)
{
	struct ring_tx *tx = &c->shared->tx;
	bool wake = ring_publish(&tx->out), broken = tx->out.broken;
	int r = 0;

	shared_lock_drop(&tx->lock);
	if (wake)
		r = ring_port_ring(&c->port);
	if (r < 0 || broken)
		atomic_store_explicit(&tx->gone, true, memory_order_relaxed);
	return atomic_load_explicit(&tx->gone, memory_order_relaxed) ? -EPIPE : 0;
}

/* The switch does not take frames: perhaps it is gone. */
static bool tx_is_gone(struct ring_conn *c)
{
	struct ring_tx *tx = &c->shared->tx;

	if (!atomic_load_explicit(&tx->gone, memory_order_relaxed) && ring_conn_gone(c))
		atomic_store_explicit(&tx->gone, true, memory_order_relaxed);
	return atomic_load_explicit(&tx->gone, memory_order_relaxed);
}

static uint32_t record_len(size_t len)
{
	return (uint32_t)(sizeof(struct vde_ring_frame) + len);
}

/* --- one frame ------------------------------------------------------------------------------ */

/* False when the ring is full. */
static bool put_plain(struct ring_tx *tx, const void *data, size_t len)
{
	uint8_t *to = ring_reserve(&tx->out, record_len(len));

	if (!to)
		return false;
	memset(to, 0, sizeof(struct vde_ring_frame));
	memcpy(to + sizeof(struct vde_ring_frame), data, len);
	ring_commit(&tx->out, record_len(len), RING_FRAME);
	return true;
}

/* Asks to be rung when there is room; true: there is by now. */
static bool has_room_or_asks(struct ring_conn *c, size_t len)
{
	struct ring_tx *tx = &c->shared->tx;

	atomic_store(&tx->asking, ASK_ECHOES); /* first: the answer may come at once */
	if (ring_wait_room(&tx->out, record_len(len))) {
		atomic_store(&c->shared->rx.loose, true);
		return false;
	}
	atomic_store(&tx->asking, 0);
	return true;
}

/* Sends if there is room: 1; 0 when the ring is full; with ASK the bell then rings some time. */
static int try_send(struct ring_conn *c, const void *buf, size_t len, bool ask)
{
	struct ring_tx *tx = &c->shared->tx;
	int r = tx_lock(tx);
	bool sent;

	if (r < 0)
		return r;
	sent = put_plain(tx, buf, len);
	if (!sent && ask && !tx->out.broken && has_room_or_asks(c, len))
		sent = put_plain(tx, buf, len);
	if (sent)
		tx->choked = false;
	r = tx_finish(c);
	return r < 0 ? r : sent;
}

static void nap(unsigned times)
{
	uint64_t ns = NAP_MIN << MIN(times - NAP_YIELDS, 16u);
	struct timespec ts = { .tv_nsec = (long)MIN(ns, NAP_MAX) };

	if (times < NAP_YIELDS)
		(void)sched_yield();
	else
		(void)nanosleep(&ts, NULL);
}

/* The ring is full: waits for room, not for long. The result of vde_send(). */
static ssize_t send_patiently(struct ring_conn *c, const void *buf, size_t len)
{
	struct ring_tx *tx = &c->shared->tx;
	uint64_t deadline = clock_now() + SEND_PATIENCE;
	bool wait = ring_conn_waits(c);
	int r = 0;

	for (unsigned times = 0; r == 0; times++) {
		if (tx_is_gone(c))
			return -EPIPE;
		if (wait && (tx->choked || clock_now() >= deadline)) {
			tx->choked = true;
			return (ssize_t)len;
		}
		if (wait)
			nap(times);
		r = try_send(c, buf, len, !wait);
		if (r == 0 && !wait)
			return -EAGAIN;
	}
	return r < 0 ? r : (ssize_t)len;
}

ssize_t ring_tx_send(struct ring_conn *c, const void *buf, size_t len)
{
	struct ring_tx *tx = &c->shared->tx;
	int r;

	if (atomic_load_explicit(&tx->gone, memory_order_relaxed))
		return -EPIPE;
	if (len < ETHER_HEADER_SIZE || len > tx->max_plain)
		return (ssize_t)len; /* nothing that this network carries */
	r = try_send(c, buf, len, false);
	if (r == 0)
		return send_patiently(c, buf, len);
	return r < 0 ? r : (ssize_t)len;
}

/* --- batches -------------------------------------------------------------------------------- */

static bool is_plain(const struct vde_vnet *vnet)
{
	return !(vnet->flags & VDE_VNET_NEEDS_CSUM) && vnet->gso_type == VDE_VNET_GSO_NONE;
}

static bool is_carried(const struct ring_tx *tx, const struct vde_frame *frame)
{
	if (frame->len < ETHER_HEADER_SIZE)
		return false;
	if (frame->vnet.gso_type == VDE_VNET_GSO_NONE)
		return frame->len <= tx->max_plain;
	return frame->len <= VNET_FRAME_MAX && record_len(frame->len) <= ring_max_payload(tx->out.size);
}

static void put_vnet(uint8_t *to, const struct vde_vnet *vnet)
{
	struct vde_ring_frame head = { .reserved = 0 };

	if (!is_plain(vnet))
		head.vnet = (struct vnet_header){
			.flags = vnet->flags & VDE_VNET_NEEDS_CSUM,
			.gso_type = vnet->gso_type,
			.hdr_len = vnet->hdr_len,
			.gso_size = vnet->gso_size,
			.csum_start = vnet->csum_start,
			.csum_offset = vnet->csum_offset,
		};
	memcpy(to, &head, sizeof(head));
}

/* False when the ring is full. */
static bool put_frame(struct ring_tx *tx, const struct vde_frame *frame)
{
	uint8_t *to;

	if (!is_carried(tx, frame))
		return true; /* dropped */
	to = ring_reserve(&tx->out, record_len(frame->len));
	if (!to)
		return false;
	put_vnet(to, &frame->vnet);
	memcpy(to + sizeof(struct vde_ring_frame), frame->data, frame->len);
	ring_commit(&tx->out, record_len(frame->len), RING_FRAME);
	return true;
}

int ring_tx_batch(struct ring_conn *c, const struct vde_frame *frames, unsigned count)
{
	struct ring_tx *tx = &c->shared->tx;
	unsigned n = 0, asked = 0;
	int r;

	if (atomic_load_explicit(&tx->gone, memory_order_relaxed))
		return -EPIPE;
	r = tx_lock(tx);
	if (r < 0)
		return r;
	while (n < count) {
		if (put_frame(tx, &frames[n]))
			n++;
		else if (tx->out.broken || !has_room_or_asks(c, frames[n].len) ||
			 ++asked > ASKS_MAX)
			break;
	}
	if (n > 0)
		tx->choked = false;
	r = tx_finish(c);
	if (n < count && tx_is_gone(c))
		r = -EPIPE;
	return n > 0 || r == 0 ? (int)n : r;
}

/* --- without a copy ------------------------------------------------------------------------- */

/* Lends what room there is; how many frames' worth. A copy goes ahead, so nothing is published. */
static unsigned reserve(struct ring_tx *tx, struct vde_frame *frames, unsigned count, size_t len)
{
	struct ring_producer probe = tx->out;
	unsigned n = 0;

	for (; n < count; n++) {
		tx->room[n] = ring_reserve(&probe, record_len(len));
		if (!tx->room[n])
			break;
		ring_commit(&probe, record_len(len), RING_FRAME);
		frames[n] = (struct vde_frame){
			.data = tx->room[n] + sizeof(struct vde_ring_frame), .len = len,
		};
	}
	tx->out.open = probe.open;
	tx->out.tail = probe.tail;
	tx->out.broken = probe.broken;
	return n;
}

int ring_tx_get(struct ring_conn *c, struct vde_frame *frames, unsigned count, size_t len)
{
	struct ring_tx *tx = &c->shared->tx;
	unsigned n;
	int r;

	if (record_len(len) > ring_max_payload(tx->out.size))
		return -EMSGSIZE;
	if (tx_is_gone(c))
		return -EPIPE;
	r = tx_lock(tx);
	if (r < 0)
		return r;
	count = MIN(count, RING_ROOM_MAX);
	n = reserve(tx, frames, count, len);
	if (n == 0 && !tx->out.broken && has_room_or_asks(c, len))
		n = reserve(tx, frames, count, len);
	tx->reserved = n;
	tx->reserved_len = (uint32_t)len;
	return n > 0 ? (int)n /* with the lock */ : tx_finish(c);
}

/* Makes FRAME, which lies in the room AT, the next record. */
static void place(struct ring_tx *tx, const struct vde_frame *frame, uint8_t *at)
{
	uint8_t *to = ring_reserve(&tx->out, record_len(frame->len));

	if (to && at > to && frame->len > MOVE_MAX) {
		ring_commit(&tx->out, (uint32_t)(at - to) - RING_HEADER, RING_PAD);
		to = ring_reserve(&tx->out, record_len(frame->len));
	}
	if (!to)
		return; /* cannot be: it was reserved */
	if (frame->data != to + sizeof(struct vde_ring_frame))
		memmove(to + sizeof(struct vde_ring_frame), frame->data, frame->len);
	put_vnet(to, &frame->vnet);
	ring_commit(&tx->out, record_len(frame->len), RING_FRAME);
}

int ring_tx_commit(struct ring_conn *c, const struct vde_frame *frames, unsigned count)
{
	struct ring_tx *tx = &c->shared->tx;
	int r;

	if (!shared_lock_mine(&tx->lock))
		return -EINVAL; /* also in a child that was born since */
	if (count > tx->reserved)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++)
		if (frames[i].len <= tx->reserved_len && is_carried(tx, &frames[i]))
			place(tx, &frames[i], tx->room[i]);
	tx->reserved = 0;
	if (count > 0)
		tx->choked = false;
	r = tx_finish(c);
	return r < 0 ? r : (int)count;
}
