/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "fault.h"

static void empty_is_text(void **state)
{
	struct strbuf b = { 0 };

	(void)state;
	assert_string_equal(strbuf_text(&b), "");
	strbuf_append(&b, NULL, 0);
	assert_string_equal(strbuf_text(&b), "");
	assert_int_equal(b.len, 0);
	strbuf_done(&b);
	strbuf_done(&b);
}

static void grows_and_stays_terminated(void **state)
{
	auto_strbuf struct strbuf b = { 0 };

	(void)state;
	for (int i = 0; i < 10000; i++) {
		strbuf_putc(&b, (char)('a' + i % 26));
		assert_int_equal(b.data[b.len], '\0');
	}
	assert_int_equal(b.len, 10000);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	strbuf_puts(&b, "end");
	strbuf_printf(&b, "%s-%04d", "x", 7);
	assert_string_equal(b.data + 10000, "endx-0007");
	assert_int_equal(b.error, 0);
}

static void binary(void **state)
{
	auto_strbuf struct strbuf b = { 0 };

	(void)state;
	strbuf_append(&b, "a\0b", 3);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a\0b", 4);
}

static void printf_of_any_length(void **state)
{
	auto_strbuf struct strbuf b = { 0 };
	size_t expected = 0;

	(void)state;
	for (int width = 0; width < 1200; width += 7) {
		strbuf_printf(&b, "%*s", width, "");
		expected += (size_t)width;
		assert_int_equal(b.len, expected);
		assert_int_equal(strlen(b.data), expected);
	}
}

static void consume(void **state)
{
	auto_strbuf struct strbuf b = { 0 };

	(void)state;
	strbuf_consume(&b, 3);
	strbuf_puts(&b, "abcdef");
	strbuf_consume(&b, 2);
	assert_string_equal(strbuf_text(&b), "cdef");
	strbuf_consume(&b, 0);
	assert_int_equal(b.len, 4);
	strbuf_consume(&b, 100);
	assert_string_equal(strbuf_text(&b), "");
	assert_int_equal(b.len, 0);
}

static void reserve_and_fill(void **state)
{
	auto_strbuf struct strbuf b = { 0 };
	char *to = strbuf_reserve(&b, 3000);

	(void)state;
	assert_non_null(to);
	memset(to, 'x', 3000);
	b.len += 3000;
	strbuf_putc(&b, 'y');
	assert_int_equal(b.len, 3001);
	assert_int_equal(b.data[3000], 'y');
}

static void limit_breaks_it(void **state)
{
	auto_strbuf struct strbuf b = { .limit = 10 };

	(void)state;
	strbuf_puts(&b, "0123456789");
	assert_int_equal(b.error, 0);
	strbuf_putc(&b, 'x');
	assert_int_equal(b.error, -EMSGSIZE);
	strbuf_consume(&b, 5);
	strbuf_puts(&b, "y"); /* still broken: nothing is appended behind a gap */
	strbuf_printf(&b, "%d", 1);
	assert_string_equal(strbuf_text(&b), "56789");
	assert_null(strbuf_steal(&b));
	strbuf_clear(&b);
	assert_int_equal(b.error, 0);
	strbuf_puts(&b, "fresh");
	assert_string_equal(strbuf_text(&b), "fresh");
}

static void absurd_sizes(void **state)
{
	auto_strbuf struct strbuf b = { 0 };
	const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX / 2 + 2, SIZE_MAX / 4 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		strbuf_clear(&b);
		strbuf_puts(&b, "x");
		fault_after(0);
		assert_null(strbuf_reserve(&b, sizes[i]));
		fault_after(-1);
		assert_true(b.error < 0);
		assert_string_equal(strbuf_text(&b), "x");
	}
}

static void steal(void **state)
{
	struct strbuf b = { .limit = 100 };
	auto_free char *empty = strbuf_steal(&b);
	auto_free char *text = NULL;

	(void)state;
	assert_string_equal(empty, "");
	strbuf_puts(&b, "abc");
	text = strbuf_steal(&b);
	assert_string_equal(text, "abc");
	assert_null(b.data);
	assert_int_equal(b.limit, 100);
	strbuf_done(&b);
}

static void memory_runs_short(void **state)
{
	auto_strbuf struct strbuf b = { 0 };

	(void)state;
	fault_after(0);
	strbuf_puts(&b, "lost");
	assert_int_equal(b.error, -ENOMEM);
	assert_null(strbuf_steal(&b));
	fault_after(-1);
	strbuf_puts(&b, "still broken");
	assert_string_equal(strbuf_text(&b), "");
	strbuf_clear(&b);
	strbuf_puts(&b, "kept");
	fault_after(0);
	for (int i = 0; i < 1000; i++)
		strbuf_puts(&b, "x");
	fault_after(-1);
	assert_int_equal(b.error, -ENOMEM);
	assert_memory_equal(b.data, "keptx", 5);
	assert_int_equal(strlen(b.data), b.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_is_text),
		cmocka_unit_test(grows_and_stays_terminated),
		cmocka_unit_test(binary),
		cmocka_unit_test(printf_of_any_length),
		cmocka_unit_test(consume),
		cmocka_unit_test(reserve_and_fill),
		cmocka_unit_test(limit_breaks_it),
		cmocka_unit_test(absurd_sizes),
		cmocka_unit_test(steal),
		cmocka_unit_test(memory_runs_short),
	};

	return RUN_TESTS(tests);
}
