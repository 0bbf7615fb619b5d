/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "base/pool.h"

static void bad_sizes(void **state)
{
	struct pool p = { 0 };

	(void)state;
	assert_int_equal(pool_init(&p, 0, 1), -EINVAL);
	assert_int_equal(pool_init(&p, 1, 0), -EINVAL);
	assert_int_equal(pool_init(&p, SIZE_MAX / 2, 4), -EINVAL);
	assert_int_equal(pool_init(&p, SIZE_MAX / 64, 32), -ENOMEM);
	pool_done(&p);
}

static void items_are_distinct(void **state)
{
	char *items[100];
	struct pool p;

	(void)state;
	assert_int_equal(pool_init(&p, 65, 100), 0);
	assert_int_equal(p.item_size, 128);
	for (int i = 0; i < 100; i++) {
		items[i] = pool_get(&p);
		assert_non_null(items[i]);
		assert_int_equal((uintptr_t)items[i] % 64, 0);
		memset(items[i], i, 128);
	}
	assert_null(pool_get(&p));
	assert_int_equal(p.used, 100);
	for (int i = 0; i < 100; i++)
		for (int j = 0; j < 128; j++)
			assert_int_equal(items[i][j], i);
	for (int i = 0; i < 100; i += 2)
		pool_put(&p, items[i]);
	for (int i = 0; i < 50; i++)
		assert_non_null(pool_get(&p));
	assert_null(pool_get(&p));
	pool_done(&p);
	pool_done(&p);
}

static void trim_only_when_unused(void **state)
{
	struct pool p;
	char *item;

	(void)state;
	assert_int_equal(pool_init(&p, 4096, 8), 0);
	pool_trim(&p);
	item = pool_get(&p);
	memset(item, 7, 4096);
	pool_trim(&p);
	assert_int_equal(item[9], 7);
	pool_put(&p, item);
	pool_trim(&p);
	assert_ptr_equal(pool_get(&p), item);
	assert_int_equal(item[9], 0); /* a fresh page */
	for (int i = 1; i < 8; i++)
		assert_non_null(pool_get(&p));
	assert_null(pool_get(&p));
	pool_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_sizes),
		cmocka_unit_test(items_are_distinct),
		cmocka_unit_test(trim_only_when_unused),
	};

	return RUN_TESTS(tests);
}
