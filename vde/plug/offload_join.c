/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A packet joins the one before when cutting the result again (wire/segment.h) gives the same two
 * frames: all headers equal but for lengths, checksums, the IPv4 identification (which counts up,
 * or has no meaning with "don't fragment": RFC 6864) and the sequence number, which continues; and
 * the one before is as long as the first. A shorter packet, or one with PSH, ends the super-frame.
 * Of TCP only plain data is joined: ACK is set and nothing else but PSH. UDP without a checksum is
 * not, since cutting would give it one. A packet with a wrong checksum is passed as it is, for the
 * receiver to count.
 *
 * A stream has a slot while packets of it come. The slot refers to their payload where it is, and
 * the next packet's headers are compared with the first one's. Checksums are verified only when two
 * packets are about to be joined.
 */
#include <errno.h>
#include <stdlib.h>

#include "vde/plug/offload_internal.h"
#include "wire/checksum.h"

#define IPV4_DONT_FRAGMENT 0x4000
#define PIECES_MAX         (OFFLOAD_JOIN_MAX + 1) /* headers and payloads */

/* A packet that is looked at, or the first one of a slot. */
struct packet {
	const struct offload_frame *of;
	const uint8_t *head;
	const uint8_t *payload;
	uint32_t payload_len;
	bool verified; /* or unfinished, which is as good */
	struct transport_layout layout;
};

struct slot {
	unsigned segments; /* 0: the slot is free */
	uint16_t size;     /* payload of the first packet */
	uint16_t ip_id;    /* of the first */
	uint32_t next_seq;
	uint32_t payload_len;
	bool push;
	uint64_t age; /* when it was begun, to find the oldest */
	struct packet first;
	struct offload_tag tag;
	struct iovec payload[OFFLOAD_JOIN_MAX];
};

struct offload_join {
	uint64_t features;
	offload_emit *emit;
	void *context;
	uint64_t clock; /* counts begun slots */
	unsigned held;  /* slots in use */
	struct slot slot[OFFLOAD_JOIN_SLOTS];
};

/* --- packets ---------------------------------------------------------------------------- */

static const struct tcp_header *packet_tcp(const struct packet *p)
{
	return (const struct tcp_header *)(p->head + p->layout.transport);
}

static const struct ipv4_header *packet_ipv4(const struct packet *p)
{
	return (const struct ipv4_header *)(p->head + p->layout.ip);
}

static bool packet_is_tcp(const struct packet *p)
{
	return p->layout.protocol == IP_PROTOCOL_TCP;
}

/* 0, or what transport_parse() says of a frame that is no packet of a stream. */
static int packet_parse(struct packet *p, const struct offload_frame *of)
{
	int r = 0;

	p->of = of;
	p->head = of->room + of->head_at;
	p->verified = of->kind != OFFLOAD_PLAIN;
	p->layout = of->layout;
	if (of->kind == OFFLOAD_PLAIN)
		r = transport_parse(p->head, of->head_len, of->len, false, &p->layout);
	if (r < 0)
		return r;
	/* The head of a plain frame has payload, too; it stands in one piece before the rest. */
	p->payload = of->rest - (of->head_len - p->layout.payload);
	p->payload_len = p->layout.end - p->layout.payload;
	return 0;
}

static bool packet_verify(struct packet *p)
{
	const struct transport_layout *l = &p->layout;
	uint64_t sum;

	if (p->verified)
		return true;
	sum = transport_pseudo_sum(p->head, l, l->end - l->transport);
	sum = checksum_add(sum, p->head + l->transport, l->payload - l->transport);
	p->verified = checksum_finish(checksum_add(sum, p->payload, p->payload_len)) == 0;
	return p->verified;
}

/* The feature that a super-frame of such packets needs. */
static uint64_t packet_feature(const struct packet *p)
{
	if (!packet_is_tcp(p))
		return VDE_RING_F_USO;
	return p->layout.version == 4 ? VDE_RING_F_TSO4 : VDE_RING_F_TSO6;
}

/* Whether it may be part of a super-frame at all; its own checksum is not looked at. */
static bool packet_joinable(const struct packet *p, uint64_t features)
{
	const struct transport_layout *l = &p->layout;
	const struct udp_header *udp = (const void *)packet_tcp(p);

	if (p->of->segments > 1 || p->payload_len == 0 || !(features & packet_feature(p)))
		return false;
	if (packet_is_tcp(p) ? (packet_tcp(p)->flags & ~TCP_PSH) != TCP_ACK : udp->checksum == 0)
		return false;
	return l->version == 6 || checksum(packet_ipv4(p), l->transport - l->ip) == 0;
}

/* The same stream: link and network addresses, tags and ports. */
static bool packet_same_stream(const struct packet *a, const struct packet *b)
{
	const struct transport_layout *l = &a->layout;
	size_t addresses = l->version == 4 ? 8 : 32;
	size_t at = l->ip + (l->version == 4 ? offsetof(struct ipv4_header, source)
					     : offsetof(struct ipv6_header, source));

	return memcmp(a->head + l->transport, b->head + b->layout.transport, 4) == 0 &&
	       l->protocol == b->layout.protocol && l->ip == b->layout.ip &&
	       memcmp(a->head, b->head, l->ip) == 0 &&
	       memcmp(a->head + at, b->head + at, addresses) == 0;
}

/* --- what leaves ------------------------------------------------------------------------ */

static void emit_frame(struct offload_join *join, const struct offload_frame *of,
		       const struct offload_tag *tag)
{
	struct iovec iov[OFFLOAD_PIECES];
	int delta = offload_tag_delta(tag);
	struct offload_out out = {
		.vnet = offload_vnet(of, tag),
		.iov = iov,
		.count = offload_gather(of, tag, iov),
		.len = of->len + (size_t)delta,
		.segments = of->segments,
		.wire_bytes = of->wire_bytes + (size_t)delta * of->segments,
	};

	join->emit(join->context, &out);
}

/* Makes the frame whose headers all others' were like a super-frame of the whole payload. */
static void slot_headers(const struct slot *slot, struct offload_frame *super)
{
	const struct transport_layout *l = &slot->first.layout;

	offload_super(super, slot->first.head, l, slot->payload_len, slot->size);
	if (slot->push)
		((struct tcp_header *)(offload_head(super) + l->transport))->flags |= TCP_PSH;
	if (slot->tag.change == OFFLOAD_PUSH)
		offload_push_tag(super, &slot->tag.tag);
	else if (slot->tag.change == OFFLOAD_POP)
		offload_pop_tag(super);
}

static void slot_emit(struct offload_join *join, struct slot *slot)
{
	unsigned segments = slot->segments;
	struct offload_frame super;
	struct iovec iov[PIECES_MAX];
	struct offload_out out = { .iov = iov, .count = segments + 1, .segments = segments };

	slot->segments = 0;
	join->held--;
	if (segments == 1) {
		emit_frame(join, slot->first.of, &slot->tag);
		return;
	}
	slot_headers(slot, &super);
	iov[0] = (struct iovec){ offload_head(&super), super.head_len };
	memcpy(iov + 1, slot->payload, segments * sizeof(*iov));
	out.vnet = super.vnet;
	out.len = super.len;
	out.wire_bytes = super.wire_bytes;
	join->emit(join->context, &out);
}

/* --- slots ------------------------------------------------------------------------------ */

static struct slot *slot_find(struct offload_join *join, const struct packet *p,
			      const struct offload_tag *tag)
{
	for (size_t i = 0; join->held && i < OFFLOAD_JOIN_SLOTS; i++) {
		struct slot *slot = &join->slot[i];

		if (slot->segments && packet_same_stream(&slot->first, p) &&
		    slot->tag.change == tag->change &&
		    (tag->change != OFFLOAD_PUSH ||
		     memcmp(&slot->tag.tag, &tag->tag, sizeof(tag->tag)) == 0))
			return slot;
	}
	return NULL;
}

/* A free slot; when there is none, the oldest after what it holds went out. */
static struct slot *slot_get(struct offload_join *join)
{
	struct slot *oldest = &join->slot[0];

	for (size_t i = 0; i < OFFLOAD_JOIN_SLOTS; i++) {
		if (!join->slot[i].segments)
			return &join->slot[i];
		if (join->slot[i].age < oldest->age)
			oldest = &join->slot[i];
	}
	slot_emit(join, oldest);
	return oldest;
}

/* Of one stream with the same sizes of headers: all of IP is equal but lengths and the checksum. */
static bool same_ip(const struct packet *a, const struct packet *b)
{
	const struct transport_layout *l = &a->layout;
	size_t header = l->version == 4 ? sizeof(struct ipv4_header) : sizeof(struct ipv6_header);
	const struct ipv4_header *a4 = packet_ipv4(a), *b4 = packet_ipv4(b);
	const struct ipv6_header *a6 = (const void *)a4, *b6 = (const void *)b4;

	if (l->version == 4 && (a4->tos != b4->tos || a4->fragment_offset != b4->fragment_offset ||
				a4->ttl != b4->ttl))
		return false;
	if (l->version == 6 &&
	    (a6->version_class_flow != b6->version_class_flow ||
	     a6->next_header != b6->next_header || a6->hop_limit != b6->hop_limit))
		return false;
	/* Options or extension headers. */
	return l->ip + header == l->transport ||
	       memcmp(a->head + l->ip + header, b->head + l->ip + header,
		      l->transport - l->ip - header) == 0;
}

/* All of TCP is equal but flags (which packet_joinable() knows), sequence number, checksum. */
static bool same_tcp(const struct packet *a, const struct packet *b)
{
	const struct tcp_header *ta = packet_tcp(a), *tb = packet_tcp(b);
	size_t options = a->layout.payload - a->layout.transport - sizeof(*ta);

	return ta->ack == tb->ack && ta->data_offset == tb->data_offset &&
	       ta->window == tb->window && ta->urgent == tb->urgent &&
	       (options == 0 || memcmp(ta + 1, tb + 1, options) == 0);
}

/* Cutting will count the identification up; without "don't fragment" somebody may need it. */
static bool slot_has_id(const struct slot *slot, const struct packet *p)
{
	const struct ipv4_header *ip = packet_ipv4(p);

	return p->layout.version == 6 || be16toh(ip->fragment_offset) & IPV4_DONT_FRAGMENT ||
	       be16toh(ip->id) == (uint16_t)(slot->ip_id + slot->segments);
}

/* Of a stream that is the slot's: whether the packet goes on where the slot ends. */
static bool slot_continues(const struct slot *slot, const struct packet *p)
{
	const struct transport_layout *l = &p->layout;

	if (slot->first.layout.payload != l->payload ||
	    slot->first.layout.transport != l->transport || p->payload_len > slot->size ||
	    l->payload - l->ip + slot->payload_len + p->payload_len > IP_PACKET_MAX)
		return false;
	if (packet_is_tcp(p) &&
	    (be32toh(packet_tcp(p)->seq) != slot->next_seq || !same_tcp(&slot->first, p)))
		return false;
	return same_ip(&slot->first, p) && slot_has_id(slot, p);
}

static void slot_append(struct offload_join *join, struct slot *slot, const struct packet *p)
{
	slot->payload[slot->segments++] =
		(struct iovec){ (void *)(uintptr_t)p->payload, p->payload_len };
	slot->payload_len += p->payload_len;
	slot->next_seq += p->payload_len;
	slot->push = packet_is_tcp(p) && packet_tcp(p)->flags & TCP_PSH;
	if (p->payload_len < slot->size || slot->push || slot->segments == OFFLOAD_JOIN_MAX)
		slot_emit(join, slot);
}

static void slot_begin(struct offload_join *join, const struct packet *p,
		       const struct offload_tag *tag)
{
	struct slot *slot = slot_get(join);

	slot->segments = 1;
	slot->size = (uint16_t)p->payload_len;
	slot->ip_id = p->layout.version == 4 ? be16toh(packet_ipv4(p)->id) : 0;
	slot->next_seq = packet_is_tcp(p) ? be32toh(packet_tcp(p)->seq) + p->payload_len : 0;
	slot->payload_len = p->payload_len;
	slot->push = false;
	slot->age = join->clock++;
	slot->first = *p;
	slot->tag = *tag;
	slot->payload[0] = (struct iovec){ (void *)(uintptr_t)p->payload, p->payload_len };
	join->held++;
}

/* A super-frame with a third tag would be refused. */
static bool may_begin(const struct packet *p, const struct offload_tag *tag)
{
	return p->payload_len >= VNET_GSO_SIZE_MIN &&
	       !(packet_is_tcp(p) && packet_tcp(p)->flags & TCP_PSH) &&
	       !(tag->change == OFFLOAD_PUSH && p->layout.tags == 2);
}

void offload_join_add(struct offload_join *join, const struct offload_frame *of,
		      const struct offload_tag *tag)
{
	struct slot *slot;
	struct packet p;
	bool joinable;
	int r = packet_parse(&p, of);

	if (r < 0) {
		if (r == -EBADMSG) /* perhaps a fragment, of any stream */
			offload_join_flush(join);
		emit_frame(join, of, tag);
		return;
	}
	slot = slot_find(join, &p, tag);
	joinable = packet_joinable(&p, join->features);
	if (slot && joinable && slot_continues(slot, &p) && packet_verify(&slot->first) &&
	    packet_verify(&p)) {
		slot_append(join, slot, &p);
		return;
	}
	if (slot)
		slot_emit(join, slot);
	if (joinable && may_begin(&p, tag))
		slot_begin(join, &p, tag);
	else
		emit_frame(join, of, tag);
}

void offload_join_flush(struct offload_join *join)
{
	for (size_t i = 0; join->held && i < OFFLOAD_JOIN_SLOTS; i++)
		if (join->slot[i].segments)
			slot_emit(join, &join->slot[i]);
}

int offload_join_new(uint64_t features, offload_emit *emit, void *context,
		     struct offload_join **ret)
{
	struct offload_join *join = calloc(1, sizeof(*join));

	if (!join)
		return -ENOMEM;
	join->features = features & VDE_RING_F_CSUM ? features : 0;
	join->emit = emit;
	join->context = context;
	*ret = join;
	return 0;
}

void offload_join_free(struct offload_join *join)
{
	free(join);
}
