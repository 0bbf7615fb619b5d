/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "wire/ether.h"

static const uint8_t untagged[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1,
				    0x08, 0x00, 0xaa, 0xbb };
static const uint8_t tagged[] = { 1, 2, 3, 4, 5, 6, 2, 0, 0, 0, 0, 1,
				  0x81, 0x00, 0xef, 0xff, 0x86, 0xdd, 0xaa };

static void parse_untagged(void **state)
{
	struct ether_info info;

	(void)state;
	assert_int_equal(ether_parse(untagged, sizeof(untagged), &info), 0);
	assert_ptr_equal(info.dest, untagged);
	assert_ptr_equal(info.source, untagged + 6);
	assert_false(info.tagged);
	assert_int_equal(info.tci, 0);
	assert_int_equal(info.type, ETHER_TYPE_IPV4);
	assert_int_equal(info.header_len, 14);
	assert_int_equal(ether_parse(untagged, 14, &info), 0);
}

static void parse_tagged(void **state)
{
	struct ether_info info;

	(void)state;
	assert_int_equal(ether_parse(tagged, sizeof(tagged), &info), 0);
	assert_true(info.tagged);
	assert_int_equal(info.tci, 0xefff);
	assert_int_equal(VLAN_ID(info.tci), VLAN_NONE);
	assert_int_equal(info.type, ETHER_TYPE_IPV6);
	assert_int_equal(info.header_len, 18);
}

static void too_short(void **state)
{
	struct ether_info info = { .type = 7 };

	(void)state;
	for (size_t len = 0; len < 14; len++)
		assert_int_equal(ether_parse(untagged, len, &info), -EBADMSG);
	for (size_t len = 14; len < 18; len++)
		assert_int_equal(ether_parse(tagged, len, &info), -EBADMSG);
	assert_int_equal(ether_parse(tagged, 18, &info), 0);
	info.type = 7;
	assert_int_equal(ether_parse(tagged, 17, &info), -EBADMSG);
	assert_int_equal(info.type, 7);
}

static void a_service_tag_is_a_type(void **state)
{
	uint8_t frame[sizeof(tagged)];
	struct ether_info info;

	(void)state;
	memcpy(frame, tagged, sizeof(frame));
	frame[12] = 0x88;
	frame[13] = 0xa8;
	assert_int_equal(ether_parse(frame, sizeof(frame), &info), 0);
	assert_false(info.tagged);
	assert_int_equal(info.type, ETHER_TYPE_SERVICE_VLAN);
}

static void push_and_pop(void **state)
{
	uint8_t room[4 + sizeof(untagged)];
	struct ether_info info;
	uint8_t *start;

	(void)state;
	memcpy(room + 4, untagged, sizeof(untagged));
	start = ether_push_tag(room + 4, 0x6064);
	assert_ptr_equal(start, room);
	assert_int_equal(ether_parse(start, sizeof(room), &info), 0);
	assert_true(info.tagged);
	assert_int_equal(VLAN_ID(info.tci), 0x64);
	assert_int_equal(info.tci >> 13, 3);
	assert_int_equal(info.type, ETHER_TYPE_IPV4);
	start = ether_pop_tag(start);
	assert_ptr_equal(start, room + 4);
	assert_memory_equal(start, untagged, sizeof(untagged));
}

static void addresses(void **state)
{
	const uint8_t group[6] = { 1, 0, 0, 0, 0, 0 }, single[6] = { 2, 0, 0, 0, 0, 0x80 };

	(void)state;
	assert_true(ether_is_multicast(group));
	assert_true(ether_is_multicast(untagged));
	assert_false(ether_is_multicast(single));
	assert_int_equal(ether_mac_number(single), UINT64_C(0x800000000002));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_untagged),
		cmocka_unit_test(parse_tagged),
		cmocka_unit_test(too_short),
		cmocka_unit_test(a_service_tag_is_a_type),
		cmocka_unit_test(push_and_pop),
		cmocka_unit_test(addresses),
	};

	return RUN_TESTS(tests);
}
