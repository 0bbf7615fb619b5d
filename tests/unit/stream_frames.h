/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP segments and UDP datagrams in Ethernet frames, for the tests of what cuts and joins them. */
#pragma once

#include "wire/checksum.h"
#include "wire/transport.h"
#include "wire/vnet.h"

struct stream_spec {
	bool udp;
	uint8_t version;      /* 4 or 6 */
	unsigned tags;        /* 0 to 2 */
	uint16_t source_port; /* tells streams apart */
	uint32_t seq;         /* of UDP: where its payload stands in the pattern */
	uint32_t ack;
	uint8_t flags;
	uint16_t id;          /* IPv4 */
	uint8_t tos;
	unsigned options;     /* bytes of TCP options, a multiple of 4 */
	unsigned ip_options;  /* bytes of IPv4 options, a multiple of 4 */
	bool extensions;      /* IPv6 hop-by-hop, routing and destination headers */
	size_t payload_len;
	bool fragments;       /* IPv4 without "don't fragment" */
};

/* The byte of a stream with sequence number SEQ. */
static inline uint8_t stream_byte(uint32_t seq)
{
	return (uint8_t)(seq * 31 + (seq >> 8));
}

static inline uint8_t spec_protocol(const struct stream_spec *spec)
{
	return spec->udp ? IP_PROTOCOL_UDP : IP_PROTOCOL_TCP;
}

static inline size_t put_ethernet(uint8_t *frame, const struct stream_spec *spec)
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

static inline size_t put_ipv4(uint8_t *at, const struct stream_spec *spec, size_t len)
{
	size_t header_len = sizeof(struct ipv4_header) + spec->ip_options;
	struct ipv4_header ip = {
		.version_ihl = (uint8_t)(0x40 | header_len / 4),
		.tos = spec->tos,
		.total_len = htobe16((uint16_t)(header_len + len)),
		.id = htobe16(spec->id),
		.fragment_offset = htobe16(spec->fragments ? 0 : 0x4000),
		.ttl = 64,
		.protocol = spec_protocol(spec),
		.source = { 10, 0, 0, 1 },
		.dest = { 10, 0, 0, 2 },
	};

	memcpy(at, &ip, sizeof(ip));
	memset(at + sizeof(ip), 1, spec->ip_options); /* no operation */
	ip.checksum = checksum(at, header_len);
	memcpy(at, &ip, sizeof(ip));
	return header_len;
}

/* Where a segment routing header says that the packet goes in the end. */
#define SPEC_FINAL { 0xfd, 9, [15] = 9 }

static inline size_t put_ipv6(uint8_t *at, const struct stream_spec *spec, size_t len)
{
	const struct {
		uint8_t hop_by_hop[8];
		uint8_t routing[8];
		uint8_t segments[2][16]; /* backwards */
		uint8_t destination[16];
	} extensions = {
		.hop_by_hop = { IP_PROTOCOL_ROUTING, 0, 1, 4 }, /* PadN */
		.routing = { IP_PROTOCOL_DESTINATION, 4, 4, 1, 1 },
		.segments = { SPEC_FINAL, { 0xfd, 2 } },
		.destination = { spec_protocol(spec), 1, 1, 12 },
	};
	size_t more = spec->extensions ? sizeof(extensions) : 0;
	struct ipv6_header ip = {
		.version_class_flow = htobe32(0x60000000 | (uint32_t)spec->tos << 20),
		.payload_len = htobe16((uint16_t)(more + len)),
		.next_header = spec->extensions ? IP_PROTOCOL_HOP_BY_HOP : spec_protocol(spec),
		.hop_limit = 64,
		.source = { 0xfd, 1 },
		.dest = { 0xfd, 2 },
	};

	memcpy(at, &ip, sizeof(ip));
	memcpy(at + sizeof(ip), &extensions, more);
	return sizeof(ip) + more;
}

/* The sum of the pseudo header as the RFCs have it, from what was put into the packet. */
static inline uint64_t spec_pseudo_sum(const struct stream_spec *spec, size_t len)
{
	const uint8_t v4[] = { 10, 0, 0, 1, 10, 0, 0, 2 };
	const uint8_t v6[2][16] = { { 0xfd, 1 }, { 0xfd, 2 } }, final[16] = SPEC_FINAL;
	uint32_t numbers[] = { htobe32((uint32_t)len), htobe32(spec_protocol(spec)) };
	uint64_t sum = checksum_add(0, numbers, sizeof(numbers));

	if (spec->version == 4)
		return checksum_add(sum, v4, sizeof(v4));
	sum = checksum_add(sum, v6[0], 16);
	return checksum_add(sum, spec->extensions ? final : v6[1], 16);
}

/* The TCP or UDP header with checksum 0; returns its length. */
static inline size_t put_transport(uint8_t *at, const struct stream_spec *spec, size_t header_len)
{
	struct tcp_header tcp = {
		.source = htobe16(spec->source_port),
		.dest = htobe16(80),
		.seq = htobe32(spec->seq),
		.ack = htobe32(spec->ack),
		.data_offset = (uint8_t)(header_len / 4 << 4),
		.flags = spec->flags,
		.window = htobe16(500),
	};
	struct udp_header udp = {
		.source = tcp.source,
		.dest = tcp.dest,
		.len = htobe16((uint16_t)(header_len + spec->payload_len)),
	};

	if (spec->udp) {
		memcpy(at, &udp, sizeof(udp));
		return offsetof(struct udp_header, checksum);
	}
	memset(at + sizeof(tcp), 1, spec->options); /* no operation */
	memcpy(at, &tcp, sizeof(tcp));
	return offsetof(struct tcp_header, checksum);
}

static inline size_t spec_transport_len(const struct stream_spec *spec)
{
	return spec->udp ? sizeof(struct udp_header) : sizeof(struct tcp_header) + spec->options;
}

/* Builds the packet at FRAME, with its checksums; returns its length. */
static inline size_t build_packet(uint8_t *frame, const struct stream_spec *spec)
{
	size_t header_len = spec_transport_len(spec), len = header_len + spec->payload_len, at, field;
	uint16_t sum;

	at = put_ethernet(frame, spec);
	if (spec->version == 4)
		at += put_ipv4(frame + at, spec, len);
	else
		at += put_ipv6(frame + at, spec, len);
	field = put_transport(frame + at, spec, header_len);
	for (size_t i = 0; i < spec->payload_len; i++)
		frame[at + header_len + i] = stream_byte(spec->seq + (uint32_t)i);
	sum = checksum_finish(checksum_add(spec_pseudo_sum(spec, len), frame + at, len));
	if (spec->udp && sum == 0)
		sum = 0xffff;
	memcpy(frame + at + field, &sum, sizeof(sum));
	return at + len;
}

/*
 * A super-frame as a TAP gives it, only that what is to be written anew is nonsense: the checksum,
 * and the lengths. Returns its length.
 */
static inline size_t build_super(uint8_t *frame, const struct stream_spec *spec, uint16_t size,
				 struct vnet_header *vnet)
{
	size_t len = build_packet(frame, spec), header_len = spec_transport_len(spec);
	size_t transport = len - spec->payload_len - header_len;
	size_t field = spec->udp ? offsetof(struct udp_header, checksum)
				 : offsetof(struct tcp_header, checksum);

	*vnet = (struct vnet_header){
		.flags = VNET_NEEDS_CSUM,
		.gso_type = spec->udp ? VNET_GSO_UDP_L4 :
			    spec->version == 4 ? VNET_GSO_TCPV4 : VNET_GSO_TCPV6,
		.hdr_len = (uint16_t)(transport + header_len),
		.gso_size = size,
		.csum_start = (uint16_t)transport,
		.csum_offset = (uint16_t)field,
	};
	if (!spec->udp && spec->flags & TCP_CWR)
		vnet->gso_type |= VNET_GSO_ECN;
	memset(frame + transport + field, 0x5a, 2);
	if (spec->version == 4)
		memset(frame + 14 + 4 * spec->tags + offsetof(struct ipv4_header, total_len), 0x5a, 2);
	return len;
}

/* What a sender that cuts by itself sends: packet INDEX of those that SPEC in pieces of SIZE makes. */
static inline struct stream_spec cut_spec(const struct stream_spec *spec, size_t size, size_t index)
{
	struct stream_spec piece = *spec;
	size_t done = index * size;

	piece.seq += (uint32_t)done;
	piece.id = (uint16_t)(piece.id + index);
	piece.payload_len = MIN(spec->payload_len - done, size);
	if (index > 0)
		piece.flags &= (uint8_t)~TCP_CWR;
	if (done + size < spec->payload_len)
		piece.flags &= (uint8_t)~(TCP_FIN | TCP_PSH);
	return piece;
}

/* Every kind of headers: version and protocol, 0 to 2 tags, options or not. */
#define SPEC_SHAPES 24

static inline void spec_shape(struct stream_spec *spec, unsigned shape)
{
	spec->version = shape % 2 ? 6 : 4;
	spec->udp = shape / 2 % 2;
	spec->tags = shape / 4 % 3;
	spec->ip_options = shape >= 12 && spec->version == 4 ? 8 : 0;
	spec->extensions = shape >= 12 && spec->version == 6;
}
