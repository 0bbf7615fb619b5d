/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a view, which all its processes share: a file of memory that the supervisor alone can write
 * (vuos/umvu/segment_writer.c) and all others map for reading. This is its form, and how it is read.
 *
 * At the start is a header, with one word, the root: the number of a generation, and the place of the index,
 * which has the place of the one record of each kind. What the root leads to does not change: the supervisor
 * writes new records beside the old ones, and then the root. The place of an old record is not used again
 * before SEGMENT_KEEP generations have gone by. So a reader takes no lock and never waits: it copies what it
 * needs, and looks at the root again. When it was overtaken that far, what it has copied may be anything,
 * and it begins anew.
 *
 * No C library: the resident has this code, too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vuos/view/channel.h"

#pragma GCC visibility push(hidden)

#define SEGMENT_MAGIC   0x3174676553555556ull /* "VUUSegt1" */
#define SEGMENT_VERSION 1
#define SEGMENT_SIZE    (64u << 20) /* sparse: what is not written takes no memory */
#define SEGMENT_UNIT    64          /* bytes: places are multiples of it */
#define SEGMENT_KEEP    1024        /* generations */
#define SEGMENT_TRIES   64          /* of a reader that is overtaken again and again */

/* A kind's record may be missing. New kinds go to the end. */
enum segment_kind {
	SEGMENT_INFO,      /* struct view_info (records.h) */
	SEGMENT_TAGS,      /* struct view_tags */
	SEGMENT_PROCESSES, /* struct view_process, in order of pid; then the texts */
	SEGMENT_KINDS,
};

struct segment_header {
	uint64_t magic;
	uint32_t version;
	uint32_t kinds; /* in the index: more, or fewer, than this reader knows */
	uint64_t tags; /* debug tags that are active (tags.h): the one word that changes and is no record */
	uint64_t unused[5];
	uint64_t root; /* on a line of its own: SEGMENT_ROOT() */
};
_Static_assert(offsetof(struct segment_header, root) == SEGMENT_UNIT, "the root is read by itself");

/* Behind the header: the answers to requests (channel.h), which do change. Records come after them. */
#define SEGMENT_SLOTS   4096
#define SEGMENT_RECORDS (SEGMENT_SLOTS + CHANNEL_SLOTS * sizeof(struct channel_slot))

#define SEGMENT_PLACE_BITS 24 /* of the root: in units; the rest is the generation */
#define SEGMENT_ROOT(generation, offset) \
	((uint64_t)(generation) << SEGMENT_PLACE_BITS | (offset) / SEGMENT_UNIT)
#define SEGMENT_GENERATION(root) ((root) >> SEGMENT_PLACE_BITS)
#define SEGMENT_OFFSET(root)     (((root) & ((1u << SEGMENT_PLACE_BITS) - 1)) * SEGMENT_UNIT)

/* In the index; len 0: there is none. The index is an array of them, at the root's offset. */
struct segment_place {
	uint64_t offset, len; /* bytes */
};

/* A mapping, of LEN bytes. */
struct segment {
	const void *base;
	size_t len;
};

/* What a reader is at. */
struct segment_reader {
	struct segment segment;
	uint64_t root;
	uint32_t kinds;
	unsigned tries;
};

/* Whether the mapping is a segment that this version can read. */
bool segment_is_valid(const struct segment *segment);

/*
 * do {
 *	segment_begin(&reader);
 *	... segment_find(), segment_copy(), with the results taken for what they may be: anything
 * } while (segment_overtaken(&reader));
 */
void segment_open(struct segment_reader *reader, const struct segment *segment);
void segment_begin(struct segment_reader *reader);
/* The place of a record that lies in the segment. False: there is none. */
bool segment_find(const struct segment_reader *reader, enum segment_kind kind, struct segment_place *ret);
/* LEN bytes at AT of the record to TO. False: the record is not that long. */
bool segment_copy(const struct segment_reader *reader, const struct segment_place *place, uint64_t at, void *to,
		  size_t len);
/* False after SEGMENT_TRIES, too, with `tries` at that number. */
bool segment_overtaken(struct segment_reader *reader);

/*
 * A whole record, or its begin, to at most ROOM bytes at TO: its length. -1: there is none, or it could not
 * be read.
 */
long segment_read(const struct segment *segment, enum segment_kind kind, void *to, size_t room);

#pragma GCC visibility pop
