/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node_rules.h"

static void test_clients_reach_the_host_only(void **state)
{
	struct bench b = bench_new(NULL);

	(void)state;
	assert_int_equal(bench_route(&b, 2, 0xff, 1, UNTAGGED), NODE_HOST);
	bench_done(&b);
}

static void test_the_host_uses_clients_in_turn(void **state)
{
	static const int turns[] = { 1, 2, 5, 1, 2, 5, 1 };
	struct bench b = bench_new(NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(turns); i++)
		assert_int_equal(bench_route(&b, NODE_HOST, 0xff, 9, UNTAGGED), turns[i]);
	bench_done(&b);
}

static void test_a_client_that_left_is_passed_over(void **state)
{
	struct bench b = bench_new(NULL);

	(void)state;
	assert_int_equal(bench_route(&b, NODE_HOST, 0xff, 9, UNTAGGED), 1);
	b.ports.joined[2] = false;
	assert_int_equal(bench_route(&b, NODE_HOST, 0xff, 9, UNTAGGED), 5);
	b.ports.joined[5] = b.ports.joined[1] = false;
	assert_int_equal(bench_route(&b, NODE_HOST, 0xff, 9, UNTAGGED), NONE);
	b.ports.joined[NODE_CLIENTS_MAX] = true;
	assert_int_equal(bench_route(&b, NODE_HOST, 0xff, 9, UNTAGGED), NODE_CLIENTS_MAX);
	assert_int_equal(bench_route(&b, NODE_HOST, 0xff, 9, UNTAGGED), NODE_CLIENTS_MAX);
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clients_reach_the_host_only),
		cmocka_unit_test(test_the_host_uses_clients_in_turn),
		cmocka_unit_test(test_a_client_that_left_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
