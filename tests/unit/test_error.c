/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "base/error.h"

static void sets_code_and_text(void **state)
{
	struct error e = { 0 };

	(void)state;
	assert_int_equal(error_set(&e, EINVAL, "port %d: %s", 7, "no"), -EINVAL);
	assert_int_equal(e.code, EINVAL);
	assert_string_equal(error_text(&e), "port 7: no");
	assert_int_equal(error_set_errno(&e, ENOENT, "open '%s'", "x"), -ENOENT);
	assert_string_equal(error_text(&e), "open 'x': No such file or directory");
}

static void null_is_fine(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, EPERM, "%s", "x"), -EPERM);
	assert_int_equal(error_set_errno(NULL, EPERM, "%s", "x"), -EPERM);
	assert_int_equal(error_set_caret(NULL, EPERM, "line", 2, "%s", "x"), -EPERM);
}

static void keeps_errno(void **state)
{
	struct error e;

	(void)state;
	errno = ERANGE;
	(void)error_set(&e, 1, "%s", "a");
	assert_int_equal(errno, ERANGE);
	(void)error_set_errno(&e, 99999, "a");
	assert_int_equal(errno, ERANGE);
	(void)error_set_caret(&e, 99999, "line", 0, "a");
	assert_int_equal(errno, ERANGE);
}

static void text_without_sentence(void **state)
{
	struct error e = { .code = EACCES };

	(void)state;
	assert_string_equal(error_text(&e), "Permission denied");
}

static void long_sentence_is_cut(void **state)
{
	struct error e;
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)error_set_errno(&e, EIO, "%s", text);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	(void)error_set_caret(&e, EIO, text, 1999, "%s", text);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

/* The byte above the caret, given the three lines of the text. */
static char byte_above_caret(const struct error *e)
{
	const char *quoted = strchr(e->text, '\n') + 1;
	const char *below = strchr(quoted, '\n') + 1;
	size_t column = strlen(below) - 1;

	assert_int_equal(below[column], '^');
	return quoted[column];
}

static void caret_stands_below_the_byte(void **state)
{
	struct error e;
	char line[301];

	(void)state;
	(void)error_set_caret(&e, EINVAL, "vde:/x", 3, "wrong");
	assert_string_equal(e.text, "wrong\n  vde:/x\n     ^");
	for (size_t i = 0; i < 300; i++)
		line[i] = 'a';
	line[300] = '\0';
	for (size_t at = 0; at < 300; at++) {
		line[at] = 'X';
		(void)error_set_caret(&e, EINVAL, line, at, "wrong");
		assert_int_equal(byte_above_caret(&e), 'X');
		line[at] = 'a';
	}
}

static void caret_at_and_behind_the_end(void **state)
{
	struct error e;
	char line[151];

	(void)state;
	(void)error_set_caret(&e, EINVAL, "abc", 3, "w");
	assert_string_equal(e.text, "w\n  abc\n     ^");
	(void)error_set_caret(&e, EINVAL, "abc", 77, "w");
	assert_string_equal(e.text, "w\n  abc\n     ^");
	memset(line, 'a', 150);
	line[150] = '\0';
	(void)error_set_caret(&e, EINVAL, line, 100000, "w");
	assert_int_equal(e.text[strlen(e.text) - 1], '^');
	(void)error_set_caret(&e, EINVAL, "", 0, "w");
	assert_string_equal(e.text, "w\n  \n  ^");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_code_and_text),
		cmocka_unit_test(null_is_fine),
		cmocka_unit_test(keeps_errno),
		cmocka_unit_test(text_without_sentence),
		cmocka_unit_test(long_sentence_is_cut),
		cmocka_unit_test(caret_stands_below_the_byte),
		cmocka_unit_test(caret_at_and_behind_the_end),
	};

	return RUN_TESTS(tests);
}
