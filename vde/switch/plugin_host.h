/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plug-ins of the switch (not of libvdeplug): the ABI of vdeplugin.h on top of the instance. */
#pragma once

#include "vde/switch/debug.h"
#include "vde/switch/port.h"

int plugin_host_new(struct vde_switch *sw);
/* Unloads all plug-ins; console, debug categories and ports must still be there. */
void plugin_host_free(struct vde_switch *sw);

/* True while a plug-in has asked for packet/in or packet/out events. */
bool plugin_host_wants_packets(const struct vde_switch *sw, bool out);

/*
 * Passes a frame of LEN bytes; returns its length, changed or not, or a negative number: drop it.
 * Plug-ins may write up to the switch's largest frame at DATA.
 */
int plugin_host_packet(struct vde_switch *sw, bool out, unsigned port, uint8_t *data, int len);

/* Any other event, with the arguments that vdeplugin.h tells for the category. Cheap when unused. */
void plugin_host_event(struct vde_switch *sw, enum debug_category category, ...);
