/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instance as a whole: its tables come and go here; main.c has the program around it. */
#include "vde/switch/switch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "vde/switch/capture.h"
#include "vde/switch/console.h"
#include "vde/switch/control.h"
#include "vde/switch/debug.h"
#include "vde/switch/forward.h"
#include "vde/switch/plug_ring.h"
#include "vde/switch/plugin_host.h"
#include "vde/switch/stp.h"
#include "vde/switch/tap_io.h"
#include "vde/switch/vlan.h"

/* 00:ff: and four random bytes, as it always was. */
static void switch_init_mac(struct vde_switch *sw)
{
	static const uint8_t lead[2] = { 0x00, 0xff };

	memcpy(sw->mac, sw->settings.mac, sizeof(sw->mac));
	if (sw->settings.mac_given)
		return;
	memcpy(sw->mac, lead, sizeof(lead));
	if (getrandom(sw->mac + 2, 4, 0) != 4)
		memcpy(sw->mac + 2, &(uint32_t){ (uint32_t)getpid() }, 4);
}

int switch_init(struct vde_switch *sw)
{
	size_t chunks = (size_t)sw->settings.buffer_size * 1024 * 1024 / OUTQ_CHUNK_SIZE;
	int r;

	sw->start = loop_now(sw->loop);
	switch_init_mac(sw);
	sw->num_ports = (unsigned)sw->settings.num_ports;
	sw->hub = sw->settings.hub;
	sw->ports = calloc(sw->num_ports + 1, sizeof(struct port *));
	sw->vlans = calloc(VLAN_COUNT, sizeof(struct vlan *));
	if (!sw->ports || !sw->vlans)
		return -ENOMEM;
	r = pool_init(&sw->chunks, OUTQ_CHUNK_SIZE, chunks);
	if (r == 0)
		r = debug_new(sw);
	if (r == 0)
		r = forward_new(sw);
	if (r == 0)
		r = plug_rings_new(sw);
	if (r == 0)
		r = tap_buffers_new(sw);
	if (r == 0)
		r = stp_new(sw);
	if (r == 0)
		r = vlan_create(sw, 0);
	if (r == 0)
		r = capture_new(sw);
	if (r == 0)
		r = plugin_host_new(sw);
	return r;
}

void switch_done(struct vde_switch *sw)
{
	if (sw->macs)
		ports_done(sw);
	console_free(sw);
	control_close(sw);
	plug_rings_free(sw);
	holds_done(sw);
	tap_buffers_free(sw);
	plugin_host_free(sw);
	capture_free(sw);
	if (sw->debug)
		vlans_done(sw);
	stp_free(sw);
	if (sw->macs || sw->forward)
		forward_free(sw);
	debug_free(sw);
	daemon_end(&sw->settings.daemon);
	loop_free(sw->loop);
	pool_done(&sw->chunks);
	free(sw->dir);
	free(sw->mgmt);
	free(sw->ports);
	free(sw->vlans);
}
