/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. Each VLAN has a spanning tree of its own (struct stp_vlan): an engine and
 * one timer, set to the engine's next deadline after each call into it. Engines exist, and know
 * ports and settings, also while the tree is off; then they do not run, and the state of each port
 * is left to vlan.c.
 *
 * BPDUs leave as any frame of the VLAN does: without a tag where the port is an untagged member,
 * with it elsewhere. So each VLAN converges by itself, and an untagged port talks to a bridge that
 * knows no VLANs, as Linux's does.
 *
 * The bridge's identifier is --priority and the switch's MAC address, in all VLANs alike.
 *
 * The old dialect. vde_switch of vde-2 speaks a protocol of its own under the numbers of 802.1w
 * (wire/bpdu.h). It hears neither 802.1D nor us, forwards as it likes, and swallows our BPDUs: two
 * ways to it would be a loop that nobody sees. Its BPDUs are translated, with priority 0 for its
 * root, and the engine is told that the neighbour is deaf: so a group of such switches is the root
 * of the whole tree, one way to it is open for each of us, and all others are shut. A second such
 * group, not joined with the first, is shut out. That is reported, with what to do about it. With
 * its fstp off an old switch forwards BPDUs like data, and is no obstacle.
 */
#include "vde/switch/stp.h"

#include <byteswap.h>
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "vde/switch/debug.h"
#include "vde/switch/forward.h"
#include "vde/switch/plugin_host.h"
#include "vde/switch/stp_engine.h"
#include "vde/switch/takeover_message.h"
#include "wire/bpdu.h"

struct stp_vlan {
	struct vde_switch *sw;
	struct vlan *vlan;
	struct stp_engine *engine; /* owned */
	struct loop_timer timer;   /* at the engine's next deadline */
};

struct stp {
	bool on;
	struct log_limit reports;
	struct stp_vlan *vlans[VLAN_COUNT]; /* owned; NULL: no such VLAN */
};

static const enum port_state stp_port_states[STP_NUM_STATES] = {
	[STP_DISABLED] = PORT_DISCARDING,   [STP_BLOCKING] = PORT_DISCARDING,
	[STP_LISTENING] = PORT_DISCARDING,  [STP_LEARNING] = PORT_LEARNING,
	[STP_FORWARDING] = PORT_FORWARDING,
};

/* VLANs are shown as two bytes, bridge identifiers as eight. */
#define VLAN_TEXT      "%02x:%02x"
#define VLAN_ARG(v)    (v)->id >> 8, (v)->id & 0xff
#define ID_BYTE(id, n) (unsigned)((id) >> (8 * (n)) & 0xff)
#define ID_TEXT        "%02x:%02x:%02x:%02x:%02x:%02x:%02x:%02x"
#define ID_ARG(id)                                                                      \
	ID_BYTE(id, 7), ID_BYTE(id, 6), ID_BYTE(id, 5), ID_BYTE(id, 4), ID_BYTE(id, 3), \
		ID_BYTE(id, 2), ID_BYTE(id, 1), ID_BYTE(id, 0)

/* --- what the engine asks for --------------------------------------------------------- */

static uint64_t stp_op_now(void *context)
{
	const struct stp_vlan *v = context;

	return loop_now(v->sw->loop);
}

static void stp_op_send(void *context, const struct stp_port *port, const struct bpdu *bpdu)
{
	struct stp_vlan *v = context;
	struct port *p = v->sw->ports[port->number];
	uint8_t frame[BPDU_FRAME_MAX];
	size_t len = bpdu_build(bpdu, v->sw->mac, frame);

	if (p)
		forward_send(v->sw, p, v->vlan, frame, len);
}

static void stp_op_set_state(void *context, const struct stp_port *port)
{
	struct stp_vlan *v = context;
	enum port_state state = stp_port_states[port->state];

	if (port->state == STP_DISABLED) /* no link: vlan.c knows */
		return;
	if (vlan_port_state(v->sw, v->vlan, port->number) != state)
		vlan_set_port_state(v->sw, v->vlan, port->number, state);
}

static void stp_op_flush(void *context)
{
	struct stp_vlan *v = context;

	forward_forget(v->sw, -1, v->vlan->id);
}

static void stp_tell_root(const struct stp_vlan *v, const struct stp_engine *e)
{
	DEBUG(v->sw, FSTP_ROOT, "Port %04u VLAN " VLAN_TEXT " -> " ID_TEXT,
	      e->root_port ? e->root_port->number : 0, VLAN_ARG(v->vlan), ID_ARG(e->root));
	plugin_host_event(v->sw, DEBUG_FSTP_ROOT, e->root_port ? (int)e->root_port->number : 0,
			  (int)v->vlan->id);
}

static void stp_op_root_changed(void *context, const struct stp_engine *e)
{
	stp_tell_root(context, e);
}

static void stp_op_neighbour(void *context, const struct stp_port *port)
{
	struct stp_vlan *v = context;

	if (port->neighbour)
		DEBUG(v->sw, FSTP_PLUS, "Port %04u VLAN " VLAN_TEXT, port->number,
		      VLAN_ARG(v->vlan));
	else
		DEBUG(v->sw, FSTP_MINUS, "Port %04u VLAN " VLAN_TEXT, port->number,
		      VLAN_ARG(v->vlan));
	plugin_host_event(v->sw, port->neighbour ? DEBUG_FSTP_PLUS : DEBUG_FSTP_MINUS,
			  (int)port->number, (int)v->vlan->id);
}

static const struct stp_ops stp_vlan_ops = {
	.now = stp_op_now,
	.send = stp_op_send,
	.set_state = stp_op_set_state,
	.flush = stp_op_flush,
	.root_changed = stp_op_root_changed,
	.neighbour = stp_op_neighbour,
};

/* --- the timer ------------------------------------------------------------------------ */

/* After each call into the engine. */
static void stp_rearm(struct stp_vlan *v)
{
	uint64_t deadline = stp_engine_next_deadline(v->engine);
	struct loop *loop = v->sw->loop;

	if (deadline == STP_NO_DEADLINE)
		loop_timer_cancel(loop, &v->timer);
	else if (loop_timer_set(loop, &v->timer, deadline) < 0)
		log_error("fstp: out of memory, the spanning tree of VLAN %u stands still",
			  v->vlan->id);
}

static void stp_fire(struct loop *loop, struct loop_timer *timer)
{
	struct stp_vlan *v = container_of(timer, struct stp_vlan, timer);

	(void)loop;
	stp_engine_tick(v->engine);
	stp_rearm(v);
}

/* --- VLANs and ports ------------------------------------------------------------------ */

static struct stp_vlan *stp_vlan_of(const struct vde_switch *sw, const struct vlan *vlan)
{
	return sw->stp ? sw->stp->vlans[vlan->id] : NULL;
}

const struct stp_engine *stp_engine_of(const struct vde_switch *sw, const struct vlan *vlan)
{
	const struct stp_vlan *v = stp_vlan_of(sw, vlan);

	return v ? v->engine : NULL;
}

int stp_vlan_added(struct vde_switch *sw, struct vlan *vlan)
{
	struct stp_vlan *v = calloc(1, sizeof(*v));
	uint64_t bridge = bpdu_bridge_id((uint16_t)sw->settings.priority, sw->mac);

	if (!v)
		return -ENOMEM;
	v->sw = sw;
	v->vlan = vlan;
	v->timer.fire = stp_fire;
	if (stp_engine_new(&stp_vlan_ops, v, bridge, &v->engine) < 0) {
		free(v);
		return -ENOMEM;
	}
	sw->stp->vlans[vlan->id] = v;
	stp_tell_root(v, v->engine);
	if (sw->stp->on) {
		stp_engine_start(v->engine);
		stp_rearm(v);
	}
	return 0;
}

void stp_vlan_removed(struct vde_switch *sw, struct vlan *vlan)
{
	struct stp_vlan *v = stp_vlan_of(sw, vlan);

	if (!v)
		return;
	sw->stp->vlans[vlan->id] = NULL;
	loop_timer_cancel(sw->loop, &v->timer);
	stp_engine_free(v->engine);
	free(v);
}

/* Takes part in the tree of VLAN: it is a member, and somebody is connected. */
static bool stp_takes_part(const struct vde_switch *sw, const struct vlan *vlan, unsigned number)
{
	const struct port *port = port_find(sw, number);

	return port && port_active(port) && vlan_has_port(vlan, number);
}

void stp_port_changed(struct vde_switch *sw, struct vlan *vlan, unsigned number)
{
	struct stp_vlan *v = stp_vlan_of(sw, vlan);
	struct stp_port *port;

	if (!v)
		return;
	port = stp_engine_port(v->engine, number);
	if (stp_takes_part(sw, vlan, number)) {
		if (stp_engine_add_port(v->engine, number, &port) < 0)
			log_error("fstp: out of memory, port %u stays shut in VLAN %u", number,
				  vlan->id);
		else
			stp_engine_set_link(v->engine, port, true);
	} else if (port) {
		stp_engine_set_link(v->engine, port, false);
		if (!port->admin_edge)
			stp_engine_remove_port(v->engine, number);
	}
	stp_rearm(v);
}

enum port_state stp_port_state(const struct vde_switch *sw, const struct vlan *vlan,
			       unsigned number)
{
	const struct stp_vlan *v = stp_vlan_of(sw, vlan);
	const struct stp_port *port = v ? stp_engine_port(v->engine, number) : NULL;

	return port ? stp_port_states[port->state] : PORT_DISCARDING;
}

int stp_set_edge(struct vde_switch *sw, const struct vlan *vlan, unsigned number, bool edge)
{
	struct stp_vlan *v = stp_vlan_of(sw, vlan);
	struct stp_port *port;
	int r;

	if (number > sw->num_ports)
		return -EINVAL;
	r = stp_engine_add_port(v->engine, number, &port);
	if (r < 0)
		return r;
	stp_engine_set_edge(v->engine, port, edge);
	if (!edge && !port->up)
		stp_engine_remove_port(v->engine, number);
	stp_rearm(v);
	return 0;
}

int stp_set_bonus(struct vde_switch *sw, const struct vlan *vlan, unsigned number, int32_t cost)
{
	struct stp_vlan *v = stp_vlan_of(sw, vlan);

	if (number > sw->num_ports)
		return -EINVAL;
	stp_engine_set_bonus(v->engine, number, cost);
	stp_rearm(v);
	return 0;
}

/* --- on and off ----------------------------------------------------------------------- */

int stp_new(struct vde_switch *sw)
{
	sw->stp = calloc(1, sizeof(*sw->stp));
	return sw->stp ? 0 : -ENOMEM;
}

/* The VLANs are gone already (stp_vlan_removed()). */
void stp_free(struct vde_switch *sw)
{
	free(sw->stp);
	sw->stp = NULL;
}

bool stp_enabled(const struct vde_switch *sw)
{
	return sw->stp && sw->stp->on;
}

int stp_enable(struct vde_switch *sw, bool on)
{
	if (on && sw->hub)
		return -EBUSY;
	if (on == sw->stp->on)
		return 0;
	sw->stp->on = on;
	for (unsigned id = 0; id < VLAN_COUNT; id++) {
		struct stp_vlan *v = sw->stp->vlans[id];

		if (!v)
			continue;
		if (on)
			stp_engine_start(v->engine);
		else
			stp_engine_stop(v->engine);
		stp_rearm(v);
	}
	vlan_update_all(sw);
	return 0;
}

/* --- reception ------------------------------------------------------------------------ */

/*
 * What the dialect means: whole seconds with their bytes exchanged, its own idea of maximum age and
 * hello, and flags that differ. Its root gets priority 0, so that nobody else is.
 */
static void stp_translate_dialect(struct bpdu *bpdu)
{
	uint32_t age = (uint32_t)bswap_16(bpdu->message_age) * BPDU_TIME_UNIT;

	bpdu->version = 0;
	bpdu->type = BPDU_CONFIG;
	bpdu->flags = 0;
	bpdu->root &= UINT64_C(0x0000ffffffffffff);
	bpdu->message_age = (uint16_t)MIN(age, UINT16_MAX);
	bpdu->max_age = stp_default_times.max_age;
	bpdu->hello_time = stp_default_times.hello_time;
	bpdu->forward_delay = stp_default_times.forward_delay;
}

static void stp_input_dialect(struct stp_vlan *v, struct stp_port *port, struct bpdu *bpdu)
{
	struct vde_switch *sw = v->sw;
	bool known = port->deaf;

	stp_translate_dialect(bpdu);
	stp_engine_receive_deaf(v->engine, port, bpdu);
	if (known || !port->deaf || !log_limit_pass(&sw->stp->reports, loop_now(sw->loop)))
		return;
	log_warning("fstp: port %u, VLAN %u: the neighbour speaks the old dialect of vde-2, which "
		    "is no 802.1D and does not listen; of all ways to it one is used, as that to "
		    "the root. Turn its fstp off (fstp/setfstp 0), or run this vde_switch there",
		    port->number, v->vlan->id);
}

static void stp_input_bpdu(struct stp_vlan *v, struct stp_port *port, const struct ether_info *info,
			   struct cursor c)
{
	struct bpdu bpdu;
	int r = bpdu_parse(info->type, c, &bpdu);

	if (r == 0)
		stp_engine_receive(v->engine, port, &bpdu);
	else if (r == -EPROTO)
		stp_input_dialect(v, port, &bpdu);
	else
		port->count.bad_in++;
	stp_rearm(v);
}

bool stp_input(struct vde_switch *sw, struct port *port, struct vlan *vlan, const uint8_t *frame,
	       size_t len)
{
	struct stp_vlan *v = stp_vlan_of(sw, vlan);
	struct cursor c = cursor_of(frame, len);
	struct stp_port *stp_port;
	struct ether_info info;

	if (!stp_enabled(sw))
		return false;
	stp_port = v ? stp_engine_port(v->engine, port->number) : NULL;
	if (!stp_port || ether_parse(frame, len, &info) < 0)
		return true;
	if (memcmp(info.dest, bpdu_group_address, ETHER_ADDR_SIZE) != 0)
		return true; /* of the block that bridges keep to themselves, but not for us */
	(void)cursor_take(&c, info.header_len);
	stp_input_bpdu(v, stp_port, &info, c);
	return true;
}

/* --- takeover ------------------------------------------------------------------------------ */

int stp_pack(const struct vde_switch *sw, const struct takeover_link *link)
{
	auto_takeover_message struct takeover_message m = { 0 };
	int r = 0;

	for (unsigned id = 0; r == 0 && id < VLAN_COUNT; id++) {
		const struct stp_vlan *v = sw->stp->vlans[id];

		if (!v || !v->engine->running)
			continue;
		takeover_begin(&m, TAKEOVER_TREE);
		takeover_put_number(&m, ITEM_NUMBER, id);
		r = stp_engine_pack(v->engine, &m, link);
	}
	return r;
}

int stp_unpack(struct vde_switch *sw, const struct takeover_message *m)
{
	struct vlan *vlan = vlan_find(sw, (long long)takeover_get_number(m, ITEM_NUMBER));
	struct stp_vlan *v = vlan ? stp_vlan_of(sw, vlan) : NULL;
	int r = v ? stp_engine_unpack(v->engine, m) : -EBADMSG;

	if (r < 0)
		return r;
	sw->stp->on = true;
	for (unsigned number = 0; number <= sw->num_ports; number++)
		vlan_update_port(sw, vlan, number);
	stp_rearm(v);
	return 0;
}
