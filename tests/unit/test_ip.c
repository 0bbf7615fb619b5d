/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "wire/ether.h"
#include "wire/ip.h"

static const uint8_t address4[4] = { 10, 1, 2, 3 };
static const uint8_t address6[16] = { 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9 };

static int find(uint16_t type, const void *packet, size_t len, struct ip_source *ret)
{
	return ip_find_source(type, cursor_of(packet, len), ret);
}

static void assert_cut_short(uint16_t type, const void *packet, size_t whole)
{
	struct ip_source source = { .version = 77 };

	for (size_t len = 0; len < whole; len++)
		assert_int_equal(find(type, packet, len, &source), -EBADMSG);
	assert_int_equal(source.version, 77);
}

static void ipv4(void **state)
{
	struct ipv4_header ip = { .version_ihl = 0x45 };
	struct ip_source source;

	(void)state;
	memcpy(ip.source, address4, 4);
	assert_int_equal(find(ETHER_TYPE_IPV4, &ip, sizeof(ip), &source), 0);
	assert_int_equal(source.version, 4);
	assert_memory_equal(source.addr, address4, 4);
	assert_cut_short(ETHER_TYPE_IPV4, &ip, sizeof(ip));
	ip.version_ihl = 0x44;
	assert_int_equal(find(ETHER_TYPE_IPV4, &ip, sizeof(ip), &source), -EBADMSG);
	ip.version_ihl = 0x65;
	assert_int_equal(find(ETHER_TYPE_IPV4, &ip, sizeof(ip), &source), -EBADMSG);
}

static void ipv6(void **state)
{
	struct ipv6_header ip = { .version_class_flow = htobe32(UINT32_C(0x6fffffff)) };
	struct ip_source source;

	(void)state;
	memcpy(ip.source, address6, 16);
	assert_int_equal(find(ETHER_TYPE_IPV6, &ip, sizeof(ip), &source), 0);
	assert_int_equal(source.version, 6); /* whatever the traffic class is */
	assert_memory_equal(source.addr, address6, 16);
	assert_cut_short(ETHER_TYPE_IPV6, &ip, sizeof(ip));
	ip.version_class_flow = htobe32(UINT32_C(0x40000000));
	assert_int_equal(find(ETHER_TYPE_IPV6, &ip, sizeof(ip), &source), -EBADMSG);
}

static void arp(void **state)
{
	const struct arp_header right = {
		.hardware = htobe16(1), .protocol = htobe16(ETHER_TYPE_IPV4),
		.hardware_len = 6, .protocol_len = 4, .operation = htobe16(2),
		.sender_ip = { 10, 1, 2, 3 },
	};
	struct arp_header wrong[4] = { right, right, right, right };
	struct ip_source source;

	(void)state;
	assert_int_equal(find(ETHER_TYPE_ARP, &right, sizeof(right), &source), 0);
	assert_int_equal(source.version, 4);
	assert_memory_equal(source.addr, address4, 4);
	assert_cut_short(ETHER_TYPE_ARP, &right, sizeof(right));
	wrong[0].hardware = htobe16(6);
	wrong[1].protocol = htobe16(ETHER_TYPE_IPV6);
	wrong[2].hardware_len = 8;
	wrong[3].protocol_len = 16;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(find(ETHER_TYPE_ARP, &wrong[i], sizeof(right), &source), -EBADMSG);
}

static void no_address(void **state)
{
	struct ip_source source;

	(void)state;
	assert_int_equal(find(0x88b5, address6, 16, &source), -ENOENT);
	assert_int_equal(find(0x0026, address6, 16, &source), -ENOENT);
	assert_int_equal(find(ETHER_TYPE_VLAN, address6, 16, &source), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4),
		cmocka_unit_test(ipv6),
		cmocka_unit_test(arp),
		cmocka_unit_test(no_address),
	};

	return RUN_TESTS(tests);
}
