/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ring between two threads: everything comes, in order, and nobody sleeps for good; the moments in
 * which both sides decide, met on purpose; and a thread that writes to whatever is shared while it
 * is used.
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

#include "base/clock.h"
#include "ring_rig.h"

#define RECORDS    1000000
#define TIME_LIMIT (1 * NS_PER_SEC) /* less on a slow machine: the producer stops then */
#define PATIENCE   10000            /* ms until a sleeper counts as forgotten */
#define HOSTILE    (NS_PER_SEC / 5)
#define MEETINGS   (NS_PER_SEC / 5)

/* --- honest ------------------------------------------------------------------------------- */

struct traffic {
	struct ring_rig *rig;
	int to_consumer[2], to_producer[2]; /* doorbells */
	uint32_t largest;                   /* payload */
	bool punches;
	uint64_t sent, received, slept_producer, slept_consumer, punched;
	const char *_Atomic fault; /* ends both sides */
};

static void ring_bell(const int bell[2])
{
	(void)!write(bell[1], "", 1); /* full is as good */
}

static void silence(const int bell[2])
{
	char signals[512];

	(void)!read(bell[0], signals, sizeof(signals));
}

/* False: nobody rang. */
static bool wait_bell(const int bell[2])
{
	struct pollfd pollfd = { .fd = bell[0], .events = POLLIN };

	return poll(&pollfd, 1, PATIENCE) == 1;
}

static uint32_t length_of(const struct traffic *t, uint64_t number)
{
	uint64_t random = number * 77 + 1;

	return (uint32_t)(sizeof(number) + 1 + test_random(&random) % (t->largest - sizeof(number)));
}

/* Number, zeros, and a last byte that is the number's. */
static bool send_one(struct traffic *t, uint64_t number)
{
	uint32_t len = length_of(t, number);
	uint8_t *room = ring_reserve(&t->rig->p, len);

	if (!room)
		return false;
	room[len - 1] = (uint8_t)(number >> 1);
	memcpy(room, &number, sizeof(number));
	ring_commit(&t->rig->p, len, RING_FRAME);
	t->sent++;
	return true;
}

static bool wait_for_room(struct traffic *t)
{
	if (ring_publish(&t->rig->p))
		ring_bell(t->to_consumer);
	silence(t->to_producer);
	if (!ring_wait_room(&t->rig->p, length_of(t, t->sent)))
		return true;
	t->slept_producer++;
	return wait_bell(t->to_producer);
}

static void *produce(void *context)
{
	struct traffic *t = context;
	uint64_t random = 3, end = clock_now() + TIME_LIMIT;

	while (t->sent < RECORDS && clock_now() < end && !t->fault) {
		uint64_t burst = test_random(&random) % 100;

		while (burst-- > 0 && send_one(t, t->sent))
			;
		if (ring_publish(&t->rig->p))
			ring_bell(t->to_consumer);
		if (t->rig->p.broken)
			t->fault = "the producer's ring is broken";
		else if (burst != UINT64_MAX && !wait_for_room(t))
			t->fault = "nobody woke the producer";
		else if (test_random(&random) % 64 == 0) /* let the consumer fall asleep */
			(void)usleep(50);
	}
	while (!ring_reserve(&t->rig->p, 0) && !t->fault)
		if (!wait_for_room(t))
			t->fault = "nobody woke the producer";
	if (!t->fault)
		ring_commit(&t->rig->p, 0, RING_NOTICE);
	if (ring_publish(&t->rig->p))
		ring_bell(t->to_consumer);
	return NULL;
}

static const char *check_record(struct traffic *t, const uint8_t *record, uint32_t len)
{
	uint64_t number = t->received++;

	if (len != length_of(t, number))
		return "a record of another length";
	if (memcmp(record, &number, sizeof(number)) != 0 || record[len - 1] != (uint8_t)(number >> 1))
		return "a record of other bytes";
	return NULL;
}

/* False at the end. */
static bool take_records(struct traffic *t)
{
	const uint8_t *record;
	const char *fault = NULL;
	uint32_t len;
	uint16_t type;

	for (int i = 0; i < 64 && (record = ring_next(&t->rig->c, &len, &type)); i++) {
		if (type == RING_NOTICE)
			return false;
		fault = check_record(t, record, len);
		if (fault)
			t->fault = fault;
		ring_consume(&t->rig->c, len);
	}
	if (t->rig->c.broken)
		t->fault = "the consumer's ring is broken";
	return !t->fault;
}

static void consume(struct traffic *t)
{
	uint64_t random = 5;

	while (take_records(t)) {
		if (ring_release(&t->rig->c))
			ring_bell(t->to_producer);
		if (!ring_consumer_empty(&t->rig->c))
			continue;
		if (t->punches && test_random(&random) % 2)
			t->punched += ring_punch(&t->rig->c);
		if (ring_release(&t->rig->c))
			ring_bell(t->to_producer);
		silence(t->to_consumer);
		if (!ring_sleep(&t->rig->c))
			continue;
		t->slept_consumer++;
		if (!wait_bell(t->to_consumer))
			t->fault = "nobody woke the consumer";
	}
	ring_bell(t->to_producer);
}

static void run_traffic(struct ring_rig *rig, uint32_t largest, bool punches)
{
	struct traffic t = { .rig = rig, .largest = largest, .punches = punches };
	pthread_t producer;

	ring_rig_at(rig, UINT32_MAX - 99999, punches);
	assert_int_equal(pipe2(t.to_consumer, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(t.to_producer, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pthread_create(&producer, NULL, produce, &t), 0);
	consume(&t);
	assert_int_equal(pthread_join(producer, NULL), 0);
	for (int i = 0; i < 2; i++) {
		(void)close(t.to_consumer[i]);
		(void)close(t.to_producer[i]);
	}
	if (t.fault)
		fail_msg("%s", t.fault);
	assert_int_equal(t.sent, t.received);
	assert_true(t.sent > 1000);
	assert_true(t.slept_consumer > 0);
	if (largest > 1000)
		assert_true(t.slept_producer > 0);
	if (punches)
		assert_true(t.punched > 0);
}

static void small_records(void **state)
{
	run_traffic(*state, 64, false);
}

static void large_records(void **state)
{
	run_traffic(*state, ring_max_payload(RIG_SIZE), false);
}

static void punched_while_used(void **state)
{
	run_traffic(*state, 1514, true);
}

/* --- two decisions at once ---------------------------------------------------------------- */

/* What both sides do in the same moment, many times; each half returns what it decided. */
struct meeting {
	struct ring_rig *rig;
	bool (*producer)(struct ring_rig *rig);
	atomic_uint round, done;
	bool decided; /* by the producer */
};

#define OVER UINT32_MAX

/* Spins, for the halves have to start within nanoseconds; gives way to others now and then. */
static unsigned wait_change(atomic_uint *word, unsigned from)
{
	unsigned now;

	for (unsigned i = 1; (now = atomic_load(word)) == from; i++)
		if (i % 1000 == 0)
			(void)sched_yield();
	return now;
}

static void dawdle(uint64_t *random)
{
	for (volatile uint64_t i = test_random(random) % 32; i > 0;)
		i = i - 1;
}

static void *producers_half(void *context)
{
	struct meeting *m = context;
	uint64_t random = 21;
	unsigned round = 0;

	for (;;) {
		round = wait_change(&m->round, round);
		if (round == OVER)
			return NULL;
		dawdle(&random);
		m->decided = m->producer(m->rig);
		atomic_store(&m->done, round);
	}
}

/* PREPARE and CHECK run alone, before and after the meeting of the halves. */
static void meet(struct ring_rig *rig, void (*prepare)(struct ring_rig *rig),
		 bool (*producer)(struct ring_rig *rig), bool (*consumer)(struct ring_rig *rig),
		 void (*check)(struct ring_rig *rig, bool producer, bool consumer))
{
	struct meeting m = { .rig = rig, .producer = producer };
	uint64_t end = clock_now() + MEETINGS, random = 22;
	pthread_t thread;
	bool decided;

	assert_int_equal(pthread_create(&thread, NULL, producers_half, &m), 0);
	for (unsigned round = 1; clock_now() < end; round++) {
		prepare(rig);
		atomic_store(&m.round, round);
		dawdle(&random);
		decided = consumer(rig);
		(void)wait_change(&m.done, round - 1);
		check(rig, m.decided, decided);
	}
	atomic_store(&m.round, OVER);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void nothing(struct ring_rig *rig)
{
	(void)rig;
}

static bool send_byte(struct ring_rig *rig)
{
	uint8_t *room = ring_reserve(&rig->p, 1);

	if (room) {
		*room = 0x5a;
		ring_commit(&rig->p, 1, RING_FRAME);
	}
	return ring_publish(&rig->p);
}

static bool fall_asleep(struct ring_rig *rig)
{
	return ring_sleep(&rig->c);
}

/* True: there was one. */
static bool take_byte(struct ring_rig *rig)
{
	const uint8_t *record;
	uint32_t len;
	uint16_t type;

	record = ring_next(&rig->c, &len, &type);
	if (record) {
		assert_int_equal(len, 1);
		assert_int_equal(*record, 0x5a);
		ring_consume(&rig->c, len);
	}
	assert_false(rig->c.broken);
	return record != NULL;
}

static void somebody_noticed(struct ring_rig *rig, bool rings, bool sleeps)
{
	assert_true(rings || !sleeps);
	assert_true(take_byte(rig));
	(void)ring_release(&rig->c);
}

/* Either the sleeper sees the record, or who writes it sees the sleeper. */
static void sleep_and_publish(void **state)
{
	meet(*state, nothing, send_byte, fall_asleep, somebody_noticed);
}

static void fill_up(struct ring_rig *rig)
{
	uint8_t *room;

	while ((room = ring_reserve(&rig->p, 1))) {
		*room = 0x5a;
		ring_commit(&rig->p, 1, RING_FRAME);
	}
	(void)ring_publish(&rig->p);
	assert_false(rig->p.broken);
}

static bool wait_one(struct ring_rig *rig)
{
	return ring_wait_room(&rig->p, 1);
}

/* As much as one who waits for room is woken for. */
static bool take_a_quarter(struct ring_rig *rig)
{
	while (rig->c.tail - rig->c.released < RIG_SIZE / 4)
		assert_true(take_byte(rig));
	return ring_release(&rig->c);
}

static void somebody_noticed_room(struct ring_rig *rig, bool waits, bool rings)
{
	assert_true(rings || !waits);
	assert_false(ring_wait_room(&rig->p, 1));
}

static void wait_and_release(void **state)
{
	meet(*state, fill_up, wait_one, take_a_quarter, somebody_noticed_room);
}

/* A record is there, whole, or the producer knew that it had no room. */
static bool try_byte(struct ring_rig *rig)
{
	uint32_t before = rig->p.head;

	(void)send_byte(rig);
	return rig->p.head != before;
}

static bool punch(struct ring_rig *rig)
{
	return ring_punch(&rig->c);
}

static void record_is_whole(struct ring_rig *rig, bool sent, bool punched)
{
	(void)punched;
	assert_int_equal(take_byte(rig), sent);
	assert_false(take_byte(rig));
	(void)ring_release(&rig->c);
}

static void punch_and_write(void **state)
{
	struct ring_rig *rig = *state;

	ring_rig_at(rig, 0, true);
	meet(rig, nothing, try_byte, punch, record_is_whole);
}

/* --- hostile ------------------------------------------------------------------------------ */

struct attack {
	struct ring_rig *rig;
	atomic_bool over;
};

/* A counter near the honest ones is believed more often than any number. */
static uint32_t nasty_number(struct ring_rig *rig, uint64_t *random)
{
	uint64_t dice = test_random(random);
	uint32_t near = atomic_load_explicit(dice & 1 ? &rig->shared->head : &rig->shared->tail,
					     memory_order_relaxed);

	switch (dice / 2 % 4) {
	case 0:
		return (uint32_t)(dice >> 32);
	case 1:
		return near + ((uint32_t)(dice >> 32) & (RIG_SIZE - 1));
	case 2:
		return near + ((uint32_t)(dice >> 32) & (RIG_SIZE - 8));
	default:
		return (uint32_t)(dice >> 32) & 63;
	}
}

static void *attack(void *context)
{
	struct attack *a = context;
	struct ring_shared *s = a->rig->shared;
	_Atomic uint32_t *words[] = { &s->head, &s->tail, &s->busy, &s->punching,
				      &s->consumer_sleeps, &s->producer_waits };
	uint64_t random = 11;

	while (!atomic_load_explicit(&a->over, memory_order_relaxed)) {
		for (int i = 0; i < 200; i++) {
			uint32_t at = (uint32_t)test_random(&random) & (RIG_SIZE - 4);
			uint32_t number = nasty_number(a->rig, &random);

			__atomic_store_n((uint32_t *)(void *)(a->rig->data + at), number,
					 __ATOMIC_RELAXED);
		}
		for (size_t i = 0; i < 2; i++)
			atomic_store(words[test_random(&random) % ARRAY_SIZE(words)],
				     nasty_number(a->rig, &random));
	}
	return NULL;
}

static void within(const struct ring_rig *rig, const uint8_t *at, uint32_t len)
{
	assert_true(at >= rig->data + RING_HEADER && at <= rig->data + RIG_SIZE);
	assert_true(len <= (size_t)(rig->data + RIG_SIZE - at));
}

/* Both sides' calls in an order that an honest program would have. */
static uint64_t hostile_consumer(struct ring_rig *rig)
{
	static uint8_t copy[RIG_SIZE];
	const uint8_t *record;
	uint64_t records = 0;
	uint32_t len;
	uint16_t type;

	for (int i = 0; i < 1000 && (record = ring_next(&rig->c, &len, &type)); i++) {
		within(rig, record, len);
		memcpy(copy, record, len);
		ring_consume(&rig->c, len);
		records++;
	}
	(void)ring_release(&rig->c);
	(void)ring_sleep(&rig->c);
	(void)ring_punch(&rig->c);
	return records;
}

static uint64_t hostile_producer(struct ring_rig *rig, uint64_t *random)
{
	uint64_t records = 0;

	for (int i = 0; i < 100; i++) {
		uint32_t len = (uint32_t)test_random(random) & (RIG_SIZE / 4 - 1);
		uint8_t *room = ring_reserve(&rig->p, len);

		if (!room)
			break;
		within(rig, room, len);
		memset(room, 1, len);
		ring_commit(&rig->p, len, RING_FRAME);
		records++;
	}
	(void)ring_publish(&rig->p);
	(void)ring_wait_room(&rig->p, 1000);
	(void)ring_ring_again(&rig->p);
	(void)ring_producer_punch(&rig->p);
	return records;
}

static void start_anew(struct ring_rig *rig, uint64_t *random)
{
	uint32_t start = (uint32_t)test_random(random) & ~7u;

	atomic_store(&rig->shared->head, start); /* may be overwritten at once: then broken at once */
	atomic_store(&rig->shared->tail, start);
	rig->p.guarded = !rig->p.guarded;
	(void)ring_producer_resume(&rig->p);
	(void)ring_consumer_resume(&rig->c);
}

static void against_an_attacker(void **state)
{
	struct ring_rig *rig = *state;
	struct attack a = { .rig = rig };
	uint64_t end = clock_now() + HOSTILE, random = 9, taken = 0, put = 0, broken = 0;
	pthread_t attacker;

	assert_int_equal(pthread_create(&attacker, NULL, attack, &a), 0);
	while (clock_now() < end || taken == 0 || put == 0 || broken == 0) {
		put += hostile_producer(rig, &random);
		taken += hostile_consumer(rig);
		broken += rig->p.broken + rig->c.broken;
		if (rig->p.broken || rig->c.broken)
			start_anew(rig, &random);
	}
	atomic_store(&a.over, true);
	assert_int_equal(pthread_join(attacker, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(small_records),
		RIG_TEST(large_records),
		RIG_TEST(punched_while_used),
		RIG_TEST(sleep_and_publish),
		RIG_TEST(wait_and_release),
		RIG_TEST(punch_and_write),
		RIG_TEST(against_an_attacker),
	};

	return RUN_TESTS(tests);
}
