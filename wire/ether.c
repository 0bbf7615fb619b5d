/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/ether.h"

#include <errno.h>

int ether_parse(const void *frame, size_t len, struct ether_info *ret)
{
	struct cursor c = cursor_of(frame, len);
	const struct ether_header *header = CURSOR_TAKE(&c, struct ether_header);
	struct ether_info info = { .header_len = ETHER_HEADER_SIZE };

	if (!header)
		return -EBADMSG;
	info.dest = header->dest;
	info.source = header->source;
	info.type = be16toh(header->type);
	if (info.type == ETHER_TYPE_VLAN) {
		info.tagged = true;
		info.tci = cursor_be16(&c);
		info.type = cursor_be16(&c);
		info.header_len += ETHER_TAG_SIZE;
	}
	if (!c.ok)
		return -EBADMSG;
	*ret = info;
	return 0;
}

uint8_t *ether_push_tag(uint8_t *frame, uint16_t tci)
{
	struct ether_tag tag = { .tpid = htobe16(ETHER_TYPE_VLAN), .tci = htobe16(tci) };
	uint8_t *start = frame - sizeof(tag);

	memmove(start, frame, 2 * ETHER_ADDR_SIZE);
	memcpy(start + 2 * ETHER_ADDR_SIZE, &tag, sizeof(tag));
	return start;
}

uint8_t *ether_pop_tag(uint8_t *frame)
{
	memmove(frame + ETHER_TAG_SIZE, frame, 2 * ETHER_ADDR_SIZE);
	return frame + ETHER_TAG_SIZE;
}
