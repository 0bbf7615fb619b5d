/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Console commands of `vlan`. */
#include <errno.h>

#include "vde/switch/command.h"
#include "vde/switch/stp.h"
#include "vde/switch/vlan.h"

static int cmd_vlan_create(struct command_call *call)
{
	long long id;
	int r = command_number(call->argument, 1, VLAN_MAX, &id);

	return r < 0 ? r : vlan_create(call->sw, id);
}

static int cmd_vlan_remove(struct command_call *call)
{
	long long id;
	int r = command_number(call->argument, 1, VLAN_MAX, &id);

	return r < 0 ? r : vlan_remove(call->sw, id);
}

static int change_port(const struct command_call *call,
		       int (*change)(struct vde_switch *sw, long long id, long long port))
{
	long long values[2]; /* VLAN, port */
	int r = command_numbers(call->argument, 2, values, NULL);

	if (r < 0)
		return r;
	if (values[0] < 0 || values[0] > VLAN_MAX || values[1] < 0 ||
	    values[1] > (long long)call->sw->num_ports)
		return -EINVAL;
	return change(call->sw, values[0], values[1]);
}

static int cmd_vlan_addport(struct command_call *call)
{
	return change_port(call, vlan_add_port);
}

static int cmd_vlan_delport(struct command_call *call)
{
	return change_port(call, vlan_del_port);
}

/* --- listings ------------------------------------------------------------------------- */

static void print_member(struct command_call *call, const struct vlan *vlan, const struct port *port)
{
	const char *state = port_state_name(vlan_port_state(call->sw, vlan, port->number));
	bool tagged = vlan_is_tagged(vlan, port->number);

	/* An inactive port carries nothing: it is shown as learning, like one that starts. */
	if (!port_active(port) && !stp_enabled(call->sw))
		state = port_state_name(PORT_LEARNING);
	if (!call->json) {
		strbuf_printf(call->out, " -- Port %04u tagged=%d active=%d status=%s\n",
			      port->number, tagged, port_active(port), state);
		return;
	}
	json_object(call->json, NULL);
	json_uint(call->json, "port", port->number);
	json_bool(call->json, "tagged", tagged);
	json_bool(call->json, "active", port_active(port));
	json_string(call->json, "status", state);
	json_end(call->json);
}

static void print_vlan_ports(struct command_call *call, const struct vlan *vlan, bool all)
{
	const struct vde_switch *sw = call->sw;

	if (call->json) {
		json_object(call->json, NULL);
		json_uint(call->json, "vlan", vlan->id);
		json_array(call->json, "ports");
	} else {
		strbuf_printf(call->out, "VLAN %04u\n", vlan->id);
	}
	for (unsigned number = 0; number <= sw->num_ports; number++) {
		const struct port *port = sw->ports[number];

		if (port && vlan_has_port(vlan, number) && (all || port_active(port)))
			print_member(call, vlan, port);
	}
	if (call->json) {
		json_end(call->json);
		json_end(call->json);
	}
}

static void print_active(struct command_call *call, const struct vlan *vlan)
{
	print_vlan_ports(call, vlan, false);
}

static void print_all(struct command_call *call, const struct vlan *vlan)
{
	print_vlan_ports(call, vlan, true);
}

static void print_counters(struct command_call *call, const struct vlan *vlan)
{
	if (!call->json) {
		strbuf_printf(call->out, "VLAN %04u", vlan->id);
		command_text_counters(call->out, &vlan->counters);
		return;
	}
	json_object(call->json, NULL);
	json_uint(call->json, "vlan", vlan->id);
	command_json_counters(call->json, "counters", &vlan->counters);
	json_end(call->json);
}

static int cmd_vlan_print(struct command_call *call)
{
	return command_each_vlan(call, print_active);
}

static int cmd_vlan_allprint(struct command_call *call)
{
	return command_each_vlan(call, print_all);
}

static int cmd_vlan_counters(struct command_call *call)
{
	return command_each_vlan(call, print_counters);
}

static const struct command vlan_rows[] = {
	{ "vlan", "============", "VLAN MANAGEMENT MENU", NULL, COMMAND_MENU },
	{ "vlan/create", "N", "create the VLAN with tag N", cmd_vlan_create, 0 },
	{ "vlan/remove", "N", "remove the VLAN with tag N", cmd_vlan_remove, 0 },
	{ "vlan/addport", "N PORT", "add port to the vlan N (tagged)", cmd_vlan_addport, 0 },
	{ "vlan/delport", "N PORT", "add port to the vlan N (tagged)", cmd_vlan_delport, 0 },
	{ "vlan/print", "[N]", "print the list of defined vlan", cmd_vlan_print,
	  COMMAND_TEXT | COMMAND_JSON },
	{ "vlan/allprint", "[N]", "print the list of defined vlan (including inactive port)",
	  cmd_vlan_allprint, COMMAND_TEXT | COMMAND_JSON },
	{ "vlan/counters", "[N]", "print counters, and drops with their reason", cmd_vlan_counters,
	  COMMAND_TEXT | COMMAND_JSON },
};
const struct command_table vlan_commands = { vlan_rows, ARRAY_SIZE(vlan_rows) };
