/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "vde/plug/locator.h"

static char home[] = "/tmp/test_locatorXXXXXX";

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(home) || chdir(home) < 0)
		return -1;
	return setenv("HOME", home, 1);
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(".vdeplug/default");
	(void)rmdir(".vdeplug");
	(void)unlink(".vde2/default.switch");
	(void)rmdir(".vde2");
	(void)unlink("net");
	return rmdir(home);
}

static void write_file(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, text, len), 0);
	assert_int_equal(close(fd), 0);
}

static void expect(const char *vnl, const char *scheme, const char *args)
{
	struct locator l;
	struct error error = { 0 };

	assert_int_equal(locator_resolve(vnl, &l, &error), 0);
	assert_string_equal(l.scheme, scheme);
	assert_string_equal(l.args, args);
	locator_done(&l);
}

static void schemes_are_split_at_the_first_mark(void **state)
{
	(void)state;
	expect("tap://t0", "tap", "t0");
	expect("vlan://5{tap://t0}", "vlan", "5{tap://t0}");
	expect("null://", "null", "");
	expect("x+y-z.1_://a", "x+y-z.1_", "a");
	expect("/run/s[3]", "vde", "/run/s[3]");
	expect("vde:///run/s", "vde", "/run/s");
	expect("a:/b", "vde", "a:/b");
}

static void a_wrong_scheme_is_quoted_with_a_caret(void **state)
{
	struct locator l;
	struct error error = { 0 };

	(void)state;
	assert_int_equal(locator_resolve("ta%p://x", &l, &error), -EPROTONOSUPPORT);
	assert_non_null(strstr(error.text, "\n  ta%p://x\n    ^"));
	assert_int_equal(locator_resolve("../x://y", &l, NULL), -EPROTONOSUPPORT);
	assert_int_equal(locator_resolve("://y", &l, NULL), -EPROTONOSUPPORT);
}

static void without_defaults_it_stays_empty(void **state)
{
	(void)state;
	expect(NULL, "vde", "");
	expect("", "vde", "");
}

static void the_first_default_wins(void **state)
{
	char path[128];

	(void)state;
	assert_int_equal(mkdir(".vde2", 0700), 0);
	write_file(".vde2/default.switch", "hub://\n", 7);
	expect("", "hub", "");
	assert_int_equal(mkdir(".vdeplug", 0700), 0);
	/* A link that leads nowhere counts as being there. */
	assert_int_equal(symlink("/nowhere", ".vdeplug/default"), 0);
	(void)snprintf(path, sizeof(path), "%s/.vdeplug/default", home);
	expect("", "vde", path);
	assert_int_equal(unlink(".vdeplug/default"), 0);
	write_file(".vdeplug/default", "tap://t1\nnext line\n", 19);
	expect(NULL, "tap", "t1");
}

static void the_last_character_of_a_file_is_kept(void **state)
{
	(void)state;
	write_file("net", "tap://t12", 9);
	expect("net", "tap", "t12");
	write_file("net", "tap://t12\r\n", 11);
	expect("net", "tap", "t12");
	write_file("net", "", 0);
	expect("net", "vde", "");
	write_file("net", "/run/s", 6);
	expect("./net", "vde", "/run/s");
}

static void files_are_followed_once(void **state)
{
	(void)state;
	write_file("net", "net\n", 4);
	expect("net", "vde", "net");
}

static void a_line_that_is_too_long_is_refused(void **state)
{
	static char text[LOCATOR_MAX + 10];
	struct locator l;

	(void)state;
	memset(text, 'x', sizeof(text));
	write_file("net", text, sizeof(text));
	assert_int_equal(locator_resolve("net", &l, NULL), -E2BIG);
	text[LOCATOR_MAX] = '\0';
	assert_int_equal(locator_resolve(text, &l, NULL), -E2BIG);
}

static void a_command_from_a_strangers_file_is_refused(void **state)
{
	struct locator l;
	struct error error = { 0 };

	(void)state;
	write_file("net", "vlan://5{cmd://id}\n", 19);
	expect("net", "vlan", "5{cmd://id}");
	if (geteuid() != 0)
		skip();
	assert_int_equal(chown("net", 12345, (gid_t)-1), 0);
	assert_int_equal(locator_resolve("net", &l, &error), -EPERM);
	assert_non_null(strstr(error.text, "another user"));
	write_file("net", "tap://t1\n", 9);
	expect("net", "tap", "t1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schemes_are_split_at_the_first_mark),
		cmocka_unit_test(a_wrong_scheme_is_quoted_with_a_caret),
		cmocka_unit_test(without_defaults_it_stays_empty),
		cmocka_unit_test(the_first_default_wins),
		cmocka_unit_test(the_last_character_of_a_file_is_kept),
		cmocka_unit_test(files_are_followed_once),
		cmocka_unit_test(a_line_that_is_too_long_is_refused),
		cmocka_unit_test(a_command_from_a_strangers_file_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
