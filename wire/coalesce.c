/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A segment joins the one before when cutting the result again (segment.h) gives the same two
 * frames: all headers equal but for lengths, checksums, the IPv4 identification (only with "don't
 * fragment", where it has no meaning: RFC 6864) and the sequence number, which continues; and the
 * one before is as long as the first. A shorter segment, or one with PSH, ends the super-frame.
 * Only plain data is joined: ACK is set and nothing else but PSH. A segment with a wrong checksum is
 * passed as it is, for the receiver to count.
 */
#include "wire/coalesce.h"

#include "wire/checksum.h"

#define IPV4_DONT_FRAGMENT 0x4000
#define IP_PACKET_MAX      65535

struct candidate {
	const uint8_t *frame;
	struct tcp_layout layout;
	size_t payload_len;
	bool joinable; /* may be held at all; false: only its stream is known */
};

static const struct tcp_header *tcp_of(const uint8_t *frame, const struct tcp_layout *layout)
{
	return (const struct tcp_header *)(frame + layout->tcp);
}

static bool checksum_good(const uint8_t *frame, const struct tcp_layout *l)
{
	size_t tcp_len = l->end - l->tcp;
	uint64_t sum = tcp_pseudo_sum(frame, l, tcp_len);

	return checksum_finish(checksum_add(sum, frame + l->tcp, tcp_len)) == 0;
}

static bool ipv4_plain(const uint8_t *frame, const struct tcp_layout *l)
{
	const struct ipv4_header *ip = (const struct ipv4_header *)(frame + l->ip);

	return l->tcp - l->ip == sizeof(*ip) &&
	       be16toh(ip->fragment_offset) == IPV4_DONT_FRAGMENT && checksum(ip, sizeof(*ip)) == 0;
}

/* False when FRAME is no TCP segment. */
static bool candidate_parse(struct candidate *candidate, const uint8_t *frame, size_t len)
{
	struct tcp_layout *l = &candidate->layout;

	if (tcp_parse(frame, len, false, l) < 0)
		return false;
	candidate->frame = frame;
	candidate->payload_len = l->end - l->payload;
	candidate->joinable = candidate->payload_len > 0 &&
			      (tcp_of(frame, l)->flags & ~TCP_PSH) == TCP_ACK &&
			      (l->version == 6 || ipv4_plain(frame, l)) && checksum_good(frame, l);
	return true;
}

/* The same stream: link and network addresses, tags and ports. */
static bool same_stream(const struct coalesce_slot *slot, const struct candidate *candidate)
{
	const struct tcp_layout *l = &candidate->layout;
	size_t addresses = l->version == 4 ? 8 : 32;
	size_t at = l->ip + (l->version == 4 ? offsetof(struct ipv4_header, source)
					     : offsetof(struct ipv6_header, source));

	return slot->layout.version == l->version && slot->layout.ip == l->ip &&
	       slot->layout.tcp == l->tcp && memcmp(slot->frame, candidate->frame, l->ip) == 0 &&
	       memcmp(slot->frame + at, candidate->frame + at, addresses) == 0 &&
	       memcmp(slot->frame + l->tcp, candidate->frame + l->tcp, 4) == 0;
}

static bool same_ip(const uint8_t *a, const uint8_t *b, const struct tcp_layout *l)
{
	const struct ipv4_header *a4 = (const void *)(a + l->ip), *b4 = (const void *)(b + l->ip);
	const struct ipv6_header *a6 = (const void *)(a + l->ip), *b6 = (const void *)(b + l->ip);

	if (l->version == 4)
		return a4->tos == b4->tos && a4->ttl == b4->ttl;
	return a6->version_class_flow == b6->version_class_flow && a6->hop_limit == b6->hop_limit;
}

/* Of a stream that is the slot's: whether the segment goes on where the slot ends. */
static bool continues(const struct coalesce_slot *slot, const struct candidate *candidate)
{
	const struct tcp_layout *l = &candidate->layout;
	const struct tcp_header *a = tcp_of(slot->frame, &slot->layout);
	const struct tcp_header *b = tcp_of(candidate->frame, l);
	size_t options = l->payload - l->tcp - sizeof(*a);

	return slot->layout.payload == l->payload && be32toh(b->seq) == slot->next_seq &&
	       a->ack == b->ack && a->window == b->window && a->urgent == b->urgent &&
	       candidate->payload_len <= slot->size &&
	       slot->len - l->ip + candidate->payload_len <= IP_PACKET_MAX &&
	       same_ip(slot->frame, candidate->frame, l) && memcmp(a + 1, b + 1, options) == 0;
}

/* Gives the held segments the headers of one large one. */
static void slot_finish(struct coalesce_slot *slot, struct vnet_header *vnet)
{
	const struct tcp_layout *l = &slot->layout;
	struct tcp_header *tcp = (struct tcp_header *)(slot->frame + l->tcp);
	size_t ip_len = slot->len - l->ip;

	if (l->version == 4) {
		struct ipv4_header *ip = (struct ipv4_header *)(slot->frame + l->ip);

		ip->total_len = htobe16((uint16_t)ip_len);
		ip->checksum = 0;
		ip->checksum = checksum(ip, sizeof(*ip));
	} else {
		struct ipv6_header *ip = (struct ipv6_header *)(slot->frame + l->ip);

		ip->payload_len = htobe16((uint16_t)(ip_len - sizeof(*ip)));
	}
	/* What VNET_NEEDS_CSUM expects in the field: the sum of the pseudo header. */
	tcp->checksum = (uint16_t)~checksum_finish(
		tcp_pseudo_sum(slot->frame, l, slot->len - l->tcp));
	vnet->flags = VNET_NEEDS_CSUM;
	vnet->gso_type = l->version == 4 ? VNET_GSO_TCPV4 : VNET_GSO_TCPV6;
	vnet->hdr_len = (uint16_t)l->payload;
	vnet->gso_size = slot->size;
	vnet->csum_start = (uint16_t)l->tcp;
	vnet->csum_offset = TCP_CSUM_OFFSET;
}

static void slot_emit(struct coalesce *c, struct coalesce_slot *slot)
{
	struct vnet_header vnet = { 0 };

	if (slot->segments > 1)
		slot_finish(slot, &vnet);
	c->emit(c->context, &vnet, slot->frame, slot->len);
	slot->len = 0;
	c->held--;
}

static struct coalesce_slot *slot_find(struct coalesce *c, const struct candidate *candidate)
{
	for (size_t i = 0; c->held && i < COALESCE_SLOTS; i++)
		if (c->slot[i].len && same_stream(&c->slot[i], candidate))
			return &c->slot[i];
	return NULL;
}

/* A free slot; when there is none, the oldest after what it holds went out. */
static struct coalesce_slot *slot_get(struct coalesce *c)
{
	struct coalesce_slot *oldest = &c->slot[0];

	for (size_t i = 0; i < COALESCE_SLOTS; i++) {
		if (!c->slot[i].len)
			return &c->slot[i];
		if (c->slot[i].age < oldest->age)
			oldest = &c->slot[i];
	}
	slot_emit(c, oldest);
	return oldest;
}

static void slot_append(struct coalesce *c, struct coalesce_slot *slot,
			const struct candidate *candidate)
{
	const struct tcp_header *tcp = tcp_of(candidate->frame, &candidate->layout);
	struct tcp_header *first = (struct tcp_header *)(slot->frame + slot->layout.tcp);

	memcpy(slot->frame + slot->len, candidate->frame + candidate->layout.payload,
	       candidate->payload_len);
	slot->len += candidate->payload_len;
	slot->next_seq += (uint32_t)candidate->payload_len;
	slot->segments++;
	first->flags |= tcp->flags & TCP_PSH;
	if (candidate->payload_len < slot->size || tcp->flags & TCP_PSH)
		slot_emit(c, slot);
}

static void slot_begin(struct coalesce *c, const struct candidate *candidate)
{
	struct coalesce_slot *slot = slot_get(c);
	const struct tcp_layout *l = &candidate->layout;

	memcpy(slot->frame, candidate->frame, l->end);
	slot->len = l->end;
	slot->layout = *l;
	slot->segments = 1;
	slot->size = (uint16_t)candidate->payload_len;
	slot->next_seq = be32toh(tcp_of(slot->frame, l)->seq) + (uint32_t)candidate->payload_len;
	slot->age = c->clock++;
	c->held++;
}

void coalesce_init(struct coalesce *c, coalesce_emit *emit, void *context)
{
	c->emit = emit;
	c->context = context;
	c->clock = 0;
	c->held = 0;
	for (size_t i = 0; i < COALESCE_SLOTS; i++)
		c->slot[i].len = 0;
}

void coalesce_add(struct coalesce *c, const uint8_t *frame, size_t len)
{
	const struct vnet_header plain = { 0 };
	struct coalesce_slot *slot;
	struct candidate candidate;

	if (len > VNET_FRAME_MAX || !candidate_parse(&candidate, frame, len)) {
		c->emit(c->context, &plain, frame, len);
		return;
	}
	slot = slot_find(c, &candidate);
	if (slot && candidate.joinable && continues(slot, &candidate)) {
		slot_append(c, slot, &candidate);
		return;
	}
	if (slot)
		slot_emit(c, slot);
	if (candidate.joinable && candidate.payload_len >= VNET_GSO_SIZE_MIN &&
	    !(tcp_of(frame, &candidate.layout)->flags & TCP_PSH))
		slot_begin(c, &candidate);
	else
		c->emit(c->context, &plain, frame, len);
}

void coalesce_flush(struct coalesce *c)
{
	for (size_t i = 0; c->held && i < COALESCE_SLOTS; i++)
		if (c->slot[i].len)
			slot_emit(c, &c->slot[i]);
}
