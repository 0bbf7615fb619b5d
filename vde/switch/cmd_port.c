/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Console commands of `port`. */
#include <errno.h>

#include "base/parse.h"
#include "vde/switch/command.h"
#include "vde/switch/endpoint.h"
#include "vde/switch/stp.h"
#include "vde/switch/vlan.h"

/* --- the switch ----------------------------------------------------------------------- */

static int cmd_port_showinfo(struct command_call *call)
{
	const struct vde_switch *sw = call->sw;

	if (!call->json) {
		strbuf_printf(call->out, "Numports=%u\nHUB=%s\ncounters=true\n", sw->num_ports,
			      sw->hub ? "true" : "false");
		return 0;
	}
	json_object(call->json, NULL);
	json_uint(call->json, "numports", sw->num_ports);
	json_bool(call->json, "hub", sw->hub);
	json_bool(call->json, "counters", true);
	json_end(call->json);
	return 0;
}

static int cmd_port_setnumports(struct command_call *call)
{
	long long number;
	int r = command_number(call->argument, 1, PORT_LIMIT, &number);

	return r < 0 ? r : port_set_limit(call->sw, number);
}

static int cmd_port_sethub(struct command_call *call)
{
	struct vde_switch *sw = call->sw;
	long long on;
	int r = command_number(call->argument, 0, 1, &on);

	if (r < 0)
		return r;
	if (on)
		(void)stp_enable(sw, false); /* a hub has none; turning it off cannot fail */
	sw->hub = on;
	return 0;
}

/* --- one port ------------------------------------------------------------------------- */

/* The port of a command's first number; -EINVAL: no port can have it. -ENXIO: there is none. */
static int port_of(const struct vde_switch *sw, long long number, struct port **ret)
{
	if (number < 0 || number > (long long)sw->num_ports)
		return -EINVAL;
	*ret = port_find(sw, number);
	return *ret ? 0 : -ENXIO;
}

/* Reads COUNT numbers, the first of which is an existing port. */
static int port_arguments(const struct command_call *call, unsigned count, long long values[],
			  struct port **ret)
{
	int r = command_numbers(call->argument, count, values, NULL);

	return r < 0 ? r : port_of(call->sw, values[0], ret);
}

static int cmd_port_setvlan(struct command_call *call)
{
	long long values[2];
	struct port *port;
	int r = port_arguments(call, 2, values, &port);

	if (r == 0 && (values[1] < 0 || values[1] > VLAN_NONE))
		r = -EINVAL;
	return r < 0 ? r : vlan_set_untagged(call->sw, port, values[1]);
}

static int cmd_port_createauto(struct command_call *call)
{
	int number = port_free_number(call->sw);
	int r = number < 0 ? number : port_create(call->sw, (unsigned)number, false, NULL);

	if (r < 0)
		return r;
	if (call->json) {
		json_object(call->json, NULL);
		json_int(call->json, "port", number);
		json_end(call->json);
	} else {
		strbuf_printf(call->out, "Port %04d\n", number);
	}
	return 0;
}

static int cmd_port_create(struct command_call *call)
{
	long long number;
	int r = command_number(call->argument, 0, call->sw->num_ports, &number);

	return r < 0 ? r : port_create(call->sw, (unsigned)number, false, NULL);
}

static int cmd_port_remove(struct command_call *call)
{
	long long number;
	int r = command_number(call->argument, 0, call->sw->num_ports, &number);

	return r < 0 ? r : port_remove(call->sw, (unsigned)number);
}

static int cmd_port_allocatable(struct command_call *call)
{
	long long values[2];
	struct port *port;
	int r = port_arguments(call, 2, values, &port);

	if (r < 0)
		return r;
	if (values[1] != 0 && values[1] != 1)
		return -EINVAL;
	port->allocatable = values[1];
	return 0;
}

/* `N NAME`: NAME is a name, a number, NONE or ANY (both: nobody in particular). */
static int access_arguments(const struct command_call *call, struct port **ret, const char **ret_name)
{
	long long number;
	int r = command_numbers(call->argument, 1, &number, ret_name);

	if (r < 0 || **ret_name == '\0' || strpbrk(*ret_name, " \t"))
		return -EINVAL;
	return port_of(call->sw, number, ret);
}

static bool means_nobody(const char *name)
{
	return str_equal(name, "NONE") || str_equal(name, "ANY");
}

static int cmd_port_setuser(struct command_call *call)
{
	const char *name;
	struct port *port;
	uid_t uid = (uid_t)-1;
	int r = access_arguments(call, &port, &name);

	if (r == 0 && !means_nobody(name) && parse_user(name, &uid) < 0)
		r = -EINVAL;
	if (r == 0)
		port->access_user = uid;
	return r;
}

static int cmd_port_setgroup(struct command_call *call)
{
	const char *name;
	struct port *port;
	gid_t gid = (gid_t)-1;
	int r = access_arguments(call, &port, &name);

	if (r == 0 && !means_nobody(name) && parse_group(name, &gid) < 0)
		r = -EINVAL;
	if (r == 0)
		port->access_group = gid;
	return r;
}

static int cmd_port_epclose(struct command_call *call)
{
	struct endpoint *ep;
	long long values[2];
	struct port *port;
	int r = port_arguments(call, 2, values, &port);

	if (r < 0)
		return r;
	ep = values[1] < 0 || values[1] > INT_MAX ? NULL : endpoint_find(port, (int)values[1]);
	if (!ep)
		return -ENXIO;
	endpoint_close(call->sw, ep);
	return 0;
}

/* --- listings ------------------------------------------------------------------------- */

typedef void print_port(struct command_call *call, const struct port *port);

/*
 * One port of `[N]`, or all; inactive ones only with ALL. -EINVAL for a number that cannot be,
 * -ENXIO for a port that is not shown.
 */
static int print_ports(struct command_call *call, bool all, print_port *print)
{
	const struct vde_switch *sw = call->sw;
	long long wanted;
	struct port *port;
	int r = command_optional_number(call->argument, INT_MAX, &wanted);

	if (r == 0 && wanted >= 0) {
		r = port_of(sw, wanted, &port);
		if (r == 0 && !all && !port_active(port))
			r = -ENXIO;
	}
	if (r < 0)
		return r;
	if (call->json)
		json_array(call->json, NULL);
	for (unsigned number = 0; number <= sw->num_ports; number++) {
		port = sw->ports[number];
		if (!port || (wanted >= 0 && wanted != number) || (!all && !port_active(port)))
			continue;
		print(call, port);
	}
	if (call->json)
		json_end(call->json);
	return 0;
}

static void print_port_text(struct strbuf *out, const struct port *port)
{
	char user[NAME_TEXT_SIZE], access_user[NAME_TEXT_SIZE], access_group[NAME_TEXT_SIZE];

	strbuf_printf(out, "Port %04u untagged_vlan=%04u %s - %s Allocatable\n", port->number,
		      port->untagged_vlan, port_active(port) ? "ACTIVE" : "INACTIVE",
		      port->allocatable ? "Unnamed" : "NOT Unnamed");
	strbuf_printf(out, " Current User: %s Access Control: (User: %s - Group: %s)\n",
		      switch_user_name(port->user, user),
		      switch_user_name(port->access_user, access_user),
		      switch_group_name(port->access_group, access_group));
	strbuf_printf(out, " IN:  pkts %10lld          bytes %20lld\n",
		      (long long)port->counters.in.packets, (long long)port->counters.in.bytes);
	strbuf_printf(out, " OUT: pkts %10lld          bytes %20lld\n",
		      (long long)port->counters.out.packets, (long long)port->counters.out.bytes);
	for (const struct endpoint *ep = port->endpoints; ep; ep = ep->next_on_port)
		strbuf_printf(out, "  -- endpoint ID %04d module %-12s: %s\n", ep->id,
			      ep->class->module,
			      ep->descr[0] ? ep->descr : "no endpoint description");
}

void command_json_counters(struct json *j, const char *key, const struct counters *counters)
{
	json_object(j, key);
	json_uint(j, "in_packets", counters->in.packets);
	json_uint(j, "in_bytes", counters->in.bytes);
	json_uint(j, "out_packets", counters->out.packets);
	json_uint(j, "out_bytes", counters->out.bytes);
	json_uint(j, "super_in", counters->super_in);
	json_uint(j, "super_out", counters->super_out);
	json_object(j, "drops");
	for (int reason = 0; reason < DROP_NUM_REASONS; reason++)
		json_uint(j, drop_reason_name(reason), counters->drops[reason]);
	json_end(j);
	json_end(j);
}

static void print_endpoint_json(struct json *j, const struct endpoint *ep)
{
	json_object(j, NULL);
	json_int(j, "id", ep->id);
	json_string(j, "module", ep->class->module);
	json_string(j, "transport", ep->class->transport);
	json_string(j, "description", ep->descr);
	json_uint(j, "queued_frames", ep->queue.frames);
	json_uint(j, "queued_bytes", ep->queue.bytes);
	command_json_counters(j, "counters", &ep->counters);
	json_end(j);
}

static void print_port_json(struct json *j, const struct port *port)
{
	char name[NAME_TEXT_SIZE];

	json_object(j, NULL);
	json_uint(j, "port", port->number);
	json_uint(j, "untagged_vlan", port->untagged_vlan);
	json_bool(j, "active", port_active(port));
	json_bool(j, "allocatable", port->allocatable);
	json_string(j, "user", switch_user_name(port->user, name));
	json_string(j, "access_user", switch_user_name(port->access_user, name));
	json_string(j, "access_group", switch_group_name(port->access_group, name));
	command_json_counters(j, "counters", &port->counters);
	json_array(j, "endpoints");
	for (const struct endpoint *ep = port->endpoints; ep; ep = ep->next_on_port)
		print_endpoint_json(j, ep);
	json_end(j);
	json_end(j);
}

static void print_port_any(struct command_call *call, const struct port *port)
{
	if (call->json)
		print_port_json(call->json, port);
	else
		print_port_text(call->out, port);
}

static int cmd_port_print(struct command_call *call)
{
	return print_ports(call, false, print_port_any);
}

static int cmd_port_allprint(struct command_call *call)
{
	return print_ports(call, true, print_port_any);
}

void command_text_counters(struct strbuf *out, const struct counters *counters)
{
	uint64_t dropped = 0;

	for (int reason = 0; reason < DROP_NUM_REASONS; reason++)
		dropped += counters->drops[reason];
	strbuf_printf(out, " in %llu packets %llu bytes, out %llu packets %llu bytes, dropped %llu",
		      (unsigned long long)counters->in.packets,
		      (unsigned long long)counters->in.bytes,
		      (unsigned long long)counters->out.packets,
		      (unsigned long long)counters->out.bytes, (unsigned long long)dropped);
	for (int reason = 0; reason < DROP_NUM_REASONS; reason++)
		if (counters->drops[reason])
			strbuf_printf(out, " %s=%llu", drop_reason_name(reason),
				      (unsigned long long)counters->drops[reason]);
	strbuf_putc(out, '\n');
}

static void print_counters(struct command_call *call, const struct port *port)
{
	if (call->json) {
		json_object(call->json, NULL);
		json_uint(call->json, "port", port->number);
		command_json_counters(call->json, "counters", &port->counters);
		json_array(call->json, "endpoints");
		for (const struct endpoint *ep = port->endpoints; ep; ep = ep->next_on_port)
			print_endpoint_json(call->json, ep);
		json_end(call->json);
		json_end(call->json);
		return;
	}
	strbuf_printf(call->out, "Port %04u", port->number);
	command_text_counters(call->out, &port->counters);
	for (const struct endpoint *ep = port->endpoints; ep; ep = ep->next_on_port) {
		strbuf_printf(call->out, " -- endpoint ID %04d %s queued %zu frames %zu bytes:", ep->id,
			      ep->class->transport, ep->queue.frames, ep->queue.bytes);
		command_text_counters(call->out, &ep->counters);
	}
}

static int cmd_port_counters(struct command_call *call)
{
	return print_ports(call, true, print_counters);
}

static void reset_port(struct port *port)
{
	port->counters = (struct counters){ 0 };
	for (struct endpoint *ep = port->endpoints; ep; ep = ep->next_on_port)
		ep->counters = (struct counters){ 0 };
}

static int cmd_port_resetcounter(struct command_call *call)
{
	const struct vde_switch *sw = call->sw;
	long long wanted;
	struct port *port;
	int r = command_optional_number(call->argument, INT_MAX, &wanted);

	if (r < 0)
		return r;
	if (wanted >= 0) {
		r = port_of(sw, wanted, &port);
		if (r == 0)
			reset_port(port);
		return r;
	}
	for (unsigned number = 0; number <= sw->num_ports; number++)
		if (sw->ports[number])
			reset_port(sw->ports[number]);
	return 0;
}

static const struct command port_rows[] = {
	{ "port", "============", "PORT STATUS MENU", NULL, COMMAND_MENU },
	{ "port/showinfo", "", "show port info", cmd_port_showinfo, COMMAND_TEXT | COMMAND_JSON },
	{ "port/setnumports", "N", "set the number of ports", cmd_port_setnumports, 0 },
	{ "port/sethub", "0/1", "1=HUB 0=switch", cmd_port_sethub, 0 },
	{ "port/setvlan", "N VLAN", "set port VLAN (untagged)", cmd_port_setvlan, 0 },
	{ "port/createauto", "",
	  "create a port with an automatically allocated id (inactive|notallocatable)",
	  cmd_port_createauto, COMMAND_TEXT | COMMAND_JSON },
	{ "port/create", "N", "create the port N (inactive|notallocatable)", cmd_port_create, 0 },
	{ "port/remove", "N", "remove the port N", cmd_port_remove, 0 },
	{ "port/allocatable", "N 0/1", "Is the port allocatable as unnamed? 1=Y 0=N",
	  cmd_port_allocatable, 0 },
	{ "port/setuser", "N user", "access control: set user", cmd_port_setuser, 0 },
	{ "port/setgroup", "N user", "access control: set group", cmd_port_setgroup, 0 },
	{ "port/epclose", "N ID", "remove the endpoint port N/id ID", cmd_port_epclose, 0 },
	{ "port/resetcounter", "[N]", "reset the port (N) counters", cmd_port_resetcounter, 0 },
	{ "port/print", "[N]", "print the port/endpoint table", cmd_port_print,
	  COMMAND_TEXT | COMMAND_JSON },
	{ "port/allprint", "[N]", "print the port/endpoint table (including inactive port)",
	  cmd_port_allprint, COMMAND_TEXT | COMMAND_JSON },
	{ "port/counters", "[N]", "print counters, and drops with their reason", cmd_port_counters,
	  COMMAND_TEXT | COMMAND_JSON },
};
const struct command_table port_commands = { port_rows, ARRAY_SIZE(port_rows) };
