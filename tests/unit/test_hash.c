/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <libvdeplug_mod.h>

static void make_mac(unsigned char mac[6], unsigned n)
{
	memset(mac, 0, 6);
	mac[0] = 2;
	mac[3] = (unsigned char)(n >> 16);
	mac[4] = (unsigned char)(n >> 8);
	mac[5] = (unsigned char)n;
}

static void learn(struct vde_hashtable *table, unsigned n, int vlan, int value, time_t now)
{
	unsigned char mac[6];

	make_mac(mac, n);
	vde_find_in_hash_update(table, mac, vlan, &value, now);
}

/* The value, or -1. */
static int look_up(struct vde_hashtable *table, unsigned n, int vlan, time_t too_old)
{
	unsigned char mac[6];
	int *found;

	make_mac(mac, n);
	found = vde_find_in_hash(table, mac, vlan, too_old);
	return found ? *found : -1;
}

static void finds_what_was_learned(void **state)
{
	struct vde_hashtable *table = vde_hash_init(int, 100, 1);

	(void)state;
	learn(table, 1, 0, 11, 50);
	assert_int_equal(look_up(table, 1, 0, 50), 11);
	assert_int_equal(look_up(table, 1, 0, 51), -1);
	assert_int_equal(look_up(table, 2, 0, 0), -1);
	learn(table, 1, 0, 12, 60);
	assert_int_equal(look_up(table, 1, 0, 60), 12);
	vde_hash_fini(table);
}

static void vlans_are_apart(void **state)
{
	struct vde_hashtable *table = vde_hash_init(int, 64, 1);

	(void)state;
	learn(table, 1, 1, 11, 50);
	learn(table, 1, 1025, 12, 50); /* not only the low bits count */
	assert_int_equal(look_up(table, 1, 1, 0), 11);
	assert_int_equal(look_up(table, 1, 1025, 0), 12);
	assert_int_equal(look_up(table, 1, 2, 0), -1);
	vde_hash_fini(table);
}

static void multicast_is_never_learned(void **state)
{
	struct vde_hashtable *table = vde_hash_init(int, 64, 1);
	unsigned char group[6] = { 1, 0, 0x5e, 0, 0, 1 };
	int value = 5;

	(void)state;
	vde_find_in_hash_update(table, group, 0, &value, 50);
	assert_null(vde_find_in_hash(table, group, 0, 0));
	vde_hash_fini(table);
}

static void sizes(void **state)
{
	(void)state;
	assert_null(vde_hash_init(int, 0, 1));
	assert_null(_vde_hash_init(sizeof(int), 1u << 31, 1));
	vde_hash_fini(NULL);
	for (unsigned size = 1; size <= 5; size++) {
		struct vde_hashtable *table = vde_hash_init(int, size, 1);

		assert_non_null(table);
		learn(table, 7, 0, 1, 1);
		assert_int_equal(look_up(table, 7, 0, 0), 1);
		vde_hash_fini(table);
	}
}

static void few_are_lost_when_half_full(void **state)
{
	struct vde_hashtable *table = vde_hash_init(int, 256, 99);
	int kept = 0;

	(void)state;
	for (unsigned n = 0; n < 128; n++)
		learn(table, n, 0, (int)n, 1);
	for (unsigned n = 0; n < 128; n++)
		kept += look_up(table, n, 0, 0) == (int)n;
	assert_in_range(kept, 118, 128); /* one entry a slot would keep about 100 */
	vde_hash_fini(table);
}

static void the_oldest_gives_way(void **state)
{
	struct vde_hashtable *table = vde_hash_init(int, 4, 1); /* one set */

	(void)state;
	for (unsigned n = 0; n < 4; n++)
		learn(table, n, 0, (int)n, 10 + (time_t)n);
	learn(table, 0, 0, 100, 20);
	learn(table, 9, 0, 9, 21);
	assert_int_equal(look_up(table, 1, 0, 0), -1);
	assert_int_equal(look_up(table, 0, 0, 0), 100);
	assert_int_equal(look_up(table, 9, 0, 0), 9);
	vde_hash_fini(table);
}

static void a_payload_is_forgotten_everywhere(void **state)
{
	struct vde_hashtable *table = vde_hash_init(int, 64, 1);
	int gone = 7;

	(void)state;
	learn(table, 1, 0, 7, 1);
	learn(table, 2, 5, 7, 1);
	learn(table, 3, 0, 8, 1);
	vde_hash_delete(table, &gone);
	assert_int_equal(look_up(table, 1, 0, 0), -1);
	assert_int_equal(look_up(table, 2, 5, 0), -1);
	assert_int_equal(look_up(table, 3, 0, 0), 8);
	vde_hash_fini(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_learned),
		cmocka_unit_test(vlans_are_apart),
		cmocka_unit_test(multicast_is_never_learned),
		cmocka_unit_test(sizes),
		cmocka_unit_test(few_are_lost_when_half_full),
		cmocka_unit_test(the_oldest_gives_way),
		cmocka_unit_test(a_payload_is_forgotten_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
