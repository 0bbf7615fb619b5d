/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include "vde/switch/capture_filter.h"

static void accepted(void **state)
{
	static const char *const texts[] = {
		"icmp",
		"host 10.0.0.1 and not arp",
		"net 10.0.0.0/8 or net 10.1",
		"host fc00::1",
		"ether host 02:00:00:00:00:01",
		"port http or https",
		"tcp portrange 20-25",
		"vlan 5 and udp",
		"ether proto 0x88cc",
		"ip proto \\tcp",
		"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
		"ip[6:2] & 0x1fff = 0",
		"icmp[icmptype] == icmp-echo",
		"less 128",
		"(len > 100)",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct capture_filter *filter;
		struct error error = { 0 };

		if (capture_filter_new(texts[i], &filter, &error) < 0)
			fail_msg("%s: %s", texts[i], error_text(&error));
		assert_non_null(filter);
		capture_filter_free(filter);
	}
}

/* Names would be looked up while the switch stands still; all else is libpcap's to refuse. */
static void refused(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "host example.net", "instead of \"example.net\"" },
		{ "example", "instead of \"example\"" },
		{ "host cafe", "instead of \"cafe\"" },
		{ "port http and host foo", "instead of \"foo\"" },
		{ "net loopback2", "instead of \"loopback2\"" },
		{ "host 10.0.0.1 and and", "wrong filter" },
		{ "port", "wrong filter" },
		{ "(icmp", "wrong filter" },
		{ "port nosuchservice", "wrong filter" },
	};
	static char long_word[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct capture_filter *filter = (void *)-1;
		struct error error = { 0 };

		assert_int_equal(capture_filter_new(cases[i].text, &filter, &error), -EINVAL);
		assert_null(filter);
		if (!strstr(error.text, cases[i].reason))
			fail_msg("%s: %s", cases[i].text, error.text);
	}
	memset(long_word, 'a', sizeof(long_word) - 1);
	assert_int_equal(capture_filter_new(long_word, &(struct capture_filter *){ NULL }, NULL),
			 -EINVAL);
}

static void matches(void **state)
{
	static const uint8_t arp[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1,
					 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1 };
	static const uint8_t tagged[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1,
					    0x81, 0x00, 0, 5, 0x08, 0x06 };
	struct capture_filter *filter;

	(void)state;
	assert_int_equal(capture_filter_new(" \t", &filter, NULL), 0);
	assert_null(filter); /* everything */
	assert_true(capture_filter_match(filter, arp, sizeof(arp)));
	assert_int_equal(capture_filter_new("arp", &filter, NULL), 0);
	assert_true(capture_filter_match(filter, arp, sizeof(arp)));
	assert_false(capture_filter_match(filter, tagged, sizeof(tagged)));
	assert_false(capture_filter_match(filter, arp, 13)); /* too short to tell */
	capture_filter_free(filter);
	assert_int_equal(capture_filter_new("vlan 5 and arp", &filter, NULL), 0);
	assert_true(capture_filter_match(filter, tagged, sizeof(tagged)));
	assert_false(capture_filter_match(filter, arp, sizeof(arp)));
	capture_filter_free(filter);
	capture_filter_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted),
		cmocka_unit_test(refused),
		cmocka_unit_test(matches),
	};

	return RUN_TESTS(tests);
}
