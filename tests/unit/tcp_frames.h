/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP segments in Ethernet frames, for the tests of tcp.c, segment.c, coalesce.c. */
#pragma once

#include "wire/checksum.h"
#include "wire/tcp.h"

struct tcp_spec {
	uint8_t version;      /* 4 or 6 */
	unsigned tags;        /* 0 to 2 */
	uint16_t source_port; /* tells streams apart */
	uint32_t seq;
	uint32_t ack;
	uint8_t flags;
	uint16_t id;       /* IPv4 */
	uint8_t tos;
	unsigned options;  /* bytes of TCP options, a multiple of 4 */
	size_t payload_len;
	bool fragments;    /* IPv4 without "don't fragment" */
};

/* The byte of a stream with sequence number SEQ. */
static inline uint8_t stream_byte(uint32_t seq)
{
	return (uint8_t)(seq * 31 + (seq >> 8));
}

static inline size_t put_ethernet(uint8_t *frame, const struct tcp_spec *spec)
{
	size_t at = 12;
	uint16_t type = htobe16(spec->version == 4 ? ETHER_TYPE_IPV4 : ETHER_TYPE_IPV6);

	memset(frame, 2, 6);
	memset(frame + 6, 4, 6);
	for (unsigned i = 0; i < spec->tags; i++) {
		struct ether_tag tag = { htobe16(i + 1 < spec->tags ? ETHER_TYPE_SERVICE_VLAN
								    : ETHER_TYPE_VLAN),
					 htobe16((uint16_t)(7 + i)) };

		memcpy(frame + at, &tag, sizeof(tag));
		at += sizeof(tag);
	}
	memcpy(frame + at, &type, sizeof(type));
	return at + sizeof(type);
}

static inline size_t put_ip(uint8_t *at, const struct tcp_spec *spec, size_t tcp_len)
{
	struct ipv4_header ip4 = {
		.version_ihl = 0x45,
		.tos = spec->tos,
		.total_len = htobe16((uint16_t)(sizeof(ip4) + tcp_len)),
		.id = htobe16(spec->id),
		.fragment_offset = htobe16(spec->fragments ? 0 : 0x4000),
		.ttl = 64,
		.protocol = IP_PROTOCOL_TCP,
		.source = { 10, 0, 0, 1 },
		.dest = { 10, 0, 0, 2 },
	};
	struct ipv6_header ip6 = {
		.version_class_flow = htobe32(0x60000000 | (uint32_t)spec->tos << 20),
		.payload_len = htobe16((uint16_t)tcp_len),
		.next_header = IP_PROTOCOL_TCP,
		.hop_limit = 64,
		.source = { 0xfd, 1 },
		.dest = { 0xfd, 2 },
	};

	ip4.checksum = checksum(&ip4, sizeof(ip4));
	if (spec->version == 4)
		memcpy(at, &ip4, sizeof(ip4));
	else
		memcpy(at, &ip6, sizeof(ip6));
	return spec->version == 4 ? sizeof(ip4) : sizeof(ip6);
}

/* Builds the segment at FRAME, with its checksums; returns its length. */
static inline size_t build_segment(uint8_t *frame, const struct tcp_spec *spec)
{
	struct tcp_header tcp = {
		.source = htobe16(spec->source_port),
		.dest = htobe16(80),
		.seq = htobe32(spec->seq),
		.ack = htobe32(spec->ack),
		.data_offset = (uint8_t)((sizeof(tcp) + spec->options) / 4 << 4),
		.flags = spec->flags,
		.window = htobe16(500),
	};
	size_t header_len = sizeof(tcp) + spec->options, tcp_len = header_len + spec->payload_len;
	struct tcp_layout layout = { .version = spec->version };
	uint8_t *at;

	layout.ip = put_ethernet(frame, spec);
	layout.tcp = layout.ip + put_ip(frame + layout.ip, spec, tcp_len);
	at = frame + layout.tcp;
	memset(at + sizeof(tcp), 1, spec->options); /* no operation */
	for (size_t i = 0; i < spec->payload_len; i++)
		at[header_len + i] = stream_byte(spec->seq + (uint32_t)i);
	memcpy(at, &tcp, sizeof(tcp));
	tcp.checksum = checksum_finish(
		checksum_add(tcp_pseudo_sum(frame, &layout, tcp_len), at, tcp_len));
	memcpy(at, &tcp, sizeof(tcp));
	return layout.tcp + tcp_len;
}
