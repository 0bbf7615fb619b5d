/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include "vuos/umvu/debug_tags.h"
#include "vuos/view/tags.h"

static void numbers_and_letters(void **state)
{
	char text[TAG_COUNT + 1];

	(void)state;
	for (unsigned i = 0; i < TAG_COUNT; i++)
		assert_int_equal(tag_number(tag_letter(i)), i);
	assert_int_equal(tag_letter(TAG_COUNT), '\0');
	assert_int_equal(tag_number('A'), 0);
	assert_int_equal(tag_number('a'), 32);
	assert_int_equal(tag_number('-'), -1);
	assert_int_equal(tag_number('\0'), -1);
	tags_print(UINT64_MAX, text);
	assert_int_equal(strlen(text), TAG_COUNT);
	tags_print(TAG_CORE('s') | TAG_CORE('a') | 1, text);
	assert_string_equal(text, "Aas");
	tags_print(0, text);
	assert_string_equal(text, "");
}

static void parsing(void **state)
{
	char text[TAG_COUNT + 1];

	(void)state;
	assert_int_equal(tags_parse("s"), TAG_CORE('s'));
	assert_int_equal(tags_parse("sas"), TAG_CORE('s') | TAG_CORE('a'));
	assert_int_equal(tags_parse("s a"), 0);
	assert_int_equal(tags_parse("sa-"), 0);
	assert_int_equal(tags_parse("\xc3\xa9"), 0);
	tags_print(tags_parse(""), text);
	assert_string_equal(text, "BDFMNUVacdfmnpstv");
	for (const char *at = text; *at; at++)
		assert_string_not_equal(tag_name((unsigned)tag_number(*at)), "");
	assert_string_equal(tag_name((unsigned)tag_number('x')), "");
	assert_string_equal(tag_name(TAG_COUNT), "");
}

static void escapes(void **state)
{
	char text[TAG_ESCAPES_MAX];

	(void)state;
	tags_color("", text);
	assert_string_equal(text, "");
	tags_color("r", text);
	assert_string_equal(text, "\033[31m");
	tags_color("rB+_", text);
	assert_string_equal(text, "\033[31m\033[44m\033[1m\033[4m");
	tags_color("r?g", text);
	assert_string_equal(text, "\033[31m\033[32m");
	memset(text, 'x', sizeof(text));
	tags_color("rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr", text); /* more than there is room for */
	assert_non_null(memchr(text, '\0', sizeof(text)));
}

static void color_of_tags(void **state)
{
	static const char *const wrong[] = {
		"s", "", "-:r", "s:x", "s:r r", "s:rrrrrrrrrrrrrrrrrrrrrrrrrrrr",
		"ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss:r",
	};
	struct view_tags tags = { 0 };
	const unsigned a = (unsigned)tag_number('a'), s = (unsigned)tag_number('s'),
		       x = (unsigned)tag_number('x');

	(void)state;
	assert_int_equal(debug_tags_color(&tags, "sx:rB"), 0);
	assert_string_equal(tags.color[s], "rB");
	assert_string_equal(tags.color[x], "rB");
	assert_string_equal(tags.color[a], "");
	assert_int_equal(debug_tags_color(&tags, "s:"), 0);
	assert_string_equal(tags.color[s], "");
	assert_int_equal(debug_tags_color(&tags, ":g"), 0); /* all that have a name */
	assert_string_equal(tags.color[a], "g");
	assert_string_equal(tags.color[x], "rB");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(debug_tags_color(&tags, wrong[i]), -EINVAL);
	assert_string_equal(tags.color[s], "g");
	assert_int_equal(tags.active, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_and_letters),
		cmocka_unit_test(parsing),
		cmocka_unit_test(escapes),
		cmocka_unit_test(color_of_tags),
	};

	return RUN_TESTS(tests);
}
