/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>

#include "base/cleanup.h"
#include "base/strtab.h"

static void copies_and_cuts(void **state)
{
	char to[4] = "zzz";

	(void)state;
	assert_int_equal(str_copy(to, sizeof(to), "abc"), 0);
	assert_string_equal(to, "abc");
	assert_int_equal(str_copy(to, sizeof(to), "abcd"), -ENAMETOOLONG);
	assert_string_equal(to, "abc");
	assert_int_equal(str_copy(to, 1, ""), 0);
	assert_string_equal(to, "");
	assert_int_equal(str_copy(to, 1, "x"), -ENAMETOOLONG);
	assert_string_equal(to, "");
}

static void prefixes(void **state)
{
	(void)state;
	assert_true(str_starts("vde://x", "vde://"));
	assert_true(str_starts("x", ""));
	assert_false(str_starts("vd", "vde"));
	assert_true(str_equal("", ""));
	assert_false(str_equal("a", "A"));
}

static void distances(void **state)
{
	char long_word[200];

	(void)state;
	assert_int_equal(str_distance("", ""), 0);
	assert_int_equal(str_distance("abc", "abc"), 0);
	assert_int_equal(str_distance("", "abc"), 3);
	assert_int_equal(str_distance("abc", ""), 3);
	assert_int_equal(str_distance("kitten", "sitting"), 3);
	assert_int_equal(str_distance("vxvd", "vxvde"), 1);
	assert_int_equal(str_distance("swtich", "switch"), 2);
	memset(long_word, 'a', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';
	assert_int_equal(str_distance("a", long_word), 62); /* words are compared up to 63 bytes */
	assert_int_equal(str_distance(long_word, "a"), 198);
}

enum fruit {
	FRUIT_APPLE,
	FRUIT_NAMELESS,
	FRUIT_PEAR,
	NUM_FRUITS,
};

static const char *const fruit_names[NUM_FRUITS] = {
	[FRUIT_APPLE] = "apple",
	[FRUIT_PEAR] = "pear",
};
DEFINE_STRTAB(fruit, enum fruit, NUM_FRUITS);

static void string_tables(void **state)
{
	(void)state;
	assert_string_equal(fruit_to_string(FRUIT_PEAR), "pear");
	assert_string_equal(fruit_to_string(FRUIT_NAMELESS), "?");
	assert_string_equal(fruit_to_string((enum fruit)77), "?");
	assert_int_equal(fruit_from_string("apple"), FRUIT_APPLE);
	assert_int_equal(fruit_from_string("pear"), FRUIT_PEAR);
	assert_int_equal(fruit_from_string("plum"), -EINVAL);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void scopes_close_what_they_own(void **state)
{
	int kept, closed;

	(void)state;
	{
		auto_close int one = open("/dev/null", O_RDONLY | O_CLOEXEC);
		auto_close int two = open("/dev/null", O_RDONLY | O_CLOEXEC);
		auto_close int none = -1;
		auto_free char *text = strdup("freed, or the leak checker complains");
		auto_fclose FILE *file = NULL;

		assert_non_null(text);
		assert_true(one >= 0 && two >= 0);
		assert_int_equal(none, -1);
		assert_null(file);
		closed = one;
		kept = TAKE_FD(two);
		assert_int_equal(two, -1);
		errno = EDOM;
	}
	assert_int_equal(errno, EDOM);
	assert_false(is_open(closed));
	assert_true(is_open(kept));
	(void)close(kept);
}

static char *made(void)
{
	auto_free char *text = strdup("x");

	return TAKE_PTR(text);
}

static void pointers_leave_their_scope(void **state)
{
	char *text = made();

	(void)state;
	assert_string_equal(text, "x");
	free(text);
}

struct outer {
	int a;
	int b;
};

static void container(void **state)
{
	struct outer o = { 1, 2 };
	int *b = &o.b;

	(void)state;
	assert_ptr_equal(container_of(b, struct outer, b), &o);
	assert_int_equal(ARRAY_SIZE(fruit_names), NUM_FRUITS);
	assert_int_equal(MIN(3, 2), 2);
	assert_int_equal(MAX(3, 2), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_and_cuts),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(distances),
		cmocka_unit_test(string_tables),
		cmocka_unit_test(scopes_close_what_they_own),
		cmocka_unit_test(pointers_leave_their_scope),
		cmocka_unit_test(container),
	};

	return RUN_TESTS(tests);
}
