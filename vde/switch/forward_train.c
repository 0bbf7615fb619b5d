/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trains: frames of a batch that follow one with the same addresses, type and tag. What was decided
 * about the first holds for the others, since nothing that decisions depend on changes between them. So they
 * are only compared, checked for their length, and given to the same endpoints; they are counted when the
 * train is over, which it is at the first frame that is another.
 *
 * Only plain frames to a port that is known make a train, while nobody wants to look at each of them.
 */
#include "vde/switch/forward_internal.h"

#include "vde/switch/capture.h"
#include "vde/switch/plugin_host.h"
#include "vde/switch/vlan.h"

/* The addresses and the type, and the tag's VLAN and priority. */
static bool same_header(const uint8_t *a, const uint8_t *b, bool tagged)
{
	uint64_t x[2], y[2];
	const size_t second = (tagged ? ETHER_HEADER_SIZE + sizeof(uint16_t) : ETHER_HEADER_SIZE) - 8;

	memcpy(&x[0], a, 8);
	memcpy(&y[0], b, 8);
	memcpy(&x[1], a + second, 8);
	memcpy(&y[1], b + second, 8);
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

static void count(struct traffic *traffic, const struct train *train)
{
	traffic->packets += train->frames;
	traffic->bytes += train->bytes;
}

void train_end(struct forward *f, struct endpoint *ep)
{
	struct train *train = &f->train;

	if (train->frames) {
		count(&ep->counters.in, train);
		count(&ep->port->counters.in, train);
		count(&train->vlan->counters.in, train);
		count(&train->vlan->counters.out, train);
	}
	*train = (struct train){ .first = NULL };
}

void train_start(struct vde_switch *sw, struct endpoint *ep, const struct frame *first,
		 struct vlan *vlan, struct port *to)
{
	struct forward *f = sw->forward;

	if (first->work || capture_wants(sw, ep->port) || capture_wants(sw, to) ||
	    plugin_host_wants_packets(sw, false) || plugin_host_wants_packets(sw, true))
		return;
	f->train = (struct train){ .first = first, .vlan = vlan, .to = to,
				   .leaves_tagged = vlan_is_tagged(vlan, to->number) };
}

bool train_follow(struct forward *f, struct endpoint *ep, unsigned index)
{
	struct train *train = &f->train;
	struct frame *frame = &f->frames[index];

	if (!train->first || frame->work || frame->len > ep->max_in ||
	    frame->head_len < ETHER_HEADER_SIZE + ETHER_TAG_SIZE ||
	    !same_header(frame->head, train->first->head, train->first->tagged))
		return false;
	frame->tagged = train->first->tagged;
	frame->vlan = train->first->vlan;
	frame->push = train->first->push;
	frame->known = true;
	train->frames++;
	train->bytes += frame->len;
	for (struct endpoint *to = train->to->endpoints; to; to = to->next_on_port)
		forward_pend(f, to, index, train->leaves_tagged);
	return true;
}
