/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * TCP segments (RFC 9293 section 3.1) and UDP datagrams (RFC 768) inside Ethernet frames, as far as
 * frames are looked into.
 */
#pragma once

#include "wire/cursor.h"
#include "wire/ether.h"
#include "wire/ip.h"

enum ip_protocol {
	IP_PROTOCOL_HOP_BY_HOP = 0, /* IPv6 extension headers, RFC 8200 section 4 */
	IP_PROTOCOL_TCP = 6,
	IP_PROTOCOL_UDP = 17,
	IP_PROTOCOL_ROUTING = 43,
	IP_PROTOCOL_FRAGMENT = 44,
	IP_PROTOCOL_DESTINATION = 60,
};

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
};

struct tcp_header {
	uint16_t source;
	uint16_t dest;
	uint32_t seq; /* big endian, as all numbers here */
	uint32_t ack;
	uint8_t data_offset; /* 32-bit words, in the upper 4 bits */
	uint8_t flags;
	uint16_t window;
	uint16_t checksum;
	uint16_t urgent;
} __attribute__((packed));
_Static_assert(sizeof(struct tcp_header) == 20, "RFC 9293");

struct udp_header {
	uint16_t source;
	uint16_t dest;
	uint16_t len;      /* big endian, of header and payload */
	uint16_t checksum; /* 0: none */
} __attribute__((packed));
_Static_assert(sizeof(struct udp_header) == 8, "RFC 768");

/* Where the parts of a frame with a TCP segment or UDP datagram are; offsets from its start. */
struct transport_layout {
	uint8_t version;    /* of IP: 4 or 6 */
	uint8_t protocol;   /* IP_PROTOCOL_TCP or IP_PROTOCOL_UDP */
	uint8_t tags;       /* 0 to 2 */
	uint16_t ip;        /* IP header */
	uint16_t dest;      /* the address of the final destination (of a routing header, if any) */
	uint16_t transport; /* TCP or UDP header */
	uint16_t payload;
	uint32_t end;       /* of the payload; what follows is Ethernet padding */
};

/*
 * Finds a TCP segment or UDP datagram behind at most two VLAN tags, IPv4 with options or IPv6 with
 * hop-by-hop, routing and destination headers. All headers have to be in the HAVE bytes at HEAD, the
 * begin of a frame of LEN bytes. Lengths are checked against LEN; with SUPER no length field of IP
 * and UDP is looked at (a super-frame ends with LEN).
 *
 * -ENOENT: something else. -EBADMSG: malformed, a fragment, or too much for HAVE.
 */
int transport_parse(const void *head, size_t have, size_t len, bool super,
		    struct transport_layout *ret);

/* Offset of the checksum field. */
static inline size_t transport_csum_field(const struct transport_layout *layout)
{
	return layout->transport + (layout->protocol == IP_PROTOCOL_TCP
					    ? offsetof(struct tcp_header, checksum)
					    : offsetof(struct udp_header, checksum));
}

/*
 * Sum of the pseudo header for LEN bytes of TCP or UDP header and payload, to go on with
 * (checksum.h). What VNET_NEEDS_CSUM expects in the field is the complement of its checksum.
 */
uint64_t transport_pseudo_sum(const void *head, const struct transport_layout *layout, size_t len);
