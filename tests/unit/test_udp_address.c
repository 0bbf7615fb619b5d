/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include <errno.h>

#include "vde/plugins/udp_address.h"

static const struct {
	const char *text, *from_host, *from_port, *to_host, *to_port;
} good[] = {
	{ "6000->10.0.0.1:6001", "", "6000", "10.0.0.1", "6001" },
	{ ":6000->host:name", "", "6000", "host", "name" },
	{ "127.0.0.1:1->127.0.0.2:2", "127.0.0.1", "1", "127.0.0.2", "2" },
	{ "[::1]:1->[fe80::1%eth0]:2", "::1", "1", "fe80::1%eth0", "2" },
	{ "::1:1->fe80::2:3", "::1", "1", "fe80::2", "3" },
	{ "6000->[10.0.0.1]:6001", "", "6000", "10.0.0.1", "6001" },
};

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct udp_end from, to;

		assert_int_equal(udp_address_parse(good[i].text, &from, &to, NULL), 0);
		assert_string_equal(from.host, good[i].from_host);
		assert_string_equal(from.port, good[i].from_port);
		assert_string_equal(to.host, good[i].to_host);
		assert_string_equal(to.port, good[i].to_port);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *text;
		int caret; /* column */
	} bad[] = {
		{ "", 0 },
		{ "6000", 4 },
		{ "->a:1", 0 },
		{ "a:->b:1", 2 },
		{ "1->", 3 },
		{ "1->2", 3 },
		{ "1->host:", 8 },
		{ "1->:2", 3 },
		{ "[::1:1->a:2", 0 },
		{ "[::1]->a:2", 0 },
		{ "[::1]x:1->a:2", 0 },
		{ "1->[]:2", 3 },
		{ "65536->a:2", 0 },
		{ "1->a:65536", 5 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error error = { 0 };
		struct udp_end from, to;
		const char *last;

		assert_int_equal(udp_address_parse(bad[i].text, &from, &to, &error), -EINVAL);
		last = strrchr(error.text, '\n');
		assert_non_null(last);
		assert_int_equal(strlen(last + 1) - 3, bad[i].caret); /* "  ", blanks, "^" */
	}
}

static void test_long(void **state)
{
	char text[400];
	struct udp_end from, to;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "1->", 3);
	memcpy(text + sizeof(text) - 3, ":2", 3);
	assert_int_equal(udp_address_parse(text, &from, &to, NULL), -EINVAL);
	memcpy(text + 20, ":", 1);
	text[80] = '\0';
	assert_int_equal(udp_address_parse(text, &from, &to, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
