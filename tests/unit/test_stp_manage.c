/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the switch and its operator tell the engine; stp_net.h has the network. */
#include "vde/switch/stp_engine.h"

#include <errno.h>

#include "tests/unit/stp_net.h"

/* --- settings ------------------------------------------------------------------------- */

static void test_priority_change(void **state)
{
	struct net *net = ring_of_three();
	struct stp_engine *third = net->bridges[2].engine;

	(void)state;
	stp_engine_set_bridge(third, bridge_id(0x7000, 3));
	assert_null(third->root_port);
	net_run(net, CONVERGENCE);
	assert_int_equal(net->bridges[0].engine->root, bridge_id(0x7000, 3));
	assert_int_equal(net->bridges[1].engine->root, bridge_id(0x7000, 3));
	assert_spanning(net);
	stp_engine_set_bridge(third, bridge_id(0x9000, 3)); /* the old one ages */
	net_run(net, CONVERGENCE + SECONDS(20));
	assert_int_equal(third->root, bridge_id(0x8000, 1));
	assert_int_equal(net->bridges[1].engine->root, bridge_id(0x8000, 1));
	assert_spanning(net);
	net_free(net);
}

static void test_bonus(void **state)
{
	struct net *net = net_new();
	struct stp_engine *b;

	(void)state;
	net_bridge(net, bridge_id(0x8000, 1));
	b = net_bridge(net, bridge_id(0x8000, 2));
	net_link(net, 0, 1, 1, 5);
	net_link(net, 0, 2, 1, 6);
	net_run(net, CONVERGENCE);
	stp_engine_set_bonus(b, 6, STP_PORT_COST - 1);
	net_run(net, CONVERGENCE);
	assert_int_equal(b->root_port->number, 6);
	assert_int_equal(b->root_cost, 1);
	assert_spanning(net);
	stp_engine_set_bonus(b, 6, INT32_MAX);
	assert_int_equal(b->root_cost, 1);
	stp_engine_set_bonus(b, 5, -50);
	assert_int_equal(b->root_port->number, 6);
	assert_int_equal(b->root_cost, STP_PORT_COST);
	stp_engine_set_bonus(b, 6, INT32_MIN);
	assert_int_equal(b->root_port->number, 5);
	assert_int_equal(b->root_cost, STP_PORT_COST);
	net_run(net, CONVERGENCE);
	assert_spanning(net);
	net_free(net);
}

/* --- edge ports ----------------------------------------------------------------------- */

static void test_edge(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x8000, 1));
	struct stp_port *port = net_port(net, 0, 1);
	const struct bpdu tcn = { .type = BPDU_TCN };

	(void)state;
	stp_engine_set_edge(e, port, true);
	stp_engine_set_link(e, port, true);
	assert_int_equal(port->state, STP_FORWARDING);
	assert_int_equal(net_role(net, 0, 1), STP_ROLE_EDGE);
	assert_int_equal(e->topology_changes, 0);
	assert_true(port->count.config_out > 0);
	stp_engine_receive(e, port, &tcn);
	assert_false(port->edge);
	assert_int_equal(port->state, STP_LISTENING);
	assert_int_equal(net_role(net, 0, 1), STP_ROLE_DESIGNATED);
	stp_engine_set_edge(e, port, true); /* there is a bridge: not taken */
	assert_int_equal(port->state, STP_LISTENING);
	stp_engine_set_link(e, port, false);
	assert_int_equal(net->bridges[0].came, 1);
	assert_int_equal(net->bridges[0].went, 1);
	stp_engine_set_link(e, port, true);
	assert_int_equal(port->state, STP_FORWARDING);
	net_free(net);
}

/* Said while the port is up: it need not wait. */
static void test_edge_later(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x8000, 1));
	struct stp_port *port = net_port(net, 0, 1);

	(void)state;
	stp_engine_set_link(e, port, true);
	assert_int_equal(port->state, STP_LISTENING);
	stp_engine_set_edge(e, port, true);
	assert_int_equal(port->state, STP_FORWARDING);
	stp_engine_set_edge(e, port, false);
	assert_int_equal(port->state, STP_FORWARDING);
	assert_int_equal(net_role(net, 0, 1), STP_ROLE_DESIGNATED);
	net_free(net);
}

/* Edge ports that are joined after all: a loop for the time one BPDU takes, then none. */
static void test_edge_loop(void **state)
{
	struct net *net = net_new();

	(void)state;
	net_bridge(net, bridge_id(0x8000, 1));
	net_bridge(net, bridge_id(0x8000, 2));
	net_link(net, 0, 1, 1, 1);
	net_run(net, CONVERGENCE);
	stp_engine_set_edge(net->bridges[0].engine, net_port(net, 0, 2), true);
	stp_engine_set_edge(net->bridges[1].engine, net_port(net, 1, 2), true);
	net_link(net, 0, 2, 1, 2);
	while (net->head < net->tail) {
		net->now = net->queue[net->head].due;
		net_arrive(net);
	}
	assert_spanning(net);
	net_run(net, CONVERGENCE);
	assert_int_equal(net_port(net, 1, 2)->state, STP_BLOCKING);
	assert_spanning(net);
	net_free(net);
}

/* --- management ----------------------------------------------------------------------- */

static void test_ports_are_sorted(void **state)
{
	static const unsigned numbers[] = { 7, 0, 16383, 300, 3, 12, 1, 4096, 2, 9 };
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x8000, 1));
	struct stp_port *port;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		assert_int_equal(net_port(net, 0, numbers[i])->id, 0x8000 | numbers[i]);
	assert_int_equal(e->num_ports, ARRAY_SIZE(numbers));
	for (size_t i = 1; i < e->num_ports; i++)
		assert_true(e->ports[i - 1]->number < e->ports[i]->number);
	assert_ptr_equal(net_port(net, 0, 300), stp_engine_port(e, 300));
	assert_int_equal(stp_engine_add_port(e, STP_PORT_LIMIT + 1, &port), -EINVAL);
	stp_engine_remove_port(e, 300);
	stp_engine_remove_port(e, 301);
	assert_null(stp_engine_port(e, 300));
	assert_int_equal(e->num_ports, ARRAY_SIZE(numbers) - 1);
	net_free(net);
}

/* The root port is removed while it is the root port. */
static void test_remove_root_port(void **state)
{
	struct net *net = ring_of_three();
	struct stp_engine *third = net->bridges[2].engine;

	(void)state;
	net->links[2].up = false;
	stp_engine_remove_port(third, third->root_port->number);
	assert_non_null(third->root_port);
	assert_int_equal(third->root_port->number, 2);
	stp_engine_remove_port(third, 2);
	assert_null(third->root_port);
	assert_int_equal(third->num_ports, 0);
	net_free(net);
}

static void test_stop_and_start(void **state)
{
	struct net *net = ring_of_three();
	struct stp_engine *third = net->bridges[2].engine;

	(void)state;
	stp_engine_stop(third);
	assert_int_equal(third->root, third->bridge);
	assert_null(third->root_port);
	assert_int_equal(stp_engine_next_deadline(third), STP_NO_DEADLINE);
	assert_int_equal(net_port(net, 2, 1)->state, STP_DISABLED);
	assert_int_equal(net_role(net, 2, 1), STP_ROLE_DESIGNATED);
	net_run(net, CONVERGENCE);
	stp_engine_start(third);
	net_run(net, CONVERGENCE);
	assert_int_equal(third->root, bridge_id(0x8000, 1));
	assert_spanning(net);
	net_free(net);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(stp_state_name(STP_LEARNING), "learning");
	assert_string_equal(stp_role_name(STP_ROLE_ALTERNATE), "Alternate/Backup");
	assert_string_equal(stp_role_name(STP_ROLE_NONE), "Unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_priority_change),
		cmocka_unit_test(test_bonus),
		cmocka_unit_test(test_edge),
		cmocka_unit_test(test_edge_later),
		cmocka_unit_test(test_edge_loop),
		cmocka_unit_test(test_ports_are_sorted),
		cmocka_unit_test(test_remove_root_port),
		cmocka_unit_test(test_stop_and_start),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
