/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "vde/programs/mac_address.h"

static void check_build(const struct mac_wish *wish, uint8_t first, const char *wanted)
{
	const uint8_t random[MAC_SIZE] = { first, 0x11, 0x22, 0x33, 0x44, 0xff };
	uint8_t mac[MAC_SIZE];
	char text[EUI64_TEXT_SIZE];

	mac_build(wish, random, mac);
	mac_format(mac, MAC_SIZE, false, text);
	assert_string_equal(text, wanted);
}

static void test_build(void **state)
{
	const struct mac_wish none = { 0 };
	const struct mac_wish global = { .local = MAC_BIT_CLEAR };
	const struct mac_wish multicast = { .group = MAC_BIT_SET };
	const struct mac_wish qemu = { true, { 0x52, 0x54, 0x00 }, MAC_BIT_KEEP, MAC_BIT_KEEP };
	const struct mac_wish qemu_bits = { true, { 0x52, 0x54, 0 }, MAC_BIT_CLEAR, MAC_BIT_SET };
	const struct mac_wish xen_local = { true, { 0x00, 0x16, 0x3e }, MAC_BIT_SET, MAC_BIT_KEEP };

	(void)state;
	check_build(&none, 0xff, "fe:11:22:33:44:ff");
	check_build(&none, 0x00, "02:11:22:33:44:ff");
	check_build(&global, 0xff, "fc:11:22:33:44:ff");
	check_build(&multicast, 0x00, "03:11:22:33:44:ff");
	check_build(&qemu, 0xff, "52:54:00:33:44:ff");
	check_build(&qemu_bits, 0xff, "51:54:00:33:44:ff");
	check_build(&xen_local, 0xff, "02:16:3e:33:44:ff");
}

static void test_eui64(void **state)
{
	const uint8_t mac[MAC_SIZE] = { 0x00, 0x11, 0x22, 0xab, 0xcd, 0xef };
	uint8_t eui64[EUI64_SIZE];
	char text[EUI64_TEXT_SIZE];

	(void)state;
	mac_to_eui64(mac, eui64);
	mac_format(eui64, EUI64_SIZE, true, text);
	assert_string_equal(text, "02:11:22:FF:FE:AB:CD:EF");
}

static void test_oui(void **state)
{
	static const char *const good[] = { "00:1a:3e", "00-1A-3E", "001a3e", "00.1a.3E" };
	static const char *const bad[] = { "",	      "zz",	  "00:1a",    "00:1a:3",
					   "00:1a:3e:", "00:1a:3e:44", "0:1a:3e", "00::1a:3e",
					   "00:1a:3g",	"001a3",    " 001a3e" };
	const uint8_t wanted[OUI_SIZE] = { 0x00, 0x1a, 0x3e };
	uint8_t oui[OUI_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		memset(oui, 0xee, sizeof(oui));
		assert_int_equal(oui_parse(good[i], oui), 0);
		assert_memory_equal(oui, wanted, sizeof(oui));
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(oui_parse(bad[i], oui), -EINVAL);
	assert_memory_equal(oui, wanted, sizeof(oui));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_eui64),
		cmocka_unit_test(test_oui),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
