/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory order. Data before `head` (release), `head` (acquire) before data; likewise `tail`. Who
 * sleeps stores its flag and then loads the other's counter, who publishes stores its counter and
 * then loads the flag: at least one of them has to see the other's store. Only the total order of
 * sequentially consistent operations gives that, so both stores and both loads are such; a weaker
 * load may overtake the store before it on processors with a weak order. The same between `busy` and
 * `punching`, and between `punching` and `producer_waits`.
 *
 * A producer may be held up between its counter and the flag, and the consumer take what was published and fall
 * asleep meanwhile: that flag is not meant for it. So the flag says up to where the consumer has taken, and
 * is taken down only for more than that: each signal is for something that its consumer did not have when it
 * fell asleep.
 *
 * Wrapping. Counters are bytes modulo 2^32 and a ring has at most 2^30, so differences between own
 * and believed counters never exceed what they can hold. A peer's counter is believed only if it
 * went forward, and no further than an honest one can have: a producer's `tail` lies between the last
 * one and what was published, a consumer's `head` between the last one and the release plus the size.
 * So a stale value of 2^32 bytes ago is not mistaken for news.
 */
#include "ring.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

#define GUARD_SPINS 100 /* then there is no room until the punch is over */
#define ROOM_SHARE  4   /* who waits for room is woken for this part of the ring, not for less */
#define PADS_MAX    64  /* passed over by one call: a peer that writes nothing else is not waited for */

/* ring_linger(): together some 4 us. */
#define LINGER_LOOKS  8
#define LINGER_PAUSES 16

static uint32_t load(_Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_seq_cst);
}

/* An exchange, since that is the cheapest barrier between a store and a load. */
static uint32_t swap(_Atomic uint32_t *word, uint32_t value)
{
	return atomic_exchange_explicit(word, value, memory_order_seq_cst);
}

/* What a consumer says that sleeps when it has taken everything up to TAIL. */
static uint32_t sleeps_at(uint32_t tail)
{
	return tail | RING_SLEEPS | RING_SLEEPS_AT;
}

/*
 * Takes the flag of a consumer down that does not know of all that was published; true: it was up. The line
 * is not written to while it is down. A consumer that has changed it meanwhile has looked since, or will.
 */
static bool take_sleeper(struct ring_producer *p)
{
	uint32_t said = load(&p->shared->consumer_sleeps);

	return said && said != sleeps_at(p->published) &&
	       atomic_compare_exchange_strong(&p->shared->consumer_sleeps, &said, 0);
}

void ring_producer_init(struct ring_producer *p, struct ring_shared *shared, void *data,
			uint32_t size, bool guarded)
{
	*p = (struct ring_producer){ .shared = shared, .data = data, .size = size,
				     .guarded = guarded, .open = !guarded };
}

void ring_consumer_init(struct ring_consumer *c, struct ring_shared *shared, void *data,
			uint32_t size)
{
	*c = (struct ring_consumer){ .shared = shared, .data = data, .size = size };
}

static void producer_break(struct ring_producer *p)
{
	p->broken = true;
	p->open = false;
}

static bool words_valid(uint32_t head, uint32_t tail, uint32_t size)
{
	return head - tail <= size && head % RING_ALIGN == 0 && tail % RING_ALIGN == 0;
}

int ring_producer_resume(struct ring_producer *p)
{
	uint32_t head = load(&p->shared->head), tail = load(&p->shared->tail);
	bool valid = words_valid(head, tail, p->size);

	(void)swap(&p->shared->busy, 0);
	ring_producer_init(p, p->shared, p->data, p->size, p->guarded);
	if (!valid) {
		producer_break(p);
		return -EPROTO;
	}
	p->head = p->published = head;
	p->tail = tail;
	return 0;
}

int ring_consumer_resume(struct ring_consumer *c)
{
	uint32_t tail = load(&c->shared->tail), head = load(&c->shared->head);
	bool valid = words_valid(head, tail, c->size);

	(void)swap(&c->shared->punching, 0);
	ring_consumer_init(c, c->shared, c->data, c->size);
	if (!valid) {
		c->broken = true;
		return -EPROTO;
	}
	c->head = head;
	c->tail = c->released = tail;
	return 0;
}

/* --- the producer ------------------------------------------------------------------------- */

/* Takes a fresh look at the consumer's counter. */
static void producer_look(struct ring_producer *p)
{
	uint32_t tail = load(&p->shared->tail);

	if (tail - p->tail > p->published - p->tail || tail % RING_ALIGN != 0)
		producer_break(p);
	else
		p->tail = tail;
}

/* Bytes to the end of the ring that a record of NEED bytes does not fit into. */
static uint32_t padding(const struct ring_producer *p, uint32_t need)
{
	uint32_t to_end = p->size - (p->head & (p->size - 1));

	return need > to_end ? to_end : 0;
}

static bool has_room(const struct ring_producer *p, uint32_t need)
{
	return need + padding(p, need) <= p->size - ring_used(p);
}

/* Before the first write since the last publication: no punch may be under way, nor begin. */
static bool producer_guard(struct ring_producer *p)
{
	if (p->open)
		return true;
	(void)swap(&p->shared->busy, 1);
	for (int i = 0; load(&p->shared->punching); i++) {
		if (i == GUARD_SPINS) {
			(void)swap(&p->shared->busy, 0);
			return false;
		}
		(void)sched_yield();
	}
	p->open = true;
	return true;
}

void *ring_reserve_slowly(struct ring_producer *p, uint32_t len)
{
	uint32_t need = ring_record_size(len), pad;

	if (p->broken || len > ring_max_payload(p->size))
		return NULL;
	if (!has_room(p, need)) {
		producer_look(p);
		if (p->broken || !has_room(p, need))
			return NULL;
	}
	if (!producer_guard(p))
		return NULL;
	pad = padding(p, need);
	if (pad)
		ring_commit(p, pad - RING_HEADER, RING_PAD);
	return p->data + (p->head & (p->size - 1)) + RING_HEADER;
}

void ring_show(struct ring_producer *p)
{
	if (p->published != p->head) {
		p->published = p->head;
		(void)swap(&p->shared->head, p->head);
	}
	if (p->guarded && p->open) {
		p->open = false;
		atomic_store_explicit(&p->shared->busy, 0, memory_order_release);
	}
}

bool ring_publish(struct ring_producer *p)
{
	bool news = p->published != p->head;

	ring_show(p);
	return news && take_sleeper(p);
}

bool ring_consumer_sleeps(const struct ring_producer *p)
{
	return load(&p->shared->consumer_sleeps) != 0;
}

bool ring_wait_room(struct ring_producer *p, uint32_t len)
{
	uint32_t need = MIN(ring_record_size(len), p->size / 2);

	(void)swap(&p->shared->producer_waits, MAX(need + padding(p, need), p->size / ROOM_SHARE));
	producer_look(p);
	if (!p->broken && (!has_room(p, need) || (p->guarded && load(&p->shared->punching))))
		return true;
	atomic_store_explicit(&p->shared->producer_waits, 0, memory_order_relaxed);
	return false;
}

bool ring_room_asked(const struct ring_producer *p)
{
	return atomic_load(&p->shared->producer_waits) != 0;
}

bool ring_ring_again(struct ring_producer *p)
{
	producer_look(p);
	return !p->broken && p->published != p->tail && take_sleeper(p);
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
	uint32_t head = load(&c->shared->head);

	if (head - c->head > c->size - (c->head - c->released) || head % RING_ALIGN != 0)
		c->broken = true;
	else
		c->head = head;
}

const void *ring_next_slowly(struct ring_consumer *c, uint32_t *ret_len, uint16_t *ret_type)
{
	for (int pads = 0; pads < PADS_MAX; pads++) {
		struct ring_header header;

		if (c->tail == c->head && !c->broken)
			consumer_look(c);
		if (c->broken || c->tail == c->head)
			return NULL;
		header = ring_load_header(c);
		if (!ring_record_fits(c, header.len)) {
			c->broken = true;
			return NULL;
		}
		if (header.type != RING_PAD) {
			*ret_len = header.len;
			*ret_type = header.type;
			return c->data + (c->tail & (c->size - 1)) + RING_HEADER;
		}
		ring_consume(c, header.len);
	}
	return NULL;
}

/*
 * The producer waits and has what it wants, as far as we know what it has written since; then it is not
 * said to wait any more.
 */
static bool room_is_wanted(struct ring_consumer *c)
{
	uint32_t wanted = load(&c->shared->producer_waits);

	return wanted && wanted <= c->size - (c->head - c->released) &&
	       swap(&c->shared->producer_waits, 0);
}

bool ring_release_until(struct ring_consumer *c, uint32_t tail)
{
	if (c->released != tail) {
		c->released = tail;
		(void)swap(&c->shared->tail, tail);
	}
	return room_is_wanted(c);
}

bool ring_release(struct ring_consumer *c)
{
	return ring_release_until(c, c->tail);
}

bool ring_consumer_empty(struct ring_consumer *c)
{
	consumer_look(c);
	return c->tail == c->head;
}

bool ring_linger(struct ring_consumer *c, unsigned taken)
{
	for (int look = 0; taken >= RING_MANY && look < LINGER_LOOKS; look++) {
		if (!ring_consumer_empty(c) || c->broken)
			return !c->broken;
		for (int i = 0; i < LINGER_PAUSES; i++)
			cpu_pause();
	}
	return false;
}

void ring_ask(struct ring_consumer *c)
{
	(void)swap(&c->shared->consumer_sleeps, sleeps_at(c->tail));
}

bool ring_withdraw(struct ring_consumer *c)
{
	return swap(&c->shared->consumer_sleeps, 0) != 0;
}

bool ring_sleep(struct ring_consumer *c)
{
	ring_ask(c);
	if (ring_consumer_empty(c) || c->broken)
		return true;
	(void)swap(&c->shared->consumer_sleeps, 0);
	return false;
}

bool ring_punch(struct ring_consumer *c)
{
	bool done = false;

	if (c->broken || c->released != c->tail)
		return false;
	(void)swap(&c->shared->punching, 1);
	if (!load(&c->shared->busy) && load(&c->shared->head) == c->tail)
		done = madvise(c->data, c->size, MADV_REMOVE) == 0;
	(void)swap(&c->shared->punching, 0);
	return done;
}
