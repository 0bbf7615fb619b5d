/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * Bridges that are joined in loops have to leave some ports unused, or a broadcast circles for
 * ever. They agree on a tree: the bridge with the smallest identifier is its root, each other
 * bridge keeps the port with the cheapest way to the root (root port), and on each segment the
 * bridge nearest to the root serves it (designated port). All other ports are shut (alternate; or
 * backup, when it is this bridge that serves the segment).
 *
 * Every port remembers the best vector (root, cost, bridge, port) heard on its segment. The root
 * sends a configuration BPDU every hello time; who receives it on its root port passes it on
 * through its designated ports, with its own cost, its own identifier and a higher age. One that
 * comes in on a designated port and is worse is answered with ours. What is not renewed within the
 * maximum age is forgotten, and the choice is made again: stp_reconsider().
 *
 *	            root or designated          delay                delay
 *	 BLOCKING ----------------> LISTENING ---------> LEARNING ---------> FORWARDING
 *	  |  ^  ^------------------------'------------------'------------------'  ^
 *	  |  |                    another way is better (SHUT)                     |
 *	  |  '--- UP --- DISABLED <--- DOWN --- (all)                              |
 *	  '----------------------------- EDGE -------------------------------------'
 *
 * The two delays let the news of a change reach all bridges before a port may close a loop. Only
 * stp_port_event() changes a state, by the table below.
 *
 * Topology changes. A port that comes to forward, or that stops, means that addresses may be behind
 * other ports now. A bridge that sees this tells the root by notifications (TCN) through its root
 * port, each acknowledged by the next bridge. The root then sets the topology change flag for the
 * maximum age plus a forward delay. While it is set learned addresses may not live longer than the
 * forward delay: the standard ages them faster; we flush the VLAN when the flag comes, and again
 * after each forward delay while it stays, which is never slower and needs no second ageing time.
 *
 * Timers: hello, message age and forward delay as above; hold: a port sends at most one
 * configuration in a second, a further one waits (config_pending); TCN: repeated every hello time
 * until acknowledged. A timer is its due time in ns, 0 when it does not run.
 *
 * Choices where the standard leaves one, or says less:
 *  - Port cost 2: the recommendation of 802.1D-1998 for 10 Gb/s, which is what Linux takes TAP and
 *    veth interfaces for. So both ends of a link between us and Linux count alike. A bonus makes
 *    it 1, a negative one as much as one likes.
 *  - The message age grows by 1/16 s a bridge on top of the time that it really waited. That is
 *    more than a frame needs through a switch, and allows 320 bridges in a row.
 *  - Port identifiers: priority 0x80 and the number; numbers above 255 reach into the priority, as
 *    802.1t has it up to 4095, and above that stay unique and ordered.
 *  - Edge ports (as in 802.1w): forward at once and cause no topology change, but do send BPDUs,
 *    so that two edge ports that are joined find out. The first BPDU heard ends it: the port is
 *    shut, and listens.
 *  - A vector that came from this bridge itself is no way to the root (as in 802.1w).
 *  - Times of a root are brought into the bounds that Linux has too (table 8-3, but a forward delay
 *    from 2 s), so that no BPDU can switch the delays off.
 *  - BPDUs of 802.1w only tell that there is a bridge. It will hear ours, and then speak 802.1D.
 *  - A deaf neighbour (VDE's old "fstp" dialect, which ignores 802.1D) cannot be told where not to
 *    forward. So its port may be our root port, or is shut; it is never designated. Topology
 *    changes then end here: we set the flag ourselves, as the root would.
 *  - Another forward delay (of a new root) counts for delays that run already: stp_set_times().
 *  - Worse news from the same neighbour do not count at once (802.1w has that): the old ones age.
 */
#include "vde/switch/stp_engine.h"

#include "base/clock.h"
#include "base/strtab.h"
#include "vde/switch/stp_engine_internal.h"

#define SECOND        BPDU_TIME_UNIT
#define AGE_INCREMENT (SECOND / 16)
#define HOLD_TIME     NS_PER_SEC

const struct stp_times stp_default_times = {
	.max_age = 20 * SECOND,
	.hello_time = 2 * SECOND,
	.forward_delay = 15 * SECOND,
};

static const char *const stp_state_names[] = {
	[STP_DISABLED] = "disabled", [STP_BLOCKING] = "blocking",     [STP_LISTENING] = "listening",
	[STP_LEARNING] = "learning", [STP_FORWARDING] = "forwarding",
};
DEFINE_STRTAB(stp_state, enum stp_state, STP_NUM_STATES);

static const char *const stp_role_names[] = {
	[STP_ROLE_NONE] = "Unknown",
	[STP_ROLE_EDGE] = "Edge",
	[STP_ROLE_ROOT] = "Root",
	[STP_ROLE_ALTERNATE] = "Alternate/Backup",
	[STP_ROLE_DESIGNATED] = "Designated",
};
DEFINE_STRTAB(stp_role, enum stp_role, STP_NUM_ROLES);

/* A pair that is not here changes nothing: the state plus one, so that 0 can say so. */
static const uint8_t stp_transitions[STP_NUM_STATES][STP_NUM_EVENTS] = {
	[STP_DISABLED] = {
		[STP_EVENT_UP] = STP_BLOCKING + 1,
	},
	[STP_BLOCKING] = {
		[STP_EVENT_DOWN] = STP_DISABLED + 1,
		[STP_EVENT_OPEN] = STP_LISTENING + 1,
		[STP_EVENT_EDGE] = STP_FORWARDING + 1,
	},
	[STP_LISTENING] = {
		[STP_EVENT_DOWN] = STP_DISABLED + 1,
		[STP_EVENT_SHUT] = STP_BLOCKING + 1,
		[STP_EVENT_DELAY] = STP_LEARNING + 1,
		[STP_EVENT_EDGE] = STP_FORWARDING + 1,
	},
	[STP_LEARNING] = {
		[STP_EVENT_DOWN] = STP_DISABLED + 1,
		[STP_EVENT_SHUT] = STP_BLOCKING + 1,
		[STP_EVENT_DELAY] = STP_FORWARDING + 1,
		[STP_EVENT_EDGE] = STP_FORWARDING + 1,
	},
	[STP_FORWARDING] = {
		[STP_EVENT_DOWN] = STP_DISABLED + 1,
		[STP_EVENT_SHUT] = STP_BLOCKING + 1,
	},
};

const char *stp_state_name(enum stp_state state)
{
	return stp_state_to_string(state);
}

const char *stp_role_name(enum stp_role role)
{
	return stp_role_to_string(role);
}

enum stp_state stp_next_state(enum stp_state state, enum stp_event event)
{
	uint8_t next = stp_transitions[state][event];

	return next ? (enum stp_state)(next - 1) : state;
}

/* Time */

uint64_t stp_now(const struct stp_engine *e)
{
	return e->ops->now(e->context);
}

static uint64_t stp_ns(uint32_t units)
{
	return units * NS_PER_SEC / BPDU_TIME_UNIT;
}

uint64_t stp_after(const struct stp_engine *e, uint32_t units)
{
	return stp_now(e) + stp_ns(units);
}

/* True once when the timer has run out. */
static bool stp_timer_fired(uint64_t *due, uint64_t now)
{
	if (!*due || *due > now)
		return false;
	*due = 0;
	return true;
}

/* Predicates and comparisons */

static int stp_vector_compare(const struct stp_vector *a, const struct stp_vector *b)
{
	if (a->root != b->root)
		return a->root < b->root ? -1 : 1;
	if (a->cost != b->cost)
		return a->cost < b->cost ? -1 : 1;
	if (a->bridge != b->bridge)
		return a->bridge < b->bridge ? -1 : 1;
	return (a->port > b->port) - (a->port < b->port);
}

bool stp_is_root(const struct stp_engine *e)
{
	return !e->root_port;
}

/* Whether the topology change flag is ours to set. */
static bool stp_leads_changes(const struct stp_engine *e)
{
	return !e->root_port || e->root_port->deaf;
}

static bool stp_is_designated(const struct stp_engine *e, const struct stp_port *port)
{
	return port->state != STP_DISABLED && port->designated.bridge == e->bridge &&
	       port->designated.port == port->id;
}

static bool stp_has_designated(const struct stp_engine *e)
{
	for (size_t i = 0; i < e->num_ports; i++)
		if (stp_is_designated(e, e->ports[i]))
			return true;
	return false;
}

static struct stp_vector stp_own_vector(const struct stp_engine *e, const struct stp_port *port)
{
	return (struct stp_vector){
		.root = e->root,
		.cost = e->root_cost,
		.bridge = e->bridge,
		.port = port->id,
	};
}

uint32_t stp_engine_port_cost(const struct stp_engine *e, const struct stp_port *port)
{
	int64_t cost = STP_PORT_COST;

	if (port->number == e->bonus_port)
		cost -= e->bonus_cost;
	return (uint32_t)MAX(cost, 1);
}

enum stp_role stp_engine_role(const struct stp_engine *e, const struct stp_port *port)
{
	bool edge = e->running ? port->edge : port->admin_edge;

	if (!port->up)
		return STP_ROLE_NONE;
	if (port == e->root_port)
		return STP_ROLE_ROOT;
	if (e->running && !stp_is_designated(e, port))
		return STP_ROLE_ALTERNATE;
	return edge ? STP_ROLE_EDGE : STP_ROLE_DESIGNATED;
}

/* Sending */

/* Age of what we tell: 0 for our own, else of what the root port heard. Units of 1/256 s. */
static uint64_t stp_message_age(const struct stp_engine *e)
{
	const struct stp_port *port = e->root_port;

	if (!port)
		return 0;
	return port->message_age + AGE_INCREMENT +
	       (stp_now(e) - port->heard) * BPDU_TIME_UNIT / NS_PER_SEC;
}

void stp_transmit_config(struct stp_engine *e, struct stp_port *port)
{
	uint64_t age = stp_message_age(e);
	struct bpdu bpdu = {
		.type = BPDU_CONFIG,
		.root = e->root,
		.cost = e->root_cost,
		.bridge = e->bridge,
		.port = port->id,
		.max_age = e->times.max_age,
		.hello_time = e->times.hello_time,
		.forward_delay = e->times.forward_delay,
	};

	if (port->hold_due) {
		port->config_pending = true;
		return;
	}
	if (age >= e->times.max_age)
		return;
	bpdu.message_age = (uint16_t)age;
	if (e->topology_change)
		bpdu.flags |= BPDU_FLAG_TOPOLOGY_CHANGE;
	if (port->topology_change_ack)
		bpdu.flags |= BPDU_FLAG_TOPOLOGY_CHANGE_ACK;
	port->topology_change_ack = false;
	port->config_pending = false;
	port->hold_due = stp_now(e) + HOLD_TIME;
	port->count.config_out++;
	e->ops->send(e->context, port, &bpdu);
}

void stp_generate_configs(struct stp_engine *e)
{
	for (size_t i = 0; i < e->num_ports; i++)
		if (stp_is_designated(e, e->ports[i]))
			stp_transmit_config(e, e->ports[i]);
}

/* Tells the root, and again until it is acknowledged. */
static void stp_transmit_tcn(struct stp_engine *e)
{
	const struct bpdu bpdu = { .type = BPDU_TCN };

	e->tcn_due = stp_after(e, e->own.hello_time);
	e->root_port->count.tcn_out++;
	e->ops->send(e->context, e->root_port, &bpdu);
}

/* Topology changes */

static void stp_set_topology_change(struct stp_engine *e, bool on)
{
	if (on == e->topology_change)
		return;
	e->topology_change = on;
	e->ageing_due = on ? stp_after(e, e->times.forward_delay) : 0;
	if (!on)
		return;
	e->topology_changes++;
	e->ops->flush(e->context);
}

static void stp_start_topology_change(struct stp_engine *e)
{
	e->topology_change_due = stp_after(e, (uint32_t)e->times.max_age + e->times.forward_delay);
	stp_set_topology_change(e, true);
}

static void stp_topology_change_detected(struct stp_engine *e)
{
	if (stp_leads_changes(e))
		stp_start_topology_change(e);
	else if (!e->topology_change_detected)
		stp_transmit_tcn(e);
	e->topology_change_detected = true;
}

static void stp_topology_change_acknowledged(struct stp_engine *e)
{
	e->topology_change_detected = false;
	e->tcn_due = 0;
}

/* States */

/* Whether a port that goes from one state to the other may move addresses. */
static bool stp_changes_topology(const struct stp_engine *e, const struct stp_port *port,
				 enum stp_state from)
{
	if (port->edge)
		return false;
	if (port->state == STP_FORWARDING)
		return stp_has_designated(e);
	return port->state == STP_BLOCKING && (from == STP_LEARNING || from == STP_FORWARDING);
}

/* The only function that changes a state. */
void stp_port_event(struct stp_engine *e, struct stp_port *port, enum stp_event event)
{
	enum stp_state from = port->state;

	port->state = stp_next_state(from, event);
	if (port->state == from)
		return;
	port->forward_delay_due = 0;
	if (port->state == STP_LISTENING || port->state == STP_LEARNING)
		port->forward_delay_due = stp_after(e, e->times.forward_delay);
	if (port->state == STP_FORWARDING)
		port->count.forwarding++;
	e->ops->set_state(e->context, port);
	if (!stp_changes_topology(e, port, from))
		return;
	e->ops->flush(e->context);
	stp_topology_change_detected(e);
}

void stp_select_state(struct stp_engine *e, struct stp_port *port)
{
	bool designated = stp_is_designated(e, port);

	if (port == e->root_port || designated) {
		if (designated)
			port->message_age_due = 0;
		else
			port->config_pending = port->topology_change_ack = false;
		stp_port_event(e, port, designated && port->edge ? STP_EVENT_EDGE : STP_EVENT_OPEN);
		return;
	}
	port->config_pending = port->topology_change_ack = false;
	stp_port_event(e, port, STP_EVENT_SHUT);
}

static void stp_select_states(struct stp_engine *e)
{
	for (size_t i = 0; i < e->num_ports; i++)
		stp_select_state(e, e->ports[i]);
}

/* Roles */

void stp_become_designated(struct stp_engine *e, struct stp_port *port)
{
	port->designated = stp_own_vector(e, port);
	port->deaf = false;
}

/* Makes ROOT_PORT, by which the vector WAY leads to the root, the root port; NULL: we are it. */
static void stp_set_root(struct stp_engine *e, struct stp_port *root_port,
			 const struct stp_vector *way)
{
	uint64_t root = root_port ? way->root : e->bridge;
	bool changed = root != e->root || root_port != e->root_port;

	e->root = root;
	e->root_cost = root_port ? way->cost : 0;
	e->root_port = root_port;
	if (!changed)
		return;
	e->root_heard = root_port ? root_port->heard : stp_now(e);
	e->ops->root_changed(e->context, e);
}

static void stp_select_root(struct stp_engine *e)
{
	struct stp_vector way, best_way = { 0 };
	struct stp_port *best = NULL;

	for (size_t i = 0; i < e->num_ports; i++) {
		struct stp_port *port = e->ports[i];

		way = port->designated;
		if (port->state == STP_DISABLED || way.bridge == e->bridge ||
		    way.root >= e->bridge ||
		    __builtin_add_overflow(way.cost, stp_engine_port_cost(e, port), &way.cost))
			continue;
		if (best && stp_vector_compare(&way, &best_way) >= 0)
			continue; /* the port's own identifier decides last: they are in order */
		best = port;
		best_way = way;
	}
	stp_set_root(e, best, &best_way);
}

static void stp_select_designated(struct stp_engine *e)
{
	for (size_t i = 0; i < e->num_ports; i++) {
		struct stp_port *port = e->ports[i];
		struct stp_vector own = stp_own_vector(e, port);

		if (port->state == STP_DISABLED || port->deaf)
			continue;
		if (stp_is_designated(e, port) || port->designated.root != e->root ||
		    stp_vector_compare(&own, &port->designated) < 0)
			stp_become_designated(e, port);
	}
}

/* Delays that run obey at once: to a longer one is added, a shorter one counts from now. */
static void stp_set_times(struct stp_engine *e, const struct stp_times *times)
{
	uint64_t before = stp_ns(e->times.forward_delay), after = stp_ns(times->forward_delay);
	uint64_t latest = stp_now(e) + after;

	e->times = *times;
	for (size_t i = 0; i < e->num_ports && after != before; i++) {
		uint64_t *due = &e->ports[i]->forward_delay_due;

		if (*due)
			*due = MIN(*due + (after > before ? after - before : 0), latest);
	}
}

static void stp_begin_as_root(struct stp_engine *e)
{
	stp_set_times(e, &e->own);
	e->tcn_due = 0;
	e->hello_due = stp_after(e, e->times.hello_time);
	stp_topology_change_detected(e);
	stp_generate_configs(e);
}

/* Works out root, roles and states again after something changed. */
void stp_reconsider(struct stp_engine *e)
{
	bool was_root = stp_is_root(e);
	bool led_changes = stp_leads_changes(e);

	stp_select_root(e);
	stp_select_designated(e);
	stp_select_states(e);
	if (!was_root && stp_is_root(e))
		stp_begin_as_root(e);
	if (was_root && !stp_is_root(e))
		e->hello_due = 0;
	if (led_changes && !stp_leads_changes(e)) {
		e->topology_change_due = 0;
		if (e->topology_change_detected)
			stp_transmit_tcn(e);
	}
}

/* Reception */

/* A bridge is behind PORT: what the operator said of it is not true. */
static void stp_port_heard(struct stp_engine *e, struct stp_port *port)
{
	if (!port->neighbour) {
		port->neighbour = true;
		e->ops->neighbour(e->context, port);
	}
	if (!port->edge)
		return;
	stp_port_event(e, port, STP_EVENT_SHUT); /* still an edge: no topology change */
	port->edge = false;
	stp_select_state(e, port);
}

void stp_port_lost(struct stp_engine *e, struct stp_port *port)
{
	if (!port->neighbour)
		return;
	port->neighbour = false;
	e->ops->neighbour(e->context, port);
}

static uint16_t stp_clamp(uint16_t value, unsigned min_s, unsigned max_s)
{
	return (uint16_t)MIN(MAX(value, min_s * SECOND), max_s * SECOND);
}

/* Table 8-3 (there: forward delay from 4 s). */
static struct stp_times stp_bpdu_times(const struct bpdu *bpdu)
{
	return (struct stp_times){
		.max_age = stp_clamp(bpdu->max_age, 6, 40),
		.hello_time = stp_clamp(bpdu->hello_time, 1, 10),
		.forward_delay = stp_clamp(bpdu->forward_delay, 2, 30),
	};
}

/* Whether V is better than what PORT knows, or news from who told it (8.6.2.2). */
static bool stp_supersedes(const struct stp_engine *e, const struct stp_port *port,
			   const struct stp_vector *v)
{
	struct stp_vector to = *v;

	if (v->bridge != e->bridge)
		to.port = 0; /* another port of that bridge may have taken over */
	return stp_vector_compare(&to, &port->designated) <= 0;
}

static void stp_record(struct stp_engine *e, struct stp_port *port, const struct bpdu *bpdu,
		       const struct stp_vector *v)
{
	struct stp_times times = stp_bpdu_times(bpdu);

	port->designated = *v;
	port->heard = stp_now(e);
	port->message_age = bpdu->message_age;
	port->message_age_due = port->heard + stp_ns(times.max_age - bpdu->message_age);
}

/* What the root says, on its way to us, and from us on. */
static void stp_follow_root(struct stp_engine *e, const struct bpdu *bpdu)
{
	struct stp_times times = stp_bpdu_times(bpdu);

	stp_set_times(e, &times);
	e->root_heard = stp_now(e);
	if (!e->root_port->deaf)
		stp_set_topology_change(e, bpdu->flags & BPDU_FLAG_TOPOLOGY_CHANGE);
	stp_generate_configs(e);
	if (bpdu->flags & BPDU_FLAG_TOPOLOGY_CHANGE_ACK)
		stp_topology_change_acknowledged(e);
}

static void stp_receive_config(struct stp_engine *e, struct stp_port *port, const struct bpdu *bpdu,
			       bool deaf)
{
	const struct stp_vector v = { bpdu->root, bpdu->cost, bpdu->bridge, bpdu->port };
	bool designated = stp_is_designated(e, port);

	if (bpdu->message_age >= stp_bpdu_times(bpdu).max_age) {
		port->count.bad_in++;
		return;
	}
	if (v.bridge == e->bridge && v.port == port->id)
		return; /* our own, thrown back */
	if ((deaf && designated) || stp_supersedes(e, port, &v)) {
		port->deaf = port->deaf || deaf;
		stp_record(e, port, bpdu, &v);
		stp_reconsider(e);
		if (port == e->root_port)
			stp_follow_root(e, bpdu);
	} else if (designated) {
		stp_transmit_config(e, port);
	}
}

static void stp_receive_tcn(struct stp_engine *e, struct stp_port *port)
{
	if (!stp_is_designated(e, port))
		return;
	stp_topology_change_detected(e);
	port->topology_change_ack = true;
	stp_transmit_config(e, port);
}

void stp_engine_receive(struct stp_engine *e, struct stp_port *port, const struct bpdu *bpdu)
{
	if (port->state == STP_DISABLED)
		return;
	stp_port_heard(e, port);
	switch (bpdu->type) {
	case BPDU_CONFIG:
		port->count.config_in++;
		stp_receive_config(e, port, bpdu, false);
		break;
	case BPDU_TCN:
		port->count.tcn_in++;
		stp_receive_tcn(e, port);
		break;
	case BPDU_RST:
		port->count.rapid_in++;
		break;
	default:
		port->count.bad_in++;
	}
}

void stp_engine_receive_deaf(struct stp_engine *e, struct stp_port *port, const struct bpdu *bpdu)
{
	if (port->state == STP_DISABLED)
		return;
	stp_port_heard(e, port);
	port->count.dialect_in++;
	stp_receive_config(e, port, bpdu, true);
}

/* Timers */

static void stp_port_tick(struct stp_engine *e, struct stp_port *port, uint64_t now)
{
	if (stp_timer_fired(&port->message_age_due, now)) {
		stp_port_lost(e, port);
		stp_become_designated(e, port);
		stp_reconsider(e);
	}
	if (stp_timer_fired(&port->forward_delay_due, now))
		stp_port_event(e, port, STP_EVENT_DELAY);
	if (stp_timer_fired(&port->hold_due, now) && port->config_pending)
		stp_transmit_config(e, port);
}

static void stp_topology_change_ends(struct stp_engine *e)
{
	e->topology_change_detected = false;
	stp_set_topology_change(e, false);
}

void stp_engine_tick(struct stp_engine *e)
{
	uint64_t now = stp_now(e);

	if (stp_timer_fired(&e->hello_due, now)) {
		stp_generate_configs(e);
		e->hello_due = stp_after(e, e->times.hello_time);
	}
	if (stp_timer_fired(&e->topology_change_due, now))
		stp_topology_change_ends(e);
	if (stp_timer_fired(&e->tcn_due, now) && !stp_leads_changes(e))
		stp_transmit_tcn(e);
	if (stp_timer_fired(&e->ageing_due, now)) {
		e->ops->flush(e->context);
		e->ageing_due = stp_after(e, e->times.forward_delay);
	}
	for (size_t i = 0; i < e->num_ports; i++)
		stp_port_tick(e, e->ports[i], now);
}

static void stp_earlier(uint64_t *deadline, uint64_t due)
{
	if (due && due < *deadline)
		*deadline = due;
}

uint64_t stp_engine_next_deadline(const struct stp_engine *e)
{
	uint64_t deadline = STP_NO_DEADLINE;

	stp_earlier(&deadline, e->hello_due);
	stp_earlier(&deadline, e->tcn_due);
	stp_earlier(&deadline, e->topology_change_due);
	stp_earlier(&deadline, e->ageing_due);
	for (size_t i = 0; i < e->num_ports; i++) {
		stp_earlier(&deadline, e->ports[i]->message_age_due);
		stp_earlier(&deadline, e->ports[i]->forward_delay_due);
		stp_earlier(&deadline, e->ports[i]->hold_due);
	}
	return deadline;
}
