/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pseudo header of IPv6 has the final destination (RFC 8200 section 8.1): while a routing
 * header has segments left, that is an address inside it, and the one in the IPv6 header is a
 * router's.
 */
#include "wire/transport.h"

#include <errno.h>

#include "wire/checksum.h"

#define TAGS_MAX            2
#define EXTENSIONS_MAX      8 /* as many as a sender has reason for, twice */
#define IPV4_IHL(h)         ((size_t)((h)->version_ihl & 0x0f) * 4)
#define IPV4_FRAGMENT_BITS  0x3fff /* more fragments, and the offset */
#define TCP_HEADER_LEN(tcp) ((size_t)((tcp)->data_offset >> 4) * 4)

/* A frame on its way through the parser. */
struct parse {
	struct cursor c; /* in the head */
	const uint8_t *head;
	size_t len; /* of the whole frame */
	bool super;
	struct transport_layout *layout;
};

struct ipv6_extension {
	uint8_t next_header;
	uint8_t len; /* of what follows the first 8 bytes, in units of 8 */
};

struct ipv6_routing {
	struct ipv6_extension start;
	uint8_t type;
	uint8_t segments_left;
	uint8_t rest[4];
} __attribute__((packed));
_Static_assert(sizeof(struct ipv6_routing) == 8, "RFC 8200 section 4.4");

enum ipv6_routing_type {
	IPV6_ROUTING_SOURCE = 0,  /* RFC 2460: the last address is the destination */
	IPV6_ROUTING_HOME = 2,    /* RFC 6275: the only address */
	IPV6_ROUTING_SEGMENT = 4, /* RFC 8754: the first one, the list is backwards */
};

static size_t parse_at(const struct parse *p)
{
	return (size_t)(p->c.at - p->head);
}

static int parse_ipv4(struct parse *p)
{
	struct transport_layout *l = p->layout;
	size_t left = p->len - l->ip, total;
	const struct ipv4_header *ip = CURSOR_TAKE(&p->c, struct ipv4_header);

	if (!ip || ip->version_ihl >> 4 != 4 || IPV4_IHL(ip) < sizeof(*ip))
		return -EBADMSG;
	total = p->super ? left : be16toh(ip->total_len);
	if (total > left || total < IPV4_IHL(ip))
		return -EBADMSG;
	if (be16toh(ip->fragment_offset) & IPV4_FRAGMENT_BITS)
		return -EBADMSG;
	l->version = 4;
	l->protocol = ip->protocol;
	l->dest = (uint16_t)(l->ip + offsetof(struct ipv4_header, dest));
	l->end = (uint32_t)(l->ip + total);
	(void)cursor_take(&p->c, IPV4_IHL(ip) - sizeof(*ip));
	return 0;
}

/* C has the routing header, AT is its offset in the frame. */
static int parse_routing(struct transport_layout *l, struct cursor c, size_t at)
{
	size_t addresses = c.left - sizeof(struct ipv6_routing),
	       dest = at + sizeof(struct ipv6_routing);
	const struct ipv6_routing *routing = CURSOR_TAKE(&c, struct ipv6_routing);

	if (!routing)
		return -EBADMSG;
	if (routing->segments_left == 0)
		return 0;
	if (addresses < 16)
		return -EBADMSG;
	if (routing->type == IPV6_ROUTING_SOURCE)
		dest += addresses - 16;
	else if (routing->type != IPV6_ROUTING_HOME && routing->type != IPV6_ROUTING_SEGMENT)
		return -EBADMSG;
	l->dest = (uint16_t)dest;
	return 0;
}

/* Steps over one extension header; the type of the next one, or negative. */
static int parse_extension(struct parse *p, int type)
{
	struct cursor look = p->c, extension;
	size_t at = parse_at(p), len;
	int next = cursor_u8(&look), r = 0;

	len = ((size_t)cursor_u8(&look) + 1) * 8;
	extension = cursor_cut(&p->c, len);
	if (!look.ok || !extension.ok)
		return -EBADMSG;
	if (type == IP_PROTOCOL_ROUTING)
		r = parse_routing(p->layout, extension, at);
	return r < 0 ? r : next;
}

static int parse_ipv6(struct parse *p)
{
	struct transport_layout *l = p->layout;
	size_t left = p->len - l->ip, total;
	const struct ipv6_header *ip = CURSOR_TAKE(&p->c, struct ipv6_header);
	int next;

	if (!ip || be32toh(ip->version_class_flow) >> 28 != 6)
		return -EBADMSG;
	total = p->super ? left : sizeof(*ip) + be16toh(ip->payload_len);
	if (total > left)
		return -EBADMSG;
	l->version = 6;
	l->dest = (uint16_t)(l->ip + offsetof(struct ipv6_header, dest));
	l->end = (uint32_t)(l->ip + total);
	next = ip->next_header;
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		if (next != IP_PROTOCOL_HOP_BY_HOP && next != IP_PROTOCOL_ROUTING &&
		    next != IP_PROTOCOL_DESTINATION)
			break;
		next = parse_extension(p, next);
		if (next < 0)
			return next;
	}
	if (next == IP_PROTOCOL_FRAGMENT)
		return -EBADMSG;
	l->protocol = (uint8_t)next;
	return 0;
}

/* Takes the addresses, the tags and the type, which is returned (0 when the frame is cut). */
static uint16_t parse_type(struct parse *p)
{
	uint16_t type;

	(void)cursor_take(&p->c, 2 * ETHER_ADDR_SIZE);
	type = cursor_be16(&p->c);
	for (p->layout->tags = 0; p->layout->tags < TAGS_MAX; p->layout->tags++) {
		if (type != ETHER_TYPE_VLAN && type != ETHER_TYPE_SERVICE_VLAN)
			break;
		(void)cursor_be16(&p->c);
		type = cursor_be16(&p->c);
	}
	p->layout->ip = (uint16_t)parse_at(p);
	return p->c.ok ? type : 0;
}

/* The TCP or UDP header, at which the cursor stands. */
static int parse_transport(struct parse *p)
{
	struct transport_layout *l = p->layout;
	const struct tcp_header *tcp;
	const struct udp_header *udp;
	size_t header;

	if (!p->c.ok)
		return -EBADMSG;
	l->transport = (uint16_t)parse_at(p);
	if (l->protocol == IP_PROTOCOL_TCP) {
		tcp = CURSOR_TAKE(&p->c, struct tcp_header);
		if (!tcp || TCP_HEADER_LEN(tcp) < sizeof(*tcp))
			return -EBADMSG;
		header = TCP_HEADER_LEN(tcp);
		(void)cursor_take(&p->c, header - sizeof(*tcp));
	} else {
		udp = CURSOR_TAKE(&p->c, struct udp_header);
		header = sizeof(*udp);
		if (!udp || (!p->super && be16toh(udp->len) != l->end - l->transport))
			return -EBADMSG;
	}
	l->payload = (uint16_t)(l->transport + header);
	return p->c.ok && l->payload <= l->end ? 0 : -EBADMSG;
}

int transport_parse(const void *head, size_t have, size_t len, bool super,
		    struct transport_layout *ret)
{
	struct parse p = {
		.c = cursor_of(head, MIN(have, len)),
		.head = head,
		.len = len,
		.super = super,
		.layout = ret,
	};
	uint16_t type = parse_type(&p);
	int r = -ENOENT;

	if (type == ETHER_TYPE_IPV4)
		r = parse_ipv4(&p);
	else if (type == ETHER_TYPE_IPV6)
		r = parse_ipv6(&p);
	if (r < 0)
		return r;
	if (ret->protocol != IP_PROTOCOL_TCP && ret->protocol != IP_PROTOCOL_UDP)
		return -ENOENT;
	return parse_transport(&p);
}

uint64_t transport_pseudo_sum(const void *head, const struct transport_layout *layout, size_t len)
{
	const uint8_t *frame = head;
	struct {
		uint32_t len;
		uint32_t protocol;
	} rest = { htobe32((uint32_t)len), htobe32(layout->protocol) };
	uint64_t sum = checksum_add(0, &rest, sizeof(rest));
	size_t address = layout->version == 4 ? 4 : 16;
	size_t source = layout->version == 4 ? offsetof(struct ipv4_header, source)
					     : offsetof(struct ipv6_header, source);

	sum = checksum_add(sum, frame + layout->ip + source, address);
	return checksum_add(sum, frame + layout->dest, address);
}
