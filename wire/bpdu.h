/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bridge protocol data units of the Spanning Tree Protocol (IEEE 802.1D-1998 clause 9): an 802.3
 * frame to 01:80:c2:00:00:00, LLC 42 42 03, then the unit. Times are in 1/256 second.
 */
#pragma once

#include "wire/ether.h"

#define BPDU_LLC_SIZE    3
#define BPDU_CONFIG_SIZE 35
#define BPDU_TCN_SIZE    4
#define BPDU_FRAME_MAX   ETHER_MIN_FRAME
#define BPDU_TIME_UNIT   256 /* per second */

extern const uint8_t bpdu_group_address[ETHER_ADDR_SIZE];

enum bpdu_type {
	BPDU_CONFIG = 0x00,
	BPDU_RST = 0x02, /* 802.1w; its first 35 bytes are read as a configuration */
	BPDU_TCN = 0x80,
};

enum bpdu_flags {
	BPDU_FLAG_TOPOLOGY_CHANGE = 0x01,
	BPDU_FLAG_TOPOLOGY_CHANGE_ACK = 0x80,
};

struct bpdu {
	uint8_t type;      /* enum bpdu_type */
	uint8_t version;   /* 0: 802.1D, 2: 802.1w */
	uint8_t flags;     /* enum bpdu_flags, and those of 802.1w */
	uint64_t root;     /* bridge identifier: priority 16 bits, then the MAC address */
	uint32_t cost;     /* of the path to the root */
	uint64_t bridge;   /* identifier of the sender */
	uint16_t port;     /* identifier: priority 8 bits, number 8 bits */
	uint16_t message_age; /* 1/256 s */
	uint16_t max_age;
	uint16_t hello_time;
	uint16_t forward_delay;
};

/* A bridge identifier from its parts, and the parts. */
uint64_t bpdu_bridge_id(uint16_t priority, const uint8_t mac[ETHER_ADDR_SIZE]);
void bpdu_bridge_mac(uint64_t id, uint8_t mac[ETHER_ADDR_SIZE]);

/* Whether a frame is sent to the bridge group address block 01:80:c2:00:00:0x (never forwarded). */
bool bpdu_is_link_local(const uint8_t dest[ETHER_ADDR_SIZE]);

/*
 * Parses what follows the 14 (untagged) or 18 (tagged) bytes of header; TYPE_OR_LENGTH is the
 * header's last field. -EBADMSG: malformed. -EPROTONOSUPPORT: another protocol or type.
 * -EPROTO: the old VDE "fstp" dialect (version 2, type 2, times with their bytes exchanged).
 */
int bpdu_parse(uint16_t type_or_length, struct cursor c, struct bpdu *ret);

/*
 * Builds a whole untagged frame from SOURCE into FRAME, padded to 60 bytes; BPDU_CONFIG or
 * BPDU_TCN. Returns its length.
 */
size_t bpdu_build(const struct bpdu *bpdu, const uint8_t source[ETHER_ADDR_SIZE],
		  uint8_t frame[BPDU_FRAME_MAX]);
