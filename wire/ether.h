/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ethernet (IEEE 802.3) and VLAN tags (IEEE 802.1Q). Frames are without FCS. */
#pragma once

#include "wire/cursor.h"

#define ETHER_ADDR_SIZE   6
#define ETHER_HEADER_SIZE 14
#define ETHER_TAG_SIZE    4
#define ETHER_MIN_FRAME   60 /* without FCS, as a sender pads it */
#define ETHER_TYPE_MIN    0x0600 /* smaller: the length of an 802.3 frame */

enum ether_type {
	ETHER_TYPE_IPV4 = 0x0800,
	ETHER_TYPE_ARP = 0x0806,
	ETHER_TYPE_VLAN = 0x8100,
	ETHER_TYPE_IPV6 = 0x86dd,
	ETHER_TYPE_SERVICE_VLAN = 0x88a8,
};

#define VLAN_NONE     0x0fff /* no VLAN: 4095 is reserved (802.1Q table 9-2) */
#define VLAN_COUNT    4096
#define VLAN_MAX      4094
#define VLAN_ID(tci)  ((uint16_t)((tci) & 0x0fff))

struct ether_header {
	uint8_t dest[ETHER_ADDR_SIZE];
	uint8_t source[ETHER_ADDR_SIZE];
	uint16_t type; /* big endian */
} __attribute__((packed));
_Static_assert(sizeof(struct ether_header) == ETHER_HEADER_SIZE, "802.3 header");

/* The tag stands between the source address and the type. */
struct ether_tag {
	uint16_t tpid; /* big endian: ETHER_TYPE_VLAN */
	uint16_t tci;  /* big endian: priority 3 bits, drop eligible 1, VLAN 12 */
} __attribute__((packed));
_Static_assert(sizeof(struct ether_tag) == ETHER_TAG_SIZE, "802.1Q tag");

/* Group bit: multicast and broadcast. */
static inline bool ether_is_multicast(const uint8_t mac[ETHER_ADDR_SIZE])
{
	return mac[0] & 1;
}

/* The address as a number, the first byte lowest; 48 bits. */
static inline uint64_t ether_mac_number(const uint8_t mac[ETHER_ADDR_SIZE])
{
	uint64_t number = 0;

	memcpy(&number, mac, ETHER_ADDR_SIZE);
	return le64toh(number);
}

/* What a switch needs of a frame. */
struct ether_info {
	const uint8_t *dest;   /* borrowed from the frame */
	const uint8_t *source;
	bool tagged;           /* an 802.1Q tag (0x8100) follows the addresses */
	uint16_t tci;          /* of the tag; 0 when untagged */
	uint16_t type;         /* EtherType or length behind the tag */
	size_t header_len;     /* 14 or 18 */
};

/* Parses the header of a frame of LEN bytes; -EBADMSG when it is too short. */
int ether_parse(const void *frame, size_t len, struct ether_info *ret);

/*
 * Inserts a tag with TCI in front of the type of the frame at FRAME, which has LEN bytes (14 or
 * more) and at least 4 bytes of room **before** it. Returns the new start (frame - 4).
 */
uint8_t *ether_push_tag(uint8_t *frame, uint16_t tci);

/* Removes the tag of a tagged frame (18 bytes or more). Returns the new start (frame + 4). */
uint8_t *ether_pop_tag(uint8_t *frame);
