/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What needs no device and no privilege; interfaces are made by the integration tests. */
#include "test.h"

#include <fcntl.h>

#include "base/tun.h"

static void names(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {
		{ "t", true }, { "tap0", true }, { "br-lan.7", true }, { "tap%d", true }, { "...", true },
		{ "fifteen-letters", true }, { "sixteen-letters-", false }, { "", false }, { ".", false },
		{ "..", false }, { "a/b", false }, { "a:b", false }, { "a b", false }, { "a\n", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(tun_name_valid(rows[i].text), rows[i].valid);
}

static void device_is_missing(void **state)
{
	struct error error = { 0 };

	(void)state;
	assert_int_equal(tun_open_device("/nonexistent/tun", 0, &error), -ENOENT);
	assert_non_null(strstr(error.text, "/nonexistent/tun"));
	assert_non_null(strstr(error.text, "modprobe tun"));
	assert_int_equal(tun_open_device("/", O_NONBLOCK, &error), -EISDIR);
	assert_non_null(strstr(error.text, "cannot open /: "));
}

static void device_is_none(void **state)
{
	int fd = tun_open_device("/dev/null", O_NONBLOCK, NULL);
	char name[IFNAMSIZ] = "before";

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(tun_attach(fd, "vs0", IFF_TAP | IFF_NO_PI, name), -ENOTTY);
	assert_int_equal(tun_attach(fd, "sixteen-letters-", IFF_TAP | IFF_NO_PI, name), -ENAMETOOLONG);
	assert_string_equal(name, "before");
	assert_int_equal(close(fd), 0);
}

/* Found before the device is looked for. */
static void wrong_names(void **state)
{
	struct error error = { 0 };
	char name[IFNAMSIZ] = "before";

	(void)state;
	assert_int_equal(tun_open_tap("sixteen-letters-", 0, 0, name, &error), -ENAMETOOLONG);
	assert_non_null(strstr(error.text, "'sixteen-letters-' is too long"));
	assert_int_equal(tun_open_tap("a/b", 0, 0, name, &error), -EINVAL);
	assert_non_null(strstr(error.text, "'a/b'"));
	assert_int_equal(tun_open_tap("a/b", 0, 0, NULL, NULL), -EINVAL);
	assert_string_equal(name, "before");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(device_is_missing),
		cmocka_unit_test(device_is_none),
		cmocka_unit_test(wrong_names),
	};

	return RUN_TESTS(tests);
}
