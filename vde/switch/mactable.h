/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where addresses are: (MAC, VLAN) to port, with the time last seen. Open addressing, bounded:
 * when LIMIT entries are there, or one port has half of them, a new address is not learned (its
 * frames are flooded) and counted.
 */
#pragma once

#include "base/loop.h"
#include "wire/ether.h"

struct mac_entry {
	uint64_t key;   /* MAC in the low 48 bits, VLAN in the 12 above */
	uint32_t seen;  /* seconds since the table was made */
	uint16_t port;
	bool used;
};

struct mac_table {
	struct mac_entry *entries; /* owned */
	size_t num_slots;          /* power of two, at least 1.5 * limit */
	size_t count;
	size_t limit;
	uint64_t seed;
	uint32_t shown_size;   /* hash/setsize: rounded up to a power of two */
	uint32_t gc_interval;  /* s */
	uint32_t expire;       /* s */
	uint32_t min_persist;  /* s: an entry seen less long ago does not move */
	uint32_t *per_port;    /* entries of each port; owned */
	size_t num_ports;
	uint64_t not_learned;  /* addresses that found no room */
	uint64_t moves_refused;
};

enum mac_result {
	MAC_KNOWN,   /* it was there already */
	MAC_NEW,     /* learned now */
	MAC_MOVED,   /* from another port */
	MAC_STAYS,   /* on another port, too young to move */
	MAC_NO_ROOM,
};

int mac_table_new(size_t limit, size_t num_ports, uint32_t shown_size, uint64_t seed,
		  struct mac_table **ret);
void mac_table_free(struct mac_table *t);

/* Learns or refreshes at NOW (s); *old_port is set for MAC_MOVED and MAC_STAYS. */
enum mac_result mac_table_learn(struct mac_table *t, const uint8_t mac[ETHER_ADDR_SIZE],
				uint16_t vlan, uint16_t port, uint32_t now, uint16_t *old_port);

/* The entry, or NULL when unknown or expired at NOW. Borrowed until the next change. */
const struct mac_entry *mac_table_find(const struct mac_table *t,
				       const uint8_t mac[ETHER_ADDR_SIZE], uint16_t vlan,
				       uint32_t now);

/* Removes what MATCH is true for, telling about each; returns how many. */
typedef bool mac_match(void *context, const struct mac_entry *entry);
size_t mac_table_remove_if(struct mac_table *t, mac_match *match, void *context);

/* Puts an entry of another table as it is; false when it has no place here. */
bool mac_table_restore(struct mac_table *t, uint64_t key, uint16_t port, uint32_t seen);

/* The bucket that hash/print shows for an entry: 0 to shown_size - 1. */
uint32_t mac_table_bucket(const struct mac_table *t, const struct mac_entry *entry);

/* SIZE rounded up to a power of two. */
uint32_t mac_table_round_size(uint32_t size);

int mac_table_set_ports(struct mac_table *t, size_t num_ports);

static inline void mac_entry_mac(const struct mac_entry *entry, uint8_t mac[ETHER_ADDR_SIZE])
{
	uint64_t number = htole64(entry->key);

	memcpy(mac, &number, ETHER_ADDR_SIZE);
}

static inline uint16_t mac_entry_vlan(const struct mac_entry *entry)
{
	return (uint16_t)(entry->key >> 48);
}
