/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>

#include "base/clock.h"
#include "base/log.h"

struct seen {
	int count;
	enum log_level level;
	char text[2048];
};

static void remember(void *context, enum log_level level, const char *text)
{
	struct seen *seen = context;

	seen->count++;
	seen->level = level;
	(void)str_copy(seen->text, sizeof(seen->text), text);
	errno = EXDEV; /* a callback may clobber it */
}

static int setup(void **state)
{
	static struct seen seen;

	seen = (struct seen){ 0 };
	*state = &seen;
	log_set_level(LOG_LEVEL_NOTICE);
	log_set_callback(remember, &seen);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_set_callback(NULL, NULL);
	return 0;
}

static void levels(void **state)
{
	struct seen *seen = *state;

	log_info("not shown");
	log_message(LOG_LEVEL_DEBUG, "not shown");
	log_debug_errno(EIO, "not shown");
	assert_int_equal(seen->count, 0);
	log_notice("n %d", 1);
	assert_int_equal(seen->level, LOG_LEVEL_NOTICE);
	assert_string_equal(seen->text, "n 1");
	log_set_level(LOG_LEVEL_DEBUG);
	assert_int_equal(log_get_level(), LOG_LEVEL_DEBUG);
	log_debug("d");
	assert_string_equal(seen->text, "d");
	log_set_level(LOG_LEVEL_NONE);
	log_error("never");
	log_error_errno(EIO, "never");
	assert_int_equal(seen->count, 2);
}

static int calls;

static int counted(void)
{
	return ++calls;
}

static void hidden_arguments_are_not_evaluated(void **state)
{
	(void)state;
	log_debug("%d", counted());
	assert_int_equal(calls, 0);
	log_error("%d", counted());
	assert_int_equal(calls, 1);
}

static void errno_text_of_either_sign(void **state)
{
	struct seen *seen = *state;

	log_error_errno(-ENOENT, "open '%s'", "x");
	assert_string_equal(seen->text, "open 'x': No such file or directory");
	log_warning_errno(ENOENT, "again");
	assert_string_equal(seen->text, "again: No such file or directory");
	assert_int_equal(seen->level, LOG_LEVEL_WARNING);
}

static void errno_is_kept(void **state)
{
	(void)state;
	errno = EDOM;
	log_error("x");
	assert_int_equal(errno, EDOM);
	log_error_errno(77777, "x");
	assert_int_equal(errno, EDOM);
}

static void long_messages_are_cut(void **state)
{
	struct seen *seen = *state;
	char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_error("%s", text);
	assert_int_equal(strlen(seen->text), 1023);
	log_error_errno(EIO, "%s", text);
	assert_int_equal(seen->count, 2);
}

static void level_names(void **state)
{
	(void)state;
	assert_int_equal(log_level_parse("error"), LOG_LEVEL_ERROR);
	assert_int_equal(log_level_parse("warning"), LOG_LEVEL_WARNING);
	assert_int_equal(log_level_parse("notice"), LOG_LEVEL_NOTICE);
	assert_int_equal(log_level_parse("info"), LOG_LEVEL_INFO);
	assert_int_equal(log_level_parse("debug"), LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("none"), -EINVAL);
	assert_int_equal(log_level_parse(""), -EINVAL);
	assert_int_equal(log_level_parse("Error"), -EINVAL);
}

static void limit_passes_a_burst(void **state)
{
	struct seen *seen = *state;
	struct log_limit limit = { 0 };
	uint64_t now = 1000 * NS_PER_SEC;
	int passed = 0;

	for (int i = 0; i < 100; i++)
		passed += log_limit_pass(&limit, now + (uint64_t)i);
	assert_int_equal(passed, 10);
	assert_int_equal(seen->count, 0);
	assert_true(log_limit_pass(&limit, now + 6 * NS_PER_SEC));
	assert_string_equal(seen->text, "90 similar messages were held back");
	assert_true(log_limit_pass(&limit, now + 100 * NS_PER_SEC));
	assert_int_equal(seen->count, 1); /* nothing was held back meanwhile */
}

static void standard_error_names_the_program(void **state)
{
	int saved = dup(2), ends[2];
	char text[64];
	ssize_t len;

	(void)state;
	log_set_callback(NULL, NULL);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(dup2(ends[1], 2), 2);
	log_error("one");
	log_set_program("prog");
	log_error("two");
	assert_int_equal(dup2(saved, 2), 2);
	(void)close(saved);
	(void)close(ends[1]);
	len = read(ends[0], text, sizeof(text) - 1);
	(void)close(ends[0]);
	assert_true(len > 0);
	text[len] = '\0';
	assert_string_equal(text, "one\nprog: two\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(levels, setup, teardown),
		cmocka_unit_test_setup_teardown(hidden_arguments_are_not_evaluated, setup, teardown),
		cmocka_unit_test_setup_teardown(errno_text_of_either_sign, setup, teardown),
		cmocka_unit_test_setup_teardown(errno_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(long_messages_are_cut, setup, teardown),
		cmocka_unit_test(level_names),
		cmocka_unit_test_setup_teardown(limit_passes_a_burst, setup, teardown),
		cmocka_unit_test_setup_teardown(standard_error_names_the_program, setup, teardown),
	};

	return RUN_TESTS(tests);
}
