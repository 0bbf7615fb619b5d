/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node_rules.h"

static void test_clients_reach_the_host_only(void **state)
{
	struct bench b = bench_new(NULL);

	(void)state;
	assert_int_equal(bench_route(&b, 1, 0xff, 1, UNTAGGED), NODE_HOST);
	assert_int_equal(bench_route(&b, 5, 1, 5, UNTAGGED), NODE_HOST);
	bench_done(&b);
}

static void test_the_host_reaches_all(void **state)
{
	struct bench b = bench_new(NULL);

	(void)state;
	assert_int_equal(bench_route(&b, NODE_HOST, 0xff, 9, UNTAGGED), ALL);
	assert_int_equal(bench_route(&b, NODE_HOST, 1, 9, UNTAGGED), ALL);
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clients_reach_the_host_only),
		cmocka_unit_test(test_the_host_reaches_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
