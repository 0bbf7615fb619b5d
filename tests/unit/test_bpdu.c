/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "wire/bpdu.h"

static const uint8_t bridge_mac[6] = { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 };

/* Parses the unit of a whole untagged frame of LEN bytes. */
static int parse_frame(const uint8_t *frame, size_t len, struct bpdu *ret)
{
	struct ether_info info;

	assert_int_equal(ether_parse(frame, len, &info), 0);
	return bpdu_parse(info.type, cursor_of(frame + info.header_len, len - info.header_len), ret);
}

static struct bpdu example(void)
{
	return (struct bpdu){
		.type = BPDU_CONFIG,
		.flags = BPDU_FLAG_TOPOLOGY_CHANGE | BPDU_FLAG_TOPOLOGY_CHANGE_ACK,
		.root = UINT64_C(0x1000020000000001),
		.cost = 200000,
		.bridge = bpdu_bridge_id(0x8000, bridge_mac),
		.port = 0x8003,
		.message_age = 1 * BPDU_TIME_UNIT,
		.max_age = 20 * BPDU_TIME_UNIT,
		.hello_time = 2 * BPDU_TIME_UNIT,
		.forward_delay = 15 * BPDU_TIME_UNIT,
	};
}

/* 802.1D-1998 9.3.1, byte by byte. */
static void configuration_bytes(void **state)
{
	static const uint8_t expected[] = {
		0x01, 0x80, 0xc2, 0x00, 0x00, 0x00, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0x00, 0x26,
		0x42, 0x42, 0x03, 0x00, 0x00, 0x00, 0x00, 0x81,
		0x10, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x03, 0x0d, 0x40,
		0x80, 0x00, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0x80, 0x03,
		0x01, 0x00, 0x14, 0x00, 0x02, 0x00, 0x0f, 0x00,
		0, 0, 0, 0, 0, 0, 0, 0,
	};
	struct bpdu bpdu = example();
	uint8_t frame[BPDU_FRAME_MAX];

	(void)state;
	assert_int_equal(bpdu_build(&bpdu, bridge_mac, frame), 60);
	assert_int_equal(sizeof(expected), 60);
	assert_memory_equal(frame, expected, 60);
}

static void round_trip(void **state)
{
	struct bpdu bpdu = example(), back = { 0 };
	uint8_t frame[BPDU_FRAME_MAX];
	size_t len = bpdu_build(&bpdu, bridge_mac, frame);

	(void)state;
	assert_int_equal(parse_frame(frame, len, &back), 0);
	assert_int_equal(back.type, bpdu.type);
	assert_int_equal(back.flags, bpdu.flags);
	assert_int_equal(back.root, bpdu.root);
	assert_int_equal(back.cost, bpdu.cost);
	assert_int_equal(back.bridge, bpdu.bridge);
	assert_int_equal(back.port, bpdu.port);
	assert_int_equal(back.message_age, bpdu.message_age);
	assert_int_equal(back.max_age, bpdu.max_age);
	assert_int_equal(back.hello_time, bpdu.hello_time);
	assert_int_equal(back.forward_delay, bpdu.forward_delay);
}

static void topology_change_notice(void **state)
{
	struct bpdu bpdu = { .type = BPDU_TCN }, back = { 0 };
	uint8_t frame[BPDU_FRAME_MAX];
	size_t len = bpdu_build(&bpdu, bridge_mac, frame);

	(void)state;
	assert_int_equal(len, 60);
	assert_int_equal(frame[13], 7);
	assert_int_equal(parse_frame(frame, len, &back), 0);
	assert_int_equal(back.type, BPDU_TCN);
}

static void identifiers(void **state)
{
	uint64_t id = bpdu_bridge_id(0x7001, bridge_mac);
	uint8_t mac[6];

	(void)state;
	assert_int_equal(id, UINT64_C(0x7001021122334455));
	bpdu_bridge_mac(id, mac);
	assert_memory_equal(mac, bridge_mac, 6);
}

static void cut_short(void **state)
{
	struct bpdu bpdu = example(), back = { .cost = 7 };
	uint8_t frame[BPDU_FRAME_MAX];

	(void)state;
	(void)bpdu_build(&bpdu, bridge_mac, frame);
	for (size_t len = 14; len < 14 + 38; len++)
		assert_int_equal(parse_frame(frame, len, &back), -EBADMSG);
	assert_int_equal(back.cost, 7);
	assert_int_equal(parse_frame(frame, 14 + 38, &back), 0);
	for (uint8_t length = 0; length < 38; length++) { /* padding is not part of the unit */
		frame[13] = length;
		assert_int_equal(parse_frame(frame, sizeof(frame), &back), -EBADMSG);
	}
}

static void other_protocols(void **state)
{
	static const size_t places[] = { 14, 15, 16, 17, 18 }; /* LLC and protocol identifier */
	struct bpdu bpdu = example(), back;
	uint8_t frame[BPDU_FRAME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		(void)bpdu_build(&bpdu, bridge_mac, frame);
		frame[places[i]] ^= 1;
		assert_int_equal(parse_frame(frame, sizeof(frame), &back), -EPROTONOSUPPORT);
	}
	(void)bpdu_build(&bpdu, bridge_mac, frame);
	frame[20] = 3; /* type */
	assert_int_equal(parse_frame(frame, sizeof(frame), &back), -EPROTONOSUPPORT);
	assert_int_equal(bpdu_parse(0x0800, cursor_of(frame + 14, 46), &back), -EPROTONOSUPPORT);
	assert_int_equal(bpdu_parse(0x0600, cursor_of(frame + 14, 46), &back), -EPROTONOSUPPORT);
}

/* A rapid spanning tree unit (36 bytes), with or without what marks the VDE dialect. */
static size_t rapid(uint8_t frame[64], uint16_t hello, uint16_t delay)
{
	struct bpdu bpdu = example();

	bpdu.version = 2;
	bpdu.type = BPDU_RST;
	bpdu.max_age = 40 * BPDU_TIME_UNIT;
	bpdu.hello_time = hello;
	bpdu.forward_delay = delay;
	memset(frame, 0, 64);
	(void)bpdu_build(&bpdu, bridge_mac, frame);
	frame[13] = 0x27;
	return 60;
}

static void vde_dialect(void **state)
{
	struct bpdu back = { 0 };
	uint8_t frame[64];

	(void)state;
	assert_int_equal(parse_frame(frame, rapid(frame, 4 * BPDU_TIME_UNIT, 0), &back), -EPROTO);
	assert_int_equal(back.root, example().root); /* is filled, so that it can be named */
	assert_int_equal(parse_frame(frame, rapid(frame, 4 * BPDU_TIME_UNIT, 0x0400), &back), 0);
	assert_int_equal(parse_frame(frame, rapid(frame, 2 * BPDU_TIME_UNIT, 0), &back), 0);
	assert_int_equal(back.type, BPDU_RST);
	assert_int_equal(back.version, 2);
}

static void link_local_block(void **state)
{
	uint8_t mac[6] = { 0x01, 0x80, 0xc2, 0x00, 0x00, 0x00 };

	(void)state;
	for (int last = 0; last < 256; last++) {
		mac[5] = (uint8_t)last;
		assert_int_equal(bpdu_is_link_local(mac), last < 16);
	}
	mac[5] = 0;
	mac[4] = 1;
	assert_false(bpdu_is_link_local(mac));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configuration_bytes),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(topology_change_notice),
		cmocka_unit_test(identifiers),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(other_protocols),
		cmocka_unit_test(vde_dialect),
		cmocka_unit_test(link_local_block),
	};

	return RUN_TESTS(tests);
}
