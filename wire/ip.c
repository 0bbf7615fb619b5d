/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/ip.h"

#include <errno.h>

#include "wire/ether.h"

static int ip_source_arp(struct cursor *c, struct ip_source *ret)
{
	const struct arp_header *arp = CURSOR_TAKE(c, struct arp_header);

	if (!arp || be16toh(arp->hardware) != 1 || be16toh(arp->protocol) != ETHER_TYPE_IPV4 ||
	    arp->hardware_len != 6 || arp->protocol_len != 4)
		return -EBADMSG;
	ret->version = 4;
	memcpy(ret->addr, arp->sender_ip, sizeof(arp->sender_ip));
	return 0;
}

static int ip_source_v4(struct cursor *c, struct ip_source *ret)
{
	const struct ipv4_header *ip = CURSOR_TAKE(c, struct ipv4_header);

	if (!ip || ip->version_ihl >> 4 != 4 || (ip->version_ihl & 0xf) < 5)
		return -EBADMSG;
	ret->version = 4;
	memcpy(ret->addr, ip->source, sizeof(ip->source));
	return 0;
}

static int ip_source_v6(struct cursor *c, struct ip_source *ret)
{
	const struct ipv6_header *ip = CURSOR_TAKE(c, struct ipv6_header);

	if (!ip || be32toh(ip->version_class_flow) >> 28 != 6)
		return -EBADMSG;
	ret->version = 6;
	memcpy(ret->addr, ip->source, sizeof(ip->source));
	return 0;
}

int ip_find_source(uint16_t type, struct cursor c, struct ip_source *ret)
{
	struct ip_source source = { 0 };
	int r;

	if (type == ETHER_TYPE_ARP)
		r = ip_source_arp(&c, &source);
	else if (type == ETHER_TYPE_IPV4)
		r = ip_source_v4(&c, &source);
	else if (type == ETHER_TYPE_IPV6)
		r = ip_source_v6(&c, &source);
	else
		r = -ENOENT;
	if (r == 0)
		*ret = source;
	return r;
}
