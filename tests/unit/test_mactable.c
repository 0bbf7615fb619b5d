/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include "vde/switch/mactable.h"

static const uint8_t *mac(uint32_t n)
{
	static uint8_t address[ETHER_ADDR_SIZE];

	memcpy(address, (uint8_t[]){ 2, 0, n >> 24, n >> 16, n >> 8, n }, sizeof(address));
	return address;
}

static bool is_port(void *context, const struct mac_entry *entry)
{
	return entry->port == *(int *)context;
}

static void learn_find_move(void **state)
{
	struct mac_table *t;
	uint16_t old = 0;

	(void)state;
	assert_int_equal(mac_table_new(100, 8, 128, 1, &t), 0);
	assert_int_equal(mac_table_learn(t, mac(1), 0, 3, 10, &old), MAC_NEW);
	assert_int_equal(mac_table_learn(t, mac(1), 0, 3, 20, &old), MAC_KNOWN);
	assert_int_equal(mac_table_learn(t, mac(1), 1024, 4, 20, &old), MAC_NEW); /* other VLAN */
	assert_int_equal(mac_table_find(t, mac(1), 0, 20)->port, 3);
	assert_int_equal(mac_table_find(t, mac(1), 1024, 20)->port, 4);
	assert_null(mac_table_find(t, mac(2), 0, 20));
	assert_int_equal(mac_table_learn(t, mac(1), 0, 5, 22, &old), MAC_STAYS);
	assert_int_equal(old, 3);
	assert_int_equal(mac_table_learn(t, mac(1), 0, 5, 23, &old), MAC_MOVED);
	assert_int_equal(mac_table_find(t, mac(1), 0, 123)->port, 5);
	assert_null(mac_table_find(t, mac(1), 0, 124)); /* aged */
	assert_int_equal(t->per_port[3], 0);
	assert_int_equal(t->per_port[5], 1);
	mac_table_free(t);
}

static void bounds(void **state)
{
	struct mac_table *t;
	uint16_t old;

	(void)state;
	assert_int_equal(mac_table_new(0, 8, 128, 1, &t), -EINVAL);
	assert_int_equal(mac_table_new(100, 8, 128, 1, &t), 0);
	for (uint32_t i = 0; i < 1000; i++)
		(void)mac_table_learn(t, mac(i), 0, 1, 0, &old);
	assert_int_equal(t->count, 50); /* one port gets half */
	for (uint32_t i = 1000; i < 2000; i++)
		(void)mac_table_learn(t, mac(i), 0, 2, 0, &old);
	assert_int_equal(t->count, 100);
	assert_int_equal(t->not_learned, 1900);
	assert_int_equal(mac_table_learn(t, mac(5000), 0, 3, 0, &old), MAC_NO_ROOM);
	assert_non_null(mac_table_find(t, mac(0), 0, 0));
	mac_table_free(t);
}

static void removal(void **state)
{
	struct mac_table *t;
	uint16_t old;
	int two = 2;

	(void)state;
	assert_int_equal(mac_table_new(4000, 4, 128, 99, &t), 0);
	for (uint32_t i = 0; i < 3000; i++)
		assert_int_equal(mac_table_learn(t, mac(i), i % 3, (uint16_t)(1 + i % 3), 0, &old),
				 MAC_NEW);
	assert_int_equal(mac_table_remove_if(t, is_port, &two), 1000);
	assert_int_equal(t->per_port[2], 0);
	for (uint32_t i = 0; i < 3000; i++) {
		const struct mac_entry *entry = mac_table_find(t, mac(i), i % 3, 0);

		if (i % 3 == 1)
			assert_null(entry);
		else
			assert_int_equal(entry->port, 1 + i % 3);
	}
	mac_table_free(t);
}

static void parts_of_an_entry(void **state)
{
	struct mac_table *t;
	uint8_t got[ETHER_ADDR_SIZE];
	uint16_t old;

	(void)state;
	assert_int_equal(mac_table_new(10, 4, 16, 5, &t), 0);
	(void)mac_table_learn(t, mac(0x01020304), 4094, 1, 7, &old);
	mac_entry_mac(mac_table_find(t, mac(0x01020304), 4094, 7), got);
	assert_memory_equal(got, mac(0x01020304), sizeof(got));
	assert_int_equal(mac_entry_vlan(mac_table_find(t, mac(0x01020304), 4094, 7)), 4094);
	assert_true(mac_table_bucket(t, mac_table_find(t, mac(0x01020304), 4094, 7)) < 16);
	assert_int_equal(mac_table_round_size(1), 1);
	assert_int_equal(mac_table_round_size(100), 128);
	assert_int_equal(mac_table_set_ports(t, 100), 0);
	assert_int_equal(mac_table_learn(t, mac(9), 0, 99, 7, &old), MAC_NEW);
	mac_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(learn_find_move),
		cmocka_unit_test(bounds),
		cmocka_unit_test(removal),
		cmocka_unit_test(parts_of_an_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
