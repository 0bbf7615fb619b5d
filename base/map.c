/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "map.h"

#include <errno.h>
#include <stdlib.h>

int map_init(struct map *m, size_t limit, uint64_t seed)
{
	size_t num_slots = 16;

	if (limit == 0 || limit > SIZE_MAX / 64)
		return -EINVAL;
	while (num_slots < limit + limit / 2) /* at most two thirds full */
		num_slots *= 2;
	*m = (struct map){ .num_slots = num_slots, .limit = limit, .seed = seed };
	m->slots = calloc(num_slots, sizeof(*m->slots));
	return m->slots ? 0 : -ENOMEM;
}

void map_done(struct map *m)
{
	free(m->slots);
	*m = (struct map){ 0 };
}

void map_clear(struct map *m)
{
	memset(m->slots, 0, m->num_slots * sizeof(*m->slots));
	m->count = 0;
}

static size_t map_home(const struct map *m, uint64_t key)
{
	return map_hash(key, m->seed) & (m->num_slots - 1);
}

/* The slot of KEY, or the free slot where it would go. */
static struct map_slot *map_slot(const struct map *m, uint64_t key)
{
	size_t i = map_home(m, key);

	while (m->slots[i].used && m->slots[i].key != key)
		i = (i + 1) & (m->num_slots - 1);
	return &m->slots[i];
}

uint64_t *map_find(const struct map *m, uint64_t key)
{
	struct map_slot *slot = map_slot(m, key);

	return slot->used ? &slot->value : NULL;
}

int map_set(struct map *m, uint64_t key, uint64_t value)
{
	struct map_slot *slot = map_slot(m, key);

	if (!slot->used) {
		if (m->count == m->limit)
			return -ENOSPC;
		m->count++;
	}
	*slot = (struct map_slot){ .key = key, .value = value, .used = true };
	return 0;
}

/* Closes the gap at HOLE: moves each later entry of the run whose home is not behind the hole. */
static void map_close_gap(struct map *m, size_t hole)
{
	size_t mask = m->num_slots - 1;

	for (size_t i = (hole + 1) & mask; m->slots[i].used; i = (i + 1) & mask) {
		size_t from_home = (i - map_home(m, m->slots[i].key)) & mask;

		if (from_home >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole].used = false;
}

bool map_remove(struct map *m, uint64_t key)
{
	struct map_slot *slot = map_slot(m, key);

	if (!slot->used)
		return false;
	m->count--;
	map_close_gap(m, (size_t)(slot - m->slots));
	return true;
}

size_t map_remove_if(struct map *m, bool (*match)(void *context, uint64_t key, uint64_t value),
		     void *context)
{
	size_t removed = 0;

	/* A removal may shift another entry into slot i: look at it again. */
	for (size_t i = 0; i < m->num_slots;) {
		struct map_slot *slot = &m->slots[i];

		if (slot->used && match(context, slot->key, slot->value)) {
			m->count--;
			map_close_gap(m, i);
			removed++;
		} else {
			i++;
		}
	}
	return removed;
}
