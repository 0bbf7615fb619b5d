/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node_rules.h"

static void test_everybody_hears_everything(void **state)
{
	struct bench b = bench_new(NULL);

	(void)state;
	for (unsigned from = 0; from < 6; from++) {
		assert_int_equal(bench_route(&b, from, 0xff, from, UNTAGGED), ALL);
		assert_int_equal(bench_route(&b, from, 7, from, UNTAGGED), ALL);
		assert_int_equal(bench_route(&b, from, 7, from, 5), ALL);
	}
	bench_done(&b);
}

static void test_takes_no_learning_options(void **state)
{
	(void)state;
	assert_false(node_rule.learns);
	assert_string_equal(node_rule.name, "hub");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everybody_hears_everything),
		cmocka_unit_test(test_takes_no_learning_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
