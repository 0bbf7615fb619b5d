/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCP segments (RFC 9293 section 3.1) inside Ethernet frames, as far as frames are looked into. */
#pragma once

#include "wire/cursor.h"
#include "wire/ether.h"
#include "wire/ip.h"

#define IP_PROTOCOL_TCP 6
#define TCP_CSUM_OFFSET 16

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

/* Where the parts of a frame with a TCP segment are; offsets from its start, in bytes. */
struct tcp_layout {
	uint8_t version;    /* 4 or 6 */
	size_t ip;          /* IP header; its end is the TCP header's start */
	size_t tcp;
	size_t payload;
	size_t end;         /* of the payload; what follows is Ethernet padding */
};

/*
 * Finds a TCP segment behind at most two VLAN tags, IPv4 (options allowed, fragments not) or IPv6
 * without extension headers. -EBADMSG when FRAME is anything else. Lengths are checked against
 * LEN; with SUPER a length field in the IP header is not looked at (a super-frame ends with LEN).
 */
int tcp_parse(const void *frame, size_t len, bool super, struct tcp_layout *ret);

/* Sum of the pseudo header for LEN bytes of TCP header and payload, to go on with (checksum.h). */
uint64_t tcp_pseudo_sum(const void *frame, const struct tcp_layout *layout, size_t len);
