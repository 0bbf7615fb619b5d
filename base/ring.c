/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory order. Data before `head` (release), `head` (acquire) before data; likewise `tail`. Who
 * sleeps stores its flag and then loads the other's counter, who publishes stores its counter and
 * then loads the flag: both need the store before the load, which only a sequentially consistent
 * exchange or fence gives. The same between `busy` and `punching`.
 */
#include "ring.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

#define GUARD_SPINS 10000 /* then the punch counts as dead: nobody is kept waiting for good */

void ring_producer_init(struct ring_producer *p, struct ring_shared *shared, void *data,
			uint32_t size, bool guarded)
{
	*p = (struct ring_producer){ .shared = shared, .data = data, .size = size,
				     .guarded = guarded };
}

void ring_consumer_init(struct ring_consumer *c, struct ring_shared *shared, void *data,
			uint32_t size)
{
	*c = (struct ring_consumer){ .shared = shared, .data = data, .size = size };
}

int ring_producer_resume(struct ring_producer *p)
{
	p->head = p->published = atomic_load_explicit(&p->shared->head, memory_order_acquire);
	p->tail = atomic_load_explicit(&p->shared->tail, memory_order_acquire);
	p->broken = p->head - p->tail > p->size || p->head % RING_ALIGN != 0;
	return p->broken ? -EPROTO : 0;
}

int ring_consumer_resume(struct ring_consumer *c)
{
	c->tail = c->released = atomic_load_explicit(&c->shared->tail, memory_order_acquire);
	c->head = atomic_load_explicit(&c->shared->head, memory_order_acquire);
	c->broken = c->head - c->tail > c->size || c->tail % RING_ALIGN != 0;
	return c->broken ? -EPROTO : 0;
}

/* --- the producer ------------------------------------------------------------------------- */

/* Takes a fresh look at the consumer's counter. */
static void producer_look(struct ring_producer *p)
{
	uint32_t tail = atomic_load_explicit(&p->shared->tail, memory_order_acquire);

	if (p->published - tail > p->size || tail % RING_ALIGN != 0)
		p->broken = true;
	else
		p->tail = tail;
}

/* Before the first write since the last publication: no punch may be under way, nor begin. */
static void producer_guard(struct ring_producer *p)
{
	if (!p->guarded || p->busy)
		return;
	p->busy = true;
	atomic_exchange_explicit(&p->shared->busy, 1, memory_order_seq_cst);
	for (int i = 0; i < GUARD_SPINS; i++) {
		if (!atomic_load_explicit(&p->shared->punching, memory_order_acquire))
			return;
		(void)sched_yield();
	}
}

void *ring_reserve_slowly(struct ring_producer *p, uint32_t len)
{
	uint32_t need = ring_record_size(len), at = p->head & (p->size - 1);
	uint32_t to_end = p->size - at, pad = need > to_end ? to_end : 0;

	if (p->broken || len > ring_max_payload(p->size))
		return NULL;
	if (need + pad > p->size - (p->head - p->tail))
		producer_look(p);
	if (p->broken || need + pad > p->size - (p->head - p->tail))
		return NULL;
	producer_guard(p);
	if (pad)
		ring_commit(p, pad - RING_HEADER, RING_PAD);
	return p->data + (p->head & (p->size - 1)) + RING_HEADER;
}

bool ring_publish(struct ring_producer *p)
{
	if (p->published != p->head) {
		p->published = p->head;
		atomic_exchange_explicit(&p->shared->head, p->head, memory_order_seq_cst);
	}
	if (p->busy) {
		p->busy = false;
		atomic_store_explicit(&p->shared->busy, 0, memory_order_release);
	}
	if (!atomic_load_explicit(&p->shared->consumer_sleeps, memory_order_relaxed))
		return false;
	return atomic_exchange_explicit(&p->shared->consumer_sleeps, 0, memory_order_seq_cst) != 0;
}

bool ring_wait_room(struct ring_producer *p, uint32_t len)
{
	uint32_t need = ring_record_size(len) * 2; /* room also when it has to be padded */

	need = MIN(need, p->size);
	atomic_exchange_explicit(&p->shared->producer_waits, 1, memory_order_seq_cst);
	producer_look(p);
	return !p->broken && p->size - (p->head - p->tail) < need;
}

bool ring_ring_again(struct ring_producer *p)
{
	if (ring_producer_empty(p) || p->broken)
		return false;
	return atomic_exchange_explicit(&p->shared->consumer_sleeps, 0, memory_order_seq_cst) != 0;
}

bool ring_producer_empty(struct ring_producer *p)
{
	producer_look(p);
	return p->head == p->tail;
}

bool ring_producer_punch(struct ring_producer *p)
{
	if (p->guarded || !ring_producer_empty(p) || p->broken)
		return false;
	return madvise(p->data, p->size, MADV_REMOVE) == 0;
}

/* --- the consumer ------------------------------------------------------------------------- */

static void consumer_look(struct ring_consumer *c)
{
	uint32_t head = atomic_load_explicit(&c->shared->head, memory_order_acquire);

	if (head - c->tail > c->size || head % RING_ALIGN != 0 || head - c->tail < c->head - c->tail)
		c->broken = true;
	else
		c->head = head;
}

/* A record that stays within what was published and within the ring. */
static bool record_fits(const struct ring_consumer *c, const struct ring_header *header)
{
	uint32_t at = c->tail & (c->size - 1), size;

	if (header->len > c->size - RING_HEADER)
		return false;
	size = ring_record_size(header->len);
	return size <= c->head - c->tail && size <= c->size - at;
}

const void *ring_next_slowly(struct ring_consumer *c, uint32_t *ret_len, uint16_t *ret_type)
{
	struct ring_header header;

	for (;;) {
		const uint8_t *at = c->data + (c->tail & (c->size - 1));

		if (c->tail == c->head)
			consumer_look(c);
		if (c->tail == c->head || c->broken)
			return NULL;
		memcpy(&header, at, sizeof(header));
		/* The compiler must not read the shared bytes again where it uses the copy. */
		__asm__ volatile("" : "+m"(header));
		if (!record_fits(c, &header)) {
			c->broken = true;
			return NULL;
		}
		if (header.type != RING_PAD)
			break;
		ring_consume(c, header.len);
	}
	*ret_len = header.len;
	*ret_type = header.type;
	return c->data + (c->tail & (c->size - 1)) + RING_HEADER;
}

bool ring_release(struct ring_consumer *c)
{
	if (c->released != c->tail) {
		c->released = c->tail;
		atomic_exchange_explicit(&c->shared->tail, c->tail, memory_order_seq_cst);
	}
	if (!atomic_load_explicit(&c->shared->producer_waits, memory_order_relaxed))
		return false;
	return atomic_exchange_explicit(&c->shared->producer_waits, 0, memory_order_seq_cst) != 0;
}

bool ring_consumer_empty(struct ring_consumer *c)
{
	consumer_look(c);
	return c->tail == c->head;
}

void ring_ask(struct ring_consumer *c)
{
	atomic_exchange_explicit(&c->shared->consumer_sleeps, 1, memory_order_seq_cst);
}

bool ring_sleep(struct ring_consumer *c)
{
	atomic_exchange_explicit(&c->shared->consumer_sleeps, 1, memory_order_seq_cst);
	if (ring_consumer_empty(c) || c->broken)
		return true;
	atomic_exchange_explicit(&c->shared->consumer_sleeps, 0, memory_order_seq_cst);
	return false;
}

bool ring_punch(struct ring_consumer *c)
{
	bool done = false;

	if (c->broken || c->released != c->tail)
		return false;
	atomic_exchange_explicit(&c->shared->punching, 1, memory_order_seq_cst);
	if (!atomic_load_explicit(&c->shared->busy, memory_order_acquire) &&
	    atomic_load_explicit(&c->shared->head, memory_order_acquire) == c->tail)
		done = madvise(c->data, c->size, MADV_REMOVE) == 0;
	atomic_store_explicit(&c->shared->punching, 0, memory_order_release);
	return done;
}
