/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A byte ring in shared memory for one producer and one consumer that do not trust each other.
 *
 * What is shared are two free-running byte counters (`head`, `tail`), some flags, and the data. Each
 * side keeps its own counter privately and only publishes copies of it; what the other side
 * publishes is checked (`head - tail <= size`) at each look, and a side that lies makes the ring
 * broken for good. A record's header is copied before it is believed; its payload is the peer's to
 * change at any time, so whoever parses it copies it first.
 *
 * Records are a header of 8 bytes and a payload, at multiples of 8, never split at the end of the
 * ring: what is left there is a record of type RING_PAD, which may also stand elsewhere and is passed
 * over by ring_next(). Other unknown types are skipped by whoever reads.
 *
 * Waking. A side that is about to sleep says so in the ring, looks once more, and sleeps; the other
 * side rings its doorbell (which this file knows nothing about) only then. So a producer writes
 * records, publishes, and rings if it is told to; a consumer takes records, releases (and rings if
 * it is told to), silences its doorbell, calls ring_sleep(), and waits for the doorbell if that says
 * so. Silencing after ring_sleep() would lose a signal. A signal for nothing is possible.
 *
 * Giving memory back. ring_punch() on the consumer's side returns the pages of an empty ring to the
 * kernel. Producers in other processes are `guarded`: they mark the time between their first write and
 * the publication, so that a punch never meets a half-written record. While a punch is under way such
 * a producer has no room.
 */
#pragma once

#include <stdatomic.h>

#include "util.h"

#define RING_LINE   128 /* what the processor may fetch together */
#define RING_ALIGN  8
#define RING_HEADER 8
#define RING_MIN    (1u << 16)
#define RING_MAX    (1u << 30)
#define RING_MANY   16 /* records taken at once look like a stream */

/* Bits of `consumer_sleeps`: it sleeps; and the other bits are the bytes that it has taken. */
#define RING_SLEEPS    1u
#define RING_SLEEPS_AT 2u

enum ring_type {
	RING_PAD = 0,
	RING_FRAME = 1,
	RING_NOTICE = 2,
};

/* One direction's shared words. All of it may change at any time. */
struct ring_shared {
	_Alignas(RING_LINE) _Atomic uint32_t head; /* producer: bytes written, modulo 2^32 */
	_Atomic uint32_t busy;                     /* producer: it writes records now */
	_Alignas(RING_LINE) _Atomic uint32_t tail; /* consumer: bytes taken */
	_Atomic uint32_t punching;                 /* consumer: it gives memory back now */
	_Alignas(RING_LINE) _Atomic uint32_t consumer_sleeps; /* 0: do not ring */
	_Atomic uint32_t producer_waits; /* bytes: ring when so much is free; 0: do not */
};

_Static_assert(offsetof(struct ring_shared, busy) == 4 &&
	       offsetof(struct ring_shared, tail) == RING_LINE &&
	       offsetof(struct ring_shared, punching) == RING_LINE + 4 &&
	       offsetof(struct ring_shared, consumer_sleeps) == 2 * RING_LINE &&
	       offsetof(struct ring_shared, producer_waits) == 2 * RING_LINE + 4, "a protocol");

struct ring_header {
	uint32_t len; /* bytes of payload */
	uint16_t type;
	uint16_t flags; /* 0 */
};
_Static_assert(sizeof(struct ring_header) == RING_HEADER, "record header");

struct ring_producer {
	struct ring_shared *shared; /* borrowed */
	uint8_t *data;              /* borrowed, `size` bytes */
	uint32_t size;              /* a power of two */
	uint32_t head;              /* where the next record goes, published or not */
	uint32_t published;
	uint32_t tail; /* the consumer's, as last seen */
	bool guarded;
	bool open;   /* it may write: not broken, and the guard, if there is one, is up */
	bool broken; /* the consumer published nonsense */
};

struct ring_consumer {
	struct ring_shared *shared;
	uint8_t *data;
	uint32_t size;
	uint32_t tail; /* the next record */
	uint32_t released;
	uint32_t head; /* the producer's, as last seen */
	bool broken;   /* the producer published nonsense */
};

/* Most bytes of payload that a ring of SIZE bytes takes. */
static inline uint32_t ring_max_payload(uint32_t size)
{
	return size / 2 - RING_HEADER;
}

static inline bool ring_size_valid(uint64_t size)
{
	return size >= RING_MIN && size <= RING_MAX && (size & (size - 1)) == 0;
}

/* Both sides begin with an empty ring whose words are zero. SIZE is valid (see above). */
void ring_producer_init(struct ring_producer *p, struct ring_shared *shared, void *data,
			uint32_t size, bool guarded);
void ring_consumer_init(struct ring_consumer *c, struct ring_shared *shared, void *data,
			uint32_t size);

/* Go on where the shared words stand (a process that takes over); -EPROTO when they are nonsense. */
int ring_producer_resume(struct ring_producer *p);
int ring_consumer_resume(struct ring_consumer *c);

static inline uint32_t ring_record_size(uint32_t len)
{
	return (RING_HEADER + len + RING_ALIGN - 1) & ~(uint32_t)(RING_ALIGN - 1);
}

/* --- the producer ------------------------------------------------------------------------- */

/* The slow part of ring_reserve(): looks at the consumer's counter, pads, guards. */
void *ring_reserve_slowly(struct ring_producer *p, uint32_t len);

/*
 * Room for a record of LEN bytes of payload, contiguous; NULL when there is not enough now, while the
 * consumer gives memory back, when the ring is broken, or when LEN is more than ring_max_payload().
 * The bytes are the producer's until ring_commit(), before which it does not publish. A
 * reservation that is not committed is as if it had not been made.
 */
static inline void *ring_reserve(struct ring_producer *p, uint32_t len)
{
	uint32_t need = ring_record_size(len), at = p->head & (p->size - 1);

	if (__builtin_expect(p->open && len <= ring_max_payload(p->size) && need <= p->size - at &&
			     need <= p->size - (p->head - p->tail), 1))
		return p->data + at + RING_HEADER;
	return ring_reserve_slowly(p, len);
}

/* Makes what was reserved a record of LEN (not more than reserved) bytes; not visible yet. */
static inline void ring_commit(struct ring_producer *p, uint32_t len, enum ring_type type)
{
	struct ring_header header = { .len = len, .type = (uint16_t)type };

	memcpy(p->data + (p->head & (p->size - 1)), &header, sizeof(header));
	p->head += ring_record_size(len);
}

/*
 * Makes all committed records visible. True: the consumer sleeps, ring its doorbell. Without new
 * records it does nothing.
 */
bool ring_publish(struct ring_producer *p);

/*
 * The same without waking anybody, for a producer that goes on: when it has enough, or nothing more, it calls
 * ring_ring_again() if ring_consumer_sleeps().
 */
void ring_show(struct ring_producer *p);
bool ring_consumer_sleeps(const struct ring_producer *p);

/*
 * Says that the producer, which has published everything, waits for room for LEN bytes (at most
 * ring_max_payload()). False: there is room by now, do not wait; or the ring is broken (look at that
 * first). The consumer rings when there is room for LEN bytes and a good part of the ring is free (of a
 * consumer that is somebody else's program it may be less: then ask again).
 */
bool ring_wait_room(struct ring_producer *p, uint32_t len);
/* True while the consumer has not answered that yet; for any thread. */
bool ring_room_asked(const struct ring_producer *p);

/*
 * For what was shown already, and for a consumer that has asked to be rung again (ring_ask()). True: it
 * sleeps and there is something for it, ring its doorbell.
 */
bool ring_ring_again(struct ring_producer *p);

/* Bytes that are in the ring, published or not. */
static inline uint32_t ring_used(const struct ring_producer *p)
{
	return p->head - p->tail;
}

/* True when the consumer has taken everything that was published; looks at its counter. */
bool ring_producer_empty(struct ring_producer *p);

/* --- the consumer ------------------------------------------------------------------------- */

/* The slow part of ring_next(): looks at the producer's counter, steps over padding, finds faults. */
const void *ring_next_slowly(struct ring_consumer *c, uint32_t *ret_len, uint16_t *ret_type);

/*
 * A header as it is at this moment. The loads are atomic so that the compiler makes each once: what
 * is checked is what is used.
 */
static inline struct ring_header ring_load_header(const struct ring_consumer *c)
{
	const uint32_t *at = (const uint32_t *)(const void *)(c->data + (c->tail & (c->size - 1)));
	uint32_t words[2] = { __atomic_load_n(at, __ATOMIC_RELAXED),
			      __atomic_load_n(at + 1, __ATOMIC_RELAXED) };
	struct ring_header header;

	memcpy(&header, words, sizeof(header));
	return header;
}

/* A record at the tail that stays within what was published and within the ring. */
static inline bool ring_record_fits(const struct ring_consumer *c, uint32_t len)
{
	uint32_t size = ring_record_size(len), at = c->tail & (c->size - 1);

	return len <= c->size && size <= c->head - c->tail && size <= c->size - at;
}

/*
 * The next record's payload (which the producer may still change), or NULL when there is none (or the
 * ring is broken). It stays in the ring until ring_consume(). Call ring_release() also when nothing
 * came: padding may have been taken.
 */
static inline const void *ring_next(struct ring_consumer *c, uint32_t *ret_len, uint16_t *ret_type)
{
	if (__builtin_expect(c->tail != c->head && !c->broken, 1)) {
		struct ring_header header = ring_load_header(c);

		if (__builtin_expect(header.type != RING_PAD && ring_record_fits(c, header.len), 1)) {
			*ret_len = header.len;
			*ret_type = header.type;
			return c->data + (c->tail & (c->size - 1)) + RING_HEADER;
		}
	}
	return ring_next_slowly(c, ret_len, ret_type);
}

/* Done with the record of LEN bytes that ring_next() gave; its room is not free yet. */
static inline void ring_consume(struct ring_consumer *c, uint32_t len)
{
	c->tail += ring_record_size(len);
}

/* Frees the room of all consumed records. True: the producer waits for that much, ring its doorbell. */
bool ring_release(struct ring_consumer *c);

/*
 * Frees the room of what was consumed while `tail` was at most TAIL (a value of c->tail since the
 * last release); the records behind it stay readable.
 */
bool ring_release_until(struct ring_consumer *c, uint32_t tail);

/*
 * For a consumer that has found the ring empty after TAKEN records, and released them: after RING_MANY
 * it looks again for a few microseconds, which is far less than a sleep and a wake-up cost both sides.
 * True: there is something to take.
 */
bool ring_linger(struct ring_consumer *c, unsigned taken);

/*
 * Says that the consumer, which has released everything, sleeps. True: the ring was still empty after
 * that, so sleep; or it is broken (look at that first). False: there is something; the consumer is
 * awake (the doorbell may have been rung).
 */
bool ring_sleep(struct ring_consumer *c);

/*
 * Says that the consumer sleeps although there is something: it lost the doorbell's signal. It then
 * wakes the producer, which rings again.
 */
void ring_ask(struct ring_consumer *c);

/*
 * Takes back what ring_ask() or ring_sleep() has said. False: the producer has seen it, so its signal
 * is in the doorbell or on its way; with that a consumer can count signals.
 */
bool ring_withdraw(struct ring_consumer *c);

/* True when there is nothing to take; looks at the producer's counter. */
bool ring_consumer_empty(struct ring_consumer *c);

/*
 * Gives the data's pages back when the ring is empty and nobody writes. Returns whether it did. Call
 * ring_release() after it in any case: a producer that came meanwhile may wait.
 */
bool ring_punch(struct ring_consumer *c);
/* The same on the side of an unguarded producer, which has published everything. */
bool ring_producer_punch(struct ring_producer *p);
