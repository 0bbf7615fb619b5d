/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "vde/mgmt/session.h"

#define GREETING "VDE switch V.2.3.2\n(C) Somebody - GPLv2\n\nvde$ "

static const char letters[MGMT_NUM_KINDS] = {
	[MGMT_BANNER] = 'b', [MGMT_PROMPT] = 'p', [MGMT_DATA_BEGIN] = '[', [MGMT_DATA] = 'd',
	[MGMT_DATA_END] = ']', [MGMT_RESULT] = 'r', [MGMT_ASYNC] = 'a', [MGMT_TEXT] = 't',
	[MGMT_END] = 'e',
};

/* The items of TEXT as letters, a greeting's prompt as P; the last item with a text in LAST. */
static void items_of(struct mgmt_session *s, const char *text, char *out, char *last, int *number)
{
	struct mgmt_item item;

	assert_int_equal(mgmt_session_feed(s, text, strlen(text)), 0);
	while (mgmt_session_next(s, &item)) {
		*out++ = item.kind == MGMT_PROMPT && item.greeting ? 'P' : letters[item.kind];
		if (last)
			(void)snprintf(last, 64, "%.*s", (int)item.len, item.text);
		if (number)
			*number = item.number;
	}
	*out = '\0';
}

static void check(const char *text, const char *wanted)
{
	struct mgmt_session s = { 0 };
	char whole[128], pieces[128];
	size_t at = 0;

	items_of(&s, text, whole, NULL, NULL);
	assert_string_equal(whole, wanted);
	mgmt_session_reset(&s);
	for (; *text; text++) {
		items_of(&s, (char[]){ *text, '\0' }, pieces + at, NULL, NULL);
		at += strlen(pieces + at);
	}
	assert_string_equal(pieces, wanted);
	mgmt_session_done(&s);
}

static void test_kinds(void **state)
{
	(void)state;
	check(GREETING, "bbP");
	check(GREETING "0000 DATA END WITH '.'\na\n\nb\n.\n1000 Success\n\nvde$ ", "bbP[ddd]rp");
	check(GREETING "0000 DATA END WITH '.'\n.\n1002 No such file\n\nvde$ ", "bbP[]rp");
	check(GREETING "1022 Invalid argument\n\nvde$ ", "bbPrp");
	check(GREETING "\nvde$ \nvde$ ", "bbPpp");
	check(GREETING "9999 END OF SESSION", "bbPe");
}

static void test_async_anywhere_but_in_a_block(void **state)
{
	(void)state;
	check(GREETING "3021 port/+ 02\n3022 port/- 02\n", "bbPaa");
	check(GREETING "3021 port/+ 02\n1000 Success\n\nvde$ 3011 hash/+ x\n", "bbParpa");
	check(GREETING "0000 DATA END WITH '.'\n3021 port/+ 02\n1000 Success\n.\n", "bbP[dd]");
}

static void test_echo_of_load(void **state)
{
	(void)state;
	check(GREETING "vde[/x.rc]: showinfo\n0000 DATA\nx\n.\n1000 Success\nvde[/x.rc]: \n\n"
		       "1038 Function not implemented\n1000 Success\n\nvde$ ",
	      "bbPt[d]rtrrp");
}

static void test_without_greeting(void **state)
{
	(void)state;
	check("0000 DATA END WITH '.'\nx\n.\n1000 Success\n\nvde$ ", "[d]rp");
	check("1000 Success\n\nvde$ ", "rp");
	check("vde$ 1000 Success\n", "Pr");
}

static void test_other_prompts(void **state)
{
	struct mgmt_session s = { 0 };
	char items[64];

	(void)state;
	check("\nVDE wirefilter V.2\n(C)\n\nVDEwf$ 1000 Success\n\nVDEwf$ ", "bbPrp");
	check("a\n\n\ne$ x\n", "bPt");
	items_of(&s, "x\n\nVDE-L3$ ", items, NULL, NULL);
	assert_string_equal(mgmt_session_prompt(&s), "VDE-L3$ ");
	mgmt_session_done(&s);
	assert_string_equal(mgmt_session_prompt(&s), "vde$ ");
}

static void test_numbers(void **state)
{
	static const struct {
		const char *line;
		const char *kind;
		int number;
		const char *text;
	} rows[] = {
		{ "1000 Success\n", "r", 0, "Success" },
		{ "1022 Invalid argument\n", "r", 22, "Invalid argument" },
		{ "1111 Connection refused\n", "r", 111, "Connection refused" },
		{ "1133\n", "r", 133, "" },
		{ "3021 port/+ 02\n", "a", 021, "port/+ 02" },
		{ "3101 dump/in x\n", "a", 0101, "dump/in x" },
		{ "31000 packet/in x\n", "a", 01000, "packet/in x" },
		{ "3029 not octal\n", "t", 0, "3029 not octal" },
		{ "10 short\n", "t", 0, "10 short" },
		{ "10000000000000 long\n", "t", 0, "10000000000000 long" },
		{ "2000 other\n", "t", 0, "2000 other" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mgmt_session s = { 0 };
		char items[64], last[64];
		int number;

		items_of(&s, GREETING, items, NULL, NULL);
		items_of(&s, rows[i].line, items, last, &number);
		assert_string_equal(items, rows[i].kind);
		assert_string_equal(last, rows[i].text);
		if (*rows[i].kind != 't')
			assert_int_equal(number, rows[i].number);
		mgmt_session_done(&s);
	}
}

static void test_long_lines(void **state)
{
	struct mgmt_session s = { 0 };
	struct mgmt_item item;
	size_t len = 1 << 20, fed = 0;
	char *piece = malloc(len);
	int r;

	(void)state;
	assert_non_null(piece);
	memset(piece, 'x', len);
	assert_int_equal(mgmt_session_feed(&s, "0000 DATA\n", 10), 0);
	assert_int_equal(mgmt_session_next(&s, &item), 1);
	while ((r = mgmt_session_feed(&s, piece, len)) == 0) {
		assert_int_equal(mgmt_session_next(&s, &item), 0);
		fed += len;
	}
	assert_int_equal(r, -EMSGSIZE);
	assert_true(fed >= MGMT_LINE_MAX - len);
	free(piece);
	mgmt_session_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_async_anywhere_but_in_a_block),
		cmocka_unit_test(test_echo_of_load),
		cmocka_unit_test(test_without_greeting),
		cmocka_unit_test(test_other_prompts),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_long_lines),
	};

	return RUN_TESTS(tests);
}
