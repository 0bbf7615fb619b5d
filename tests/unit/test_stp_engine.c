/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The protocol; stp_net.h has the network. */
#include "vde/switch/stp_engine.h"

#include "tests/unit/stp_net.h"

/* --- two bridges ---------------------------------------------------------------------- */

static void test_two_bridges(void **state)
{
	struct net *net = net_new();
	struct stp_engine *a = net_bridge(net, bridge_id(0x8000, 1));
	struct stp_engine *b = net_bridge(net, bridge_id(0x8000, 2));

	(void)state;
	net_link(net, 0, 1, 1, 5);
	net_link(net, 0, 2, 1, 6);
	net_run(net, SECONDS(29));
	assert_int_not_equal(net_port(net, 1, 5)->state, STP_FORWARDING);
	net_run(net, SECONDS(2));
	assert_null(a->root_port);
	assert_int_equal(b->root, a->bridge);
	assert_int_equal(b->root_cost, STP_PORT_COST);
	assert_int_equal(b->root_port->number, 5);
	assert_int_equal(net_role(net, 0, 1), STP_ROLE_DESIGNATED);
	assert_int_equal(net_role(net, 0, 2), STP_ROLE_DESIGNATED);
	assert_int_equal(net_role(net, 1, 5), STP_ROLE_ROOT);
	assert_int_equal(net_role(net, 1, 6), STP_ROLE_ALTERNATE);
	assert_int_equal(net_port(net, 1, 5)->state, STP_FORWARDING);
	assert_int_equal(net_port(net, 1, 6)->state, STP_BLOCKING);
	assert_spanning(net);
	net_free(net);
}

/* The states one after the other, 15 s each. */
static void test_delays(void **state)
{
	struct net *net = net_new();
	struct stp_port *port;

	(void)state;
	net_bridge(net, bridge_id(0x8000, 1));
	port = net_port(net, 0, 1);
	assert_int_equal(port->state, STP_DISABLED);
	stp_engine_set_link(net->bridges[0].engine, port, true);
	assert_int_equal(port->state, STP_LISTENING);
	net_run(net, SECONDS(15) - 1);
	assert_int_equal(port->state, STP_LISTENING);
	net_run(net, 2);
	assert_int_equal(port->state, STP_LEARNING);
	net_run(net, SECONDS(15) - 2);
	assert_int_equal(port->state, STP_LEARNING);
	net_run(net, 2);
	assert_int_equal(port->state, STP_FORWARDING);
	stp_engine_set_link(net->bridges[0].engine, port, false);
	assert_int_equal(port->state, STP_DISABLED);
	net_free(net);
}

/* Every row of the transition table. */
static void test_transitions(void **state)
{
	static const struct {
		enum stp_state from;
		enum stp_event event;
		enum stp_state to;
	} rows[] = {
		{ STP_DISABLED, STP_EVENT_UP, STP_BLOCKING },
		{ STP_BLOCKING, STP_EVENT_DOWN, STP_DISABLED },
		{ STP_BLOCKING, STP_EVENT_OPEN, STP_LISTENING },
		{ STP_BLOCKING, STP_EVENT_EDGE, STP_FORWARDING },
		{ STP_LISTENING, STP_EVENT_DOWN, STP_DISABLED },
		{ STP_LISTENING, STP_EVENT_SHUT, STP_BLOCKING },
		{ STP_LISTENING, STP_EVENT_DELAY, STP_LEARNING },
		{ STP_LISTENING, STP_EVENT_EDGE, STP_FORWARDING },
		{ STP_LEARNING, STP_EVENT_DOWN, STP_DISABLED },
		{ STP_LEARNING, STP_EVENT_SHUT, STP_BLOCKING },
		{ STP_LEARNING, STP_EVENT_DELAY, STP_FORWARDING },
		{ STP_LEARNING, STP_EVENT_EDGE, STP_FORWARDING },
		{ STP_FORWARDING, STP_EVENT_DOWN, STP_DISABLED },
		{ STP_FORWARDING, STP_EVENT_SHUT, STP_BLOCKING },
	};

	(void)state;
	for (int from = 0; from < STP_NUM_STATES; from++) {
		for (int event = 0; event < STP_NUM_EVENTS; event++) {
			enum stp_state to = (enum stp_state)from;

			for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
				if (rows[i].from == (enum stp_state)from &&
				    rows[i].event == (enum stp_event)event)
					to = rows[i].to;
			assert_int_equal(
				stp_next_state((enum stp_state)from, (enum stp_event)event), to);
		}
	}
}

/* --- rings ---------------------------------------------------------------------------- */

static unsigned count_state(const struct net *net, enum stp_state state)
{
	unsigned count = 0;

	for (unsigned b = 0; b < net->num_bridges; b++)
		for (size_t i = 0; i < net->bridges[b].engine->num_ports; i++)
			count += net->bridges[b].engine->ports[i]->state == state;
	return count;
}

static void test_ring(void **state)
{
	struct net *net = ring_of_three();

	(void)state;
	assert_int_equal(count_state(net, STP_FORWARDING), 5);
	assert_int_equal(count_state(net, STP_BLOCKING), 1);
	assert_int_equal(net_role(net, 2, 2), STP_ROLE_ALTERNATE); /* far from the root, worse id */
	assert_spanning(net);
	net_free(net);
}

/* The bridges beside the broken link see it at once: no message age to wait for. */
static void test_ring_link_down(void **state)
{
	struct net *net = ring_of_three();

	(void)state;
	net_link_set(net, 2, false); /* root port of the third */
	net_run(net, SECONDS(31));
	assert_int_equal(net_role(net, 2, 2), STP_ROLE_ROOT);
	assert_spanning(net);
	net_link_set(net, 2, true);
	net_run(net, CONVERGENCE);
	assert_int_equal(net_role(net, 2, 1), STP_ROLE_ROOT);
	assert_spanning(net);
	net_free(net);
}

/* A link that loses frames while both ends think that it is up: the message age decides. */
static void test_ring_silent_loss(void **state)
{
	struct net *net = ring_of_three();

	(void)state;
	net->links[2].up = false;
	net_run(net, SECONDS(17));
	assert_int_equal(net_role(net, 2, 1), STP_ROLE_ROOT);
	net_run(net, SECONDS(4));
	assert_int_equal(net_role(net, 2, 2), STP_ROLE_ROOT);
	assert_int_equal(net_role(net, 2, 1), STP_ROLE_DESIGNATED);
	net_run(net, CONVERGENCE - SECONDS(21));
	assert_int_equal(net_port(net, 2, 2)->state, STP_FORWARDING);
	assert_int_equal(net->bridges[2].went, 1);
	net_free(net);
}

/* The root falls silent for all: the second becomes it after the maximum age. */
static void test_max_age(void **state)
{
	struct net *net = ring_of_three();
	struct stp_engine *second = net->bridges[1].engine;

	(void)state;
	net->links[0].up = net->links[2].up = false;
	net_run(net, SECONDS(17));
	assert_int_equal(second->root, net->bridges[0].engine->bridge);
	net_run(net, SECONDS(6));
	assert_int_equal(second->root, second->bridge);
	assert_int_equal(net->bridges[2].engine->root, second->bridge);
	net_run(net, CONVERGENCE);
	assert_spanning(net);
	net_free(net);
}

static void test_better_root_arrives(void **state)
{
	struct net *net = ring_of_three();
	struct stp_engine *best;

	(void)state;
	best = net_bridge(net, bridge_id(0x1000, 99));
	net_link(net, 3, 1, 2, 9);
	net_run(net, CONVERGENCE);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(net->bridges[i].engine->root, best->bridge);
	assert_int_equal(net_role(net, 2, 9), STP_ROLE_ROOT);
	assert_int_equal(net->bridges[0].engine->root_cost, 2 * STP_PORT_COST);
	assert_spanning(net);
	net_free(net);
}

/* Two ports of one bridge on one segment: one serves it, the other is its backup. */
static void test_own_ports_joined(void **state)
{
	struct net *net = net_new();

	(void)state;
	net_bridge(net, bridge_id(0x8000, 1));
	net_link(net, 0, 3, 0, 7);
	net_run(net, CONVERGENCE);
	assert_int_equal(net_role(net, 0, 3), STP_ROLE_DESIGNATED);
	assert_int_equal(net_role(net, 0, 7), STP_ROLE_ALTERNATE);
	assert_int_equal(net_port(net, 0, 7)->state, STP_BLOCKING);
	assert_null(net->bridges[0].engine->root_port);
	net_free(net);
}

/* When the root is lost, a backup port must not take what this bridge itself said for a way to it.
 */
static void test_backup_is_no_way(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e;

	(void)state;
	net_bridge(net, bridge_id(0x8000, 1));
	e = net_bridge(net, bridge_id(0x8000, 2));
	net_link(net, 0, 1, 1, 1);
	net_link(net, 1, 3, 1, 7);
	net_run(net, CONVERGENCE);
	assert_int_equal(net_role(net, 1, 7), STP_ROLE_ALTERNATE);
	assert_int_equal(net_port(net, 1, 7)->designated.root, bridge_id(0x8000, 1));
	net_link_set(net, 0, false);
	assert_null(e->root_port);
	assert_int_equal(e->root, e->bridge);
	net_run(net, CONVERGENCE);
	assert_int_equal(net_port(net, 1, 7)->state, STP_BLOCKING);
	net_free(net);
}

/* A port whose own BPDUs come back keeps its role and is not fooled. */
static void test_reflection(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x8000, 1));
	struct stp_port *port = net_port(net, 0, 1);

	(void)state;
	stp_engine_set_link(e, port, true);
	for (int i = 0; i < 40; i++) {
		net_run(net, SECONDS(1));
		stp_engine_receive(e, port, &net->last[0][1]);
	}
	assert_int_equal(net_role(net, 0, 1), STP_ROLE_DESIGNATED);
	assert_int_equal(port->state, STP_FORWARDING);
	net_free(net);
}

/* --- topology changes ----------------------------------------------------------------- */

/* A chain of three: the far end sees a change, the root hears of it, and all flush. */
static void test_topology_change(void **state)
{
	struct net *net = net_new();
	unsigned flushes[3];

	(void)state;
	for (unsigned i = 1; i <= 3; i++)
		net_bridge(net, bridge_id(0x8000, i));
	net_link(net, 0, 1, 1, 1);
	net_link(net, 1, 2, 2, 1);
	net_run(net, SECONDS(120));
	for (unsigned i = 0; i < 3; i++) {
		assert_false(net->bridges[i].engine->topology_change);
		flushes[i] = net->bridges[i].flushes;
	}
	net->tcns = 0;
	stp_engine_set_link(net->bridges[2].engine, net_port(net, 2, 8), true);
	net_run(net, SECONDS(29));
	assert_int_equal(net->tcns, 0);
	net_run(net, SECONDS(3)); /* it forwards, and the next hello tells the acknowledgement */
	assert_in_range(net->tcns, 2, 4); /* two hops, perhaps repeated once while held */
	for (unsigned i = 0; i < 3; i++) {
		assert_true(net->bridges[i].engine->topology_change);
		assert_true(net->bridges[i].flushes > flushes[i]);
	}
	assert_false(net->bridges[2].engine->topology_change_detected);
	assert_int_equal(net->bridges[2].engine->tcn_due, 0);
	net_run(net, SECONDS(40)); /* maximum age and forward delay: it is over */
	for (unsigned i = 0; i < 3; i++)
		assert_false(net->bridges[i].engine->topology_change);
	net_free(net);
}

/* While the flag is set nothing learned gets older than the forward delay. */
static void test_short_ageing(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x8000, 2));
	struct stp_port *port = net_port(net, 0, 1);
	struct bpdu bpdu = {
		.type = BPDU_CONFIG,
		.flags = BPDU_FLAG_TOPOLOGY_CHANGE,
		.root = bridge_id(0x8000, 1),
		.bridge = bridge_id(0x8000, 1),
		.port = 0x8001,
		.max_age = 20 * 256,
		.hello_time = 2 * 256,
		.forward_delay = 4 * 256,
	};

	(void)state;
	stp_engine_set_link(e, port, true);
	for (int i = 0; i < 20; i++) {
		stp_engine_receive(e, port, &bpdu);
		net_run(net, SECONDS(1));
		assert_true(e->topology_change);
		assert_true(net->now - net->bridges[0].last_flush <= SECONDS(4));
	}
	bpdu.flags = 0;
	stp_engine_receive(e, port, &bpdu);
	assert_false(e->topology_change);
	assert_int_equal(e->ageing_due, 0);
	net_free(net);
}

/* Notifications are repeated until acknowledged, and then no more. */
static void test_tcn_repeats(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x8000, 2));
	struct stp_port *port = net_port(net, 0, 1);
	struct bpdu bpdu = {
		.type = BPDU_CONFIG,
		.root = bridge_id(0x8000, 1),
		.bridge = bridge_id(0x8000, 1),
		.port = 0x8001,
		.max_age = 40 * 256,
		.hello_time = 2 * 256,
		.forward_delay = 15 * 256,
	};
	unsigned before;

	(void)state;
	net_port(net, 0, 2);
	stp_engine_set_link(e, net_port(net, 0, 2), true);
	stp_engine_set_link(e, port, true);
	stp_engine_receive(e, port, &bpdu);
	net_run(net, SECONDS(29));
	stp_engine_receive(e, port, &bpdu);
	net_run(net, SECONDS(10));
	assert_true(net->tcns >= 4);
	bpdu.flags = BPDU_FLAG_TOPOLOGY_CHANGE_ACK;
	stp_engine_receive(e, port, &bpdu);
	before = net->tcns;
	net_run(net, SECONDS(10));
	assert_int_equal(net->tcns, before);
	net_free(net);
}

/* A forwarding port that is shut moves addresses, too: the better way tells the root at once. */
static void test_shutting_changes_topology(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x8000, 3));
	struct stp_port *detour = net_port(net, 0, 1), *direct = net_port(net, 0, 2);
	struct bpdu bpdu = {
		.type = BPDU_CONFIG,
		.root = bridge_id(0x8000, 1),
		.cost = 1,
		.bridge = bridge_id(0x8000, 2),
		.port = 0x8001,
		.max_age = 40 * 256,
		.hello_time = 2 * 256,
		.forward_delay = 4 * 256,
	};

	(void)state;
	stp_engine_set_link(e, detour, true);
	stp_engine_receive(e, detour, &bpdu);
	net_run(net, SECONDS(9));
	assert_int_equal(detour->state, STP_FORWARDING);
	stp_engine_set_link(e, direct, true);
	net->tcns = 0;
	bpdu.cost = 0;
	bpdu.bridge = bpdu.root;
	stp_engine_receive(e, direct, &bpdu);
	assert_int_equal(detour->state, STP_BLOCKING);
	assert_int_equal(direct->count.tcn_out, 1);
	assert_true(e->topology_change_detected);
	net_free(net);
}

/* Our own time of change ends with our being root: then the root's flag counts. */
static void test_flag_is_the_roots(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x8000, 2));
	struct stp_port *port = net_port(net, 0, 1);
	struct bpdu bpdu = {
		.type = BPDU_CONFIG,
		.flags = BPDU_FLAG_TOPOLOGY_CHANGE | BPDU_FLAG_TOPOLOGY_CHANGE_ACK,
		.root = bridge_id(0x8000, 1),
		.bridge = bridge_id(0x8000, 1),
		.port = 0x8001,
		.max_age = 20 * 256,
		.hello_time = 2 * 256,
		.forward_delay = 15 * 256,
	};

	(void)state;
	stp_engine_set_link(e, port, true);
	net_run(net, SECONDS(31));
	assert_true(e->topology_change);
	for (int i = 0; i < 60; i++) {
		stp_engine_receive(e, port, &bpdu);
		net_run(net, SECONDS(1));
		assert_true(e->topology_change);
	}
	net_free(net);
}

/* --- times ---------------------------------------------------------------------------- */

/* Worse BPDUs are answered, but not more than once in a second (net_send() checks). */
static void test_hold(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x8000, 1));
	struct stp_port *port = net_port(net, 0, 1);
	struct bpdu bpdu = {
		.type = BPDU_CONFIG,
		.root = bridge_id(0x8000, 2),
		.bridge = bridge_id(0x8000, 2),
		.port = 0x8001,
		.max_age = 20 * 256,
		.hello_time = 2 * 256,
		.forward_delay = 15 * 256,
	};

	(void)state;
	stp_engine_set_link(e, port, true);
	for (int i = 0; i < 100; i++) {
		stp_engine_receive(e, port, &bpdu);
		net_run(net, SECONDS(1) / 20);
	}
	assert_in_range(port->count.config_out, 5, 6);
	net_free(net);
}

static void test_hello(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x8000, 1));
	struct stp_port *port = net_port(net, 0, 1);

	(void)state;
	stp_engine_set_link(e, port, true);
	net_run(net, SECONDS(20) + 1);
	assert_in_range(port->count.config_out, 10, 11);
	assert_int_equal(net->last[0][1].hello_time, 2 * 256);
	assert_int_equal(net->last[0][1].max_age, 20 * 256);
	assert_int_equal(net->last[0][1].forward_delay, 15 * 256);
	assert_int_equal(net->last[0][1].message_age, 0);
	assert_int_equal(net->last[0][1].port, 0x8001);
	net_free(net);
}

/* The root's times count everywhere, within bounds; the age grows hop by hop. */
static void test_times_of_the_root(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x8000, 2));
	struct stp_port *port = net_port(net, 0, 1), *down = net_port(net, 0, 2);
	struct bpdu bpdu = {
		.type = BPDU_CONFIG,
		.root = bridge_id(0x8000, 1),
		.bridge = bridge_id(0x8000, 1),
		.port = 0x8001,
		.message_age = 256,
		.max_age = 6 * 256,
		.hello_time = 256,
		.forward_delay = 2 * 256,
	};

	(void)state;
	stp_engine_set_link(e, port, true);
	stp_engine_set_link(e, down, true);
	net_run(net, SECONDS(1) + 1); /* the hold time is over */
	stp_engine_receive(e, port, &bpdu);
	assert_int_equal(net->last[0][2].max_age, 6 * 256);
	assert_int_equal(net->last[0][2].hello_time, 256);
	assert_int_equal(net->last[0][2].forward_delay, 2 * 256);
	assert_int_equal(net->last[0][2].message_age, 256 + 16);
	net_run(net, SECONDS(2) - 1); /* it listens since 1 s, but the root's delay is short */
	assert_int_equal(down->state, STP_LISTENING);
	net_run(net, 2);
	assert_int_equal(down->state, STP_LEARNING);
	bpdu.max_age = bpdu.hello_time = bpdu.forward_delay = 0xffff;
	stp_engine_receive(e, port, &bpdu);
	assert_int_equal(e->times.max_age, 40 * 256);
	assert_int_equal(e->times.hello_time, 10 * 256);
	assert_int_equal(e->times.forward_delay, 30 * 256);
	bpdu.max_age = 5 * 256;
	bpdu.hello_time = bpdu.forward_delay = 0;
	stp_engine_receive(e, port, &bpdu);
	assert_int_equal(e->times.max_age, 6 * 256);
	assert_int_equal(e->times.hello_time, 1 * 256);
	assert_int_equal(e->times.forward_delay, 2 * 256);
	assert_int_equal(down->state, STP_LEARNING);
	assert_int_equal(down->forward_delay_due, net->now + SECONDS(2));
	net_run(net, SECONDS(5) - 1);
	assert_int_equal(e->root, bpdu.root);
	net_run(net, 2);
	assert_int_equal(e->root, e->bridge);
	assert_int_equal(e->times.max_age, 20 * 256);
	net_free(net);
}

/* A port that begins to listen when a quick root is lost waits as long as the new one says. */
static void test_delay_gets_longer(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x8000, 2));
	struct stp_port *root = net_port(net, 0, 1), *other = net_port(net, 0, 2);
	struct bpdu bpdu = {
		.type = BPDU_CONFIG,
		.root = bridge_id(0x8000, 1),
		.bridge = bridge_id(0x8000, 1),
		.port = 0x8001,
		.max_age = 6 * 256,
		.hello_time = 256,
		.forward_delay = 2 * 256,
	};

	(void)state;
	stp_engine_set_link(e, root, true);
	stp_engine_set_link(e, other, true);
	stp_engine_receive(e, root, &bpdu);
	bpdu.port++;
	stp_engine_receive(e, other, &bpdu);
	assert_int_equal(other->state, STP_BLOCKING);
	net_run(net, SECONDS(6) + 1);
	assert_null(e->root_port);
	assert_int_equal(other->state, STP_LISTENING);
	assert_int_equal(root->state, STP_FORWARDING);
	net_run(net, SECONDS(14));
	assert_int_equal(other->state, STP_LISTENING);
	net_run(net, SECONDS(1));
	assert_int_equal(other->state, STP_LEARNING);
	net_free(net);
}

/* Too old, of an unknown type, or to a port without a link: nothing happens. */
static void test_malformed(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x8000, 2));
	struct stp_port *port = net_port(net, 0, 1);
	struct bpdu bpdu = {
		.type = BPDU_CONFIG,
		.root = bridge_id(0x1000, 1),
		.bridge = bridge_id(0x1000, 1),
		.port = 0x8001,
		.message_age = 20 * 256,
		.max_age = 20 * 256,
		.hello_time = 2 * 256,
		.forward_delay = 15 * 256,
	};

	(void)state;
	stp_engine_receive(e, port, &bpdu);
	assert_int_equal(port->count.config_in, 0);
	stp_engine_set_link(e, port, true);
	stp_engine_receive(e, port, &bpdu);
	bpdu.message_age = 0xffff;
	stp_engine_receive(e, port, &bpdu);
	bpdu.type = 0x17;
	bpdu.message_age = 0;
	stp_engine_receive(e, port, &bpdu);
	assert_int_equal(port->count.bad_in, 3);
	bpdu.type = BPDU_RST;
	stp_engine_receive(e, port, &bpdu);
	assert_int_equal(port->count.rapid_in, 1);
	assert_null(e->root_port);
	assert_int_equal(e->root, e->bridge);
	net_run(net, SECONDS(31));
	assert_int_equal(port->state, STP_FORWARDING);
	net_free(net);
}

/* A cost that would wrap is no way to the root. */
static void test_cost_overflow(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x8000, 2));
	struct stp_port *port = net_port(net, 0, 1);
	struct bpdu bpdu = {
		.type = BPDU_CONFIG,
		.root = bridge_id(0x1000, 1),
		.cost = UINT32_MAX - STP_PORT_COST + 1,
		.bridge = bridge_id(0x1000, 1),
		.port = 0x8001,
		.max_age = 20 * 256,
		.hello_time = 2 * 256,
		.forward_delay = 15 * 256,
	};

	(void)state;
	stp_engine_set_link(e, port, true);
	stp_engine_receive(e, port, &bpdu);
	assert_null(e->root_port);
	bpdu.cost--;
	stp_engine_receive(e, port, &bpdu);
	assert_ptr_equal(e->root_port, port);
	assert_int_equal(e->root_cost, UINT32_MAX);
	net_free(net);
}

/* --- deaf neighbours ------------------------------------------------------------------ */

static struct bpdu deaf_bpdu(unsigned number, unsigned port)
{
	return (struct bpdu){
		.type = BPDU_CONFIG,
		.root = bridge_id(0, number),
		.bridge = bridge_id(0x8000, number),
		.port = (uint16_t)(0x8000 | port),
		.max_age = 20 * 256,
		.hello_time = 2 * 256,
		.forward_delay = 15 * 256,
	};
}

/* Two links to a neighbour that forwards everything and hears nothing: one of them is used. */
static void test_deaf_neighbour(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x1000, 1));
	struct stp_port *one = net_port(net, 0, 1), *two = net_port(net, 0, 2);
	const struct bpdu from_one = deaf_bpdu(9, 1), from_two = deaf_bpdu(9, 2);

	(void)state;
	stp_engine_set_link(e, one, true);
	stp_engine_set_link(e, two, true);
	stp_engine_set_link(e, net_port(net, 0, 3), true); /* a host: its forwarding is a change */
	for (int i = 0; i < 20; i++) {
		stp_engine_receive_deaf(e, one, &from_one);
		stp_engine_receive_deaf(e, two, &from_two);
		net_run(net, SECONDS(4));
	}
	assert_int_equal(one->state, STP_FORWARDING);
	assert_int_equal(two->state, STP_BLOCKING);
	assert_int_equal(net_role(net, 0, 1), STP_ROLE_ROOT);
	assert_int_equal(net->tcns, 0); /* it would not understand */
	net_run(net, SECONDS(21));
	assert_false(one->deaf);
	assert_null(e->root_port);
	net_free(net);
}

/* A second one that is no way to the root stays shut: it cannot be led. */
static void test_deaf_is_never_led(void **state)
{
	struct net *net = net_new();
	struct stp_engine *e = net_bridge(net, bridge_id(0x1000, 1));
	struct stp_port *one = net_port(net, 0, 1), *two = net_port(net, 0, 2);
	const struct bpdu better = deaf_bpdu(8, 1), worse = deaf_bpdu(9, 1);

	(void)state;
	stp_engine_set_link(e, one, true);
	stp_engine_set_link(e, two, true);
	for (int i = 0; i < 20; i++) {
		stp_engine_receive_deaf(e, one, &better);
		stp_engine_receive_deaf(e, two, &worse);
		assert_int_not_equal(two->state, STP_FORWARDING);
		net_run(net, SECONDS(4));
	}
	assert_int_equal(one->state, STP_FORWARDING);
	assert_int_equal(net_role(net, 0, 2), STP_ROLE_ALTERNATE);
	net_run(net, SECONDS(60)); /* both are gone */
	assert_int_equal(net_role(net, 0, 2), STP_ROLE_DESIGNATED);
	assert_int_equal(two->state, STP_FORWARDING);
	net_free(net);
}

/* --- any topology --------------------------------------------------------------------- */

static unsigned random_below(uint64_t *seed, unsigned limit)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(*seed >> 33) % limit;
}

static struct net *random_net(uint64_t *seed)
{
	struct net *net = net_new();
	unsigned bridges = 4 + random_below(seed, MAX_BRIDGES - 3);
	unsigned ports[MAX_BRIDGES] = { 0 };
	unsigned more = random_below(seed, 12);

	for (unsigned i = 0; i < bridges; i++)
		net_bridge(net, bridge_id(0x1000 * random_below(seed, 8), 50 + i));
	for (unsigned i = 0; i < bridges; i++) /* a ring, then chords */
		net_link(net, i, ++ports[i], (i + 1) % bridges, ++ports[(i + 1) % bridges]);
	for (unsigned i = 0; i < more; i++) {
		unsigned a = random_below(seed, bridges), b = random_below(seed, bridges);

		if (a != b)
			net_link(net, a, ++ports[a], b, ++ports[b]);
	}
	return net;
}

static void assert_one_root(const struct net *net)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < net->num_bridges; i++)
		best = MIN(best, net->bridges[i].engine->bridge);
	for (unsigned i = 0; i < net->num_bridges; i++)
		assert_int_equal(net->bridges[i].engine->root, best);
}

/* After convergence what forwards is a spanning tree; at no time is there a loop (net_run()). */
static void test_random_topologies(void **state)
{
	(void)state;
	for (uint64_t first = 1; first <= 60; first++) {
		uint64_t seed = first;
		struct net *net = random_net(&seed);

		net_run(net, CONVERGENCE + SECONDS(5));
		assert_one_root(net);
		assert_spanning(net);
		for (unsigned i = 0; i < 4; i++) { /* links go and come */
			unsigned link = random_below(&seed, net->num_links);

			net_link_set(net, link, !net->links[link].up);
			net_run(net, SECONDS(random_below(&seed, 40)));
		}
		net_run(net, 2 * CONVERGENCE);
		assert_spanning(net);
		net_free(net);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_bridges),
		cmocka_unit_test(test_delays),
		cmocka_unit_test(test_transitions),
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_ring_link_down),
		cmocka_unit_test(test_ring_silent_loss),
		cmocka_unit_test(test_max_age),
		cmocka_unit_test(test_better_root_arrives),
		cmocka_unit_test(test_own_ports_joined),
		cmocka_unit_test(test_backup_is_no_way),
		cmocka_unit_test(test_reflection),
		cmocka_unit_test(test_topology_change),
		cmocka_unit_test(test_short_ageing),
		cmocka_unit_test(test_tcn_repeats),
		cmocka_unit_test(test_shutting_changes_topology),
		cmocka_unit_test(test_flag_is_the_roots),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_times_of_the_root),
		cmocka_unit_test(test_delay_gets_longer),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_cost_overflow),
		cmocka_unit_test(test_deaf_neighbour),
		cmocka_unit_test(test_deaf_is_never_led),
		cmocka_unit_test(test_random_topologies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
