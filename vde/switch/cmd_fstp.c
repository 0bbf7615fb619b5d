/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Console commands of `fstp`: the spanning trees of the VLANs. */
#include <errno.h>
#include <inttypes.h>

#include "base/parse.h"
#include "vde/switch/command.h"
#include "vde/switch/stp.h"
#include "vde/switch/stp_engine.h"

#define ID_TEXT_SIZE 24

/* A bridge identifier as eight bytes. */
static const char *format_id(uint64_t id, char text[ID_TEXT_SIZE])
{
	char *at = text;

	for (int shift = 56; shift >= 0; shift -= 8)
		at += sprintf(at, shift ? "%02x:" : "%02x", (unsigned)(id >> shift & 0xff));
	return text;
}

static int cmd_fstp_showinfo(struct command_call *call)
{
	const struct vde_switch *sw = call->sw;
	bool on = stp_enabled(sw);
	char mac[MAC_TEXT_SIZE];

	format_mac(sw->mac, mac);
	if (call->json) {
		json_object(call->json, NULL);
		json_string(call->json, "mac", mac);
		json_int(call->json, "priority", sw->settings.priority);
		json_bool(call->json, "fstp", on);
		json_end(call->json);
		return 0;
	}
	strbuf_printf(call->out, "MAC %s Priority %d (0x%x)\n", mac, sw->settings.priority,
		      (unsigned)sw->settings.priority);
	strbuf_printf(call->out, "FSTP=%s\n", on ? "true" : "false");
	return 0;
}

/* In hub mode it is refused by a line of text only: scripts know it so. */
static int cmd_fstp_setfstp(struct command_call *call)
{
	long long on;
	int r = command_number(call->argument, 0, 1, &on);

	if (r < 0)
		return r;
	if (stp_enable(call->sw, on) == -EBUSY)
		strbuf_puts(call->out, "Can't use fstp in hub mode\n");
	return 0;
}

/* VLAN PORT VALUE; what follows is ignored, as it always was. */
static int fstp_arguments(const struct command_call *call, long long values[3],
			  const struct vlan **ret)
{
	const char *rest;
	int r = command_numbers(call->argument, 3, values, &rest);

	if (r < 0)
		return r;
	if (values[0] < 0 || values[0] >= VLAN_COUNT || values[1] < 0 ||
	    values[1] > (long long)call->sw->num_ports)
		return -EINVAL;
	*ret = vlan_find(call->sw, values[0]);
	return *ret ? 0 : -ENXIO;
}

static int cmd_fstp_setedge(struct command_call *call)
{
	long long values[3];
	const struct vlan *vlan;
	int r = fstp_arguments(call, values, &vlan);

	return r < 0 ? r : stp_set_edge(call->sw, vlan, (unsigned)values[1], values[2] != 0);
}

static int cmd_fstp_bonus(struct command_call *call)
{
	long long values[3];
	const struct vlan *vlan;
	int r = fstp_arguments(call, values, &vlan);

	if (r == 0 && (values[2] < INT32_MIN || values[2] > INT32_MAX))
		r = -EINVAL;
	return r < 0 ? r : stp_set_bonus(call->sw, vlan, (unsigned)values[1], (int32_t)values[2]);
}

/* --- listing -------------------------------------------------------------------------- */

/* What is common to both forms of a VLAN's listing. */
struct fstp_view {
	const struct vlan *vlan;
	const struct stp_engine *engine;
	uint64_t designated; /* bridge that the root port follows; all ones: we are the root */
	unsigned root_port;
	unsigned long age; /* s since the root was heard, or we became it */
};

static struct fstp_view fstp_view_of(const struct vde_switch *sw, const struct vlan *vlan)
{
	const struct stp_engine *e = stp_engine_of(sw, vlan);

	return (struct fstp_view){
		.vlan = vlan,
		.engine = e,
		.designated = e->root_port ? e->root_port->designated.bridge : UINT64_MAX,
		.root_port = e->root_port ? e->root_port->number : 0,
		.age = (unsigned long)((loop_now(sw->loop) - e->root_heard) / NS_PER_SEC),
	};
}

static void text_port(struct command_call *call, const struct fstp_view *view,
		      const struct stp_port *port)
{
	strbuf_printf(call->out, " -- Port %04u tagged=%d portcost=%u role=%s\n", port->number,
		      vlan_is_tagged(view->vlan, port->number), STP_PORT_COST,
		      stp_role_name(stp_engine_role(view->engine, port)));
}

static void json_counters(struct json *json, const struct stp_counters *count)
{
	json_object(json, "bpdus");
	json_uint(json, "config_in", count->config_in);
	json_uint(json, "tcn_in", count->tcn_in);
	json_uint(json, "rapid_in", count->rapid_in);
	json_uint(json, "old_dialect_in", count->dialect_in);
	json_uint(json, "malformed_in", count->bad_in);
	json_uint(json, "config_out", count->config_out);
	json_uint(json, "tcn_out", count->tcn_out);
	json_end(json);
}

static void json_port(struct command_call *call, const struct fstp_view *view,
		      const struct stp_port *port)
{
	struct json *json = call->json;
	char text[ID_TEXT_SIZE];

	json_object(json, NULL);
	json_uint(json, "port", port->number);
	json_bool(json, "tagged", vlan_is_tagged(view->vlan, port->number));
	json_uint(json, "portcost", STP_PORT_COST);
	json_uint(json, "effectivecost", stp_engine_port_cost(view->engine, port));
	json_string(json, "role", stp_role_name(stp_engine_role(view->engine, port)));
	json_string(json, "state", stp_state_name(port->state));
	json_bool(json, "edge", port->admin_edge);
	json_bool(json, "neighbour", port->neighbour);
	json_bool(json, "old_dialect", port->deaf);
	json_string(json, "designated", format_id(port->designated.bridge, text));
	json_uint(json, "designatedport", port->designated.port);
	json_uint(json, "designatedcost", port->designated.cost);
	json_uint(json, "became_forwarding", port->count.forwarding);
	json_counters(json, &port->count);
	json_end(json);
}

/* Ports that take part, those without a tag first. */
static void walk_ports(struct command_call *call, const struct fstp_view *view,
		       void (*show)(struct command_call *call, const struct fstp_view *view,
				    const struct stp_port *port))
{
	for (int tagged = 0; tagged < 2; tagged++)
		for (size_t i = 0; i < view->engine->num_ports; i++) {
			const struct stp_port *port = view->engine->ports[i];

			if (port->up && vlan_is_tagged(view->vlan, port->number) == tagged)
				show(call, view, port);
		}
}

static void text_vlan(struct command_call *call, const struct fstp_view *view)
{
	const struct stp_engine *e = view->engine;
	char text[ID_TEXT_SIZE];

	strbuf_printf(call->out, "FST DATA VLAN %04u %s %s\n", view->vlan->id,
		      e->root_port ? "" : "ROOTSWITCH", e->running ? "" : "FSTP IS DISABLED");
	strbuf_printf(call->out, " ++ root %s\n", format_id(e->root, text));
	strbuf_printf(call->out, " ++ designated %s\n", format_id(view->designated, text));
	strbuf_printf(call->out,
		      " ++ rootport %04u cost %" PRIu32 " age %lu bonusport %04u "
		      "bonuscost %" PRId32 "\n",
		      view->root_port, e->root_cost, view->age, e->bonus_port, e->bonus_cost);
	walk_ports(call, view, text_port);
}

static void json_vlan(struct command_call *call, const struct fstp_view *view)
{
	const struct stp_engine *e = view->engine;
	struct json *json = call->json;
	char text[ID_TEXT_SIZE];

	json_object(json, NULL);
	json_uint(json, "vlan", view->vlan->id);
	json_bool(json, "enabled", e->running);
	json_string(json, "bridge", format_id(e->bridge, text));
	json_bool(json, "rootswitch", !e->root_port);
	json_string(json, "root", format_id(e->root, text));
	if (e->root_port)
		json_string(json, "designated", format_id(view->designated, text));
	else
		json_null(json, "designated");
	if (e->root_port)
		json_uint(json, "rootport", view->root_port);
	else
		json_null(json, "rootport");
	json_uint(json, "cost", e->root_cost);
	json_uint(json, "age", view->age);
	json_uint(json, "bonusport", e->bonus_port);
	json_int(json, "bonuscost", e->bonus_cost);
	json_double(json, "max_age", (double)e->times.max_age / BPDU_TIME_UNIT);
	json_double(json, "hello_time", (double)e->times.hello_time / BPDU_TIME_UNIT);
	json_double(json, "forward_delay", (double)e->times.forward_delay / BPDU_TIME_UNIT);
	json_bool(json, "topology_change", e->topology_change);
	json_uint(json, "topology_changes", e->topology_changes);
	json_array(json, "ports");
	walk_ports(call, view, json_port);
	json_end(json);
	json_end(json);
}

static void print_vlan(struct command_call *call, const struct vlan *vlan)
{
	struct fstp_view view = fstp_view_of(call->sw, vlan);

	if (call->json)
		json_vlan(call, &view);
	else
		text_vlan(call, &view);
}

static int cmd_fstp_print(struct command_call *call)
{
	return command_each_vlan(call, print_vlan);
}

static const struct command fstp_rows[] = {
	{ "fstp", "============", "FAST SPANNING TREE MENU", NULL, COMMAND_MENU },
	{ "fstp/showinfo", "", "show fstp info", cmd_fstp_showinfo, COMMAND_TEXT | COMMAND_JSON },
	{ "fstp/setfstp", "0/1", "Fast spanning tree protocol 1=ON 0=OFF", cmd_fstp_setfstp,
	  COMMAND_TEXT },
	{ "fstp/setedge", "VLAN PORT 1/0", "Define an edge port for a vlan 1=Y 0=N",
	  cmd_fstp_setedge, 0 },
	{ "fstp/bonus", "VLAN PORT COST", "set the port bonus for a vlan", cmd_fstp_bonus, 0 },
	{ "fstp/print", "[N]", "print fst data for the defined vlan", cmd_fstp_print,
	  COMMAND_TEXT | COMMAND_JSON },
};
const struct command_table fstp_commands = { fstp_rows, ARRAY_SIZE(fstp_rows) };
