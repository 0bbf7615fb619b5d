/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open addressing with linear probing; an entry is removed by shifting back those behind it, so
 * there are no tombstones. The seed is random: a peer cannot aim at one bucket.
 */
#include "vde/switch/mactable.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"

#define DEFAULT_GC_INTERVAL 2
#define DEFAULT_EXPIRE      100
#define DEFAULT_MIN_PERSIST 3

static uint64_t mac_key(const uint8_t mac[ETHER_ADDR_SIZE], uint16_t vlan)
{
	return ether_mac_number(mac) | (uint64_t)vlan << 48;
}

int mac_table_new(size_t limit, size_t num_ports, uint32_t shown_size, uint64_t seed,
		  struct mac_table **ret)
{
	struct mac_table *t;
	size_t num_slots = 64;

	if (limit == 0 || limit > UINT32_MAX / 4)
		return -EINVAL;
	while (num_slots < limit + limit / 2)
		num_slots *= 2;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	*t = (struct mac_table){ .num_slots = num_slots, .limit = limit, .seed = seed,
				 .shown_size = shown_size, .gc_interval = DEFAULT_GC_INTERVAL,
				 .expire = DEFAULT_EXPIRE, .min_persist = DEFAULT_MIN_PERSIST };
	t->entries = calloc(num_slots, sizeof(*t->entries));
	if (!t->entries || mac_table_set_ports(t, num_ports) < 0) {
		mac_table_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void mac_table_free(struct mac_table *t)
{
	if (!t)
		return;
	free(t->entries);
	free(t->per_port);
	free(t);
}

int mac_table_set_ports(struct mac_table *t, size_t num_ports)
{
	uint32_t *per_port;

	if (num_ports <= t->num_ports)
		return 0;
	per_port = realloc(t->per_port, num_ports * sizeof(*per_port));
	if (!per_port)
		return -ENOMEM;
	memset(per_port + t->num_ports, 0, (num_ports - t->num_ports) * sizeof(*per_port));
	t->per_port = per_port;
	t->num_ports = num_ports;
	return 0;
}

static size_t mac_home(const struct mac_table *t, uint64_t key)
{
	return map_hash(key, t->seed) & (t->num_slots - 1);
}

static struct mac_entry *mac_slot(const struct mac_table *t, uint64_t key)
{
	size_t i = mac_home(t, key);

	while (t->entries[i].used && t->entries[i].key != key)
		i = (i + 1) & (t->num_slots - 1);
	return &t->entries[i];
}

static bool mac_expired(const struct mac_table *t, const struct mac_entry *entry, uint32_t now)
{
	return now - entry->seen > t->expire;
}

static enum mac_result mac_table_add(struct mac_table *t, struct mac_entry *slot, uint64_t key,
				     uint16_t port, uint32_t now)
{
	if (t->count >= t->limit || t->per_port[port] >= (t->limit + 1) / 2) {
		t->not_learned++;
		return MAC_NO_ROOM;
	}
	*slot = (struct mac_entry){ .key = key, .seen = now, .port = port, .used = true };
	t->count++;
	t->per_port[port]++;
	return MAC_NEW;
}

enum mac_result mac_table_learn(struct mac_table *t, const uint8_t mac[ETHER_ADDR_SIZE],
				uint16_t vlan, uint16_t port, uint32_t now, uint16_t *old_port)
{
	uint64_t key = mac_key(mac, vlan);
	struct mac_entry *slot = mac_slot(t, key);

	if (!slot->used)
		return mac_table_add(t, slot, key, port, now);
	if (slot->port == port) {
		slot->seen = now;
		return MAC_KNOWN;
	}
	*old_port = slot->port;
	/* "Older than": with a persistence of 0 it moves at once. */
	if (now - slot->seen < t->min_persist) {
		t->moves_refused++;
		return MAC_STAYS;
	}
	t->per_port[slot->port]--;
	t->per_port[port]++;
	slot->port = port;
	slot->seen = now;
	return MAC_MOVED;
}

const struct mac_entry *mac_table_find(const struct mac_table *t,
				       const uint8_t mac[ETHER_ADDR_SIZE], uint16_t vlan,
				       uint32_t now)
{
	const struct mac_entry *slot = mac_slot(t, mac_key(mac, vlan));

	return slot->used && !mac_expired(t, slot, now) ? slot : NULL;
}

static void mac_table_close_gap(struct mac_table *t, size_t hole)
{
	size_t mask = t->num_slots - 1;

	for (size_t i = (hole + 1) & mask; t->entries[i].used; i = (i + 1) & mask) {
		size_t from_home = (i - mac_home(t, t->entries[i].key)) & mask;

		if (from_home >= ((i - hole) & mask)) {
			t->entries[hole] = t->entries[i];
			hole = i;
		}
	}
	t->entries[hole].used = false;
}

size_t mac_table_remove_if(struct mac_table *t, mac_match *match, void *context)
{
	size_t removed = 0;

	/* A removal may shift another entry into slot i: look at it again. */
	for (size_t i = 0; i < t->num_slots;) {
		struct mac_entry *entry = &t->entries[i];

		if (entry->used && match(context, entry)) {
			t->count--;
			t->per_port[entry->port]--;
			mac_table_close_gap(t, i);
			removed++;
		} else {
			i++;
		}
	}
	return removed;
}

bool mac_table_restore(struct mac_table *t, uint64_t key, uint16_t port, uint32_t seen)
{
	struct mac_entry *slot = mac_slot(t, key);

	if (slot->used || port >= t->num_ports)
		return false;
	return mac_table_add(t, slot, key, port, seen) == MAC_NEW;
}

uint32_t mac_table_bucket(const struct mac_table *t, const struct mac_entry *entry)
{
	return (uint32_t)map_hash(entry->key, t->seed) & (t->shown_size - 1);
}

uint32_t mac_table_round_size(uint32_t size)
{
	uint32_t rounded = 1;

	while (rounded < size)
		rounded *= 2;
	return rounded;
}
