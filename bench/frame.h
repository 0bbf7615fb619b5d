/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frames of the load: Ethernet header, kind, number, then zeros up to the size. */
#pragma once

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FRAME_TYPE     0x88b5 /* IEEE 802 local experimental EtherType 1 */
#define FRAME_SIZE_MIN 60
#define FRAME_SIZE_MAX 9234

enum frame_kind {
	FRAME_HELLO, /* makes the sender's address known */
	FRAME_LOAD,
	FRAME_END,   /* no more load */
};

struct load_frame {
	uint8_t dst[6], src[6];
	uint16_t type;
	uint16_t kind;
	uint32_t number;
} __attribute__((packed));

/* A unicast address of a station, or with 0 the broadcast address. */
static inline void frame_station(uint8_t mac[6], uint8_t station)
{
	static const uint8_t unicast[6] = { 2, 0, 'b', 'n', 'c', 0 };

	if (station == 0) {
		memset(mac, 0xff, 6);
		return;
	}
	memcpy(mac, unicast, 6);
	mac[5] = station;
}

static inline void frame_make(void *buf, uint8_t from, uint8_t to, enum frame_kind kind,
			      uint32_t number)
{
	struct load_frame f = { .type = htons(FRAME_TYPE), .kind = (uint16_t)kind,
				.number = number };

	frame_station(f.dst, to);
	frame_station(f.src, from);
	memcpy(buf, &f, sizeof(f));
}

/* True when LEN bytes are a frame of the load; then *ret is its head. */
static inline bool frame_parse(const void *buf, size_t len, struct load_frame *ret)
{
	if (len < sizeof(*ret))
		return false;
	memcpy(ret, buf, sizeof(*ret));
	return ret->type == htons(FRAME_TYPE);
}
