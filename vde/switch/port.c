/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vde/switch/port.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/strtab.h"
#include "vde/switch/debug.h"
#include "vde/switch/endpoint.h"
#include "vde/switch/forward.h"
#include "vde/switch/mactable.h"
#include "vde/switch/plugin_host.h"
#include "vde/switch/stp.h"
#include "vde/switch/vlan.h"

static const char *const drop_names[DROP_NUM_REASONS] = {
	[DROP_SHORT] = "short",           [DROP_OVERSIZE] = "oversize",
	[DROP_VLAN] = "vlan",             [DROP_STATE] = "state",
	[DROP_OFFLOAD] = "offload",
	[DROP_PLUGIN] = "plugin",         [DROP_QUEUE_FULL] = "queue_full",
	[DROP_NO_BUFFER] = "no_buffer",   [DROP_REFUSED] = "refused",
};
DEFINE_STRTAB(drop, enum drop_reason, DROP_NUM_REASONS);

const char *drop_reason_name(enum drop_reason reason)
{
	return drop_to_string(reason);
}

int drop_reason_parse(const char *name)
{
	return drop_from_string(name);
}

struct port *port_find(const struct vde_switch *sw, long long number)
{
	return number >= 0 && number <= (long long)sw->num_ports ? sw->ports[number] : NULL;
}

int port_create(struct vde_switch *sw, unsigned number, bool allocatable, struct port **ret)
{
	struct port *port;

	if (number > sw->num_ports)
		return -EINVAL;
	if (sw->ports[number])
		return -EEXIST;
	port = calloc(1, sizeof(*port));
	if (!port)
		return -ENOMEM;
	*port = (struct port){ .number = number, .untagged_vlan = VLAN_NONE,
			       .allocatable = allocatable, .user = (uid_t)-1,
			       .access_user = (uid_t)-1, .access_group = (gid_t)-1 };
	sw->ports[number] = port;
	(void)vlan_set_untagged(sw, port, 0); /* VLAN 0 always exists */
	DEBUG(sw, PORT_PLUS, "%02u", number);
	plugin_host_event(sw, DEBUG_PORT_PLUS, (int)number);
	if (ret)
		*ret = port;
	return 0;
}

/* Takes the port out of every VLAN. */
static void port_leave_vlans(struct vde_switch *sw, struct port *port)
{
	(void)vlan_set_untagged(sw, port, VLAN_NONE);
	for (unsigned id = 0; id < VLAN_COUNT; id++)
		if (sw->vlans[id] && vlan_has_port(sw->vlans[id], port->number))
			(void)vlan_del_port(sw, id, port->number);
}

int port_remove(struct vde_switch *sw, unsigned number)
{
	struct port *port = port_find(sw, number);

	if (!port)
		return -ENXIO;
	if (port_active(port))
		return -EADDRINUSE;
	port_leave_vlans(sw, port);
	sw->ports[number] = NULL;
	free(port);
	return 0;
}

int port_free_number(const struct vde_switch *sw)
{
	for (unsigned number = 1; number <= sw->num_ports; number++)
		if (!sw->ports[number])
			return (int)number;
	return -ENOSPC;
}

int port_set_limit(struct vde_switch *sw, long long number)
{
	struct port **ports;

	if (number < 1 || number > PORT_LIMIT)
		return -EINVAL;
	for (unsigned i = (unsigned)number + 1; i <= sw->num_ports; i++)
		if (sw->ports[i])
			return -EADDRINUSE;
	if (mac_table_set_ports(sw->macs, (size_t)number + 1) < 0 ||
	    vlan_resize(sw, (unsigned)number) < 0)
		return -ENOMEM;
	ports = reallocarray(sw->ports, (size_t)number + 1, sizeof(struct port *));
	if (!ports)
		return -ENOMEM;
	for (unsigned i = sw->num_ports + 1; i <= (unsigned)number; i++)
		ports[i] = NULL;
	sw->ports = ports;
	sw->num_ports = (unsigned)number;
	return 0;
}

/* As the user database has it; asks the name services. */
static bool user_in_group(uid_t uid, gid_t gid)
{
	const struct passwd *entry = getpwuid(uid);
	gid_t groups[256];
	int count = ARRAY_SIZE(groups);

	if (!entry || getgrouplist(entry->pw_name, entry->pw_gid, groups, &count) < 0)
		return false;
	for (int i = 0; i < count; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static bool client_in_group(const struct port_client *client, gid_t gid)
{
	if (client->named_groups)
		return user_in_group(client->uid, gid);
	if (client->gid == gid)
		return true;
	for (size_t i = 0; i < client->num_groups; i++)
		if (client->groups[i] == gid)
			return true;
	return false;
}

static bool port_admits(const struct port *port, const struct port_client *client)
{
	if (client->uid == 0)
		return true;
	if (port->access_user == (uid_t)-1 && port->access_group == (gid_t)-1)
		return true;
	if (port->access_user != (uid_t)-1 && port->access_user == client->uid)
		return true;
	return port->access_group != (gid_t)-1 && client_in_group(client, port->access_group);
}

/* The first port of the pool that nobody uses and CLIENT may use, created if need be. */
static int port_acquire_any(struct vde_switch *sw, const struct port_client *client,
			    struct port **ret)
{
	for (unsigned number = 1; number <= sw->num_ports; number++) {
		struct port *port = sw->ports[number];

		if (!port)
			return port_create(sw, number, true, ret);
		if (port->allocatable && !port_active(port) && port_admits(port, client)) {
			*ret = port;
			return 0;
		}
	}
	return -ENOSPC;
}

int port_acquire(struct vde_switch *sw, unsigned number, bool management,
		 const struct port_client *client, struct port **ret)
{
	struct port *port;

	if (!management && number == 0)
		return port_acquire_any(sw, client, ret);
	if (management)
		number = 0;
	if (number > sw->num_ports)
		return -EINVAL;
	port = sw->ports[number];
	if (!port)
		return port_create(sw, number, number != 0, ret);
	if (!port_admits(port, client))
		return -EPERM;
	if (port_active(port) && port->user != client->uid)
		return -EADDRINUSE;
	*ret = port;
	return 0;
}

void port_activity_changed(struct vde_switch *sw, struct port *port)
{
	if (!port_active(port)) {
		port->user = (uid_t)-1;
		forward_forget(sw, (int)port->number, -1);
	}
	for (unsigned id = 0; id < VLAN_COUNT; id++) {
		struct vlan *vlan = sw->vlans[id];

		if (!vlan || !vlan_has_port(vlan, port->number))
			continue;
		stp_port_changed(sw, vlan, port->number);
		vlan_update_port(sw, vlan, port->number);
	}
	if (port_active(port))
		return;
	DEBUG(sw, PORT_MINUS, "%02u", port->number);
	plugin_host_event(sw, DEBUG_PORT_MINUS, (int)port->number);
}

void ports_done(struct vde_switch *sw)
{
	for (unsigned number = 0; sw->ports && number <= sw->num_ports; number++) {
		struct port *port = sw->ports[number];

		while (port && port->endpoints)
			endpoint_close(sw, port->endpoints);
		free(port);
		sw->ports[number] = NULL;
	}
	free(sw->ports);
	sw->ports = NULL;
}

/* --- names ---------------------------------------------------------------------------- */

const char *switch_user_name(uid_t uid, char text[NAME_TEXT_SIZE])
{
	const struct passwd *entry = uid == (uid_t)-1 ? NULL : getpwuid(uid);

	if (uid == (uid_t)-1)
		(void)str_copy(text, NAME_TEXT_SIZE, "NONE");
	else if (entry)
		(void)str_copy(text, NAME_TEXT_SIZE, entry->pw_name);
	else
		(void)snprintf(text, NAME_TEXT_SIZE, "%u", uid);
	return text;
}

const char *switch_group_name(gid_t gid, char text[NAME_TEXT_SIZE])
{
	const struct group *entry = gid == (gid_t)-1 ? NULL : getgrgid(gid);

	if (gid == (gid_t)-1)
		(void)str_copy(text, NAME_TEXT_SIZE, "NONE");
	else if (entry)
		(void)str_copy(text, NAME_TEXT_SIZE, entry->gr_name);
	else
		(void)snprintf(text, NAME_TEXT_SIZE, "%u", gid);
	return text;
}
