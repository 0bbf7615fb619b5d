/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first two bytes are the header's type or length, the rest is what follows the header. */
#include "fuzz.h"

#include <errno.h>

#include "wire/bpdu.h"

static void check_accepted(struct bpdu *bpdu)
{
	uint8_t frame[BPDU_FRAME_MAX], mac[ETHER_ADDR_SIZE];
	struct ether_info info;
	struct bpdu again;
	size_t len;
	int r;

	bpdu_bridge_mac(bpdu->bridge, mac);
	FUZZ_CHECK(bpdu_bridge_id((uint16_t)(bpdu->bridge >> 48), mac) == bpdu->bridge);
	len = bpdu_build(bpdu, mac, frame);
	FUZZ_CHECK(len == BPDU_FRAME_MAX);
	FUZZ_CHECK(ether_parse(frame, len, &info) == 0);
	FUZZ_CHECK(bpdu_is_link_local(info.dest));
	r = bpdu_parse(info.type, cursor_of(frame + info.header_len, len - info.header_len), &again);
	FUZZ_CHECK(r == 0 || r == -EPROTO);
	FUZZ_CHECK(again.type == bpdu->type && again.version == bpdu->version);
	if (bpdu->type == BPDU_TCN)
		return;
	FUZZ_CHECK(again.root == bpdu->root && again.cost == bpdu->cost && again.port == bpdu->port);
	FUZZ_CHECK(again.flags == bpdu->flags && again.max_age == bpdu->max_age);
	FUZZ_CHECK(again.message_age == bpdu->message_age && again.hello_time == bpdu->hello_time);
	FUZZ_CHECK(again.forward_delay == bpdu->forward_delay && again.bridge == bpdu->bridge);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint16_t type_or_length = cursor_be16(&c);
	struct bpdu bpdu;
	int r = bpdu_parse(type_or_length, c, &bpdu);

	FUZZ_CHECK(r <= 0);
	if (r == 0 || r == -EPROTO)
		check_accepted(&bpdu);
	return 0;
}
