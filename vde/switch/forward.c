/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. An endpoint that is readable hands over up to FORWARD_BATCH frames at a
 * time (forward_batch). Each frame is
 *
 *	checked     14 bytes to max_frame
 *	classified  by its tag (0x8100), else by the port's untagged VLAN; a priority tag (VLAN 0)
 *	            counts as VLAN 0 where the port is a member, else as the port's untagged VLAN
 *	learned     unicast sources, where the spanning tree allows it
 *	delivered   to the learned port, else to all forwarding ports of the VLAN but its own
 *
 * How a frame leaves is told in forward_out.c. What an endpoint does not take at once is copied to its
 * queue, or dropped and counted.
 *
 * A hub repeats to every active port but its own and port 0, without looking at anything.
 */
#include "vde/switch/forward.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/parse.h"
#include "vde/switch/capture.h"
#include "vde/switch/debug.h"
#include "vde/switch/forward_internal.h"
#include "vde/switch/mactable.h"
#include "vde/switch/plugin_host.h"
#include "vde/switch/stp.h"
#include "vde/switch/vlan.h"
#include "wire/bpdu.h"

#define ADDRESSES_SIZE (2 * ETHER_ADDR_SIZE)

/* --- the MAC table's time and events -------------------------------------------------- */

uint32_t forward_mac_now(const struct vde_switch *sw)
{
	return (uint32_t)((loop_now(sw->loop) - sw->start) / NS_PER_SEC);
}

#define HASH_TEXT(mac) (mac)[0], (mac)[1], (mac)[2], (mac)[3], (mac)[4], (mac)[5]

/* What plug-ins get of an address. */
static uint64_t hash_key(const uint8_t mac[ETHER_ADDR_SIZE], uint16_t vlan)
{
	return ether_mac_number(mac) | (uint64_t)vlan << 48;
}

static void hash_removed(struct vde_switch *sw, const uint8_t mac[ETHER_ADDR_SIZE], uint16_t vlan,
			 unsigned port)
{
	DEBUG(sw, HASH_MINUS, "%02x:%02x:%02x:%02x:%02x:%02x VLAN %02x:%02x Port %u", HASH_TEXT(mac),
	      vlan >> 8, vlan & 0xff, port);
	plugin_host_event(sw, DEBUG_HASH_MINUS, hash_key(mac, vlan));
}

static void hash_added(struct vde_switch *sw, const uint8_t mac[ETHER_ADDR_SIZE], uint16_t vlan,
		       unsigned port)
{
	DEBUG(sw, HASH_PLUS, "%02x:%02x:%02x:%02x:%02x:%02x VLAN %02x:%02x Port %u", HASH_TEXT(mac),
	      vlan >> 8, vlan & 0xff, port);
	plugin_host_event(sw, DEBUG_HASH_PLUS, hash_key(mac, vlan));
}

struct forget {
	struct vde_switch *sw;
	int port; /* -1: any */
	int vlan; /* -1: any */
	bool expired;
	uint32_t now;
};

static bool forget_match(void *context, const struct mac_entry *entry)
{
	struct forget *forget = context;
	uint8_t mac[ETHER_ADDR_SIZE];

	if (forget->expired && forget->now - entry->seen <= forget->sw->macs->expire)
		return false;
	if (forget->port >= 0 && entry->port != forget->port)
		return false;
	if (forget->vlan >= 0 && mac_entry_vlan(entry) != forget->vlan)
		return false;
	mac_entry_mac(entry, mac);
	hash_removed(forget->sw, mac, mac_entry_vlan(entry), entry->port);
	return true;
}

void forward_forget(struct vde_switch *sw, int port, int vlan)
{
	struct forget forget = { .sw = sw, .port = port, .vlan = vlan };

	if (sw->macs->count == 0 || (port >= 0 && sw->macs->per_port[port] == 0))
		return;
	(void)mac_table_remove_if(sw->macs, forget_match, &forget);
}

/* Runs only while there is something to age or to give back: an idle switch sleeps. */
static void forward_gc_arm(struct vde_switch *sw)
{
	struct forward *f = sw->forward;

	if (!loop_timer_armed(&f->gc) && (sw->macs->count || sw->chunks.fresh))
		(void)loop_timer_set(sw->loop, &f->gc, /* without memory: armed by a later frame */
				     loop_now(sw->loop) + sw->macs->gc_interval * NS_PER_SEC);
}

static void forward_gc(struct loop *loop, struct loop_timer *timer)
{
	struct forward *f = container_of(timer, struct forward, gc);
	struct forget forget = { .sw = f->sw, .port = -1, .vlan = -1, .expired = true,
				 .now = forward_mac_now(f->sw) };

	(void)loop;
	if (f->sw->macs->count)
		(void)mac_table_remove_if(f->sw->macs, forget_match, &forget);
	pool_trim(&f->sw->chunks);
	forward_gc_arm(f->sw);
}

void forward_gc_restart(struct vde_switch *sw)
{
	loop_timer_cancel(sw->loop, &sw->forward->gc);
	forward_gc_arm(sw);
}

/* --- memory --------------------------------------------------------------------------- */

/* Memory that is there when it is touched. NULL: none. */
static void *forward_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void forward_return(void *memory, size_t size)
{
	if (memory)
		(void)munmap(memory, size);
}

int forward_new(struct vde_switch *sw)
{
	struct forward *f = calloc(1, sizeof(*f));
	uint64_t seed;

	if (!f)
		return -ENOMEM;
	f->sw = sw;
	f->gc.fire = forward_gc;
	/* The odd 128 spread the buffers' first lines over the sets of the processor's cache. */
	f->buffer_size = (((size_t)sw->settings.max_frame + 1 + 63) & ~(size_t)63) + 128;
	f->buffers = forward_memory(f->buffer_size * FORWARD_BATCH);
	f->cut.pieces = forward_memory(FORWARD_CUT_MAX * sizeof(struct offload_piece));
	f->scratch = forward_memory(OUTQ_FRAME_MAX);
	sw->forward = f;
	if (!f->buffers || !f->cut.pieces || !f->scratch)
		return -ENOMEM;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = clock_now();
	return mac_table_new((size_t)sw->settings.max_macs, sw->num_ports + 1,
			     (uint32_t)sw->settings.hash_size, seed, &sw->macs);
}

void forward_free(struct vde_switch *sw)
{
	struct forward *f = sw->forward;

	mac_table_free(sw->macs);
	sw->macs = NULL;
	if (!f)
		return;
	loop_timer_cancel(sw->loop, &f->gc);
	forward_return(f->buffers, f->buffer_size * FORWARD_BATCH);
	forward_return(f->cut.pieces, FORWARD_CUT_MAX * sizeof(struct offload_piece));
	forward_return(f->scratch, OUTQ_FRAME_MAX);
	free(f);
	sw->forward = NULL;
}

uint8_t *forward_buffer(struct forward *f, unsigned i)
{
	return f->buffers + f->buffer_size * i;
}

/* --- input ---------------------------------------------------------------------------- */

static void drop_in(struct endpoint *ep, enum drop_reason reason)
{
	ep->counters.drops[reason]++;
	ep->port->counters.drops[reason]++;
}

static void count_in(struct counters *counters, const struct frame *frame)
{
	counters->in.packets += frame->segments;
	counters->in.bytes += frame->wire_bytes;
	counters->super_in += frame->segments > 1;
}

/* The VLAN a frame belongs to, with frame->tagged, vlan and tag filled; NULL: it has none here. */
static struct vlan *classify(struct vde_switch *sw, const struct port *port, struct frame *frame,
			     const struct ether_info *info)
{
	uint16_t id = info->tagged ? VLAN_ID(info->tci) : port->untagged_vlan;
	struct vlan *vlan = vlan_find(sw, id);

	if (info->tagged && id == 0 && !(vlan && vlan_has_port(vlan, port->number))) {
		struct ether_tag tag = { htobe16(ETHER_TYPE_VLAN), 0 };

		id = port->untagged_vlan; /* 802.1Q 6.9: the priority stays, the VLAN is the port's */
		vlan = vlan_find(sw, id);
		tag.tci = htobe16((uint16_t)((info->tci & 0xf000) | id));
		memcpy(frame->head + ADDRESSES_SIZE, &tag, sizeof(tag));
	}
	if (!vlan || !vlan_has_port(vlan, port->number))
		return NULL;
	frame->tagged = info->tagged;
	frame->vlan = id;
	if (!info->tagged)
		frame_set_push(frame, id);
	return vlan;
}

static void learn(struct vde_switch *sw, const struct port *port, uint16_t vlan,
		  const uint8_t *source)
{
	static const char conflict[] = "port %u: address %s is known on port %u and too young to move";
	char text[MAC_TEXT_SIZE];
	uint16_t old = 0;

	switch (mac_table_learn(sw->macs, source, vlan, (uint16_t)port->number,
				sw->forward->mac_now, &old)) {
	case MAC_MOVED:
		hash_removed(sw, source, vlan, old);
		/* fallthrough */
	case MAC_NEW:
		hash_added(sw, source, vlan, port->number);
		forward_gc_arm(sw);
		break;
	case MAC_STAYS:
		if (log_limit_pass(&sw->forward->conflicts, loop_now(sw->loop)))
			log_info(conflict, port->number, format_mac(source, text), old);
		break;
	case MAC_KNOWN:
	case MAC_NO_ROOM:
		break;
	}
}

static void deliver_in_vlan(struct vde_switch *sw, struct vlan *vlan, unsigned number,
			    unsigned index)
{
	const struct frame *frame = &sw->forward->frames[index];

	vlan->counters.out.packets += frame->segments;
	vlan->counters.out.bytes += frame->wire_bytes;
	vlan->counters.super_out += frame->segments > 1;
	forward_deliver(sw, sw->ports[number], index, vlan_is_tagged(vlan, number));
}

static void flood(struct vde_switch *sw, struct vlan *vlan, unsigned from, unsigned index)
{
	PORT_SET_FOREACH(vlan->forward, vlan->words, number)
		if (number != from)
			deliver_in_vlan(sw, vlan, number, index);
}

static void flood_hub(struct vde_switch *sw, unsigned from, unsigned index)
{
	for (unsigned number = 1; number <= sw->num_ports; number++)
		if (number != from && sw->ports[number] && port_active(sw->ports[number]))
			forward_deliver(sw, sw->ports[number], index, sw->forward->frames[index].tagged);
}

/* Where a frame goes: a port, or -1: to all. Learns its source on the way. */
static int destination(struct vde_switch *sw, const struct port *port, struct vlan *vlan,
		       const struct ether_info *info)
{
	struct forward *f = sw->forward;
	const struct mac_entry *entry = NULL;

	/* Streams: the frame before had the same addresses. */
	if (f->last.valid && f->last.vlan == vlan->id &&
	    memcmp(f->last.addresses, info->dest, ADDRESSES_SIZE) == 0)
		return f->last.port;
	if (port_set_has(vlan->learn, port->number) && !ether_is_multicast(info->source))
		learn(sw, port, vlan->id, info->source);
	if (!ether_is_multicast(info->dest))
		entry = mac_table_find(sw->macs, info->dest, vlan->id, f->mac_now);
	f->last.port = entry && port_set_has(vlan->forward, entry->port) ? entry->port : -1;
	f->last.vlan = vlan->id;
	memcpy(f->last.addresses, info->dest, ADDRESSES_SIZE);
	f->last.valid = true;
	return f->last.port;
}

static void forward_in_vlan(struct vde_switch *sw, struct endpoint *ep, struct vlan *vlan,
			    const struct ether_info *info, unsigned index)
{
	struct frame *frame = &sw->forward->frames[index];
	int to;

	if (bpdu_is_link_local(info->dest) &&
	    stp_input(sw, ep->port, vlan, frame_whole(sw->forward, frame), frame->len)) {
		sw->forward->last.valid = false; /* ports may have changed their state */
		return;
	}
	to = destination(sw, ep->port, vlan, info);
	if (!port_set_has(vlan->forward, ep->port->number)) {
		drop_in(ep, DROP_STATE);
		vlan->counters.drops[DROP_STATE]++;
		return;
	}
	count_in(&vlan->counters, frame);
	frame->known = to >= 0;
	if (to < 0)
		flood(sw, vlan, ep->port->number, index);
	if (to < 0 || (unsigned)to == ep->port->number)
		return;
	deliver_in_vlan(sw, vlan, (unsigned)to, index);
	train_start(sw, ep, frame, vlan, sw->ports[to]);
}

/* A plug-in may change what comes in: it gets a copy, which then is the frame. */
static bool admit_through_plugin(struct vde_switch *sw, struct endpoint *ep, struct frame *frame)
{
	struct forward *f = sw->forward;
	uint8_t *data = frame_whole(f, frame);
	int len;

	if (frame->work) /* it is shown, and may be refused, but not changed */
		return plugin_host_packet(sw, false, ep->port->number, data, (int)frame->len) > 0;

	if (data == f->scratch) { /* it has to stay while the batch lasts */
		data = forward_buffer(f, (unsigned)(frame - f->frames));
		memcpy(data, f->scratch, MIN(frame->len, (uint32_t)sw->settings.max_frame));
	}
	len = (int)MIN(frame->len, (uint32_t)sw->settings.max_frame);
	len = plugin_host_packet(sw, false, ep->port->number, data, len);
	if (len < ETHER_HEADER_SIZE || len > sw->settings.max_frame) {
		drop_in(ep, DROP_PLUGIN);
		return false;
	}
	frame_set(frame, data, (uint32_t)len);
	return true;
}

/* What concerns a frame before the switch looks into it; false: it goes no further. */
static bool admit(struct vde_switch *sw, struct endpoint *ep, struct frame *frame)
{
	if (frame->wire_bytes / frame->segments > ep->max_in) {
		drop_in(ep, DROP_OVERSIZE);
		return false;
	}
	if (frame->len < ETHER_HEADER_SIZE) {
		drop_in(ep, DROP_SHORT);
		return false;
	}
	count_in(&ep->counters, frame);
	count_in(&ep->port->counters, frame);
	if (capture_wants(sw, ep->port))
		capture_frame(sw, ep->port, CAPTURE_IN, frame_whole(sw->forward, frame), frame->len);
	return !plugin_host_wants_packets(sw, false) || admit_through_plugin(sw, ep, frame);
}

static void forward_frame(struct vde_switch *sw, struct endpoint *ep, unsigned index)
{
	struct frame *frame = &sw->forward->frames[index];
	struct ether_info info;
	struct vlan *vlan;

	if (!admit(sw, ep, frame))
		return;
	if (sw->hub) {
		flood_hub(sw, ep->port->number, index);
		return;
	}
	/* A frame that ends inside its tag has none that could be believed. */
	if (ether_parse(frame->head, MIN(frame->len, frame->head_len), &info) < 0) {
		drop_in(ep, DROP_SHORT);
		return;
	}
	vlan = classify(sw, ep->port, frame, &info);
	if (!vlan) {
		drop_in(ep, DROP_VLAN);
		return;
	}
	forward_in_vlan(sw, ep, vlan, &info, index);
}

/* A frame with work left: its headers are checked, and copied. */
static int forward_put_work(struct forward *f, unsigned i, const uint8_t *data, uint32_t len,
			    const struct vnet_header *vnet)
{
	struct offload_frame *work = &f->works[i];
	struct frame *frame = &f->frames[i];
	int r = offload_check(work, data, len, vnet);

	if (r < 0)
		return r;
	frame->head = offload_head(work);
	frame->head_len = work->head_len;
	frame->body = work->rest;
	frame->len = work->len;
	frame->segments = work->segments;
	frame->wire_bytes = work->wire_bytes;
	frame->work = work->kind == OFFLOAD_PLAIN ? NULL : work;
	frame->tagged = frame->known = false;
	return 0;
}

int forward_put(struct forward *f, unsigned i, const uint8_t *data, uint32_t len,
		const struct vnet_header *vnet)
{
	struct frame *frame = &f->frames[i];

	if (vnet->flags || vnet->gso_type)
		return forward_put_work(f, i, data, len, vnet);
	frame->head = f->heads[i];
	frame->head_len = MIN(len, FORWARD_HEAD);
	frame->body = data + frame->head_len;
	frame->len = frame->wire_bytes = len;
	frame->segments = 1;
	frame->work = NULL;
	frame->tagged = frame->known = false;
	if (frame->head_len == FORWARD_HEAD) /* a number that the compiler knows is worth much here */
		memcpy(frame->head, data, FORWARD_HEAD);
	else
		memcpy(frame->head, data, frame->head_len);
	return 0;
}

void forward_frames(struct vde_switch *sw, struct endpoint *ep, unsigned count)
{
	struct forward *f = sw->forward;

	f->mac_now = forward_mac_now(sw);
	f->last.valid = false;
	f->cut.frame = NULL;
	for (unsigned i = 0; i < count; i++) {
		if (train_follow(f, ep, i))
			continue;
		train_end(f, ep); /* this one may change what was decided: a BPDU, an address that moves */
		forward_frame(sw, ep, i);
	}
	train_end(f, ep);
	forward_flush(sw);
	if (f->congested)
		hold_begin(sw, ep, TAKE_PTR(f->congested));
	forward_gc_arm(sw);
}

void forward_batch(struct vde_switch *sw, struct endpoint *ep, const uint32_t *len, unsigned count)
{
	struct forward *f = sw->forward;

	for (unsigned i = 0; i < count; i++)
		frame_set(&f->frames[i], forward_buffer(f, i), len[i]);
	forward_frames(sw, ep, count);
}
