/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include <string.h>

#include "vuos/resident/exec_state.h"

static const struct exec_base base = { .trap = 1, .patching = 2, .descriptor = -1 };

/* A block with the sections that are always there; its length. */
static size_t write_block(void *block, size_t room, size_t *need)
{
	struct exec_writer writer;
	size_t len;

	exec_state_begin(&writer, block, room);
	(void)exec_state_add(&writer, EXEC_BASE, &base, sizeof(base));
	exec_state_add_text(&writer, EXEC_PATH, "/bin/true");
	(void)exec_state_add(&writer, EXEC_FILTERS, NULL, 100);
	len = exec_state_end(&writer);
	*need = writer.need;
	return len;
}

static void test_round(void **state)
{
	uint64_t block[64];
	size_t need, len = write_block(block, sizeof(block), &need), filters;
	const struct exec_base *found;
	const char *zeros;

	(void)state;
	assert_true(len > 0 && len == need && len % 8 == 0);
	assert_true(exec_state_is_valid(block, len));
	found = exec_state_find(block, EXEC_BASE, sizeof(*found), NULL);
	assert_non_null(found);
	assert_memory_equal(found, &base, sizeof(base));
	assert_string_equal(exec_state_text(block, EXEC_PATH), "/bin/true");
	assert_null(exec_state_text(block, EXEC_TRACE));
	assert_null(exec_state_find(block, EXEC_BASE, sizeof(base) + 1, NULL));
	zeros = exec_state_find(block, EXEC_FILTERS, 1, &filters);
	assert_int_equal(filters, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(zeros[i], 0);
}

/* Whatever room there is: nothing behind it is written, and `need` says what would be enough. */
static void test_room(void **state)
{
	uint64_t block[64];
	size_t enough, need, len = write_block(block, sizeof(block), &enough);

	(void)state;
	for (size_t room = 0; room < len; room += 8) {
		memset(block, 0xaa, sizeof(block));
		assert_int_equal(write_block(block, room, &need), 0);
		assert_int_equal(need, enough);
		for (size_t i = room / 8; i < 64; i++)
			assert_int_equal(block[i], 0xaaaaaaaaaaaaaaaa);
	}
	assert_int_equal(write_block(block, len, &need), len);
}

/* Cut or changed blocks are refused, or are found to be whole; nothing outside is read. */
static void test_hostile(void **state)
{
	uint64_t block[64], copy[64];
	size_t need, len = write_block(block, sizeof(block), &need);

	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		assert_false(exec_state_is_valid(block, cut));
	for (size_t at = 0; at < len; at++) {
		for (int bit = 0; bit < 8; bit++) {
			memcpy(copy, block, len);
			((uint8_t *)copy)[at] ^= (uint8_t)(1 << bit);
			if (!exec_state_is_valid(copy, len))
				continue;
			(void)exec_state_text(copy, EXEC_PATH);
			assert_non_null(exec_state_find(copy, EXEC_BASE, sizeof(base), NULL));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
