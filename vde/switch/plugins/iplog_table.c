/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries are in an array without holes (the last one moves into the place of one that goes). The
 * map gives the place of an address by a 64-bit hash with a secret seed; should two addresses share a
 * hash, which peers cannot bring about, the second takes the place of the first.
 */
#include "vde/switch/plugins/iplog_table.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/cleanup.h"

int iplog_table_init(struct iplog_table *table)
{
	*table = (struct iplog_table){ 0 };
	(void)getrandom(&table->seed, sizeof(table->seed), 0); /* cannot fail with this size */
	return map_init(&table->places, IPLOG_MAX, table->seed);
}

void iplog_table_done(struct iplog_table *table)
{
	map_done(&table->places);
	free(table->entries);
	*table = (struct iplog_table){ 0 };
}

static uint64_t key_of(const struct iplog_table *table, const struct iplog_entry *entry)
{
	uint64_t halves[2];
	uint64_t key = map_hash(((uint64_t)entry->version << 16) | entry->vlan, table->seed);

	memcpy(halves, entry->addr, sizeof(halves));
	key = map_hash(key ^ halves[0], table->seed);
	return map_hash(key ^ halves[1], table->seed);
}

static struct iplog_entry *add(struct iplog_table *table, uint64_t key)
{
	if (table->count == table->room) {
		size_t room = table->room ? 2 * table->room : 64;
		void *grown;

		if (room > IPLOG_MAX)
			return NULL;
		grown = reallocarray(table->entries, room, sizeof(*table->entries));
		if (!grown)
			return NULL;
		table->entries = grown;
		table->room = room;
	}
	if (map_set(&table->places, key, table->count) < 0)
		return NULL;
	return &table->entries[table->count++];
}

enum iplog_change iplog_table_seen(struct iplog_table *table, const struct iplog_entry *entry)
{
	uint64_t key = key_of(table, entry);
	const uint64_t *place = map_find(&table->places, key);
	struct iplog_entry *known = place ? &table->entries[*place] : NULL;
	enum iplog_change change = IPLOG_NEW;

	if (known) {
		bool same = known->port == entry->port && known->user == entry->user &&
			    memcmp(known->mac, entry->mac, sizeof(known->mac)) == 0;

		change = same ? IPLOG_KNOWN : IPLOG_CHANGED;
	} else {
		known = add(table, key);
		if (!known)
			return IPLOG_NO_ROOM;
	}
	*known = *entry;
	return change;
}

static void forget(struct iplog_table *table, size_t i)
{
	size_t last = --table->count;

	(void)map_remove(&table->places, key_of(table, &table->entries[i]));
	if (i == last)
		return;
	table->entries[i] = table->entries[last];
	*map_find(&table->places, key_of(table, &table->entries[i])) = i;
}

void iplog_table_forget_port(struct iplog_table *table, int port)
{
	for (size_t i = table->count; i-- > 0;)
		if (table->entries[i].port == port)
			forget(table, i);
}

void iplog_table_forget_before(struct iplog_table *table, time_t time)
{
	for (size_t i = table->count; i-- > 0;)
		if (table->entries[i].last < time)
			forget(table, i);
}

static int compare(const void *a, const void *b)
{
	const struct iplog_entry *one = a, *two = b;

	if (one->version != two->version)
		return one->version < two->version ? -1 : 1;
	return memcmp(one->addr, two->addr, sizeof(one->addr));
}

int iplog_table_walk(const struct iplog_table *table,
		     void (*visit)(void *context, const struct iplog_entry *entry), void *context)
{
	auto_free struct iplog_entry *sorted = NULL;

	if (!table->count)
		return 0;
	sorted = malloc(table->count * sizeof(*sorted));
	if (!sorted)
		return ENOMEM;
	memcpy(sorted, table->entries, table->count * sizeof(*sorted));
	qsort(sorted, table->count, sizeof(*sorted), compare);
	for (size_t i = 0; i < table->count; i++)
		visit(context, &sorted[i]);
	return 0;
}
