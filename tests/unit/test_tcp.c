/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "tcp_frames.h"

static const struct tcp_spec base = { .version = 4, .flags = TCP_ACK, .options = 12,
				      .payload_len = 100 };

static void test_layout(void **state)
{
	uint8_t frame[400];
	struct tcp_spec spec = base;
	struct tcp_layout l;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		size_t len, ip;

		spec.version = i < 3 ? 4 : 6;
		spec.tags = i % 3;
		ip = 14 + 4 * spec.tags;
		len = build_segment(frame, &spec);
		memset(frame + len, 0, 10); /* padding */
		assert_int_equal(tcp_parse(frame, len + 10, false, &l), 0);
		assert_int_equal(l.version, spec.version);
		assert_int_equal(l.ip, ip);
		assert_int_equal(l.tcp, ip + (spec.version == 4 ? 20 : 40));
		assert_int_equal(l.payload, l.tcp + 32);
		assert_int_equal(l.end, len);
		assert_int_equal(tcp_parse(frame, len + 10, true, &l), 0);
		assert_int_equal(l.end, len + 10);
		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(tcp_parse(frame, cut, false, &l), -EBADMSG);
	}
}

/* One byte of a good frame changed to make it something else. */
static void test_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} changes[] = {
		{ 13, 0x06 },	     /* ARP */
		{ 14, 0x65 },	     /* version 6 */
		{ 14, 0x44 },	     /* IP header of 16 bytes */
		{ 14, 0x4f },	     /* IP header of 60 bytes: TCP header beyond its own length */
		{ 17, 19 },	     /* total length shorter than the header */
		{ 17, 255 },	     /* longer than the frame */
		{ 20, 0x20 },	     /* more fragments */
		{ 21, 1 },	     /* a later fragment */
		{ 23, 17 },	     /* UDP */
		{ 14 + 20 + 12, 0x40 }, /* TCP header of 16 bytes */
	};
	uint8_t frame[400], changed[400];
	struct tcp_spec spec = base;
	struct tcp_layout l;
	size_t len;

	(void)state;
	spec.options = 0;
	spec.payload_len = 8;
	len = build_segment(frame, &spec);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		memcpy(changed, frame, len);
		changed[changes[i].at] = changes[i].value;
		assert_int_equal(tcp_parse(changed, len, false, &l), -EBADMSG);
	}
	assert_int_equal(tcp_parse(frame, len, false, &l), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
