/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <unistd.h>

#include "vde/programs/oui_list.h"

static const char list[] =
	"Registry,Assignment,Organization Name,Organization Address\r\n"
	"MA-L,000001,First Corp,\"Street 1, City\"\r\n"
	"MA-L,000002,\"Second, Inc\",\"a \"\"quoted\"\" word\nand a line end\"\r\n"
	"MA-L,000003,First Corp,\r\n"
	"MA-M,0000044,Longer First Corp,x\r\n"
	"MA-L,000005,\"The \"\"Third\"\"\",x,y,z\n"
	"\n"
	"MA-L,000006,First Corporation,x\n"
	"MA-L,000007,Last without line end";

static char path[] = "/tmp/ouiXXXXXX";

static int setup(void **state)
{
	int fd = mkstemp(path);
	ssize_t len = fd < 0 ? -1 : write(fd, list, sizeof(list) - 1);

	(void)state;
	return len == (ssize_t)sizeof(list) - 1 ? close(fd) : -1;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static size_t pick_latest(size_t count)
{
	(void)count;
	return 0;
}

static size_t pick_first(size_t count)
{
	return count - 1;
}

static int choose(const char *vendor, size_t (*pick)(size_t count))
{
	struct error error = { 0 };
	uint8_t oui[OUI_SIZE] = { 0 };
	int r = oui_list_choose(path, vendor, pick, oui, &error);

	assert_true(r == 0 || *error.text);
	return r < 0 ? r : oui[2];
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(choose("Second, Inc", pick_latest), 2);
	assert_int_equal(choose("The \"Third\"", pick_latest), 5);
	assert_int_equal(choose("third", pick_latest), 5);
	assert_int_equal(choose("LAST", pick_latest), 7);
	assert_int_equal(choose("nobody", pick_latest), -ENOENT);
	assert_int_equal(choose("Organization", pick_latest), -ENOENT);
	assert_int_equal(choose("longer", pick_latest), -ENOENT);
	assert_int_equal(choose("line end\"", pick_latest), -ENOENT);
}

/* An exact name wins over names that contain it. */
static void test_choice(void **state)
{
	(void)state;
	assert_int_equal(choose("first corp", pick_latest), 3);
	assert_int_equal(choose("First Corp", pick_first), 1);
	assert_int_equal(choose("first", pick_latest), 6);
	assert_int_equal(choose("first", pick_first), 1);
}

static void test_missing_file(void **state)
{
	struct error error = { 0 };
	uint8_t oui[OUI_SIZE];

	(void)state;
	assert_int_equal(oui_list_choose("/nonexistent/oui.csv", "x", pick_first, oui, &error),
			 -ENOENT);
	assert_non_null(strstr(error.text, "ieee-data"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_missing_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
