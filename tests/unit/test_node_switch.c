/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node_rules.h"

static const struct node_learning usual = { .table_size = 16, .seed = 1, .expire_s = 120 };

static void test_learns_and_forwards(void **state)
{
	struct bench b = bench_new(&usual);

	(void)state;
	assert_int_equal(bench_route(&b, 1, 2, 1, UNTAGGED), ALL);
	assert_int_equal(bench_route(&b, 2, 1, 2, UNTAGGED), 1);
	assert_int_equal(bench_route(&b, 1, 2, 1, UNTAGGED), 2);
	assert_int_equal(bench_route(&b, NODE_HOST, 1, 3, UNTAGGED), 1);
	assert_int_equal(bench_route(&b, 1, 3, 1, UNTAGGED), NODE_HOST);
	assert_int_equal(bench_route(&b, 1, 0xff, 1, UNTAGGED), ALL);
	assert_int_equal(bench_route(&b, 1, 0x102, 1, UNTAGGED), ALL);
	bench_done(&b);
}

static void test_does_not_send_back(void **state)
{
	struct bench b = bench_new(&usual);

	(void)state;
	(void)bench_route(&b, 1, 0xff, 1, UNTAGGED);
	assert_int_equal(bench_route(&b, 1, 1, 2, UNTAGGED), NONE);
	bench_done(&b);
}

static void test_group_sources_are_not_learned(void **state)
{
	struct bench b = bench_new(&usual);

	(void)state;
	(void)bench_route(&b, 1, 0xff, 0x107, UNTAGGED);
	(void)bench_route(&b, 1, 0xff, 0xff, UNTAGGED);
	assert_int_equal(bench_route(&b, 2, 0x107, 2, UNTAGGED), ALL);
	bench_done(&b);
}

/* The original masks the tag with 0x3ff: 5 and 1029 are one VLAN there. */
static void test_vlans_have_twelve_bits(void **state)
{
	static const unsigned others[] = { 5 + 1024, 5 + 2048, 5 + 3072, 0, 4, 4095, UNTAGGED };
	struct bench b = bench_new(&usual);

	(void)state;
	(void)bench_route(&b, 1, 0xff, 1, 5);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(bench_route(&b, 2, 1, 2, others[i]), ALL);
	assert_int_equal(bench_route(&b, 2, 1, 2, 5), 1);
	assert_int_equal(bench_route(&b, 2, 1, 2, 5 | 0xf000), 1); /* priority is not part of it */
	bench_done(&b);
}

static void test_priority_tag_is_untagged(void **state)
{
	struct bench b = bench_new(&usual);

	(void)state;
	(void)bench_route(&b, 1, 0xff, 1, 0x6000);
	assert_int_equal(bench_route(&b, 2, 1, 2, UNTAGGED), 1);
	bench_done(&b);
}

static void test_moves_with_the_station(void **state)
{
	struct bench b = bench_new(&usual);

	(void)state;
	(void)bench_route(&b, 1, 0xff, 1, UNTAGGED);
	(void)bench_route(&b, 5, 0xff, 1, UNTAGGED);
	assert_int_equal(bench_route(&b, 2, 1, 2, UNTAGGED), 5);
	bench_done(&b);
}

static void test_expires(void **state)
{
	struct bench b = bench_new(&usual);

	(void)state;
	(void)bench_route(&b, 1, 0xff, 1, UNTAGGED);
	b.now += 120;
	assert_int_equal(bench_route(&b, 2, 1, 2, UNTAGGED), 1);
	b.now += 1;
	assert_int_equal(bench_route(&b, 2, 1, 2, UNTAGGED), ALL);
	bench_done(&b);
}

static void test_forgets_a_port_that_is_gone(void **state)
{
	struct bench b = bench_new(&usual);

	(void)state;
	(void)bench_route(&b, 1, 0xff, 1, UNTAGGED);
	(void)bench_route(&b, 2, 0xff, 2, UNTAGGED);
	node_rule.gone(b.memory, 1);
	assert_int_equal(bench_route(&b, 5, 1, 5, UNTAGGED), ALL);
	assert_int_equal(bench_route(&b, 5, 2, 5, UNTAGGED), 2);
	bench_done(&b);
}

/* A client that makes up addresses pushes out its own only. */
static void test_a_flood_hurts_its_sender(void **state)
{
	struct bench b = bench_new(&usual);

	(void)state;
	(void)bench_route(&b, 1, 0xff, 1, UNTAGGED);
	(void)bench_route(&b, NODE_HOST, 0xff, 3, UNTAGGED);
	for (unsigned i = 0; i < 1000; i++)
		(void)bench_route(&b, 2, 0xff, 0x10000 * (i + 1), UNTAGGED);
	assert_int_equal(bench_route(&b, 5, 1, 5, UNTAGGED), 1);
	assert_int_equal(bench_route(&b, 5, 3, 5, UNTAGGED), NODE_HOST);
	assert_int_equal(bench_route(&b, 1, 5, 1, UNTAGGED), 5);
	bench_done(&b);
}

static void test_a_full_table_forgets_what_expired(void **state)
{
	struct bench b = bench_new(&usual);

	(void)state;
	for (unsigned i = 0; i < 15; i++)
		(void)bench_route(&b, 2, 0xff, 0x10000 * (i + 1), UNTAGGED);
	b.now += 121;
	(void)bench_route(&b, 2, 0xff, 7, UNTAGGED);
	(void)bench_route(&b, 1, 0xff, 8, UNTAGGED);
	assert_int_equal(bench_route(&b, 5, 7, 5, UNTAGGED), 2);
	assert_int_equal(bench_route(&b, 5, 8, 5, UNTAGGED), 1);
	bench_done(&b);
}

static void test_one_entry_works(void **state)
{
	struct node_learning tiny = { .table_size = 1, .expire_s = 120 };
	struct bench b = bench_new(&tiny);

	(void)state;
	(void)bench_route(&b, 1, 0xff, 1, UNTAGGED);
	assert_int_equal(bench_route(&b, 2, 1, 0xff, UNTAGGED), 1);
	(void)bench_route(&b, 2, 0xff, 2, UNTAGGED);
	assert_int_equal(bench_route(&b, 1, 2, 0xff, UNTAGGED), 2);
	bench_done(&b);
}

static void test_a_cut_tag_is_dropped(void **state)
{
	struct bench b = bench_new(&usual);
	uint8_t frame[17] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0 };

	(void)state;
	for (size_t len = 14; len < 18; len++)
		assert_int_equal(node_rule.route(b.memory, &b.ports, 1, frame, len, b.now).verdict,
				 NODE_DROP);
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learns_and_forwards),
		cmocka_unit_test(test_does_not_send_back),
		cmocka_unit_test(test_group_sources_are_not_learned),
		cmocka_unit_test(test_vlans_have_twelve_bits),
		cmocka_unit_test(test_priority_tag_is_untagged),
		cmocka_unit_test(test_moves_with_the_station),
		cmocka_unit_test(test_expires),
		cmocka_unit_test(test_forgets_a_port_that_is_gone),
		cmocka_unit_test(test_a_flood_hurts_its_sender),
		cmocka_unit_test(test_a_full_table_forgets_what_expired),
		cmocka_unit_test(test_one_entry_works),
		cmocka_unit_test(test_a_cut_tag_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
