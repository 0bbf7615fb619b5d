/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ARP (RFC 826), IPv4 (RFC 791), IPv6 (RFC 8200) headers, as far as frames are looked into. */
#pragma once

#include "wire/cursor.h"

struct arp_header { /* Ethernet and IPv4 */
	uint16_t hardware; /* big endian: 1 */
	uint16_t protocol; /* big endian: 0x0800 */
	uint8_t hardware_len;
	uint8_t protocol_len;
	uint16_t operation; /* big endian: 1 request, 2 reply */
	uint8_t sender_mac[6];
	uint8_t sender_ip[4];
	uint8_t target_mac[6];
	uint8_t target_ip[4];
} __attribute__((packed));
_Static_assert(sizeof(struct arp_header) == 28, "RFC 826");

struct ipv4_header {
	uint8_t version_ihl; /* version 4 bits, header length in 32-bit words 4 bits */
	uint8_t tos;
	uint16_t total_len;       /* big endian, bytes */
	uint16_t id;              /* big endian */
	uint16_t fragment_offset; /* big endian: flags 3 bits, offset in 8 bytes 13 bits */
	uint8_t ttl;
	uint8_t protocol;
	uint16_t checksum;
	uint8_t source[4];
	uint8_t dest[4];
} __attribute__((packed));
_Static_assert(sizeof(struct ipv4_header) == 20, "RFC 791");

struct ipv6_header {
	uint32_t version_class_flow; /* big endian: 4, 8 and 20 bits */
	uint16_t payload_len;        /* big endian, bytes */
	uint8_t next_header;
	uint8_t hop_limit;
	uint8_t source[16];
	uint8_t dest[16];
} __attribute__((packed));
_Static_assert(sizeof(struct ipv6_header) == 40, "RFC 8200");

/* The Internet address that a frame's sender claims. */
struct ip_source {
	uint8_t version; /* 4 or 6 */
	uint8_t addr[16]; /* the first 4 bytes for IPv4 */
};

/*
 * Finds the source address in an ARP, IPv4 or IPv6 packet of EtherType TYPE; C stands behind the
 * Ethernet header. -EBADMSG when it is malformed, -ENOENT when TYPE has none.
 */
int ip_find_source(uint16_t type, struct cursor c, struct ip_source *ret);
