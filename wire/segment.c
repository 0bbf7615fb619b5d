/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules for the headers of segment i (as the kernel's software segmentation has them): IPv4
 * identification + i; for TCP the sequence number + bytes before it, FIN and PSH on the last
 * segment only, CWR on the first only; lengths and checksums anew. The rest is as in the
 * super-frame.
 *
 * A checksum is a sum, so what is the same in all segments is added up once (segment_plan()), and
 * what differs is added to that for each.
 */
#include "wire/segment.h"

#include <errno.h>

#include "wire/checksum.h"

static struct ipv4_header *ipv4_of(const struct transport_layout *l, uint8_t *head)
{
	return (struct ipv4_header *)(head + l->ip);
}

static struct ipv6_header *ipv6_of(const struct transport_layout *l, uint8_t *head)
{
	return (struct ipv6_header *)(head + l->ip);
}

static struct tcp_header *tcp_of(const struct transport_layout *l, uint8_t *head)
{
	return (struct tcp_header *)(head + l->transport);
}

static struct udp_header *udp_of(const struct transport_layout *l, uint8_t *head)
{
	return (struct udp_header *)(head + l->transport);
}

/* --- the plan --------------------------------------------------------------------------- */

/* Takes what differs from segment to segment out of a copy of the headers. */
static void plan_take_varying(struct segment_plan *plan, uint8_t *head)
{
	const struct transport_layout *l = &plan->layout;
	uint16_t none = 0;

	if (l->version == 4) {
		struct ipv4_header *ip = ipv4_of(l, head);

		plan->ip_id = be16toh(ip->id);
		ip->total_len = ip->id = ip->checksum = 0;
		plan->ip_sum = checksum_fold(checksum_add(0, ip, l->transport - l->ip));
	}
	if (l->protocol == IP_PROTOCOL_TCP) {
		plan->seq = be32toh(tcp_of(l, head)->seq);
		tcp_of(l, head)->seq = 0;
		tcp_of(l, head)->flags = 0;
	} else {
		udp_of(l, head)->len = 0;
	}
	memcpy(head + transport_csum_field(l), &none, sizeof(none));
	plan->transport_sum = checksum_fold(checksum_add(
		transport_pseudo_sum(head, l, 0), head + l->transport, l->payload - l->transport));
}

void segment_plan(struct segment_plan *plan, const uint8_t *head,
		  const struct transport_layout *layout, uint16_t size)
{
	uint8_t copy[SEGMENT_HEADERS_MAX];

	plan->head = head;
	plan->layout = *layout;
	plan->size = size;
	plan->payload_len = layout->end - layout->payload;
	plan->count = plan->payload_len ? (plan->payload_len + size - 1) / size : 1;
	memcpy(copy, head, layout->payload);
	plan_take_varying(plan, copy);
}

static void head_fix_ip(const struct segment_plan *plan, uint32_t index, uint8_t *head,
			size_t ip_len)
{
	const struct transport_layout *l = &plan->layout;

	if (l->version == 4) {
		struct ipv4_header *ip = ipv4_of(l, head);

		ip->total_len = htobe16((uint16_t)ip_len);
		ip->id = htobe16((uint16_t)(plan->ip_id + index));
		ip->checksum = checksum_finish(plan->ip_sum + ip->total_len + ip->id);
	} else {
		ipv6_of(l, head)->payload_len =
			htobe16((uint16_t)(ip_len - sizeof(struct ipv6_header)));
	}
}

/* Returns the sum of what differs in the transport header. */
static uint64_t head_fix_tcp(const struct segment_plan *plan, uint32_t index,
			     struct tcp_header *tcp)
{
	uint8_t changed[2] = { 0, tcp->flags }; /* its place in a 16-bit word */
	uint16_t word;

	if (index + 1 < plan->count)
		changed[1] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (index > 0)
		changed[1] &= (uint8_t)~TCP_CWR;
	tcp->flags = changed[1];
	tcp->seq = htobe32(plan->seq + index * plan->size);
	memcpy(&word, changed, sizeof(word));
	return (uint64_t)word + tcp->seq;
}

uint64_t segment_head(const struct segment_plan *plan, uint32_t index, uint8_t *to)
{
	const struct transport_layout *l = &plan->layout;
	uint32_t payload_len = segment_payload(plan, index);
	uint32_t transport_len = l->payload - l->transport + payload_len;
	uint64_t varying = htobe32(transport_len);

	memcpy(to, plan->head, l->payload);
	head_fix_ip(plan, index, to, l->payload - l->ip + payload_len);
	if (l->protocol == IP_PROTOCOL_TCP) {
		varying += head_fix_tcp(plan, index, tcp_of(l, to));
	} else {
		udp_of(l, to)->len = htobe16((uint16_t)transport_len);
		varying += udp_of(l, to)->len;
	}
	return plan->transport_sum + varying;
}

void segment_seal(const struct transport_layout *layout, uint8_t *head, uint64_t sum)
{
	uint16_t field = checksum_finish(sum);

	if (field == 0 && layout->protocol == IP_PROTOCOL_UDP)
		field = 0xffff; /* the same number; 0 would mean "no checksum" */
	memcpy(head + transport_csum_field(layout), &field, sizeof(field));
}

/* --- in place --------------------------------------------------------------------------- */

void segment_clear(struct segment *s)
{
	s->whole = true;
	s->plan.count = s->index = 0;
}

static int segment_complete(const struct vnet_header *vnet, uint8_t *frame, size_t len)
{
	size_t start = vnet->csum_start, at = start + vnet->csum_offset;
	uint16_t sum;

	if (!(vnet->flags & VNET_NEEDS_CSUM))
		return 0;
	if (start < ETHER_HEADER_SIZE || at + sizeof(sum) > len)
		return -EBADMSG;
	/* The field holds the sum of the pseudo header and is part of what is added. */
	sum = checksum(frame + start, len - start);
	if (sum == 0)
		sum = 0xffff; /* the same number; in UDP 0 would mean "no checksum" */
	memcpy(frame + at, &sum, sizeof(sum));
	return 0;
}

/* Whether a super-frame of this type may have this layout. */
static bool segment_type_fits(uint8_t type, const struct transport_layout *l)
{
	if (type == VNET_GSO_UDP_L4)
		return l->protocol == IP_PROTOCOL_UDP;
	return l->protocol == IP_PROTOCOL_TCP && l->version == (type == VNET_GSO_TCPV4 ? 4 : 6);
}

int segment_parse(const struct vnet_header *vnet, const void *head, size_t have, size_t len,
		  struct transport_layout *ret)
{
	uint8_t type = vnet->gso_type & (uint8_t)~VNET_GSO_ECN;
	int r;

	if (type != VNET_GSO_TCPV4 && type != VNET_GSO_TCPV6 && type != VNET_GSO_UDP_L4)
		return -EPROTONOSUPPORT;
	if (vnet->gso_size < VNET_GSO_SIZE_MIN || len > VNET_FRAME_MAX)
		return -EBADMSG;
	r = transport_parse(head, MIN(have, (size_t)SEGMENT_HEADERS_MAX), len, true, ret);
	if (r < 0 || !segment_type_fits(type, ret))
		return -EBADMSG;
	return ret->end - ret->ip <= IP_PACKET_MAX ? 0 : -EBADMSG;
}

int segment_start(struct segment *s, const struct vnet_header *vnet, void *frame, size_t len)
{
	struct transport_layout layout;
	int r;

	s->frame = frame;
	s->len = len;
	s->index = 0;
	s->plan.count = 1;
	s->whole = (vnet->gso_type & (uint8_t)~VNET_GSO_ECN) == VNET_GSO_NONE;
	if (len < ETHER_HEADER_SIZE)
		return -EBADMSG;
	if (s->whole)
		return segment_complete(vnet, frame, len);
	r = segment_parse(vnet, frame, len, len, &layout);
	if (r < 0)
		return r;
	memcpy(s->headers, frame, layout.payload);
	segment_plan(&s->plan, s->headers, &layout, vnet->gso_size);
	return 0;
}

bool segment_next(struct segment *s, const uint8_t **ret_frame, size_t *ret_len)
{
	const struct transport_layout *l = &s->plan.layout;
	uint32_t payload_len;
	uint64_t sum;

	if (s->index >= s->plan.count)
		return false;
	if (s->whole) {
		*ret_frame = s->frame;
		*ret_len = s->len;
	} else {
		uint8_t *frame = s->frame + (size_t)s->index * s->plan.size;

		payload_len = segment_payload(&s->plan, s->index);
		sum = segment_head(&s->plan, s->index, frame);
		segment_seal(l, frame, checksum_add(sum, frame + l->payload, payload_len));
		*ret_frame = frame;
		*ret_len = l->payload + payload_len;
	}
	s->index++;
	return true;
}

size_t segment_left(const struct segment *s)
{
	return s->plan.count - s->index;
}
