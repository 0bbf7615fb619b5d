/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The supervisor's side of the segment (vuos/view/segment.h): there is one writer. */
#pragma once

#include "base/error.h"
#include "vuos/view/segment.h"

/* A place that is not used any more. */
struct segment_hole {
	uint64_t offset, len;
	uint64_t generation; /* the first that does not lead there */
};

struct segment_writer {
	int fd;     /* for the processes, which can map it for reading only; -1: none */
	void *base; /* our own mapping, which can be written */
	size_t len;
	uint64_t generation;
	uint64_t end; /* nothing has been written from here on */
	uint64_t index;
	struct segment_place places[SEGMENT_KINDS];
	struct segment_hole *holes; /* owned */
	size_t num_holes, holes_room;
};

/* An empty segment of SIZE bytes. -errno: there is none, and nothing to be freed. */
int segment_writer_init(struct segment_writer *w, size_t size, struct error *error);
void segment_writer_free(struct segment_writer *w);

/*
 * DATA of LEN bytes becomes the record of its kind; LEN 0: it has none from now on. -ENOSPC: the segment is
 * full of records that are in use; -ENOMEM. Then all is as before.
 */
int segment_set(struct segment_writer *w, enum segment_kind kind, const void *data, size_t len);

/* The word of active debug tags. */
void segment_set_tags(struct segment_writer *w, uint64_t tags);

/* The answers to requests, which are not records. */
static inline struct channel_slot *segment_slots(const struct segment_writer *w)
{
	return (struct channel_slot *)(void *)((char *)w->base + SEGMENT_SLOTS);
}

/* How it looks to a reader. */
static inline struct segment segment_of(const struct segment_writer *w)
{
	return (struct segment){ w->base, w->len };
}
