/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include <string.h>

#include "vuos/resident/script.h"

static void expect(const char *line, const char *interpreter, const char *argument)
{
	char head[SCRIPT_HEAD] = { 0 }, *found, *rest;

	memcpy(head, line, strnlen(line, SCRIPT_HEAD));
	assert_int_equal(script_line(head, &found, &rest), interpreter != NULL);
	if (!interpreter)
		return;
	assert_string_equal(found, interpreter);
	if (argument)
		assert_string_equal(rest, argument);
	else
		assert_null(rest);
}

static void test_lines(void **state)
{
	(void)state;
	expect("#!/bin/sh", "/bin/sh", NULL);
	expect("#! \t/bin/sh \t\nmore", "/bin/sh", NULL);
	expect("#!/bin/sh  -e  -x \n", "/bin/sh", "-e  -x");
	expect("#!", "", NULL);
	expect("#!\n", NULL, NULL);
	expect("#!  \n", NULL, NULL);
}

/* A zero byte ends the name, and hides the newline. */
static void test_zeros(void **state)
{
	char head[SCRIPT_HEAD] = "#!/bin/sh\0 -x\n", *interpreter, *argument;

	(void)state;
	assert_true(script_line(head, &interpreter, &argument));
	assert_string_equal(interpreter, "/bin/sh");
	assert_null(argument);
	memcpy(head, "#!/bin/sh \0x\n", 13);
	assert_true(script_line(head, &interpreter, &argument));
	assert_string_equal(interpreter, "/bin/sh");
	assert_string_equal(argument, "");
}

static void test_long_lines(void **state)
{
	char head[SCRIPT_HEAD], *interpreter, *argument;

	(void)state;
	memset(head, ' ', sizeof(head));
	memcpy(head, "#!", 2);
	assert_false(script_line(head, &interpreter, &argument));
	memset(head + 2, 'x', sizeof(head) - 2); /* a name that is cut */
	assert_false(script_line(head, &interpreter, &argument));
	head[5] = ' '; /* an argument that is cut, before the last byte */
	assert_true(script_line(head, &interpreter, &argument));
	assert_string_equal(interpreter, "xxx");
	assert_int_equal(strlen(argument), SCRIPT_HEAD - 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
