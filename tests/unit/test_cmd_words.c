/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "vde/plugins/cmd_words.h"

static const struct {
	const char *line;
	const char *words[6];
} good[] = {
	{ "cat", { "cat" } },
	{ "  ssh\thost  vde_plug ", { "ssh", "host", "vde_plug" } },
	{ "sh -c 'a b; c'", { "sh", "-c", "a b; c" } },
	{ "sh -c \"a 'b' c\"", { "sh", "-c", "a 'b' c" } },
	{ "a'b c'd\"e f\"g", { "ab cde fg" } },
	{ "x '' \"\"", { "x", "", "" } },
	{ "a\\ b \\'c\\'", { "a b", "'c'" } },
	{ "'a\\b' \"a\\b\" \"\\\"\\\\\"", { "a\\b", "a\\b", "\"\\" } },
	{ "a\\", { "a\\" } },
	{ "$HOME * | >x &", { "$HOME", "*", "|", ">x", "&" } },
};

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct error error = { 0 };
		auto_free char **words = NULL;
		size_t n = 0;

		assert_int_equal(cmd_words(good[i].line, &words, &error), 0);
		for (; good[i].words[n]; n++) {
			assert_non_null(words[n]);
			assert_string_equal(words[n], good[i].words[n]);
		}
		assert_null(words[n]);
	}
}

static void test_many_words(void **state)
{
	auto_free char **words = NULL;

	(void)state;
	assert_int_equal(cmd_words("a b c d e f g h i", &words, NULL), 0);
	assert_string_equal(words[8], "i");
	assert_null(words[9]);
}

static void test_errors(void **state)
{
	static const char *const bad[] = { "", "  ", "'a", "a \"b", "a 'b\\'c'" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error error = { 0 };
		char **words = NULL;

		assert_int_equal(cmd_words(bad[i], &words, &error), -EINVAL);
		assert_null(words);
		assert_int_equal(error.code, EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_many_words),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
