/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/tcp.h"

#include <errno.h>

#include "wire/checksum.h"

#define TAGS_MAX            2
#define IPV4_IHL(h)         ((size_t)((h)->version_ihl & 0x0f) * 4)
#define IPV4_FRAGMENT_BITS  0x3fff /* more fragments, and the offset */
#define TCP_HEADER_LEN(tcp) ((size_t)((tcp)->data_offset >> 4) * 4)

/* C stands at the IPv4 header; the bytes of the packet go to *ret_len. */
static int ipv4_find_tcp(struct cursor c, bool super, size_t *ret_header, size_t *ret_len)
{
	size_t left = c.left, total;
	const struct ipv4_header *ip = CURSOR_TAKE(&c, struct ipv4_header);

	if (!ip || ip->version_ihl >> 4 != 4 || IPV4_IHL(ip) < sizeof(*ip))
		return -EBADMSG;
	if (ip->protocol != IP_PROTOCOL_TCP || be16toh(ip->fragment_offset) & IPV4_FRAGMENT_BITS)
		return -EBADMSG;
	total = super ? left : be16toh(ip->total_len);
	if (total > left || total < IPV4_IHL(ip))
		return -EBADMSG;
	*ret_header = IPV4_IHL(ip);
	*ret_len = total;
	return 0;
}

static int ipv6_find_tcp(struct cursor c, bool super, size_t *ret_header, size_t *ret_len)
{
	size_t left = c.left, total;
	const struct ipv6_header *ip = CURSOR_TAKE(&c, struct ipv6_header);

	if (!ip || be32toh(ip->version_class_flow) >> 28 != 6 || ip->next_header != IP_PROTOCOL_TCP)
		return -EBADMSG;
	total = super ? left : sizeof(*ip) + be16toh(ip->payload_len);
	if (total > left)
		return -EBADMSG;
	*ret_header = sizeof(*ip);
	*ret_len = total;
	return 0;
}

/* Takes the addresses, the tags and the type, which is returned (0 when the frame is cut). */
static uint16_t ether_take_type(struct cursor *c)
{
	uint16_t type;

	(void)cursor_take(c, 2 * ETHER_ADDR_SIZE);
	type = cursor_be16(c);
	for (int i = 0; i < TAGS_MAX; i++) {
		if (type != ETHER_TYPE_VLAN && type != ETHER_TYPE_SERVICE_VLAN)
			break;
		(void)cursor_be16(c);
		type = cursor_be16(c);
	}
	return type;
}

int tcp_parse(const void *frame, size_t len, bool super, struct tcp_layout *ret)
{
	struct cursor c = cursor_of(frame, len);
	uint16_t type = ether_take_type(&c);
	const struct tcp_header *tcp;
	size_t ip = len - c.left, header, total;
	int r = -EBADMSG;

	if (type == ETHER_TYPE_IPV4)
		r = ipv4_find_tcp(c, super, &header, &total);
	else if (type == ETHER_TYPE_IPV6)
		r = ipv6_find_tcp(c, super, &header, &total);
	if (r < 0)
		return r;
	c = cursor_cut(&c, total);
	(void)cursor_take(&c, header);
	tcp = CURSOR_TAKE(&c, struct tcp_header);
	if (!tcp || TCP_HEADER_LEN(tcp) < sizeof(*tcp) || TCP_HEADER_LEN(tcp) > total - header)
		return -EBADMSG;
	ret->version = type == ETHER_TYPE_IPV4 ? 4 : 6;
	ret->ip = ip;
	ret->tcp = ret->ip + header;
	ret->payload = ret->tcp + TCP_HEADER_LEN(tcp);
	ret->end = ret->ip + total;
	return 0;
}

uint64_t tcp_pseudo_sum(const void *frame, const struct tcp_layout *layout, size_t len)
{
	const uint8_t *ip = (const uint8_t *)frame + layout->ip;
	struct {
		uint32_t len;
		uint32_t protocol;
	} rest = { htobe32((uint32_t)len), htobe32(IP_PROTOCOL_TCP) };
	uint64_t sum = checksum_add(0, &rest, sizeof(rest));

	if (layout->version == 4)
		return checksum_add(sum, ip + offsetof(struct ipv4_header, source), 8);
	return checksum_add(sum, ip + offsetof(struct ipv6_header, source), 32);
}
