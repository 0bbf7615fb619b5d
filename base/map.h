/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hash map from 64-bit keys to 64-bit values: open addressing with linear probing, deletion by
 * shifting back (no tombstones), a seed that peers cannot know, and a bound on its entries.
 */
#pragma once

#include "util.h"

struct map_slot {
	uint64_t key;
	uint64_t value;
	bool used;
};

struct map {
	struct map_slot *slots; /* owned */
	size_t num_slots;       /* a power of two */
	size_t count;
	size_t limit; /* most entries */
	uint64_t seed;
};

/* LIMIT entries at most; memory for all of them is reserved now. -EINVAL, -ENOMEM. */
int map_init(struct map *m, size_t limit, uint64_t seed);
void map_done(struct map *m);
void map_clear(struct map *m);

/* The value's place, valid until the next change of the map; NULL when KEY is not there. */
uint64_t *map_find(const struct map *m, uint64_t key);

/* Stores or replaces; -ENOSPC when the map is full. */
int map_set(struct map *m, uint64_t key, uint64_t value);

/* Returns whether KEY was there. */
bool map_remove(struct map *m, uint64_t key);

/* Removes each entry for which MATCH is true; returns how many. */
size_t map_remove_if(struct map *m, bool (*match)(void *context, uint64_t key, uint64_t value),
		     void *context);

/* Walks all used slots; the map must not change meanwhile. */
#define MAP_FOREACH(m, slot)                                                               \
	for (struct map_slot *slot = (m)->slots; slot < (m)->slots + (m)->num_slots; slot++) \
		if (slot->used)

/* The mixing function of the map, for those who keep other tables of 64-bit keys. */
static inline uint64_t map_hash(uint64_t key, uint64_t seed)
{
	key ^= (key >> 33) ^ seed;
	key *= UINT64_C(0xff51afd7ed558ccd);
	key ^= key >> 33;
	key *= UINT64_C(0xc4ceb9fe1a85ec53);
	return key ^ (key >> 33);
}
