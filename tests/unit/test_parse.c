/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <limits.h>

#include "base/parse.h"

#define UNTOUCHED 4711

static void assert_int(const char *text, int expected_r, long long expected)
{
	long long value = UNTOUCHED;

	assert_int_equal(parse_int(text, -1000, 1000000, &value), expected_r);
	assert_int_equal(value, expected_r == 0 ? expected : UNTOUCHED);
}

static void c_syntax(void **state)
{
	static const char *const wrong[] = { "", " ", "x", "12x", "0x", "0xg", "--1", "+", "-", "1 ",
					     " 1", "1.0", "08", "1e3", "\t1", "- 1" };

	(void)state;
	assert_int("0", 0, 0);
	assert_int("42", 0, 42);
	assert_int("+42", 0, 42);
	assert_int("-42", 0, -42);
	assert_int("0x1F", 0, 31);
	assert_int("010", 0, 8);
	assert_int("1000000", 0, 1000000);
	assert_int("1000001", -ERANGE, 0);
	assert_int("-1001", -ERANGE, 0);
	assert_int("99999999999999999999999", -ERANGE, 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int(wrong[i], -EINVAL, 0);
}

static void decimal(void **state)
{
	long long value = UNTOUCHED;

	(void)state;
	assert_int_equal(parse_decimal("010", 0, 100, &value), 0);
	assert_int_equal(value, 10);
	assert_int_equal(parse_decimal("0x10", 0, 100, &value), -EINVAL);
	assert_int_equal(parse_decimal("9223372036854775807", 0, LLONG_MAX, &value), 0);
	assert_int_equal(parse_decimal("9223372036854775808", 0, LLONG_MAX, &value), -ERANGE);
}

static void modes(void **state)
{
	mode_t mode = UNTOUCHED;

	(void)state;
	assert_int_equal(parse_mode("0660", &mode), 0);
	assert_int_equal(mode, 0660);
	assert_int_equal(parse_mode("7777", &mode), 0);
	assert_int_equal(mode, 07777);
	assert_int_equal(parse_mode("10000", &mode), -ERANGE);
	assert_int_equal(parse_mode("-1", &mode), -ERANGE);
	assert_int_equal(parse_mode("8", &mode), -EINVAL);
	assert_int_equal(parse_mode("rw", &mode), -EINVAL);
	assert_int_equal(parse_mode("", &mode), -EINVAL);
	assert_int_equal(mode, 07777);
}

static void macs(void **state)
{
	static const char *const wrong[] = {
		"",  "1:2:3:4:5", "1:2:3:4:5:", "1:2:3:4:5:6:7", "1:2:3:4:5:g", "100:2:3:4:5:6",
		"1:2:3:4:5:006", "1::3:4:5:6", "1 2 3 4 5 6", "0x1:2:3:4:5:6", "1:2:3:4:5:6 ", "-1:2:3:4:5:6",
	};
	const uint8_t expected[6] = { 0x02, 0x00, 0xab, 0xCD, 0x0e, 0xff };
	uint8_t mac[6];
	char text[MAC_TEXT_SIZE];

	(void)state;
	assert_int_equal(parse_mac("02:00:ab:cd:0e:ff", mac), 0);
	assert_memory_equal(mac, expected, 6);
	assert_int_equal(parse_mac("2.0.AB.CD.e.FF", mac), 0);
	assert_memory_equal(mac, expected, 6);
	assert_int_equal(parse_mac("02-00-ab-cd-0e-ff", mac), 0);
	assert_memory_equal(mac, expected, 6);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(parse_mac(wrong[i], mac), -EINVAL);
	assert_memory_equal(mac, expected, 6);
	assert_string_equal(format_mac(expected, text), "02:00:ab:cd:0e:ff");
}

static void users_and_groups(void **state)
{
	uid_t uid = UNTOUCHED;
	gid_t gid = UNTOUCHED;

	(void)state;
	assert_int_equal(parse_user("root", &uid), 0);
	assert_int_equal(uid, 0);
	assert_int_equal(parse_user("12345", &uid), 0);
	assert_int_equal(uid, 12345);
	assert_int_equal(parse_group("root", &gid), 0);
	assert_int_equal(gid, 0);
	assert_int_equal(parse_group("4294967294", &gid), 0);
	assert_int_equal(gid, 4294967294u);
	assert_int_equal(parse_group("4294967295", &gid), -ERANGE); /* (gid_t)-1 means "none" */
	assert_int_equal(parse_user("99999999999999999999", &uid), -ERANGE);
	assert_int_equal(parse_user("no such user", &uid), -ENOENT);
	assert_int_equal(parse_group("no such group", &gid), -ENOENT);
	assert_int_equal(parse_user("", &uid), -ENOENT);
	assert_int_equal(parse_group("-1", &gid), -ENOENT);
	assert_int_equal(uid, 12345);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c_syntax),
		cmocka_unit_test(decimal),
		cmocka_unit_test(modes),
		cmocka_unit_test(macs),
		cmocka_unit_test(users_and_groups),
	};

	return RUN_TESTS(tests);
}
