/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vde/plug/search.h"

static void the_variable_replaces_everything(void **state)
{
	struct plug_search s;

	(void)state;
	(void)setenv("VDEPLUGIN_PATH", "/a::/b/c:", 1);
	assert_int_equal(plug_search_init(&s), 0);
	assert_true(s.from_variable);
	assert_int_equal(s.count, 2);
	assert_string_equal(s.dirs[0], "/a");
	assert_string_equal(s.dirs[1], "/b/c");
	plug_search_done(&s);
	(void)setenv("VDEPLUGIN_PATH", "", 1);
	assert_int_equal(plug_search_init(&s), 0);
	assert_int_equal(s.count, 0);
	plug_search_done(&s);
}

static void the_usual_places_in_order(void **state)
{
	struct plug_search s;

	(void)state;
	(void)unsetenv("VDEPLUGIN_PATH");
	(void)setenv("LD_LIBRARY_PATH", "/x:/y", 1);
	assert_int_equal(plug_search_init(&s), 0);
	assert_false(s.from_variable);
	assert_int_equal(s.count, 8);
	assert_non_null(strstr(s.dirs[0], "/vdeplug"));
	assert_int_equal(strncmp(s.dirs[0], s.dirs[1], strlen(s.dirs[1])), 0);
	assert_string_equal(s.dirs[2], "/x/vdeplug");
	assert_string_equal(s.dirs[3], "/y/vdeplug");
	assert_string_equal(s.dirs[4], "/lib/vdeplug");
	assert_string_equal(s.dirs[5], "/usr/lib/vdeplug");
	assert_string_equal(s.dirs[6], "");
	assert_non_null(strstr(s.dirs[7], "-linux-gnu/vdeplug"));
	plug_search_done(&s);
	(void)unsetenv("LD_LIBRARY_PATH");
}

static void file_names(void **state)
{
	char *name = plug_file_name("/a", "tap");

	(void)state;
	assert_string_equal(name, "/a/libvdeplug_tap.so");
	free(name);
	name = plug_file_name("", "tap");
	assert_string_equal(name, "libvdeplug_tap.so");
	free(name);
}

/* What is said about SCHEME when DIR holds a plug-in `hubba`. */
static const char *explanation(const char *scheme)
{
	static struct error error;
	char dir[] = "/tmp/test_searchXXXXXX";
	char *dirs[] = { dir };
	struct plug_search s = { .dirs = dirs, .count = 1 };
	char *name;
	int fd;

	assert_non_null(mkdtemp(dir));
	name = plug_file_name(dir, "hubba");
	fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	error = (struct error){ 0 };
	assert_int_equal(plug_search_explain(&s, "the://locator", scheme, &error), -EPROTONOSUPPORT);
	(void)unlink(name);
	(void)rmdir(dir);
	free(name);
	return error.text;
}

static void what_is_missing_is_named(void **state)
{
	(void)state;
	assert_non_null(strstr(explanation("slirp"), "Debian's package is libvdeplug-slirp"));
	assert_non_null(strstr(explanation("hub"), "Debian's package is libvdeplug2"));
	assert_non_null(strstr(explanation("hubbe"), "did you mean 'hubba'?\n  the://locator\n  ^"));
	assert_non_null(strstr(explanation("quux"), "no plug-in 'quux' (libvdeplug_quux.so)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_variable_replaces_everything),
		cmocka_unit_test(the_usual_places_in_order),
		cmocka_unit_test(file_names),
		cmocka_unit_test(what_is_missing_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
