/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory is read in words, each of which is read at once: others write there when a reader is overtaken.
 * Each place is held against the mapping before it is read.
 */
#include "vuos/view/segment.h"

static uint64_t load(const void *base, uint64_t offset)
{
	return __atomic_load_n((const uint64_t *)(const void *)((const char *)base + offset), __ATOMIC_RELAXED);
}

static uint64_t load_root(const struct segment *segment)
{
	const struct segment_header *header = segment->base;

	return __atomic_load_n(&header->root, __ATOMIC_ACQUIRE);
}

bool segment_is_valid(const struct segment *segment)
{
	const struct segment_header *header = segment->base;

	return segment->len >= SEGMENT_RECORDS && header->magic == SEGMENT_MAGIC &&
	       header->version == SEGMENT_VERSION;
}

/* Whether LEN bytes, and what fills them up to words, are in the mapping. */
static bool lies_inside(const struct segment *segment, uint64_t offset, uint64_t len)
{
	uint64_t words = segment->len & ~(uint64_t)7;

	return offset % 8 == 0 && offset <= words && len <= words - offset;
}

void segment_open(struct segment_reader *reader, const struct segment *segment)
{
	const struct segment_header *header = segment->base;

	*reader = (struct segment_reader){ .segment = *segment };
	reader->kinds = header->kinds < SEGMENT_KINDS ? header->kinds : SEGMENT_KINDS;
}

void segment_begin(struct segment_reader *reader)
{
	reader->root = load_root(&reader->segment);
}

bool segment_find(const struct segment_reader *reader, enum segment_kind kind, struct segment_place *ret)
{
	uint64_t index = SEGMENT_OFFSET(reader->root) + (uint64_t)kind * sizeof(*ret);

	if (kind >= reader->kinds || !lies_inside(&reader->segment, index, sizeof(*ret)))
		return false;
	ret->offset = load(reader->segment.base, index);
	ret->len = load(reader->segment.base, index + sizeof(uint64_t));
	return ret->len && lies_inside(&reader->segment, ret->offset, ret->len);
}

bool segment_copy(const struct segment_reader *reader, const struct segment_place *place, uint64_t at, void *to,
		  size_t len)
{
	char *bytes = to;

	if (at > place->len || len > place->len - at)
		return false;
	at += place->offset;
	while (len) {
		uint64_t word = load(reader->segment.base, at & ~(uint64_t)7);
		size_t skip = at % 8, n = 8 - skip < len ? 8 - skip : len;

		__builtin_memcpy(bytes, (const char *)&word + skip, n);
		bytes += n;
		at += n;
		len -= n;
	}
	return true;
}

bool segment_overtaken(struct segment_reader *reader)
{
	uint64_t root;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	root = load_root(&reader->segment);
	if (SEGMENT_GENERATION(root) - SEGMENT_GENERATION(reader->root) < SEGMENT_KEEP)
		return false;
	return ++reader->tries < SEGMENT_TRIES;
}

long segment_read(const struct segment *segment, enum segment_kind kind, void *to, size_t room)
{
	struct segment_reader reader;
	struct segment_place place;
	bool found;

	if (!segment_is_valid(segment))
		return -1;
	segment_open(&reader, segment);
	do {
		segment_begin(&reader);
		found = segment_find(&reader, kind, &place) &&
			segment_copy(&reader, &place, 0, to, place.len < room ? place.len : room);
	} while (segment_overtaken(&reader));
	return found && reader.tries < SEGMENT_TRIES ? (long)place.len : -1;
}
