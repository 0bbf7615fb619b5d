/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/pcapng.h"

enum pcapng_block {
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	BLOCK_SECTION = 0x0a0d0d0a,
};

enum pcapng_option {
	OPTION_END = 0,
	OPTION_APPLICATION = 4, /* in a section header */
	OPTION_IF_NAME = 2,
	OPTION_IF_DESCRIPTION = 3,
	OPTION_IF_TSRESOL = 9,
	OPTION_PACKET_FLAGS = 2,
	OPTION_IF_RECEIVED = 4,
	OPTION_IF_DROPPED = 5,
};

#define BYTE_ORDER_MAGIC UINT32_C(0x1a2b3c4d)
#define NANOSECONDS      9 /* if_tsresol: 10 to the power of -9 */

static void put16(struct strbuf *out, uint16_t value)
{
	strbuf_append(out, &value, sizeof(value));
}

static void put32(struct strbuf *out, uint32_t value)
{
	strbuf_append(out, &value, sizeof(value));
}

static void put_padding(struct strbuf *out, size_t len)
{
	strbuf_append(out, "\0\0\0", (4 - len % 4) % 4);
}

static void put_option(struct strbuf *out, uint16_t code, const void *data, size_t len)
{
	put16(out, code);
	put16(out, (uint16_t)len);
	strbuf_append(out, data, len);
	put_padding(out, len);
}

static void put_text(struct strbuf *out, uint16_t code, const char *text)
{
	if (text && *text)
		put_option(out, code, text, MIN(strlen(text), UINT16_MAX));
}

/* Starts a block; its length is written by block_end(). Returns where it starts. */
static size_t block_begin(struct strbuf *out, uint32_t type)
{
	size_t start = out->len;

	put32(out, type);
	put32(out, 0);
	return start;
}

static void block_end(struct strbuf *out, size_t start)
{
	uint32_t total;

	put32(out, OPTION_END);
	if (out->error)
		return;
	total = (uint32_t)(out->len - start + sizeof(total));
	memcpy(out->data + start + 4, &total, sizeof(total));
	put32(out, total);
}

static void put_time(struct strbuf *out, uint64_t time_ns)
{
	put32(out, (uint32_t)(time_ns >> 32));
	put32(out, (uint32_t)time_ns);
}

void pcapng_section(struct strbuf *out, const char *application)
{
	size_t start = block_begin(out, BLOCK_SECTION);
	int64_t unknown_len = -1;

	put32(out, BYTE_ORDER_MAGIC);
	put16(out, 1); /* version 1.0 */
	put16(out, 0);
	strbuf_append(out, &unknown_len, sizeof(unknown_len));
	put_text(out, OPTION_APPLICATION, application);
	block_end(out, start);
}

void pcapng_interface(struct strbuf *out, const char *name, const char *description,
		      uint32_t snap_len)
{
	size_t start = block_begin(out, BLOCK_INTERFACE);
	uint8_t resolution = NANOSECONDS;

	put16(out, PCAPNG_LINKTYPE_ETHERNET);
	put16(out, 0);
	put32(out, snap_len);
	put_text(out, OPTION_IF_NAME, name);
	put_text(out, OPTION_IF_DESCRIPTION, description);
	put_option(out, OPTION_IF_TSRESOL, &resolution, sizeof(resolution));
	block_end(out, start);
}

void pcapng_packet(struct strbuf *out, uint32_t interface, uint64_t time_ns, const void *data,
		   size_t captured_len, size_t original_len, enum pcapng_direction direction)
{
	size_t start = block_begin(out, BLOCK_PACKET);
	uint32_t flags = direction;

	put32(out, interface);
	put_time(out, time_ns);
	put32(out, (uint32_t)captured_len);
	put32(out, (uint32_t)original_len);
	strbuf_append(out, data, captured_len);
	put_padding(out, captured_len);
	if (direction != PCAPNG_UNKNOWN)
		put_option(out, OPTION_PACKET_FLAGS, &flags, sizeof(flags));
	block_end(out, start);
}

void pcapng_statistics(struct strbuf *out, uint32_t interface, uint64_t time_ns, uint64_t received,
		       uint64_t dropped)
{
	size_t start = block_begin(out, BLOCK_STATISTICS);

	put32(out, interface);
	put_time(out, time_ns);
	put_option(out, OPTION_IF_RECEIVED, &received, sizeof(received));
	put_option(out, OPTION_IF_DROPPED, &dropped, sizeof(dropped));
	block_end(out, start);
}
