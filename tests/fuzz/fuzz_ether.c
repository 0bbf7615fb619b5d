/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A whole frame, as a switch looks at it: header and tag, addresses inside, spanning tree; then the
 * tag is pushed and popped in a buffer of exactly the frame's size.
 */
#include "fuzz.h"

#include "wire/bpdu.h"
#include "wire/checksum.h"
#include "wire/ether.h"
#include "wire/ip.h"

static void check_tags(const uint8_t *data, size_t size, const struct ether_info *info)
{
	uint8_t *room = malloc(ETHER_TAG_SIZE + size), *start;
	struct ether_info now;

	FUZZ_CHECK(room);
	memcpy(room + ETHER_TAG_SIZE, data, size);
	start = ether_push_tag(room + ETHER_TAG_SIZE, 0x2005);
	FUZZ_CHECK(start == room);
	FUZZ_CHECK(ether_parse(start, size + ETHER_TAG_SIZE, &now) == 0);
	FUZZ_CHECK(now.tagged && now.tci == 0x2005);
	start = ether_pop_tag(start);
	FUZZ_CHECK(memcmp(start, data, size) == 0);
	if (info->tagged) {
		start = ether_pop_tag(start);
		FUZZ_CHECK(memcmp(start, data, 2 * ETHER_ADDR_SIZE) == 0);
		FUZZ_CHECK(memcmp(start + 12, data + 16, size - 16) == 0);
	}
	free(room);
}

static void look_inside(const uint8_t *data, size_t size, const struct ether_info *info)
{
	struct cursor c = cursor_of(data + info->header_len, size - info->header_len);
	struct ip_source source;
	struct bpdu bpdu;
	int r = ip_find_source(info->type, c, &source);

	FUZZ_CHECK(r <= 0);
	if (r == 0)
		FUZZ_CHECK(source.version == 4 || source.version == 6);
	r = bpdu_parse(info->type, c, &bpdu);
	FUZZ_CHECK(r <= 0);
	(void)checksum(c.at, c.left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ether_info info;

	if (ether_parse(data, size, &info) < 0) {
		FUZZ_CHECK(size < ETHER_HEADER_SIZE + ETHER_TAG_SIZE);
		return 0;
	}
	FUZZ_CHECK(info.header_len <= size);
	FUZZ_CHECK(info.tagged || info.tci == 0);
	look_inside(data, size, &info);
	check_tags(data, size, &info);
	return 0;
}
