/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vde/switch/vlan.h"

#include <errno.h>
#include <stdlib.h>

#include "base/strtab.h"
#include "vde/switch/debug.h"
#include "vde/switch/forward.h"
#include "vde/switch/plugin_host.h"
#include "vde/switch/stp.h"

static const char *const port_state_names[PORT_NUM_STATES] = {
	[PORT_DISCARDING] = "Discarding",
	[PORT_LEARNING] = "Learning",
	[PORT_FORWARDING] = "Forwarding",
};
DEFINE_STRTAB(port_state, enum port_state, PORT_NUM_STATES);

/* As the debug line fstp/status says it. */
static const char *const port_state_words[PORT_NUM_STATES] = {
	[PORT_DISCARDING] = "discarding",
	[PORT_LEARNING] = "learning",
	[PORT_FORWARDING] = "learning+forwarding",
};

const char *port_state_name(enum port_state state)
{
	return port_state_to_string(state);
}

static void set_put(port_word *set, unsigned port, bool on)
{
	port_word bit = (port_word)1 << (port % PORT_WORD_BITS);

	if (on)
		set[port / PORT_WORD_BITS] |= bit;
	else
		set[port / PORT_WORD_BITS] &= ~bit;
}

static size_t words_for(unsigned num_ports)
{
	return num_ports / PORT_WORD_BITS + 1; /* ports 0 to num_ports */
}

struct vlan *vlan_find(const struct vde_switch *sw, long long id)
{
	return id >= 0 && id < VLAN_COUNT ? sw->vlans[id] : NULL;
}

/* --- sets ----------------------------------------------------------------------------- */

static port_word **vlan_set(struct vlan *vlan, unsigned i)
{
	port_word **sets[] = { &vlan->untagged, &vlan->tagged, &vlan->learn, &vlan->forward };

	return i < ARRAY_SIZE(sets) ? sets[i] : NULL;
}

static void vlan_free(struct vlan *vlan)
{
	port_word **set;

	for (unsigned i = 0; vlan && (set = vlan_set(vlan, i)); i++)
		free(*set);
	free(vlan);
}

/* Sets only grow: what was allocated before a failure is wide enough already. */
static int vlan_widen(struct vlan *vlan, size_t words)
{
	port_word **set;

	if (words <= vlan->words)
		return 0;
	for (unsigned i = 0; (set = vlan_set(vlan, i)); i++) {
		port_word *wider = realloc(*set, words * sizeof(*wider));

		if (!wider)
			return -ENOMEM;
		memset(wider + vlan->words, 0, (words - vlan->words) * sizeof(*wider));
		*set = wider;
	}
	vlan->words = words;
	return 0;
}

int vlan_resize(struct vde_switch *sw, unsigned num_ports)
{
	int r = 0;

	for (unsigned id = 0; id < VLAN_COUNT && r == 0; id++)
		if (sw->vlans[id])
			r = vlan_widen(sw->vlans[id], words_for(num_ports));
	return r;
}

/* --- coming and going ----------------------------------------------------------------- */

static int vlan_add(struct vde_switch *sw, unsigned id)
{
	struct vlan *vlan = calloc(1, sizeof(*vlan));

	if (!vlan)
		return -ENOMEM;
	vlan->id = (uint16_t)id;
	if (vlan_widen(vlan, words_for(sw->num_ports)) < 0 || stp_vlan_added(sw, vlan) < 0) {
		vlan_free(vlan);
		return -ENOMEM;
	}
	sw->vlans[id] = vlan;
	return 0;
}

int vlan_create(struct vde_switch *sw, long long id)
{
	if (id < 0 || id > VLAN_MAX)
		return -EINVAL;
	if (sw->vlans[id])
		return -EEXIST;
	return vlan_add(sw, (unsigned)id);
}

int vlan_remove(struct vde_switch *sw, long long id)
{
	struct vlan *vlan = vlan_find(sw, id);

	if (id == 0)
		return -EINVAL;
	if (!vlan)
		return -ENXIO;
	for (size_t w = 0; w < vlan->words; w++)
		if (vlan->untagged[w])
			return -EADDRINUSE;
	forward_forget(sw, -1, (int)id);
	stp_vlan_removed(sw, vlan);
	sw->vlans[id] = NULL;
	vlan_free(vlan);
	return 0;
}

void vlans_done(struct vde_switch *sw)
{
	for (unsigned id = 0; sw->vlans && id < VLAN_COUNT; id++) {
		if (sw->vlans[id])
			stp_vlan_removed(sw, sw->vlans[id]);
		vlan_free(sw->vlans[id]);
	}
	free(sw->vlans);
	sw->vlans = NULL;
}

/* --- membership ----------------------------------------------------------------------- */

static void vlan_membership_changed(struct vde_switch *sw, struct vlan *vlan, unsigned port)
{
	stp_port_changed(sw, vlan, port);
	vlan_update_port(sw, vlan, port);
	if (!vlan_has_port(vlan, port))
		forward_forget(sw, (int)port, vlan->id);
}

int vlan_add_port(struct vde_switch *sw, long long id, long long number)
{
	struct vlan *vlan = vlan_find(sw, id);

	if (!vlan || !port_find(sw, number))
		return -ENXIO;
	set_put(vlan->tagged, (unsigned)number, true);
	vlan_membership_changed(sw, vlan, (unsigned)number);
	return 0;
}

int vlan_del_port(struct vde_switch *sw, long long id, long long number)
{
	struct vlan *vlan = vlan_find(sw, id);

	if (!vlan || !port_find(sw, number))
		return -ENXIO;
	if (port_set_has(vlan->untagged, (unsigned)number))
		return -EADDRINUSE;
	set_put(vlan->tagged, (unsigned)number, false);
	vlan_membership_changed(sw, vlan, (unsigned)number);
	return 0;
}

int vlan_set_untagged(struct vde_switch *sw, struct port *port, long long id)
{
	struct vlan *to = id == VLAN_NONE ? NULL : vlan_find(sw, id);
	struct vlan *from = vlan_find(sw, port->untagged_vlan);

	if (!to && id != VLAN_NONE)
		return -ENXIO;
	port->untagged_vlan = (uint16_t)id;
	if (from) {
		set_put(from->untagged, port->number, false);
		vlan_membership_changed(sw, from, port->number);
	}
	if (to) {
		set_put(to->untagged, port->number, true);
		vlan_membership_changed(sw, to, port->number);
	}
	return 0;
}

/* --- state ---------------------------------------------------------------------------- */

enum port_state vlan_port_state(const struct vde_switch *sw, const struct vlan *vlan, unsigned port)
{
	(void)sw;
	if (port_set_has(vlan->forward, port))
		return PORT_FORWARDING;
	return port_set_has(vlan->learn, port) ? PORT_LEARNING : PORT_DISCARDING;
}

static void vlan_store_state(struct vde_switch *sw, struct vlan *vlan, unsigned port,
			     enum port_state state)
{
	struct port *p = sw->ports[port];
	bool member = vlan_has_port(vlan, port);

	set_put(vlan->learn, port, member && state >= PORT_LEARNING);
	set_put(vlan->forward, port,
		member && p && port_active(p) && state == PORT_FORWARDING);
}

void vlan_set_port_state(struct vde_switch *sw, struct vlan *vlan, unsigned port,
			 enum port_state state)
{
	DEBUG(sw, FSTP_STATUS, "Port %04u VLAN %02x:%02x %s", port, vlan->id >> 8, vlan->id & 0xff,
	      port_state_words[state]);
	plugin_host_event(sw, DEBUG_FSTP_STATUS, (int)port, (int)vlan->id);
	vlan_store_state(sw, vlan, port, state);
}

void vlan_update_port(struct vde_switch *sw, struct vlan *vlan, unsigned port)
{
	enum port_state state = stp_enabled(sw) ? stp_port_state(sw, vlan, port) : PORT_FORWARDING;

	vlan_store_state(sw, vlan, port, state);
}

void vlan_update_all(struct vde_switch *sw)
{
	for (unsigned id = 0; id < VLAN_COUNT; id++)
		for (unsigned number = 0; sw->vlans[id] && number <= sw->num_ports; number++)
			vlan_update_port(sw, sw->vlans[id], number);
}
