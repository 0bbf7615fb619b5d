/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "wire/cursor.h"

static void takes_in_order(void **state)
{
	const uint8_t data[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
	struct cursor c = cursor_of(data, sizeof(data));
	uint32_t host;
	uint8_t two[2];

	(void)state;
	assert_int_equal(cursor_u8(&c), 1);
	assert_int_equal(cursor_be16(&c), 0x0203);
	assert_int_equal(cursor_be32(&c), 0x04050607);
	assert_true(cursor_copy(&c, two, 2));
	assert_int_equal(two[1], 9);
	assert_int_equal(c.left, 2);
	assert_ptr_equal(cursor_take(&c, 2), data + 9);
	assert_true(c.ok);
	assert_int_equal(c.left, 0);
	memcpy(&host, data, 4);
	c = cursor_of(data, 4);
	assert_int_equal(cursor_host32(&c), host);
}

/* After a failure everything fails, even what would fit. */
static void failure_is_for_good(void **state)
{
	const uint8_t data[4] = { 1, 2, 3, 4 };
	struct cursor c = cursor_of(data, 4);
	uint8_t copy[8] = { 9 };

	(void)state;
	assert_null(cursor_take(&c, 5));
	assert_false(c.ok);
	assert_int_equal(c.left, 0);
	assert_int_equal(cursor_u8(&c), 0);
	assert_int_equal(cursor_be16(&c), 0);
	assert_int_equal(cursor_be32(&c), 0);
	assert_int_equal(cursor_host32(&c), 0);
	assert_null(cursor_take(&c, 0));
	assert_false(cursor_copy(&c, copy, 1));
	assert_int_equal(copy[0], 9);
	assert_false(cursor_cut(&c, 0).ok);
}

static void each_number_needs_all_its_bytes(void **state)
{
	const uint8_t data[3] = { 1, 2, 3 };
	struct cursor c = cursor_of(data, 0);

	(void)state;
	assert_int_equal(cursor_u8(&c), 0);
	assert_false(c.ok);
	c = cursor_of(data, 1);
	assert_int_equal(cursor_be16(&c), 0);
	assert_false(c.ok);
	c = cursor_of(data, 3);
	assert_int_equal(cursor_be32(&c), 0);
	assert_false(c.ok);
	c = cursor_of(data, 3);
	assert_int_equal(cursor_host32(&c), 0);
	assert_false(c.ok);
	c = cursor_of(data, 3);
	assert_null(cursor_take(&c, SIZE_MAX));
	assert_false(c.ok);
}

static void cutting(void **state)
{
	const uint8_t data[6] = { 1, 2, 3, 4, 5, 6 };
	struct cursor c = cursor_of(data, 6);
	struct cursor part = cursor_cut(&c, 4), none;

	(void)state;
	assert_int_equal(part.left, 4);
	assert_null(cursor_take(&part, 5)); /* an error inside stays inside */
	assert_true(c.ok);
	assert_int_equal(cursor_be16(&c), 0x0506);
	none = cursor_cut(&c, 1);
	assert_false(none.ok);
	assert_int_equal(none.left, 0);
	assert_false(c.ok);
}

struct header {
	uint8_t a;
	uint32_t b;
} __attribute__((packed));

static void typed_headers(void **state)
{
	const uint8_t data[6] = { 1, 2, 3, 4, 5, 6 };
	struct cursor c = cursor_of(data, 6);
	const struct header *header = CURSOR_TAKE(&c, struct header);

	(void)state;
	assert_non_null(header);
	assert_int_equal(header->a, 1);
	assert_int_equal(be32toh(header->b), 0x02030405);
	assert_null(CURSOR_TAKE(&c, struct header));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_in_order),
		cmocka_unit_test(failure_is_for_good),
		cmocka_unit_test(each_number_needs_all_its_bytes),
		cmocka_unit_test(cutting),
		cmocka_unit_test(typed_headers),
	};

	return RUN_TESTS(tests);
}
