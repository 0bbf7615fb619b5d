/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * RFC 1071 section 2: the sum does not depend on byte order nor on the width of the accumulator,
 * so eight bytes are added at a time, with the carry put back in ("end-around").
 */
#include "wire/checksum.h"

#include <string.h>

static inline uint64_t add_carry(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *at = data;
	uint64_t words[4], other = 0;

	for (; len >= sizeof(words); at += sizeof(words), len -= sizeof(words)) {
		memcpy(words, at, sizeof(words));
		sum = add_carry(sum, words[0]);
		other = add_carry(other, words[1]);
		sum = add_carry(sum, words[2]);
		other = add_carry(other, words[3]);
	}
	sum = add_carry(sum, other);
	for (; len >= 8; at += 8, len -= 8) {
		memcpy(words, at, 8);
		sum = add_carry(sum, words[0]);
	}
	if (len) { /* the rest, padded with zero bytes behind */
		words[0] = 0;
		memcpy(words, at, len);
		sum = add_carry(sum, words[0]);
	}
	return sum;
}

uint16_t checksum_finish(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~sum;
}
