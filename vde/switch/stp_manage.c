/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the switch and its operator tell the spanning tree engine: ports, links and settings, on and
 * off. stp_engine.c has the protocol.
 */
#include "vde/switch/stp_engine.h"

#include <errno.h>

#include "base/cleanup.h"
#include "vde/switch/stp_engine_internal.h"

static void stp_port_enable(struct stp_engine *e, struct stp_port *port)
{
	stp_port_event(e, port, STP_EVENT_UP);
	stp_become_designated(e, port);
	port->edge = port->admin_edge;
	stp_select_state(e, port);
	if (stp_is_root(e))
		stp_transmit_config(e, port);
}

static void stp_port_disable(struct stp_engine *e, struct stp_port *port)
{
	stp_port_lost(e, port);
	stp_port_event(e, port, STP_EVENT_DOWN);
	stp_become_designated(e, port);
	port->edge = port->config_pending = port->topology_change_ack = false;
	port->message_age_due = 0; /* the hold time stays: a link may flap */
}

void stp_engine_set_link(struct stp_engine *e, struct stp_port *port, bool up)
{
	if (up == port->up)
		return;
	port->up = up;
	if (!e->running)
		return;
	if (up) {
		stp_port_enable(e, port);
	} else {
		stp_port_disable(e, port);
		stp_reconsider(e);
	}
}

void stp_engine_set_edge(struct stp_engine *e, struct stp_port *port, bool edge)
{
	port->admin_edge = edge;
	port->edge = edge && port->state != STP_DISABLED && !port->neighbour;
	stp_select_state(e, port);
}

void stp_engine_set_bonus(struct stp_engine *e, unsigned number, int32_t cost)
{
	e->bonus_port = number;
	e->bonus_cost = cost;
	if (!e->running)
		return;
	stp_reconsider(e);
	stp_generate_configs(e);
}

void stp_engine_set_bridge(struct stp_engine *e, uint64_t bridge)
{
	uint64_t old = e->bridge;

	for (size_t i = 0; i < e->num_ports; i++)
		if (e->ports[i]->designated.bridge == old)
			e->ports[i]->designated.bridge = bridge;
	e->bridge = bridge;
	if (!e->running) {
		e->root = bridge;
		return;
	}
	stp_reconsider(e);
	stp_generate_configs(e);
}

/* To what it is when it does not run: root of nothing. */
static void stp_reset(struct stp_engine *e)
{
	e->times = e->own;
	e->root = e->bridge;
	e->root_cost = 0;
	e->root_port = NULL;
	e->root_heard = stp_now(e);
	e->topology_change = e->topology_change_detected = false;
	e->hello_due = e->tcn_due = e->topology_change_due = e->ageing_due = 0;
}

void stp_engine_start(struct stp_engine *e)
{
	if (e->running)
		return;
	stp_reset(e);
	e->running = true;
	e->hello_due = stp_after(e, e->times.hello_time);
	for (size_t i = 0; i < e->num_ports; i++)
		if (e->ports[i]->up)
			stp_port_enable(e, e->ports[i]);
}

void stp_engine_stop(struct stp_engine *e)
{
	if (!e->running)
		return;
	e->running = false;
	for (size_t i = 0; i < e->num_ports; i++) {
		stp_port_disable(e, e->ports[i]);
		e->ports[i]->hold_due = 0;
	}
	stp_reset(e);
	e->ops->root_changed(e->context, e);
}

/* Index of the first port whose number is NUMBER or higher. */
static size_t stp_port_index(const struct stp_engine *e, unsigned number)
{
	size_t low = 0, high = e->num_ports;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (e->ports[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct stp_port *stp_engine_port(const struct stp_engine *e, unsigned number)
{
	size_t i = stp_port_index(e, number);

	return i < e->num_ports && e->ports[i]->number == number ? e->ports[i] : NULL;
}

static int stp_reserve_port(struct stp_engine *e)
{
	size_t room = e->room ? 2 * e->room : 8;
	struct stp_port **ports;

	if (e->num_ports < e->room)
		return 0;
	ports = reallocarray(e->ports, room, sizeof(*ports));
	if (!ports)
		return -ENOMEM;
	e->ports = ports;
	e->room = room;
	return 0;
}

int stp_engine_add_port(struct stp_engine *e, unsigned number, struct stp_port **ret)
{
	size_t i = stp_port_index(e, number);
	struct stp_port *port;
	int r;

	if (number > STP_PORT_LIMIT)
		return -EINVAL;
	*ret = stp_engine_port(e, number);
	if (*ret)
		return 0;
	r = stp_reserve_port(e);
	if (r < 0)
		return r;
	port = calloc(1, sizeof(*port));
	if (!port)
		return -ENOMEM;
	port->number = number;
	port->id = (uint16_t)(STP_ID_PRIORITY | number);
	stp_become_designated(e, port);
	memmove(e->ports + i + 1, e->ports + i, (e->num_ports - i) * sizeof(port));
	e->ports[i] = port;
	e->num_ports++;
	*ret = port;
	return 0;
}

void stp_engine_remove_port(struct stp_engine *e, unsigned number)
{
	size_t i = stp_port_index(e, number);
	struct stp_port *port = stp_engine_port(e, number);

	if (!port)
		return;
	stp_engine_set_link(e, port, false);
	e->num_ports--;
	memmove(e->ports + i, e->ports + i + 1, (e->num_ports - i) * sizeof(port));
	free(port);
}

int stp_engine_new(const struct stp_ops *ops, void *context, uint64_t bridge,
		   struct stp_engine **ret)
{
	struct stp_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->ops = ops;
	e->context = context;
	e->bridge = bridge;
	e->own = stp_default_times;
	stp_reset(e);
	*ret = e;
	return 0;
}

void stp_engine_free(struct stp_engine *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->num_ports; i++)
		free(e->ports[i]);
	free(e->ports);
	free(e);
}
