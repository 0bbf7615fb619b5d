/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's part of a takeover. Times are those of the clock that both processes have (CLOCK_MONOTONIC),
 * so timers that run go on running.
 */
#include "vde/switch/stp_engine.h"

#include <errno.h>

#include "vde/switch/takeover_message.h"

#define PORTS_A_MESSAGE 128

#define ENGINE(name) TAKEOVER_FIELD(struct stp_engine, name)
#define PORT(name)   TAKEOVER_FIELD(struct stp_port, name)

static const struct takeover_field engine_fields[] = {
	ENGINE(root), ENGINE(root_cost), ENGINE(root_heard), ENGINE(times.max_age),
	ENGINE(times.hello_time), ENGINE(times.forward_delay), ENGINE(topology_change),
	ENGINE(topology_change_detected), ENGINE(topology_changes), ENGINE(hello_due),
	ENGINE(tcn_due), ENGINE(topology_change_due), ENGINE(ageing_due),
};

/* `number` comes first. Not `up`: that is a matter of who is connected. */
static const struct takeover_field port_fields[] = {
	PORT(number), PORT(state), PORT(admin_edge), PORT(edge), PORT(neighbour), PORT(deaf),
	PORT(config_pending), PORT(topology_change_ack), PORT(designated.root),
	PORT(designated.cost), PORT(designated.bridge), PORT(designated.port), PORT(heard),
	PORT(message_age), PORT(message_age_due), PORT(forward_delay_due), PORT(hold_due),
	PORT(count.config_in), PORT(count.tcn_in), PORT(count.rapid_in), PORT(count.dialect_in),
	PORT(count.bad_in), PORT(count.config_out), PORT(count.tcn_out), PORT(count.forwarding),
};

/* The root port by its number, plus one; each message of a VLAN has all of the engine. */
int stp_engine_pack(const struct stp_engine *e, struct takeover_message *m,
		    const struct takeover_link *link)
{
	uint64_t vlan = takeover_get_number(m, ITEM_NUMBER);
	size_t i = 0;
	int r;

	do {
		takeover_begin(m, TAKEOVER_TREE);
		takeover_put_number(m, ITEM_NUMBER, vlan);
		takeover_put_fields(m, ITEM_NUMBERS, e, engine_fields, ARRAY_SIZE(engine_fields));
		takeover_put_number(m, ITEM_FLAG, e->root_port ? e->root_port->number + 1 : 0);
		for (unsigned n = 0; n < PORTS_A_MESSAGE && i < e->num_ports; n++, i++)
			takeover_put_fields(m, ITEM_TREE_PORT, e->ports[i], port_fields,
					    ARRAY_SIZE(port_fields));
		r = takeover_send(link, m);
	} while (r == 0 && i < e->num_ports);
	return r;
}

static int unpack_port(struct stp_engine *e, struct cursor value)
{
	struct stp_port told = { 0 }, *port;
	int r = takeover_value_fields(value, &told, port_fields, ARRAY_SIZE(port_fields));

	if (r < 0 || told.number > STP_PORT_LIMIT || told.state >= STP_NUM_STATES)
		return -EBADMSG;
	r = stp_engine_add_port(e, told.number, &port);
	if (r < 0)
		return r;
	told.id = port->id;
	told.up = port->up;
	*port = told;
	return 0;
}

int stp_engine_unpack(struct stp_engine *e, const struct takeover_message *m)
{
	struct cursor at = takeover_items(m), value;
	uint64_t root_port = takeover_get_number(m, ITEM_FLAG);
	uint16_t type;
	int r = takeover_get_fields(m, ITEM_NUMBERS, e, engine_fields, ARRAY_SIZE(engine_fields));

	while (r == 0 && takeover_next(&at, &type, &value))
		if (type == ITEM_TREE_PORT)
			r = unpack_port(e, value);
	if (r < 0)
		return r;
	e->running = true;
	e->root_port = root_port ? stp_engine_port(e, (unsigned)root_port - 1) : NULL;
	return 0;
}
