/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "base/map.h"
#include "fault.h"

static void bad_limits(void **state)
{
	struct map m;

	(void)state;
	assert_int_equal(map_init(&m, 0, 1), -EINVAL);
	assert_int_equal(map_init(&m, SIZE_MAX, 1), -EINVAL);
	fault_after(0);
	assert_int_equal(map_init(&m, 10, 1), -ENOMEM);
	fault_after(-1);
}

static void set_find_replace_remove(void **state)
{
	struct map m;

	(void)state;
	assert_int_equal(map_init(&m, 4, 1), 0);
	assert_null(map_find(&m, 0));
	assert_false(map_remove(&m, 0));
	assert_int_equal(map_set(&m, 0, 10), 0);
	assert_int_equal(map_set(&m, UINT64_MAX, 11), 0);
	assert_int_equal(*map_find(&m, 0), 10);
	assert_int_equal(*map_find(&m, UINT64_MAX), 11);
	assert_int_equal(map_set(&m, 0, 12), 0);
	assert_int_equal(m.count, 2);
	assert_int_equal(*map_find(&m, 0), 12);
	assert_true(map_remove(&m, 0));
	assert_null(map_find(&m, 0));
	map_clear(&m);
	assert_int_equal(m.count, 0);
	assert_null(map_find(&m, UINT64_MAX));
	map_done(&m);
	map_done(&m);
}

static void full(void **state)
{
	const size_t limits[] = { 1, 2, 10, 11, 1000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct map m;

		assert_int_equal(map_init(&m, limits[i], 7), 0);
		for (uint64_t key = 0; key < limits[i]; key++)
			assert_int_equal(map_set(&m, key, key), 0);
		assert_int_equal(map_set(&m, 99999, 0), -ENOSPC);
		assert_int_equal(map_set(&m, 0, 5), 0); /* replacing still works */
		assert_null(map_find(&m, 99999));
		assert_true(map_remove(&m, 0));
		assert_int_equal(map_set(&m, 99999, 0), 0);
		map_done(&m);
	}
}

/* Every key of a small world, as a plain array knows it. */
#define WORLD 64

struct model {
	bool present[WORLD];
	uint64_t value[WORLD];
	size_t count;
};

static void assert_same(const struct map *m, const struct model *model)
{
	size_t walked = 0;

	assert_int_equal(m->count, model->count);
	for (uint64_t key = 0; key < WORLD; key++) {
		const uint64_t *value = map_find(m, key);

		assert_int_equal(value != NULL, model->present[key]);
		if (value)
			assert_int_equal(*value, model->value[key]);
	}
	MAP_FOREACH(m, slot) {
		assert_true(model->present[slot->key]);
		walked++;
	}
	assert_int_equal(walked, model->count);
}

static bool odd_value(void *context, uint64_t key, uint64_t value)
{
	(void)context;
	(void)key;
	return value & 1;
}

static size_t model_remove_odd(struct model *model)
{
	size_t removed = 0;

	for (uint64_t key = 0; key < WORLD; key++)
		if (model->present[key] && model->value[key] & 1) {
			model->present[key] = false;
			model->count--;
			removed++;
		}
	return removed;
}

static void one_step(struct map *m, struct model *model, uint64_t *random)
{
	uint64_t key = test_random(random) % WORLD, value = test_random(random) >> 8;

	switch (test_random(random) % 8) {
	case 0:
		assert_int_equal(map_remove_if(m, odd_value, NULL), model_remove_odd(model));
		break;
	case 1:
	case 2:
	case 3:
		assert_int_equal(map_remove(m, key), model->present[key]);
		model->count -= model->present[key];
		model->present[key] = false;
		break;
	default:
		assert_int_equal(map_set(m, key, value), 0);
		model->count += !model->present[key];
		model->present[key] = true;
		model->value[key] = value;
	}
}

/* Against a model, in a table so full that runs collide and wrap. */
static void random_operations(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct model model = { 0 };
		uint64_t random = seed;
		struct map m;

		assert_int_equal(map_init(&m, WORLD, seed), 0);
		for (int i = 0; i < 500; i++) {
			one_step(&m, &model, &random);
			assert_same(&m, &model);
		}
		map_done(&m);
	}
}

static bool all(void *context, uint64_t key, uint64_t value)
{
	(void)key;
	(void)value;
	++*(int *)context;
	return true;
}

static void remove_all(void **state)
{
	struct map m;
	int calls = 0;

	(void)state;
	assert_int_equal(map_init(&m, 1000, 3), 0);
	for (uint64_t key = 0; key < 1000; key++)
		assert_int_equal(map_set(&m, key << 40, key), 0);
	assert_int_equal(map_remove_if(&m, all, &calls), 1000);
	assert_int_equal(calls, 1000);
	assert_int_equal(m.count, 0);
	map_done(&m);
}

static void seeds_differ(void **state)
{
	int same = 0;

	(void)state;
	for (uint64_t key = 0; key < 256; key++)
		same += (map_hash(key, 1) & 255) == (map_hash(key, 0x123456789) & 255);
	assert_true(same < 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_limits),
		cmocka_unit_test(set_find_replace_remove),
		cmocka_unit_test(full),
		cmocka_unit_test(random_operations),
		cmocka_unit_test(remove_all),
		cmocka_unit_test(seeds_differ),
	};

	return RUN_TESTS(tests);
}
