/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses that iplog knows, by address and VLAN; at most IPLOG_MAX of them. */
#pragma once

#include <sys/types.h>
#include <time.h>

#include "base/map.h"

#define IPLOG_MAX 65536

struct iplog_entry {
	uint8_t version;
	uint8_t addr[16]; /* the first 4 bytes for IPv4, then zeroes */
	uint8_t mac[6];
	uint16_t vlan;
	int port;
	uid_t user;
	time_t last; /* seconds of the switch's clock */
};

struct iplog_table {
	struct iplog_entry *entries; /* owned; grows up to IPLOG_MAX */
	size_t count, room;
	struct map places; /* hash of address and VLAN to the index in entries */
	uint64_t seed;
};

enum iplog_change {
	IPLOG_KNOWN,
	IPLOG_NEW,
	IPLOG_CHANGED, /* port, MAC address or user */
	IPLOG_NO_ROOM,
};

int iplog_table_init(struct iplog_table *table);
void iplog_table_done(struct iplog_table *table);

/* Stores what was seen now. */
enum iplog_change iplog_table_seen(struct iplog_table *table, const struct iplog_entry *entry);

void iplog_table_forget_port(struct iplog_table *table, int port);
/* Forgets what was last seen before TIME. */
void iplog_table_forget_before(struct iplog_table *table, time_t time);

/* Visits all, IPv4 first, by address. Returns 0 or a (positive) errno value. */
int iplog_table_walk(const struct iplog_table *table,
		     void (*visit)(void *context, const struct iplog_entry *entry), void *context);
