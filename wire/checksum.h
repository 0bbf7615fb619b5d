/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Internet checksum (RFC 1071): ones' complement sum of 16-bit words. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Adds LEN bytes at DATA to SUM, a partial sum of earlier blocks (each of even length but the
 * last). Any alignment. The result is given to checksum_finish() or to another call.
 */
uint64_t checksum_add(uint64_t sum, const void *data, size_t len);

/* The same while LEN bytes are copied from FROM to TO (which do not overlap), in one pass. */
uint64_t checksum_copy(uint64_t sum, void *to, const void *from, size_t len);

/* The same sum in 33 bits: small numbers (words as they are in memory) may just be added to it. */
static inline uint64_t checksum_fold(uint64_t sum)
{
	return (sum >> 32) + (sum & 0xffffffff);
}

/* Folds SUM and complements it; the value is stored as it is (network byte order in memory). */
uint16_t checksum_finish(uint64_t sum);

/* The checksum of one block. A block that includes its right checksum gives 0. */
static inline uint16_t checksum(const void *data, size_t len)
{
	return checksum_finish(checksum_add(0, data, len));
}
