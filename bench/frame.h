/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frames of the load: Ethernet header, kind, number, then zeros up to the size. A super-frame
 * is an IPv4 TCP segment of that size with them behind its headers; only the load has that form.
 */
#pragma once

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FRAME_TYPE      0x88b5 /* IEEE 802 local experimental EtherType 1 */
#define FRAME_SIZE_MIN  60
#define FRAME_PLAIN_MAX 9234
#define FRAME_SIZE_MAX  65000
#define FRAME_SEGMENT   1448 /* bytes of payload in each segment of a super-frame */
#define FRAME_HEADERS   54   /* Ethernet, IPv4, TCP */

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
	struct load_frame *f = buf; /* packed: it may lie anywhere */

	frame_station(f->dst, to);
	frame_station(f->src, from);
	f->type = htons(FRAME_TYPE);
	f->kind = (uint16_t)kind;
	f->number = number;
}

static inline uint32_t frame_sum(const uint8_t *at, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline void frame_put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* The headers of a super-frame of LEN bytes; the TCP checksum is that of the pseudo-header. */
static inline void frame_super_headers(uint8_t *buf, uint8_t from, uint8_t to, size_t len)
{
	static const uint8_t ip[20] = { 0x45, [6] = 0x40, [8] = 64, [9] = 6,
					[12] = 10, 98, 0, 1, 10, 98, 0, 2 };
	static const uint8_t tcp[20] = { 0x10, 0, 0x20, 0, [12] = 0x50, 0x10, 0x20 };
	uint8_t *l3 = buf + 14, *l4 = l3 + sizeof(ip);

	frame_station(buf, to);
	frame_station(buf + 6, from);
	frame_put16(buf + 12, 0x0800);
	memcpy(l3, ip, sizeof(ip));
	frame_put16(l3 + 2, (uint32_t)len - 14);
	frame_put16(l3 + 10, ~frame_sum(l3, sizeof(ip), 0));
	memcpy(l4, tcp, sizeof(tcp));
	frame_put16(l4 + 16, frame_sum(l3 + 12, 8, 6 + (uint32_t)len - 34));
}

/* The load in a super-frame, whose headers do not change. */
static inline void frame_super_number(uint8_t *buf, uint32_t number)
{
	struct load_frame f = { .type = htons(FRAME_TYPE), .kind = FRAME_LOAD, .number = number };

	memcpy(buf + FRAME_HEADERS, &f, sizeof(f));
}

/* True when LEN bytes are a frame of the load; then *ret is its head. */
static inline bool frame_parse(const void *buf, size_t len, struct load_frame *ret)
{
	if (len > FRAME_PLAIN_MAX && ((const uint8_t *)buf)[12] == 0x08) {
		buf = (const uint8_t *)buf + FRAME_HEADERS;
		len -= FRAME_HEADERS;
	}
	if (len < sizeof(*ret))
		return false;
	memcpy(ret, buf, sizeof(*ret));
	return ret->type == htons(FRAME_TYPE);
}
