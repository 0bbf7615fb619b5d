/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MAC addresses to what was learned about them. Set-associative: an address can stand in any of the
 * WAYS entries of its set, and when the set is full the one not seen for the longest time gives way.
 * So two stations do not push each other out just because their addresses collide, and memory stays
 * what it was at the start whatever a sender makes up.
 */
#include <libvdeplug_mod.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/util.h"
#include "wire/ether.h"

#define WAYS        4u
#define SIZE_MAX_   (1u << 24)
#define PAYLOAD_MAX 4096
#define ALIGNMENT   _Alignof(max_align_t)

struct entry {
	uint64_t key;
	time_t seen;
	bool used;
	_Alignas(max_align_t) unsigned char payload[];
};

struct vde_hashtable {
	size_t payload_size;
	size_t entry_size; /* bytes */
	size_t ways;
	size_t num_sets; /* a power of two */
	uint64_t seed;
	char *entries; /* owned */
};

static struct entry *entry_at(const struct vde_hashtable *table, size_t i)
{
	return (struct entry *)(void *)(table->entries + i * table->entry_size);
}

static size_t table_size(const struct vde_hashtable *table)
{
	return table->num_sets * table->ways;
}

PUBLIC struct vde_hashtable *_vde_hash_init(size_t payload_size, unsigned int hash_size,
					    uint64_t seed)
{
	struct vde_hashtable *table;
	size_t size = 1;

	if (hash_size == 0 || hash_size > SIZE_MAX_ || payload_size > PAYLOAD_MAX) {
		errno = EINVAL;
		return NULL;
	}
	while (size < hash_size)
		size *= 2;
	table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	table->payload_size = payload_size;
	table->entry_size = (sizeof(struct entry) + payload_size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	table->ways = MIN(size, WAYS);
	table->num_sets = size / table->ways;
	table->seed = seed;
	table->entries = calloc(size, table->entry_size);
	if (!table->entries) {
		free(table);
		return NULL;
	}
	return table;
}

/* Address in the low 48 bits, VLAN above. */
static uint64_t hash_key(const unsigned char *mac, int vlan)
{
	return ether_mac_number(mac) | (uint64_t)(uint16_t)vlan << 48;
}

/* The first entry of the set where KEY can stand. */
static size_t hash_set(const struct vde_hashtable *table, uint64_t key)
{
	return (map_hash(key, table->seed) & (table->num_sets - 1)) * table->ways;
}

static struct entry *hash_find(const struct vde_hashtable *table, uint64_t key)
{
	size_t first = hash_set(table, key);

	for (size_t i = first; i < first + table->ways; i++) {
		struct entry *entry = entry_at(table, i);

		if (entry->used && entry->key == key)
			return entry;
	}
	return NULL;
}

PUBLIC void *vde_find_in_hash(struct vde_hashtable *table, unsigned char *dst, int vlan,
			      time_t too_old)
{
	struct entry *entry;

	if (ether_is_multicast(dst))
		return NULL;
	entry = hash_find(table, hash_key(dst, vlan));
	return entry && entry->seen >= too_old ? entry->payload : NULL;
}

/* The entry to overwrite for KEY: a free one, else the one seen longest ago. */
static struct entry *hash_victim(const struct vde_hashtable *table, uint64_t key)
{
	size_t first = hash_set(table, key);
	struct entry *victim = entry_at(table, first);

	for (size_t i = first; i < first + table->ways; i++) {
		struct entry *entry = entry_at(table, i);

		if (!entry->used)
			return entry;
		if (entry->seen < victim->seen)
			victim = entry;
	}
	return victim;
}

PUBLIC void vde_find_in_hash_update(struct vde_hashtable *table, unsigned char *src, int vlan,
				    void *payload, time_t now)
{
	uint64_t key = hash_key(src, vlan);
	struct entry *entry;

	if (ether_is_multicast(src))
		return;
	entry = hash_find(table, key);
	if (!entry)
		entry = hash_victim(table, key);
	entry->key = key;
	entry->seen = now;
	entry->used = true;
	memcpy(entry->payload, payload, table->payload_size);
}

PUBLIC void vde_hash_delete(struct vde_hashtable *table, void *payload)
{
	for (size_t i = 0; i < table_size(table); i++) {
		struct entry *entry = entry_at(table, i);

		if (entry->used && memcmp(entry->payload, payload, table->payload_size) == 0)
			entry->used = false;
	}
}

PUBLIC void vde_hash_fini(struct vde_hashtable *table)
{
	if (!table)
		return;
	free(table->entries);
	free(table);
}
