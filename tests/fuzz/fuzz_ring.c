/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A ring whose shared words and data somebody changes between any two calls. The input is a list of
 * steps, a byte each with its arguments behind it; what comes out must lie within the ring, and a
 * ring that is broken gives nothing any more.
 */
#include "fuzz.h"

#include "base/ring.h"
#include "wire/cursor.h"

struct ring {
	struct ring_shared *shared;
	uint8_t *data;
	struct ring_producer p;
	struct ring_consumer c;
	uint32_t reserved; /* bytes, while `room` is set */
	uint8_t *room;
};

static void within(const struct ring *r, const uint8_t *at, uint32_t len)
{
	FUZZ_CHECK(at >= r->data + RING_HEADER && at <= r->data + RING_MIN);
	FUZZ_CHECK(len <= (size_t)(r->data + RING_MIN - at));
}

static void step_word(struct ring *r, struct cursor *c)
{
	_Atomic uint32_t *words[] = { &r->shared->head, &r->shared->tail, &r->shared->busy,
				      &r->shared->punching, &r->shared->consumer_sleeps,
				      &r->shared->producer_waits };
	uint8_t which = cursor_u8(c);
	uint32_t number = cursor_host32(c);

	/* Sums reach what is near the honest number. */
	if (which & 0x80)
		number += atomic_load(words[which % ARRAY_SIZE(words)]);
	atomic_store(words[which % ARRAY_SIZE(words)], number);
}

static void step_data(struct ring *r, struct cursor *c)
{
	uint8_t whose = cursor_u8(c);
	uint32_t at = cursor_host32(c);
	uint8_t bytes[RING_HEADER] = { 0 };

	if (!cursor_copy(c, bytes, sizeof(bytes)))
		return;
	at += whose & 1 ? r->p.head : r->c.tail;
	memcpy(r->data + (at & (RING_MIN - 1) & ~7u), bytes, sizeof(bytes));
}

static void step_reserve(struct ring *r, struct cursor *c)
{
	bool broken = r->p.broken;

	r->reserved = cursor_host32(c);
	r->room = ring_reserve(&r->p, r->reserved);
	if (!r->room)
		return;
	FUZZ_CHECK(!broken && r->reserved <= ring_max_payload(RING_MIN));
	within(r, r->room, r->reserved);
	memset(r->room, 0xa5, r->reserved);
}

static void step_commit(struct ring *r, struct cursor *c)
{
	uint32_t len = cursor_host32(c);

	if (r->room && len <= r->reserved)
		ring_commit(&r->p, len, (enum ring_type)(len & 3));
	r->room = NULL;
}

static void step_next(struct ring *r, struct cursor *c)
{
	static uint8_t copy[RING_MIN];
	bool broken = r->c.broken;
	uint32_t len;
	uint16_t type;
	const uint8_t *record = ring_next(&r->c, &len, &type);

	(void)c;
	if (!record)
		return;
	FUZZ_CHECK(!broken && type != RING_PAD);
	within(r, record, len);
	memcpy(copy, record, len);
	ring_consume(&r->c, len);
}

static void step_producer(struct ring *r, struct cursor *c)
{
	uint8_t what = cursor_u8(c);

	r->room = NULL;
	(void)ring_publish(&r->p);
	FUZZ_CHECK(!r->p.guarded || !r->p.open);
	if (what & 1)
		(void)ring_wait_room(&r->p, (uint32_t)what << 8);
	if (what & 2)
		(void)ring_ring_again(&r->p);
	if (what & 4)
		(void)ring_producer_punch(&r->p);
	FUZZ_CHECK(ring_used(&r->p) <= RING_MIN);
}

static void step_consumer(struct ring *r, struct cursor *c)
{
	uint8_t what = cursor_u8(c);

	(void)ring_release(&r->c);
	if (what & 1)
		(void)ring_sleep(&r->c);
	if (what & 2)
		ring_ask(&r->c);
	if (what & 4)
		(void)ring_punch(&r->c);
	FUZZ_CHECK(r->c.head - r->c.released <= RING_MIN);
}

static void step_resume(struct ring *r, struct cursor *c)
{
	uint8_t what = cursor_u8(c);

	r->room = NULL;
	if (what & 2) {
		r->p.guarded = what & 1;
		FUZZ_CHECK((ring_producer_resume(&r->p) < 0) == r->p.broken);
	}
	if (what & 4)
		FUZZ_CHECK((ring_consumer_resume(&r->c) < 0) == r->c.broken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const steps[])(struct ring *r, struct cursor *c) = {
		step_word, step_data, step_reserve, step_commit, step_next, step_producer,
		step_consumer, step_resume,
	};
	struct cursor c = cursor_of(data, size);
	/* From malloc, so that the sanitizer sees each step outside. */
	struct ring r = { .shared = aligned_alloc(RING_LINE, sizeof(*r.shared)),
			  .data = malloc(RING_MIN) };

	FUZZ_CHECK(r.shared && r.data);
	memset(r.shared, 0, sizeof(*r.shared));
	memset(r.data, 0, RING_MIN);
	ring_producer_init(&r.p, r.shared, r.data, RING_MIN, cursor_u8(&c) & 1);
	ring_consumer_init(&r.c, r.shared, r.data, RING_MIN);
	while (c.left)
		steps[cursor_u8(&c) % ARRAY_SIZE(steps)](&r, &c);
	free(r.shared);
	free(r.data);
	return 0;
}
