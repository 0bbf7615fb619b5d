/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules for the headers of segment i (as the kernel's software segmentation has them): IPv4
 * identification + i; sequence number + bytes before it; FIN and PSH on the last segment only, CWR
 * on the first only; lengths and checksums anew. The rest is as in the super-frame.
 */
#include "wire/segment.h"

#include <errno.h>

#include "wire/checksum.h"

void segment_clear(struct segment *s)
{
	s->whole = true;
	s->len = s->at = 0;
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

int segment_start(struct segment *s, const struct vnet_header *vnet, void *frame, size_t len)
{
	uint8_t type = vnet->gso_type & (uint8_t)~VNET_GSO_ECN;
	int r;

	s->frame = frame;
	s->len = len;
	s->index = 0;
	s->at = 0;
	s->size = 0;
	s->whole = type == VNET_GSO_NONE;
	if (len < ETHER_HEADER_SIZE)
		return -EBADMSG;
	if (s->whole)
		return segment_complete(vnet, frame, len);
	if (type != VNET_GSO_TCPV4 && type != VNET_GSO_TCPV6)
		return -EPROTONOSUPPORT;
	r = tcp_parse(frame, len, true, &s->layout);
	if (r < 0)
		return r;
	if (s->layout.version != (type == VNET_GSO_TCPV4 ? 4 : 6) || vnet->gso_size < VNET_GSO_SIZE_MIN)
		return -EBADMSG;
	if (s->layout.payload > sizeof(s->headers) || s->layout.payload >= len)
		return -EBADMSG;
	s->size = vnet->gso_size;
	s->at = s->layout.payload;
	memcpy(s->headers, frame, s->layout.payload);
	return 0;
}

static void segment_fix_ip(const struct segment *s, uint8_t *frame, size_t payload_len)
{
	const struct tcp_layout *l = &s->layout;
	size_t ip_len = l->payload - l->ip + payload_len;

	if (l->version == 4) {
		struct ipv4_header *ip = (struct ipv4_header *)(frame + l->ip);

		ip->total_len = htobe16((uint16_t)ip_len);
		ip->id = htobe16((uint16_t)(be16toh(ip->id) + s->index));
		ip->checksum = 0;
		ip->checksum = checksum(ip, l->tcp - l->ip);
	} else {
		struct ipv6_header *ip = (struct ipv6_header *)(frame + l->ip);

		ip->payload_len = htobe16((uint16_t)(ip_len - sizeof(*ip)));
	}
}

static void segment_fix_tcp(const struct segment *s, uint8_t *frame, size_t payload_len, bool last)
{
	const struct tcp_layout *l = &s->layout;
	struct tcp_header *tcp = (struct tcp_header *)(frame + l->tcp);
	size_t tcp_len = l->payload - l->tcp + payload_len;

	tcp->seq = htobe32(be32toh(tcp->seq) + (uint32_t)(s->at - l->payload));
	if (!last)
		tcp->flags &= (uint8_t)~(TCP_FIN | TCP_PSH);
	if (s->index > 0)
		tcp->flags &= (uint8_t)~TCP_CWR;
	tcp->checksum = 0;
	tcp->checksum = checksum_finish(
		checksum_add(tcp_pseudo_sum(frame, l, tcp_len), tcp, tcp_len));
}

bool segment_next(struct segment *s, const uint8_t **ret_frame, size_t *ret_len)
{
	size_t payload_len;
	uint8_t *frame;

	if (s->at >= s->len)
		return false;
	if (s->whole) {
		*ret_frame = s->frame;
		*ret_len = s->len;
		s->at = s->len;
		return true;
	}
	payload_len = MIN(s->len - s->at, s->size);
	frame = s->frame + s->at - s->layout.payload;
	memcpy(frame, s->headers, s->layout.payload);
	segment_fix_ip(s, frame, payload_len);
	segment_fix_tcp(s, frame, payload_len, s->at + payload_len == s->len);
	*ret_frame = frame;
	*ret_len = s->layout.payload + payload_len;
	s->at += payload_len;
	s->index++;
	return true;
}

size_t segment_left(const struct segment *s)
{
	if (s->whole)
		return s->at < s->len;
	return (s->len - s->at + s->size - 1) / s->size;
}
