/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of a switch's state that its own console commands can make again. Users and groups are
 * numbers, so that nobody is asked for names meanwhile.
 */
#include <dlfcn.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "vde/switch/mactable.h"
#include "vde/switch/plugin_private.h"
#include "vde/switch/stp_engine.h"
#include "vde/switch/stp.h"
#include "vde/switch/takeover.h"
#include "vde/switch/vlan.h"

/* The file a plug-in came from, since its name says it only by custom. */
static void script_plugins(const struct vde_switch *sw, struct strbuf *out)
{
	for (const struct plugin *at = sw->plugins->plugins; at; at = at->next) {
		auto_free char *path = NULL;
		Dl_info info;

		if (dladdr(at, &info) && info.dli_fname)
			path = realpath(info.dli_fname, NULL);
		strbuf_printf(out, "plugin/add %s\n", path ? path : at->name);
	}
}

static void script_hash(const struct vde_switch *sw, struct strbuf *out)
{
	const struct mac_table *t = sw->macs;

	strbuf_printf(out, "hash/setsize %u\nhash/setgcint %u\nhash/setexpire %u\nhash/setminper %u\n",
		      t->shown_size, t->gc_interval, t->expire, t->min_persist);
}

static void script_vlans(const struct vde_switch *sw, struct strbuf *out)
{
	for (unsigned id = 1; id < VLAN_COUNT; id++)
		if (sw->vlans[id])
			strbuf_printf(out, "vlan/create %u\n", id);
}

static void script_port(const struct port *port, struct strbuf *out)
{
	strbuf_printf(out, "port/create %u\n", port->number);
	if (port->allocatable)
		strbuf_printf(out, "port/allocatable %u 1\n", port->number);
	if (port->untagged_vlan != 0)
		strbuf_printf(out, "port/setvlan %u %u\n", port->number, port->untagged_vlan);
	if (port->access_user != (uid_t)-1)
		strbuf_printf(out, "port/setuser %u %u\n", port->number, port->access_user);
	if (port->access_group != (gid_t)-1)
		strbuf_printf(out, "port/setgroup %u %u\n", port->number, port->access_group);
}

static void script_tree(const struct stp_engine *e, unsigned vlan, struct strbuf *out)
{
	if (e->bonus_port || e->bonus_cost)
		strbuf_printf(out, "fstp/bonus %u %u %d\n", vlan, e->bonus_port, (int)e->bonus_cost);
	for (size_t i = 0; i < e->num_ports; i++)
		if (e->ports[i]->admin_edge)
			strbuf_printf(out, "fstp/setedge %u %u 1\n", vlan, e->ports[i]->number);
}

static void script_members(const struct vde_switch *sw, const struct vlan *vlan, struct strbuf *out)
{
	PORT_SET_FOREACH(vlan->tagged, vlan->words, number)
		if (sw->ports[number])
			strbuf_printf(out, "vlan/addport %u %u\n", vlan->id, number);
}

void takeover_script(const struct vde_switch *sw, struct strbuf *out)
{
	script_plugins(sw, out);
	strbuf_printf(out, "port/setnumports %u\nport/sethub %d\n", sw->num_ports, sw->hub);
	script_hash(sw, out);
	script_vlans(sw, out);
	for (unsigned number = 0; number <= sw->num_ports; number++)
		if (sw->ports[number])
			script_port(sw->ports[number], out);
	for (unsigned id = 0; id < VLAN_COUNT; id++)
		if (sw->vlans[id]) {
			script_members(sw, sw->vlans[id], out);
			script_tree(stp_engine_of(sw, sw->vlans[id]), id, out);
		}
}
