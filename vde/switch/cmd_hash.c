/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Console commands of `hash`: the table of MAC addresses. */
#include <errno.h>
#include <limits.h>

#include "base/parse.h"
#include "vde/switch/command.h"
#include "vde/switch/forward.h"
#include "vde/switch/mactable.h"

static int cmd_hash_showinfo(struct command_call *call)
{
	const struct mac_table *t = call->sw->macs;
	struct json *j = call->json;

	if (!j) {
		strbuf_printf(call->out,
			      "Hash size %u\nGC interval %u secs\nGC expire %u secs\n"
			      "Min persistence %u secs\n",
			      t->shown_size, t->gc_interval, t->expire, t->min_persist);
		return 0;
	}
	json_object(j, NULL);
	json_uint(j, "size", t->shown_size);
	json_uint(j, "gc_interval", t->gc_interval);
	json_uint(j, "expire", t->expire);
	json_uint(j, "min_persistence", t->min_persist);
	json_uint(j, "entries", t->count);
	json_uint(j, "max_entries", t->limit);
	json_uint(j, "not_learned", t->not_learned);
	json_uint(j, "moves_refused", t->moves_refused);
	json_end(j);
	return 0;
}

static int cmd_hash_setsize(struct command_call *call)
{
	long long size;

	if (command_number(call->argument, 1, 1 << 20, &size) < 0)
		return -EINVAL;
	forward_forget(call->sw, -1, -1);
	call->sw->macs->shown_size = mac_table_round_size((uint32_t)size);
	return 0;
}

static int set_seconds(struct command_call *call, uint32_t *field, long long min)
{
	long long value;

	if (command_number(call->argument, min, INT_MAX, &value) < 0)
		return -EINVAL;
	*field = (uint32_t)value;
	return 0;
}

static int cmd_hash_setgcint(struct command_call *call)
{
	int r = set_seconds(call, &call->sw->macs->gc_interval, 1);

	if (r == 0)
		forward_gc_restart(call->sw);
	return r;
}

static int cmd_hash_setexpire(struct command_call *call)
{
	return set_seconds(call, &call->sw->macs->expire, 0);
}

static int cmd_hash_setminper(struct command_call *call)
{
	return set_seconds(call, &call->sw->macs->min_persist, 0);
}

static void hash_row(struct command_call *call, const struct mac_entry *entry)
{
	const struct mac_table *t = call->sw->macs;
	uint8_t mac[ETHER_ADDR_SIZE];
	char text[MAC_TEXT_SIZE];
	uint32_t age = forward_mac_now(call->sw) - entry->seen;

	mac_entry_mac(entry, mac);
	format_mac(mac, text);
	if (!call->json) {
		strbuf_printf(call->out, "Hash: %04u Addr: %s VLAN %04u to port: %03u  age %u secs\n",
			      mac_table_bucket(t, entry), text, mac_entry_vlan(entry), entry->port,
			      age);
		return;
	}
	json_object(call->json, NULL);
	json_string(call->json, "mac", text);
	json_uint(call->json, "vlan", mac_entry_vlan(entry));
	json_uint(call->json, "port", entry->port);
	json_uint(call->json, "age", age);
	json_end(call->json);
}

static int cmd_hash_print(struct command_call *call)
{
	const struct mac_table *t = call->sw->macs;

	if (call->json)
		json_array(call->json, NULL);
	for (size_t i = 0; i < t->num_slots; i++)
		if (t->entries[i].used)
			hash_row(call, &t->entries[i]);
	if (call->json)
		json_end(call->json);
	return 0;
}

static int cmd_hash_find(struct command_call *call)
{
	const struct mac_entry *entry;
	char word[MAC_TEXT_SIZE + 16];
	uint8_t mac[ETHER_ADDR_SIZE];
	size_t len = strcspn(call->argument, " \t");
	long long vlan = 0;

	if (len >= sizeof(word))
		return -EINVAL;
	memcpy(word, call->argument, len);
	word[len] = '\0';
	if (parse_mac(word, mac) < 0)
		return -EINVAL;
	if (call->argument[len] && command_numbers(call->argument + len, 1, &vlan, NULL) < 0)
		return -EINVAL;
	if (vlan < 0 || vlan > VLAN_MAX)
		return -EINVAL;
	entry = mac_table_find(call->sw->macs, mac, (uint16_t)vlan, forward_mac_now(call->sw));
	if (!entry)
		return -ENODEV;
	hash_row(call, entry);
	return 0;
}

static const struct command hash_rows[] = {
	{ "hash", "============", "HASH TABLE MENU", NULL, COMMAND_MENU },
	{ "hash/showinfo", "", "show hash info", cmd_hash_showinfo, COMMAND_TEXT | COMMAND_JSON },
	{ "hash/setsize", "N", "change hash size", cmd_hash_setsize, 0 },
	{ "hash/setgcint", "N", "change garbage collector interval", cmd_hash_setgcint, 0 },
	{ "hash/setexpire", "N", "change hash entries expire time", cmd_hash_setexpire, 0 },
	{ "hash/setminper", "N", "minimum persistence time", cmd_hash_setminper, 0 },
	{ "hash/print", "", "print the hash table", cmd_hash_print, COMMAND_TEXT | COMMAND_JSON },
	{ "hash/find", "MAC [VLAN]", "MAC lookup", cmd_hash_find, COMMAND_TEXT | COMMAND_JSON },
};
const struct command_table hash_commands = { hash_rows, ARRAY_SIZE(hash_rows) };
