/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <libvdeplug_mod.h>

/* What one line of parameters has to give; NULL: not set. */
struct expectation {
	const char *text;
	const char *address;
	const char *port, *portgroup, *group, *bare;
};

typedef int parser(char *str, struct vdeparms *parms);

static int parse(parser *parse_it, const char *text, char *copy, size_t size, char *value[4])
{
	static char empty[] = "", port[] = "port", portgroup[] = "portgroup", group[] = "group";
	struct vdeparms parms[] = { { empty, &value[3] }, { port, &value[0] }, { portgroup, &value[1] },
				    { group, &value[2] }, { NULL, NULL } };

	assert_true(strlen(text) < size);
	memcpy(copy, text, strlen(text) + 1);
	memset(value, 0, 4 * sizeof(*value));
	return parse_it(copy, parms);
}

static void same(const char *got, const char *wanted)
{
	if (wanted)
		assert_string_equal(got, wanted);
	else
		assert_null(got);
}

static void expect_all(parser *parse_it, const struct expectation *e, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char copy[128], *value[4];

		assert_int_equal(parse(parse_it, e[i].text, copy, sizeof(copy), value), 0);
		assert_string_equal(copy, e[i].address);
		same(value[0], e[i].port);
		same(value[1], e[i].portgroup);
		same(value[2], e[i].group);
		same(value[3], e[i].bare);
	}
}

static void slashes_separate(void **state)
{
	static const struct expectation table[] = {
		{ "239.0.0.1/port=3/g=x", "239.0.0.1", "3", NULL, "x", NULL },
		{ "", "", NULL, NULL, NULL, NULL },
		{ "/port=3", "", "3", NULL, NULL, NULL },
		{ "a//port=1/", "a", "1", NULL, NULL, NULL },
		{ "a/port", "a", "", NULL, NULL, NULL },
		{ "a/p=1", "a", "1", NULL, NULL, NULL },
		{ "a/portg=1", "a", NULL, "1", NULL, NULL },
		{ "a/port=1/port=2", "a", "2", NULL, NULL, NULL },
		{ "a/port=b=c", "a", "b=c", NULL, NULL, NULL },
		{ "a/=3", "a", NULL, NULL, NULL, NULL },
	};

	(void)state;
	expect_all(vde_parseparms, table, sizeof(table) / sizeof(*table));
}

static void quotes_protect(void **state)
{
	static const struct expectation table[] = {
		{ "a/port='1/2'/group=\"x'y\"", "a", "1/2", NULL, "x'y", NULL },
		{ "'a/b'/port=3", "a/b", "3", NULL, NULL, NULL },
		{ "a%2fb/port=1%2F2", "a/b", "1/2", NULL, NULL, NULL },
		{ "a/port='%2f'", "a", "%2f", NULL, NULL, NULL },
		{ "a/port=1\\/2", "a", "1/2", NULL, NULL, NULL },
		{ "a/port='1\\'2'", "a", "1\\2", NULL, NULL, NULL },
		{ "a/port=%2/group=%zz", "a", "%2", NULL, "%zz", NULL },
		{ "a/port=\\", "a", "", NULL, NULL, NULL },
		{ "a/port='open", "a", "open", NULL, NULL, NULL },
		{ "a/port%3d5", "a", "5", NULL, NULL, NULL },
		{ "a/po''rt=\\%41", "a", "%41", NULL, NULL, NULL },
		{ "a/port='\\'", "a", "\\", NULL, NULL, NULL },
		{ "a/port=\"'\"'\"'", "a", "'\"", NULL, NULL, NULL },
	};

	(void)state;
	expect_all(vde_parseparms, table, sizeof(table) / sizeof(*table));
}

static void brackets_hold_a_list(void **state)
{
	static const struct expectation table[] = {
		{ "/tmp/x", "/tmp/x", NULL, NULL, NULL, NULL },
		{ "/tmp/x[]", "/tmp/x", NULL, NULL, NULL, NULL },
		{ "/tmp/x[3]", "/tmp/x", NULL, NULL, NULL, "3" },
		{ "/tmp/x[port=3/group=vde]", "/tmp/x", "3", NULL, "vde", NULL },
		{ "/tmp/x[3/4]", "/tmp/x", NULL, NULL, NULL, "4" },
		{ "/tmp/x[port=2", "/tmp/x", "2", NULL, NULL, NULL },
		{ "/tmp/x]", "/tmp/x]", NULL, NULL, NULL, NULL },
		{ "/tmp/'x[1]'[2]", "/tmp/x[1]", NULL, NULL, NULL, "2" },
		{ "/tmp/x[[3]]", "/tmp/x", NULL, NULL, NULL, "[3]" },
		{ "/tmp/x%5b[3]", "/tmp/x[", NULL, NULL, NULL, "3" },
		{ "/tmp/x['a]b']", "/tmp/x", NULL, NULL, NULL, "a]b" },
		{ "/tmp/x[p]", "/tmp/x", "", NULL, NULL, NULL },
	};

	(void)state;
	expect_all(vde_parsepathparms, table, sizeof(table) / sizeof(*table));
}

static void unknown_tags_are_refused(void **state)
{
	char copy[128], *value[4];

	(void)state;
	errno = 0;
	assert_int_equal(parse(vde_parseparms, "a/prot=3", copy, sizeof(copy), value), -1);
	assert_int_equal(errno, EINVAL);
	assert_string_equal(vde_strerror(), "unknown parameter 'prot'; did you mean 'port'?\n"
					    "  a/prot=3\n    ^");
	assert_int_equal(parse(vde_parsepathparms, "a[x=3]", copy, sizeof(copy), value), -1);
	assert_non_null(strstr(vde_strerror(), "there are port, portgroup, group"));
	assert_int_equal(parse(vde_parseparms, "a/PORT=1", copy, sizeof(copy), value), -1);
}

static void braces_hold_a_locator(void **state)
{
	static const struct {
		const char *text, *outer, *nested;
	} table[] = {
		{ "", "", NULL },
		{ "abc", "abc", NULL },
		{ "abc{def}", "abc", "def" },
		{ "{}", "", "" },
		{ "abc{", "abc", "" },
		{ "abc}", "abc}", NULL },
		{ "a{b{c}d}e", "a", "b{c}d" },
		{ "a{b'}'}", "a", "b'}'" },
		{ "a\\{b{c}", "a\\{b", "c" },
		{ "a'{'{b}", "a'{'", "b" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char copy[64];
		char *nested;

		(void)strcpy(copy, table[i].text);
		nested = vde_parsenestparms(copy);
		same(nested, table[i].nested);
		assert_string_equal(copy, table[i].outer);
	}
}

static void numbers_have_suffixes(void **state)
{
	(void)state;
	assert_int_equal(strtoullm("0x10"), 16);
	assert_int_equal(strtoullm("010"), 8);
	assert_int_equal(strtoullm("1k"), 1024);
	assert_int_equal(strtoullm("2Mk"), 2ull << 30);
	assert_int_equal(strtoullm("1kB"), 1024);
	assert_int_equal(strtoullm("3"), 3);
	assert_int_equal(strtoullm(""), 0);
	assert_true(strtoullm("1t") == 1ull << 40);
	assert_true(strtoullm("999999t") == 999999ull << 40);
	assert_true(strtoullm("99999999t") == ULLONG_MAX);
}

static void groups_have_names_and_numbers(void **state)
{
	(void)state;
	assert_int_equal(vde_grnam2gid(NULL), (gid_t)-1);
	assert_int_equal(vde_grnam2gid(""), getegid());
	assert_int_equal(vde_grnam2gid("010"), 10);
	assert_int_equal(vde_grnam2gid("root"), 0);
	assert_int_equal(vde_grnam2gid("no such group"), (gid_t)-1);
	assert_int_equal(vde_grnam2gid("99999999999"), (gid_t)-1);
	assert_int_equal(vde_grnam2gid("-1"), (gid_t)-1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slashes_separate),
		cmocka_unit_test(quotes_protect),
		cmocka_unit_test(brackets_hold_a_list),
		cmocka_unit_test(unknown_tags_are_refused),
		cmocka_unit_test(braces_hold_a_locator),
		cmocka_unit_test(numbers_have_suffixes),
		cmocka_unit_test(groups_have_names_and_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
