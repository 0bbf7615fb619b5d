/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/bpdu.h"

#include <errno.h>

const uint8_t bpdu_group_address[ETHER_ADDR_SIZE] = { 0x01, 0x80, 0xc2, 0x00, 0x00, 0x00 };

static const uint8_t llc_header[BPDU_LLC_SIZE] = { 0x42, 0x42, 0x03 };

struct bpdu_header {
	uint16_t protocol; /* big endian: 0 */
	uint8_t version;
	uint8_t type;
} __attribute__((packed));

struct bpdu_config { /* all big endian */
	uint8_t flags;
	uint64_t root;
	uint32_t cost;
	uint64_t bridge;
	uint16_t port;
	uint16_t message_age;
	uint16_t max_age;
	uint16_t hello_time;
	uint16_t forward_delay;
} __attribute__((packed));
_Static_assert(sizeof(struct bpdu_header) + sizeof(struct bpdu_config) == BPDU_CONFIG_SIZE,
	       "802.1D-1998 9.3.1");
_Static_assert(sizeof(struct bpdu_header) == BPDU_TCN_SIZE, "802.1D-1998 9.3.2");

uint64_t bpdu_bridge_id(uint16_t priority, const uint8_t mac[ETHER_ADDR_SIZE])
{
	uint64_t id = priority;

	for (int i = 0; i < ETHER_ADDR_SIZE; i++)
		id = id << 8 | mac[i];
	return id;
}

void bpdu_bridge_mac(uint64_t id, uint8_t mac[ETHER_ADDR_SIZE])
{
	for (int i = ETHER_ADDR_SIZE; i-- > 0; id >>= 8)
		mac[i] = (uint8_t)id;
}

bool bpdu_is_link_local(const uint8_t dest[ETHER_ADDR_SIZE])
{
	return memcmp(dest, bpdu_group_address, ETHER_ADDR_SIZE - 1) == 0 && dest[5] < 0x10;
}

/*
 * The dialect writes whole seconds low byte first: 40 s and 4 s arrive as 0x2800 and 0x0400 in
 * units of 1/256 s, where real bridges are bound to max age <= 40 s and forward delay >= 4 s;
 * the dialect's forward delay is 0.
 */
static bool bpdu_is_vde_dialect(const struct bpdu *bpdu)
{
	return bpdu->version == 2 && bpdu->type == BPDU_RST && bpdu->forward_delay == 0 &&
	       bpdu->max_age == 40 * BPDU_TIME_UNIT && bpdu->hello_time == 4 * BPDU_TIME_UNIT;
}

static int bpdu_parse_config(struct cursor *c, struct bpdu *bpdu)
{
	const struct bpdu_config *config = CURSOR_TAKE(c, struct bpdu_config);

	if (!config)
		return -EBADMSG;
	bpdu->flags = config->flags;
	bpdu->root = be64toh(config->root);
	bpdu->cost = be32toh(config->cost);
	bpdu->bridge = be64toh(config->bridge);
	bpdu->port = be16toh(config->port);
	bpdu->message_age = be16toh(config->message_age);
	bpdu->max_age = be16toh(config->max_age);
	bpdu->hello_time = be16toh(config->hello_time);
	bpdu->forward_delay = be16toh(config->forward_delay);
	return bpdu_is_vde_dialect(bpdu) ? -EPROTO : 0;
}

int bpdu_parse(uint16_t type_or_length, struct cursor c, struct bpdu *ret)
{
	const struct bpdu_header *header;
	struct bpdu bpdu = { 0 };
	const void *llc;
	int r = 0;

	if (type_or_length >= ETHER_TYPE_MIN)
		return -EPROTONOSUPPORT;
	c = cursor_cut(&c, type_or_length); /* what follows is padding */
	llc = cursor_take(&c, BPDU_LLC_SIZE);
	if (!llc)
		return -EBADMSG;
	if (memcmp(llc, llc_header, BPDU_LLC_SIZE) != 0)
		return -EPROTONOSUPPORT;
	header = CURSOR_TAKE(&c, struct bpdu_header);
	if (!header)
		return -EBADMSG;
	if (header->protocol != 0)
		return -EPROTONOSUPPORT;
	bpdu.version = header->version;
	bpdu.type = header->type;
	if (bpdu.type == BPDU_CONFIG || bpdu.type == BPDU_RST)
		r = bpdu_parse_config(&c, &bpdu);
	else if (bpdu.type != BPDU_TCN)
		return -EPROTONOSUPPORT;
	if (r == 0 || r == -EPROTO)
		*ret = bpdu;
	return r;
}

size_t bpdu_build(const struct bpdu *bpdu, const uint8_t source[ETHER_ADDR_SIZE],
		  uint8_t frame[BPDU_FRAME_MAX])
{
	size_t unit = bpdu->type == BPDU_TCN ? BPDU_TCN_SIZE : BPDU_CONFIG_SIZE;
	struct ether_header ether = { .type = htobe16((uint16_t)(BPDU_LLC_SIZE + unit)) };
	struct bpdu_header header = { .version = bpdu->version, .type = bpdu->type };
	struct bpdu_config config = {
		.flags = bpdu->flags,
		.root = htobe64(bpdu->root),
		.cost = htobe32(bpdu->cost),
		.bridge = htobe64(bpdu->bridge),
		.port = htobe16(bpdu->port),
		.message_age = htobe16(bpdu->message_age),
		.max_age = htobe16(bpdu->max_age),
		.hello_time = htobe16(bpdu->hello_time),
		.forward_delay = htobe16(bpdu->forward_delay),
	};
	uint8_t *at = frame;

	memset(frame, 0, BPDU_FRAME_MAX);
	memcpy(ether.dest, bpdu_group_address, ETHER_ADDR_SIZE);
	memcpy(ether.source, source, ETHER_ADDR_SIZE);
	at = (uint8_t *)mempcpy(at, &ether, sizeof(ether));
	at = (uint8_t *)mempcpy(at, llc_header, sizeof(llc_header));
	at = (uint8_t *)mempcpy(at, &header, sizeof(header));
	if (unit == BPDU_CONFIG_SIZE)
		memcpy(at, &config, sizeof(config));
	return BPDU_FRAME_MAX;
}
