/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include "vde/switch/plugins/iplog_table.h"

static struct iplog_entry entry(uint8_t version, unsigned number, int port)
{
	struct iplog_entry e = { .version = version, .port = port, .user = 7, .mac = { 2 } };

	e.addr[2] = (uint8_t)(number >> 8);
	e.addr[3] = (uint8_t)number;
	e.addr[1] = (uint8_t)(number >> 16);
	return e;
}

static void changes(void **state)
{
	struct iplog_table table;
	struct iplog_entry e = entry(4, 1, 1);

	(void)state;
	assert_int_equal(iplog_table_init(&table), 0);
	assert_int_equal(iplog_table_seen(&table, &e), IPLOG_NEW);
	assert_int_equal(iplog_table_seen(&table, &e), IPLOG_KNOWN);
	e.last = 9; /* time is no change */
	assert_int_equal(iplog_table_seen(&table, &e), IPLOG_KNOWN);
	e.port = 2;
	assert_int_equal(iplog_table_seen(&table, &e), IPLOG_CHANGED);
	e.mac[5] = 1;
	assert_int_equal(iplog_table_seen(&table, &e), IPLOG_CHANGED);
	e.user = 8;
	assert_int_equal(iplog_table_seen(&table, &e), IPLOG_CHANGED);
	e.vlan = 3; /* another network */
	assert_int_equal(iplog_table_seen(&table, &e), IPLOG_NEW);
	e.version = 6;
	assert_int_equal(iplog_table_seen(&table, &e), IPLOG_NEW);
	assert_int_equal(table.count, 3);
	iplog_table_done(&table);
}

static void count_visit(void *context, const struct iplog_entry *e)
{
	struct iplog_entry *last = context;

	assert_true(last->version < e->version ||
		    (last->version == e->version && memcmp(last->addr, e->addr, 16) <= 0));
	*last = *e;
}

/* Full, it learns nothing new and keeps what it has; what goes makes room. */
static void bounded(void **state)
{
	struct iplog_table table;
	struct iplog_entry e, last = { 0 };

	(void)state;
	assert_int_equal(iplog_table_init(&table), 0);
	for (unsigned i = 0; i < IPLOG_MAX; i++) {
		e = entry(i % 2 ? 4 : 6, i, (int)(i % 5));
		e.last = i;
		assert_int_equal(iplog_table_seen(&table, &e), IPLOG_NEW);
	}
	e = entry(4, IPLOG_MAX, 1);
	assert_int_equal(iplog_table_seen(&table, &e), IPLOG_NO_ROOM);
	e = entry(4, 1, 1);
	e.last = 1;
	assert_int_equal(iplog_table_seen(&table, &e), IPLOG_KNOWN);
	assert_int_equal(iplog_table_walk(&table, count_visit, &last), 0);
	iplog_table_forget_port(&table, 3);
	iplog_table_forget_before(&table, 1000);
	assert_int_equal(table.count, table.places.count);
	for (unsigned i = 0; i < IPLOG_MAX; i++) {
		bool stays = i % 5 != 3 && i >= 1000;

		e = entry(i % 2 ? 4 : 6, i, (int)(i % 5));
		e.last = IPLOG_MAX;
		assert_int_equal(iplog_table_seen(&table, &e), stays ? IPLOG_KNOWN : IPLOG_NEW);
	}
	iplog_table_done(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes),
		cmocka_unit_test(bounded),
	};

	return RUN_TESTS(tests);
}
