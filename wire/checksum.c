/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * RFC 1071 section 2: the sum does not depend on byte order nor on the width of the accumulator,
 * so eight bytes are added at a time, with the carry put back in ("end-around"). Long blocks are
 * added as halves of vectors, 32 bits in 64, where no carry is lost: twice as fast.
 */
#include "wire/checksum.h"

#include <string.h>

/* Two numbers side by side; a processor without vectors gets the same code in words. */
typedef uint64_t pair __attribute__((vector_size(16)));

#define LONG_BLOCK 64 /* bytes added per round */

static inline uint64_t add_carry(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

static inline pair add_halves(pair sum, pair words)
{
	return sum + (words & 0xffffffff) + (words >> 32);
}

static inline uint64_t add_pairs(uint64_t sum, pair a, pair b)
{
	a += b; /* each far from full: at most 2^32 additions of 33 bits */
	return add_carry(add_carry(sum, a[0]), a[1]);
}

/* Adds a block of fewer than 8 bytes, padded with zero bytes behind. */
static inline uint64_t add_rest(uint64_t sum, const uint8_t *at, size_t len)
{
	uint64_t rest = 0;
	uint32_t four;
	uint16_t two;

	if (len & 4) {
		memcpy(&four, at, sizeof(four));
		rest += four;
		at += sizeof(four);
	}
	if (len & 2) {
		memcpy(&two, at, sizeof(two));
		rest += two;
		at += sizeof(two);
	}
	if (len & 1) {
		two = 0;
		memcpy(&two, at, 1);
		rest += two;
	}
	return add_carry(sum, rest);
}

/* At most 63 bytes. */
static inline uint64_t add_short(uint64_t sum, const uint8_t *at, size_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum = add_carry(sum, word);
	}
	return len ? add_rest(sum, at, len) : sum;
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *at = data;

	if (len >= LONG_BLOCK) {
		pair a = { 0 }, b = { 0 }, words[LONG_BLOCK / sizeof(pair)];

		for (; len >= LONG_BLOCK; at += LONG_BLOCK, len -= LONG_BLOCK) {
			memcpy(words, at, LONG_BLOCK);
			a = add_halves(a, words[0]);
			b = add_halves(b, words[1]);
			a = add_halves(a, words[2]);
			b = add_halves(b, words[3]);
		}
		sum = add_pairs(sum, a, b);
	}
	return add_short(sum, at, len);
}

uint64_t checksum_copy(uint64_t sum, void *to, const void *from, size_t len)
{
	const uint8_t *at = from;
	uint8_t *out = to, rest[LONG_BLOCK];

	if (len >= LONG_BLOCK) {
		pair a = { 0 }, b = { 0 }, words[LONG_BLOCK / sizeof(pair)];

		for (; len >= LONG_BLOCK; at += LONG_BLOCK, out += LONG_BLOCK, len -= LONG_BLOCK) {
			memcpy(words, at, LONG_BLOCK);
			memcpy(out, words, LONG_BLOCK);
			a = add_halves(a, words[0]);
			b = add_halves(b, words[1]);
			a = add_halves(a, words[2]);
			b = add_halves(b, words[3]);
		}
		sum = add_pairs(sum, a, b);
	}
	memcpy(rest, at, len);
	memcpy(out, rest, len);
	return add_short(sum, rest, len);
}

uint16_t checksum_finish(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~sum;
}
