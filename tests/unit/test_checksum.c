/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <endian.h>

#include "wire/checksum.h"

/* RFC 1071 word by word, as the definition says. */
static uint16_t naive(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2) {
		sum += (uint32_t)data[i] << 8 | (i + 1 < len ? data[i + 1] : 0);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

static uint16_t ours(const uint8_t *data, size_t len)
{
	return be16toh(checksum(data, len));
}

/* 0 and 0xffff are the same number in ones' complement. */
static bool same(uint16_t a, uint16_t b)
{
	return a == b || (a % 0xffff == 0 && b % 0xffff == 0);
}

static void known_values(void **state)
{
	const uint8_t rfc1071[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	const uint8_t ipv4[] = { 0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
				 0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7 };

	(void)state;
	assert_int_equal(ours(rfc1071, sizeof(rfc1071)), 0x220d);
	assert_int_equal(checksum(ipv4, sizeof(ipv4)), 0); /* includes its own */
	assert_int_equal(ours(rfc1071, 0), 0xffff);
	assert_int_equal(ours(rfc1071 + 2, 1), (uint16_t)~0xf200);
}

static void random_data_lengths_and_alignments(void **state)
{
	static uint8_t data[2100];
	uint64_t random = 4;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(test_random(&random) >> 24);
	for (size_t align = 0; align < 16; align++)
		for (size_t len = 0; len < 200; len++)
			assert_int_equal(ours(data + align, len), naive(data + align, len));
	for (size_t len = 200; len < 2048; len += 13)
		assert_int_equal(ours(data + 3, len), naive(data + 3, len));
}

static void carries(void **state)
{
	static uint8_t data[65536];

	(void)state;
	memset(data, 0xff, sizeof(data));
	for (size_t len = 1; len <= sizeof(data); len = len * 3 + 1)
		assert_true(same(ours(data, len), naive(data, len)));
	assert_true(same(ours(data, sizeof(data)), naive(data, sizeof(data))));
	memset(data, 0, sizeof(data));
	assert_int_equal(ours(data, sizeof(data)), 0xffff);
	data[17] = 1;
	assert_int_equal(ours(data, sizeof(data)), 0xfffe);
}

static void copied(void **state)
{
	uint8_t data[400], copy[420], untouched[20];
	uint64_t random = 5;

	(void)state;
	memset(untouched, 0xa5, sizeof(untouched));
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(test_random(&random) >> 40);
	for (size_t len = 0; len <= sizeof(data) - 3; len++) {
		memset(copy, 0xa5, sizeof(copy));
		assert_int_equal(be16toh(checksum_finish(checksum_copy(0, copy + 1, data + 3, len))),
				 naive(data + 3, len));
		assert_memory_equal(copy + 1, data + 3, len);
		assert_memory_equal(copy + 1 + len, untouched, 10);
	}
}

static void in_pieces(void **state)
{
	uint8_t data[101];
	uint64_t random = 9;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(test_random(&random) >> 40);
	for (size_t cut = 0; cut <= sizeof(data); cut += 2) {
		uint64_t sum = checksum_add(0, data, cut);

		sum = checksum_add(sum, data + cut, sizeof(data) - cut);
		assert_int_equal(be16toh(checksum_finish(sum)), naive(data, sizeof(data)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values),
		cmocka_unit_test(random_data_lengths_and_alignments),
		cmocka_unit_test(carries),
		cmocka_unit_test(copied),
		cmocka_unit_test(in_pieces),
	};

	return RUN_TESTS(tests);
}
