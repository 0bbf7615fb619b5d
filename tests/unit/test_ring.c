/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ring in one thread: against a model, at its edges, and against a peer that lies. */
#include "test.h"

#include "ring_rig.h"

/* --- against a model ---------------------------------------------------------------------- */

struct model {
	struct {
		uint32_t len;
		uint64_t seed;
		enum ring_type type;
	} queue[RIG_SIZE / RING_HEADER];
	uint32_t first, count; /* of the queue */
	uint32_t visible;      /* of count: published */
	uint64_t random, written, read;
};

#define QUEUE_MASK (RIG_SIZE / RING_HEADER - 1)

static void fill(uint8_t *data, uint32_t len, uint64_t seed)
{
	for (uint32_t i = 0; i < len; i++)
		data[i] = (uint8_t)(seed + i * 7);
}

static void check(const uint8_t *data, uint32_t len, uint64_t seed)
{
	for (uint32_t i = 0; i < len; i++)
		if (data[i] != (uint8_t)(seed + i * 7))
			fail_msg("byte %u of %u", i, len);
}

static uint32_t random_len(struct model *m)
{
	switch (test_random(&m->random) % 8) {
	case 0:
		return (uint32_t)(test_random(&m->random) % (ring_max_payload(RIG_SIZE) + 1));
	case 1:
		return ring_max_payload(RIG_SIZE) - (uint32_t)(test_random(&m->random) % 9);
	case 2:
		return (uint32_t)(test_random(&m->random) % 9);
	default:
		return (uint32_t)(test_random(&m->random) % 1600);
	}
}

static bool model_write(struct ring_rig *rig, struct model *m)
{
	uint32_t len = random_len(m), at = (m->first + m->count) & QUEUE_MASK;
	uint32_t used = (uint32_t)(test_random(&m->random) % 4 ? len : len / 2);
	uint8_t *room = ring_reserve(&rig->p, len);

	if (!room) {
		assert_false(rig->p.broken);
		return false;
	}
	assert_true(room >= rig->data + RING_HEADER && room + len <= rig->data + RIG_SIZE);
	m->queue[at].len = used;
	m->queue[at].seed = test_random(&m->random);
	m->queue[at].type = test_random(&m->random) % 5 ? RING_FRAME : RING_NOTICE;
	fill(room, used, m->queue[at].seed);
	ring_commit(&rig->p, used, m->queue[at].type);
	m->count++;
	m->written++;
	return true;
}

static bool model_read(struct ring_rig *rig, struct model *m)
{
	uint32_t len, at = m->first & QUEUE_MASK;
	uint16_t type;
	const uint8_t *record = ring_next(&rig->c, &len, &type);

	if (!record) {
		assert_false(rig->c.broken);
		assert_int_equal(m->visible, 0);
		return false;
	}
	assert_true(m->visible > 0);
	assert_int_equal(len, m->queue[at].len);
	assert_int_equal(type, m->queue[at].type);
	check(record, len, m->queue[at].seed);
	ring_consume(&rig->c, len);
	m->first++;
	m->count--;
	m->visible--;
	m->read++;
	return true;
}

static void run_model(struct ring_rig *rig, uint32_t start, bool guarded)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->random = start + 1 + guarded;
	ring_rig_at(rig, start, guarded);
	for (int step = 0; step < 20000; step++) {
		int times = (int)(test_random(&m->random) % 12);

		while (times-- > 0 && model_write(rig, m))
			;
		if (test_random(&m->random) % 4) {
			(void)ring_publish(&rig->p);
			m->visible = m->count;
		}
		times = (int)(test_random(&m->random) % 12);
		while (times-- > 0 && model_read(rig, m))
			;
		if (test_random(&m->random) % 4)
			(void)ring_release(&rig->c);
		if (m->count == 0) {
			(void)ring_release(&rig->c);
			assert_true(ring_producer_empty(&rig->p));
			assert_true(ring_consumer_empty(&rig->c));
			if (test_random(&m->random) % 2)
				(void)ring_punch(&rig->c);
		}
	}
	assert_true(m->read > 20000);
	free(m);
}

static void like_a_queue(void **state)
{
	run_model(*state, 0, false);
	run_model(*state, 0, true);
	run_model(*state, UINT32_MAX - 7, false); /* the counters begin anew */
	run_model(*state, UINT32_MAX - 99999, true);
}

/* --- edges -------------------------------------------------------------------------------- */

/* A record of LEN bytes through the ring; its first and last bytes are looked at. */
static void pass(struct ring_rig *rig, uint32_t len)
{
	uint8_t *room = ring_reserve(&rig->p, len);
	const uint8_t *record;
	uint32_t got;
	uint16_t type;

	assert_non_null(room);
	assert_true(room + len <= rig->data + RIG_SIZE);
	if (len) {
		room[0] = 1;
		room[len - 1] = (uint8_t)(len + 2);
	}
	ring_commit(&rig->p, len, RING_FRAME);
	(void)ring_publish(&rig->p);
	record = ring_next(&rig->c, &got, &type);
	assert_ptr_equal(record, room);
	assert_int_equal(got, len);
	if (len)
		assert_int_equal(record[len - 1], (uint8_t)(len + 2));
	ring_consume(&rig->c, got);
	(void)ring_release(&rig->c);
	assert_null(ring_next(&rig->c, &got, &type));
	assert_true(ring_producer_empty(&rig->p));
}

/* Whatever is left at the end: the record stands in one piece, before it or at the beginning. */
static void wraps_at_every_place(void **state)
{
	struct ring_rig *rig = *state;
	const uint32_t lens[] = { 0, 1, 8, 9, 63, 1514, ring_max_payload(RIG_SIZE) };

	for (uint32_t at = 0; at < RIG_SIZE; at += RING_ALIGN)
		for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
			uint32_t start = at - 3 * RIG_SIZE; /* soon past 2^32, too */

			ring_rig_at(rig, start, at & RING_ALIGN);
			pass(rig, lens[i]);
			if (ring_record_size(lens[i]) > RIG_SIZE - at)
				assert_int_equal(rig->p.head, start + RIG_SIZE - at +
							       ring_record_size(lens[i]));
			else
				assert_int_equal(rig->p.head, start + ring_record_size(lens[i]));
		}
}

static void full_and_empty(void **state)
{
	struct ring_rig *rig = *state;
	uint32_t count = 0, len;
	uint16_t type;

	assert_null(ring_next(&rig->c, &len, &type));
	while (ring_reserve(&rig->p, 56)) {
		ring_commit(&rig->p, 56, RING_FRAME);
		count++;
	}
	assert_int_equal(count, RIG_SIZE / 64);
	assert_int_equal(ring_used(&rig->p), RIG_SIZE);
	assert_null(ring_next(&rig->c, &len, &type)); /* not published */
	(void)ring_publish(&rig->p);
	assert_non_null(ring_next(&rig->c, &len, &type));
	ring_consume(&rig->c, len);
	assert_null(ring_reserve(&rig->p, 0)); /* not released */
	(void)ring_release(&rig->c);
	assert_null(ring_reserve(&rig->p, 57));
	assert_non_null(ring_reserve(&rig->p, 56));
	for (; ring_next(&rig->c, &len, &type); count--)
		ring_consume(&rig->c, len);
	assert_int_equal(count, 1);
	assert_false(rig->p.broken || rig->c.broken);
}

static void largest(void **state)
{
	struct ring_rig *rig = *state;
	const uint32_t max = ring_max_payload(RIG_SIZE);
	const uint32_t too_long[] = { max + 1, RIG_SIZE - 8, RIG_SIZE, INT32_MAX, UINT32_MAX - 7,
				      UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(too_long); i++)
		assert_null(ring_reserve(&rig->p, too_long[i]));
	for (int i = 0; i < 100; i++) {
		pass(rig, max);
		pass(rig, (uint32_t)i);
	}
	assert_false(ring_size_valid(0));
	assert_false(ring_size_valid(RING_MIN / 2));
	assert_false(ring_size_valid(RING_MIN + 4096));
	assert_false(ring_size_valid((uint64_t)RING_MAX * 2));
	assert_false(ring_size_valid(UINT64_C(1) << 32));
	assert_true(ring_size_valid(RING_MIN) && ring_size_valid(RING_MAX));
}

/* Records of which some are kept; the room of those before is free. */
static void parts_are_released(void **state)
{
	struct ring_rig *rig = *state;
	uint32_t ends[4], len;
	uint16_t type;

	for (int i = 0; i < 4; i++) {
		assert_non_null(ring_reserve(&rig->p, 16000));
		ring_commit(&rig->p, 16000, RING_FRAME);
	}
	(void)ring_publish(&rig->p);
	for (int i = 0; i < 4; i++) {
		assert_non_null(ring_next(&rig->c, &len, &type));
		ring_consume(&rig->c, len);
		ends[i] = rig->c.tail;
	}
	assert_null(ring_reserve(&rig->p, 16000));
	(void)ring_release_until(&rig->c, ends[1]);
	for (int i = 0; i < 2; i++) {
		assert_non_null(ring_reserve(&rig->p, 15900));
		ring_commit(&rig->p, 15900, RING_FRAME);
	}
	assert_null(ring_reserve(&rig->p, 16000));
	(void)ring_release_until(&rig->c, ends[1]); /* nothing more */
	assert_null(ring_reserve(&rig->p, 16000));
	(void)ring_release(&rig->c);
	assert_non_null(ring_reserve(&rig->p, 16000));
	(void)ring_publish(&rig->p);
	assert_non_null(ring_next(&rig->c, &len, &type));
	assert_int_equal(len, 15900);
}

/* A process that goes on where another one stood. */
static void goes_on(void **state)
{
	struct ring_rig *rig = *state;
	struct ring_producer p;
	struct ring_consumer c;
	uint32_t len;
	uint16_t type;

	for (uint32_t i = 0; i < 5; i++) {
		memset(ring_reserve(&rig->p, 100 + i), (int)i, 100 + i);
		ring_commit(&rig->p, 100 + i, RING_FRAME);
	}
	(void)ring_publish(&rig->p);
	for (int i = 0; i < 2; i++) {
		assert_non_null(ring_next(&rig->c, &len, &type));
		ring_consume(&rig->c, len);
		(void)ring_release(&rig->c);
	}
	atomic_store(&rig->shared->punching, 1); /* both ended in the middle of it */
	atomic_store(&rig->shared->busy, 1);
	ring_producer_init(&p, rig->shared, rig->data, RIG_SIZE, true);
	ring_consumer_init(&c, rig->shared, rig->data, RIG_SIZE);
	assert_int_equal(ring_consumer_resume(&c), 0);
	assert_int_equal(ring_producer_resume(&p), 0);
	assert_non_null(ring_reserve(&p, 105));
	ring_commit(&p, 105, RING_FRAME);
	(void)ring_publish(&p);
	for (uint32_t i = 2; i < 6; i++) {
		assert_non_null(ring_next(&c, &len, &type));
		assert_int_equal(len, 100 + i);
		ring_consume(&c, len);
	}
	assert_null(ring_next(&c, &len, &type));
	(void)ring_release(&c);
	assert_true(ring_punch(&c));
}

static void does_not_go_on(void **state)
{
	static const uint32_t words[][2] = { /* head, tail */
		{ RIG_SIZE + 8, 0 }, { 0, 8 }, { 4, 0 }, { 8, 4 }, { 12, 4 }, { 0, UINT32_MAX },
		{ 0x80000000, 0 },
	};
	struct ring_rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		ring_rig_at(rig, 0, false);
		atomic_store(&rig->shared->head, words[i][0]);
		atomic_store(&rig->shared->tail, words[i][1]);
		assert_int_equal(ring_producer_resume(&rig->p), -EPROTO);
		assert_int_equal(ring_consumer_resume(&rig->c), -EPROTO);
		assert_true(rig->p.broken && rig->c.broken);
		assert_null(ring_reserve(&rig->p, 0));
		assert_null(ring_next(&rig->c, &(uint32_t){ 0 }, &(uint16_t){ 0 }));
	}
}

/* --- waking ------------------------------------------------------------------------------- */

static void put(struct ring_rig *rig, uint32_t len)
{
	assert_non_null(ring_reserve(&rig->p, len));
	ring_commit(&rig->p, len, RING_FRAME);
}

static void take(struct ring_rig *rig)
{
	uint32_t len;
	uint16_t type;

	assert_non_null(ring_next(&rig->c, &len, &type));
	ring_consume(&rig->c, len);
}

static void consumer_is_woken(void **state)
{
	struct ring_rig *rig = *state;

	put(rig, 1);
	assert_false(ring_publish(&rig->p)); /* it does not sleep */
	assert_false(ring_sleep(&rig->c));   /* there is something */
	put(rig, 1);
	assert_false(ring_publish(&rig->p)); /* so it does not sleep now */
	take(rig);
	take(rig);
	assert_true(ring_sleep(&rig->c));
	assert_false(ring_publish(&rig->p)); /* nothing new */
	put(rig, 1);
	assert_true(ring_sleep(&rig->c)); /* not published yet */
	assert_true(ring_publish(&rig->p));
	put(rig, 1);
	assert_false(ring_publish(&rig->p)); /* once is enough */
	assert_false(ring_sleep(&rig->c));
}

/* What a producer finds that was held up between publishing and looking at the flag. */
static void no_signal_for_what_was_taken(void **state)
{
	struct ring_rig *rig = *state;
	uint16_t type;
	uint32_t len;

	put(rig, 1);
	ring_show(&rig->p);
	assert_non_null(ring_next(&rig->c, &len, &type));
	ring_consume(&rig->c, len);
	ring_ask(&rig->c); /* it still has the room: the producer sees that it is not empty */
	assert_false(ring_ring_again(&rig->p));
	assert_true(ring_withdraw(&rig->c));
	ring_ask(&rig->c);
	put(rig, 1);
	assert_true(ring_publish(&rig->p));
	assert_false(ring_withdraw(&rig->c));
	atomic_store(&rig->shared->consumer_sleeps, 1); /* as a simple consumer says it */
	assert_true(ring_ring_again(&rig->p));
	assert_int_equal(atomic_load(&rig->shared->consumer_sleeps), 0);
}

static void lingers_after_a_stream(void **state)
{
	struct ring_rig *rig = *state;

	assert_false(ring_linger(&rig->c, RING_MANY)); /* it ends by itself */
	put(rig, 1);
	assert_false(ring_linger(&rig->c, RING_MANY)); /* not published yet */
	(void)ring_publish(&rig->p);
	assert_false(ring_linger(&rig->c, RING_MANY - 1)); /* not a stream */
	assert_true(ring_linger(&rig->c, RING_MANY));
	assert_false(atomic_load(&rig->shared->consumer_sleeps));
	atomic_store(&rig->shared->head, 1); /* nonsense */
	assert_false(ring_linger(&rig->c, RING_MANY));
	ring_rig_at(rig, 0x1000, false);
	atomic_store(&rig->shared->head, 1);
	assert_false(ring_linger(&rig->c, RING_MANY));
	assert_true(rig->c.broken);
}

static void consumer_asks_again(void **state)
{
	struct ring_rig *rig = *state;

	ring_ask(&rig->c);
	assert_false(ring_ring_again(&rig->p)); /* empty: the next record rings */
	put(rig, 1);
	assert_false(ring_ring_again(&rig->p)); /* not published */
	assert_true(ring_publish(&rig->p));
	assert_false(ring_ring_again(&rig->p)); /* not asked for */
	ring_ask(&rig->c);
	assert_true(ring_ring_again(&rig->p));
	assert_false(ring_ring_again(&rig->p));
	ring_ask(&rig->c);
	take(rig);
	(void)ring_release(&rig->c);
	assert_false(ring_ring_again(&rig->p)); /* it has found it meanwhile */
}

/* Each announcement is either taken back or answered by one signal, never both. */
static void consumer_withdraws(void **state)
{
	struct ring_rig *rig = *state;

	assert_false(ring_withdraw(&rig->c)); /* nothing was said */
	assert_true(ring_sleep(&rig->c));
	assert_true(ring_withdraw(&rig->c));
	put(rig, 1);
	assert_false(ring_publish(&rig->p));
	ring_ask(&rig->c);
	assert_true(ring_ring_again(&rig->p));
	assert_false(ring_withdraw(&rig->c)); /* a signal is on its way */
}

static void producer_is_woken(void **state)
{
	struct ring_rig *rig = *state;
	bool woken;

	put(rig, 1);
	(void)ring_publish(&rig->p);
	take(rig);
	assert_false(ring_release(&rig->c)); /* it does not wait */
	assert_false(ring_wait_room(&rig->p, 1000));
	assert_false(ring_release(&rig->c)); /* nor now */
	while (ring_reserve(&rig->p, 1000))
		ring_commit(&rig->p, 1000, RING_FRAME);
	(void)ring_publish(&rig->p);
	assert_true(ring_wait_room(&rig->p, 1000));
	assert_false(ring_wait_room(&rig->p, 0)); /* a little there is */
	assert_true(ring_wait_room(&rig->p, 2000));
	do {
		assert_true(ring_room_asked(&rig->p));
		take(rig);
		woken = ring_release(&rig->c);
		assert_int_equal(woken, rig->p.size - (rig->p.head - rig->c.tail) >= rig->p.size / 4);
	} while (!woken);
	assert_false(ring_release(&rig->c)); /* once is enough */
	assert_false(ring_wait_room(&rig->p, 2000));
}

/* Who wants much is woken when so much is free, be it all that there is; who wants nonsense never. */
static void much_room(void **state)
{
	struct ring_rig *rig = *state;
	uint32_t most = ring_max_payload(rig->p.size);

	ring_rig_at(rig, rig->p.size / 2 + 8, false);
	while (ring_reserve(&rig->p, 8))
		ring_commit(&rig->p, 8, RING_FRAME);
	(void)ring_publish(&rig->p);
	assert_true(ring_wait_room(&rig->p, most));
	while (!ring_consumer_empty(&rig->c)) {
		bool fits = rig->p.size - (rig->p.head - rig->c.released) >= atomic_load(
			&rig->shared->producer_waits);

		assert_false(fits);
		take(rig);
		if (ring_release(&rig->c))
			break;
	}
	assert_non_null(ring_reserve(&rig->p, most));
	atomic_store(&rig->shared->producer_waits, rig->p.size + 1);
	assert_false(ring_release(&rig->c));
}

/* For every place and length: what ring_wait_room() calls room is room. */
static void room_is_room(void **state)
{
	struct ring_rig *rig = *state;
	uint64_t random = 1;

	for (int i = 0; i < 20000; i++) {
		uint32_t start = (uint32_t)test_random(&random) & ~7u;
		uint32_t ahead = (uint32_t)(test_random(&random) % (RIG_SIZE + 8)) & ~7u;
		uint32_t len = (uint32_t)(test_random(&random) % (ring_max_payload(RIG_SIZE) + 1));

		ring_rig_at(rig, start, i & 1);
		atomic_store(&rig->shared->head, start + ahead);
		assert_int_equal(ring_producer_resume(&rig->p), 0);
		assert_int_equal(ring_wait_room(&rig->p, len), ring_reserve(&rig->p, len) == NULL);
		(void)ring_publish(&rig->p);
		assert_int_equal(atomic_load(&rig->shared->busy), 0);
	}
}

/* --- memory ------------------------------------------------------------------------------- */

static size_t resident_pages(const struct ring_rig *rig)
{
	unsigned char pages[RIG_SIZE / 4096] = { 0 };
	size_t count = 0;

	assert_int_equal(mincore(rig->data, RIG_SIZE, pages), 0);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		count += pages[i] & 1;
	return count;
}

static void gives_memory_back(void **state)
{
	struct ring_rig *rig = *state;

	memset(rig->data, 1, RIG_SIZE);
	assert_true(resident_pages(rig) > 0);
	put(rig, 1000);
	assert_false(ring_producer_punch(&rig->p)); /* not even published */
	(void)ring_publish(&rig->p);
	assert_false(ring_punch(&rig->c));
	take(rig);
	assert_false(ring_punch(&rig->c)); /* not released */
	assert_false(ring_producer_punch(&rig->p));
	(void)ring_release(&rig->c);
	assert_true(resident_pages(rig) > 0);
	assert_true(ring_punch(&rig->c));
	assert_int_equal(resident_pages(rig), 0);
	pass(rig, 1000);
	assert_true(resident_pages(rig) > 0);
	assert_true(ring_producer_punch(&rig->p));
	assert_int_equal(resident_pages(rig), 0);
	for (int i = 0; i < 200; i++)
		pass(rig, 1000);
	assert_int_equal(atomic_load(&rig->shared->punching), 0);
}

static void punch_and_guard(void **state)
{
	struct ring_rig *rig = *state;

	ring_rig_at(rig, 0, true);
	assert_false(ring_producer_punch(&rig->p)); /* that is the consumer's */
	put(rig, 8);
	assert_int_equal(atomic_load(&rig->shared->busy), 1);
	assert_false(ring_punch(&rig->c)); /* it writes */
	(void)ring_publish(&rig->p);
	assert_int_equal(atomic_load(&rig->shared->busy), 0);
	assert_false(ring_punch(&rig->c)); /* there is something */
	take(rig);
	(void)ring_release(&rig->c);
	assert_non_null(ring_reserve(&rig->p, 8)); /* and changes its mind */
	assert_false(ring_punch(&rig->c));
	(void)ring_publish(&rig->p);
	assert_true(ring_punch(&rig->c));
}

/* A punch that takes long: no room, and a waiter that the next release wakes. */
static void long_punch(void **state)
{
	struct ring_rig *rig = *state;

	ring_rig_at(rig, 0, true);
	atomic_store(&rig->shared->punching, 1);
	assert_null(ring_reserve(&rig->p, 8));
	assert_int_equal(atomic_load(&rig->shared->busy), 0);
	assert_false(rig->p.broken);
	assert_true(ring_wait_room(&rig->p, 8));
	atomic_store(&rig->shared->punching, 0);
	assert_true(ring_release(&rig->c));
	assert_false(ring_wait_room(&rig->p, 8));
	pass(rig, 8);
}

/* --- a peer that lies --------------------------------------------------------------------- */

static void false_heads(void **state)
{
	struct ring_rig *rig = *state;
	const uint32_t heads[] = { 0x1008 + RIG_SIZE, 0xff8, 0, UINT32_MAX - 7, 0x80000000, 0x1004,
				   0x1001, 0x1028 - 8 };

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		ring_rig_at(rig, 0x1000, false);
		if (i == ARRAY_SIZE(heads) - 1) { /* back behind what was seen already */
			put(rig, 24);
			put(rig, 0);
			(void)ring_publish(&rig->p);
			take(rig);
			assert_int_equal(rig->c.head, 0x1028);
		}
		atomic_store(&rig->shared->head, heads[i]);
		(void)ring_consumer_empty(&rig->c);
		assert_true(rig->c.broken);
		assert_null(ring_next(&rig->c, &(uint32_t){ 0 }, &(uint16_t){ 0 }));
		assert_false(ring_punch(&rig->c));
		assert_true(ring_sleep(&rig->c));
	}
}

static void false_tails(void **state)
{
	struct ring_rig *rig = *state;
	/* 32 bytes are published, and 8 more are written */
	const uint32_t tails[] = { 0x1028, 0xff8, 0x1024, 0x1030 + RIG_SIZE, 0, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		ring_rig_at(rig, 0x1000, false);
		put(rig, 24);
		(void)ring_publish(&rig->p);
		put(rig, 0);
		atomic_store(&rig->shared->tail, tails[i]);
		assert_false(ring_producer_empty(&rig->p));
		assert_true(rig->p.broken);
		assert_null(ring_reserve(&rig->p, 0));
		assert_false(ring_wait_room(&rig->p, 0));
		assert_false(ring_producer_punch(&rig->p));
		assert_false(ring_ring_again(&rig->p));
	}
}

/* A header that the producer wrote differs from what was published. */
static void false_lengths(void **state)
{
	struct ring_rig *rig = *state;
	const uint32_t lens[] = { 17, 100, RIG_SIZE - 8, RIG_SIZE, RIG_SIZE + 1, INT32_MAX,
				  UINT32_MAX - 7, UINT32_MAX - 8, UINT32_MAX };
	uint32_t len;
	uint16_t type;

	for (int kind = 0; kind < 2; kind++)
		for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
			struct ring_header header = { .len = lens[i],
						      .type = kind ? RING_PAD : RING_FRAME };

			ring_rig_at(rig, 0, false);
			put(rig, 16);
			(void)ring_publish(&rig->p);
			memcpy(rig->data, &header, sizeof(header));
			assert_null(ring_next(&rig->c, &len, &type));
			assert_true(rig->c.broken);
			header.len = 16; /* it repents: too late */
			memcpy(rig->data, &header, sizeof(header));
			assert_null(ring_next(&rig->c, &len, &type));
		}
}

/* A record that would go past the end of the ring. */
static void false_places(void **state)
{
	struct ring_rig *rig = *state;
	struct ring_header header = { .len = 16, .type = RING_FRAME };

	ring_rig_at(rig, RIG_SIZE - 16, false);
	memcpy(rig->data + RIG_SIZE - 16, &header, sizeof(header));
	atomic_store(&rig->shared->head, RIG_SIZE + 16);
	assert_null(ring_next(&rig->c, &(uint32_t){ 0 }, &(uint16_t){ 0 }));
	assert_true(rig->c.broken);
}

/* Padding without end does not keep the reader; padding anywhere is passed over. */
static void padding_everywhere(void **state)
{
	struct ring_rig *rig = *state;
	uint32_t len, calls = 0;
	uint16_t type;

	for (uint32_t i = 0; i < RIG_SIZE / 8; i++) {
		assert_non_null(ring_reserve(&rig->p, 0));
		ring_commit(&rig->p, 0, RING_PAD);
	}
	(void)ring_publish(&rig->p);
	while (!ring_sleep(&rig->c)) {
		assert_null(ring_next(&rig->c, &len, &type));
		assert_int_equal(ring_release(&rig->c), false);
		calls++;
	}
	assert_int_equal(calls, RIG_SIZE / 8 / 64);
	for (int i = 0; i < 63; i++) {
		assert_non_null(ring_reserve(&rig->p, 8));
		ring_commit(&rig->p, 8, RING_PAD);
	}
	assert_non_null(ring_reserve(&rig->p, 5));
	ring_commit(&rig->p, 5, RING_FRAME);
	(void)ring_publish(&rig->p);
	assert_non_null(ring_next(&rig->c, &len, &type));
	assert_int_equal(len, 5);
}

/* Types of a later version are the reader's to skip. */
static void unknown_types(void **state)
{
	struct ring_rig *rig = *state;
	uint32_t len;
	uint16_t type;

	assert_non_null(ring_reserve(&rig->p, 100));
	ring_commit(&rig->p, 100, (enum ring_type)0xfffe);
	put(rig, 3);
	(void)ring_publish(&rig->p);
	assert_non_null(ring_next(&rig->c, &len, &type));
	assert_int_equal(type, 0xfffe);
	assert_int_equal(len, 100);
	ring_consume(&rig->c, len);
	assert_non_null(ring_next(&rig->c, &len, &type));
	assert_int_equal(type, RING_FRAME);
	assert_int_equal(len, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(like_a_queue),
		RIG_TEST(wraps_at_every_place),
		RIG_TEST(full_and_empty),
		RIG_TEST(largest),
		RIG_TEST(parts_are_released),
		RIG_TEST(goes_on),
		RIG_TEST(does_not_go_on),
		RIG_TEST(consumer_is_woken),
		RIG_TEST(no_signal_for_what_was_taken),
		RIG_TEST(lingers_after_a_stream),
		RIG_TEST(consumer_asks_again),
		RIG_TEST(consumer_withdraws),
		RIG_TEST(producer_is_woken),
		RIG_TEST(much_room),
		RIG_TEST(room_is_room),
		RIG_TEST(gives_memory_back),
		RIG_TEST(punch_and_guard),
		RIG_TEST(long_punch),
		RIG_TEST(false_heads),
		RIG_TEST(false_tails),
		RIG_TEST(false_lengths),
		RIG_TEST(false_places),
		RIG_TEST(padding_everywhere),
		RIG_TEST(unknown_types),
	};

	return RUN_TESTS(tests);
}
