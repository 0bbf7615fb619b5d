/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. Records are written to the first hole that is large enough and old enough, or behind
 * all others. When there is neither, the generation goes up by SEGMENT_KEEP at once: all holes are old enough
 * then, and readers under way begin anew, which costs them a moment. Holes beside each other become one.
 * So the segment is full only when what is in use fills it.
 *
 * Order: the words of a record, the root (release); and the root before any word of a place that it made
 * free (fence), so that a reader who has met such a word also finds the new root.
 */
#include "segment_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "memory_file.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif

#define SEALS     (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)
#define INDEX_LEN (SEGMENT_KINDS * sizeof(struct segment_place))

static uint64_t units(uint64_t len)
{
	return (len + SEGMENT_UNIT - 1) / SEGMENT_UNIT * SEGMENT_UNIT;
}

/* --- places ---------------------------------------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
	const struct segment_hole *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static bool may_be_used(const struct segment_writer *w, const struct segment_hole *hole)
{
	return w->generation - hole->generation >= SEGMENT_KEEP;
}

/* Joins holes that lie beside each other and are old enough, and gives back what is at the end. */
static void join_holes(struct segment_writer *w)
{
	size_t kept = 0;

	if (!w->num_holes)
		return;
	qsort(w->holes, w->num_holes, sizeof(*w->holes), by_offset);
	for (size_t i = 1; i < w->num_holes; i++) {
		struct segment_hole *last = &w->holes[kept], *next = &w->holes[i];

		if (last->offset + last->len == next->offset && may_be_used(w, last) && may_be_used(w, next))
			last->len += next->len;
		else
			w->holes[++kept] = *next;
	}
	w->num_holes = kept + 1;
	if (w->holes[kept].offset + w->holes[kept].len == w->end && may_be_used(w, &w->holes[kept])) {
		w->end = w->holes[kept].offset;
		w->num_holes--;
	}
}

static void publish(struct segment_writer *w)
{
	struct segment_header *header = w->base;

	__atomic_store_n(&header->root, SEGMENT_ROOT(w->generation, w->index), __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* A place of LEN bytes, which are whole units. 0: there is none now. */
static uint64_t take_place(struct segment_writer *w, uint64_t len)
{
	uint64_t offset;

	for (size_t i = 0; i < w->num_holes; i++) {
		struct segment_hole *hole = &w->holes[i];

		if (hole->len < len || !may_be_used(w, hole))
			continue;
		offset = hole->offset;
		hole->offset += len;
		hole->len -= len;
		if (!hole->len)
			*hole = w->holes[--w->num_holes];
		return offset;
	}
	if (len > w->len - w->end)
		return 0;
	offset = w->end;
	w->end += len;
	return offset;
}

static uint64_t find_place(struct segment_writer *w, uint64_t len)
{
	uint64_t offset = take_place(w, len);

	if (offset)
		return offset;
	w->generation += SEGMENT_KEEP;
	publish(w);
	join_holes(w);
	return take_place(w, len);
}

/* There is room for more holes: make_room() has seen to it. */
static void add_hole(struct segment_writer *w, uint64_t offset, uint64_t len, uint64_t generation)
{
	if (len)
		w->holes[w->num_holes++] = (struct segment_hole){ offset, len, generation };
}

static int make_room(struct segment_writer *w)
{
	size_t room = w->holes_room ? 2 * w->holes_room : 64;
	void *more;

	if (w->num_holes + 4 <= w->holes_room)
		return 0;
	join_holes(w);
	if (w->num_holes < w->holes_room / 2)
		return 0;
	more = reallocarray(w->holes, room, sizeof(*w->holes));
	if (!more)
		return -ENOMEM;
	w->holes = more;
	w->holes_room = room;
	return 0;
}

/* --- records --------------------------------------------------------------------------------------- */

static void write_words(struct segment_writer *w, uint64_t offset, const void *data, size_t len)
{
	uint64_t *to = (uint64_t *)(void *)((char *)w->base + offset);

	for (size_t at = 0; at < len; at += sizeof(*to)) {
		uint64_t word = 0;

		memcpy(&word, (const char *)data + at, len - at < sizeof(word) ? len - at : sizeof(word));
		__atomic_store_n(to++, word, __ATOMIC_RELAXED);
	}
}

int segment_set(struct segment_writer *w, enum segment_kind kind, const void *data, size_t len)
{
	struct segment_place old = w->places[kind];
	uint64_t old_index = w->index, record = 0, index;
	int r = make_room(w);

	if (r < 0)
		return r;
	index = find_place(w, units(INDEX_LEN));
	if (index && len)
		record = find_place(w, units(len));
	if (!index || (len && !record)) {
		/* Nobody has been led there. */
		add_hole(w, index, index ? units(INDEX_LEN) : 0, w->generation - SEGMENT_KEEP);
		return -ENOSPC;
	}
	write_words(w, record, data, len);
	w->places[kind] = (struct segment_place){ record, len };
	write_words(w, index, w->places, INDEX_LEN);
	w->index = index;
	w->generation++;
	publish(w);
	add_hole(w, old_index, units(INDEX_LEN), w->generation);
	add_hole(w, old.offset, units(old.len), w->generation);
	return 0;
}

/* --- the file -------------------------------------------------------------------------------------- */

static int make_file(struct segment_writer *w, size_t size)
{
	size_t least = SEGMENT_RECORDS + units(INDEX_LEN);
	int fd = memory_file_make("umvu-view", SEGMENT_UNIT, least, &size, &w->base);

	if (fd < 0)
		return fd;
	w->fd = fd;
	w->len = size;
	return fcntl(w->fd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

int segment_writer_init(struct segment_writer *w, size_t size, struct error *error)
{
	struct segment_header *header;
	int r;

	*w = (struct segment_writer){ .fd = -1, .base = MAP_FAILED };
	r = make_file(w, size);
	if (r < 0) {
		segment_writer_free(w);
		return error_set_errno(error, -r, "cannot make the memory that a view shares%s",
				       r == -EFBIG ? " (ulimit -f)" : "");
	}
	header = w->base;
	header->magic = SEGMENT_MAGIC;
	header->version = SEGMENT_VERSION;
	header->kinds = SEGMENT_KINDS;
	w->index = SEGMENT_RECORDS;
	w->end = w->index + units(INDEX_LEN);
	w->generation = SEGMENT_KEEP; /* a hole may be older than the first record */
	publish(w);
	return 0;
}

void segment_writer_free(struct segment_writer *w)
{
	if (w->base != MAP_FAILED)
		(void)munmap(w->base, w->len);
	cleanup_close(&w->fd);
	free(w->holes);
	*w = (struct segment_writer){ .fd = -1, .base = MAP_FAILED };
}

void segment_set_tags(struct segment_writer *w, uint64_t tags)
{
	__atomic_store_n(&((struct segment_header *)w->base)->tags, tags, __ATOMIC_RELAXED);
}
