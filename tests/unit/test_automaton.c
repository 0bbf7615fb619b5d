/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <sys/socket.h>

#include "vde/mgmt/automaton.h"

/* Runs the automaton TEXT on a stream that says INPUT; what it sent goes to SENT. */
struct outcome {
	int result;
	int status;
	char sent[256];
	char outs[256]; /* each output as TAG:TEXT; with NULs as | */
	char error[512];
};

static void describe_outs(struct outcome *o, const struct automaton_run *run)
{
	char *at = o->outs;

	for (const struct automaton_out *out = run->outs; out; out = out->next) {
		at += sprintf(at, "%d:", out->tag);
		for (size_t i = 0; i < out->text.len; i++)
			*at++ = out->text.data[i] ? out->text.data[i] : '|';
		*at++ = ';';
	}
	*at = '\0';
}

static struct outcome run(const char *text, const char *input, char *const *args)
{
	struct outcome o = { 0 };
	struct automaton_run run = { .args = args };
	struct automaton *a = NULL;
	struct error error = { 0 };
	int pair[2];
	ssize_t got;

	while (args && args[run.num_args])
		run.num_args++;
	o.result = automaton_parse(&a, text, strlen(text), "x.rc", &error);
	assert_int_equal(o.result, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(write(pair[1], input, strlen(input)), strlen(input));
	assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
	run.fd = pair[0];
	o.result = automaton_execute(a, &run, &error);
	o.status = run.status;
	(void)snprintf(o.error, sizeof(o.error), "%s", error.text);
	describe_outs(&o, &run);
	(void)close(pair[0]);
	got = read(pair[1], o.sent, sizeof(o.sent) - 1);
	assert_true(got >= 0);
	(void)close(pair[1]);
	automaton_run_done(&run);
	automaton_free(a);
	return o;
}

static void test_operations(void **state)
{
	static const struct {
		const char *text;
		const char *input;
		int status;
		const char *sent;
		const char *outs;
	} rows[] = {
		{ "1 IN 'lo' 9\n2 COPY\n3 EXIT 3\n9 EXIT 9", "hello world", 3, "", "0:hello|;" },
		{ "1 IN 'o' 9\n2 IN 'o' 9\n3 COPY\n4 EXIT 3\n9 EXIT 9", "hello world", 3, "",
		  "0:hello wo|;" },
		{ "1 IN 'zz' 9\n2 EXIT 2\n9 COPY\n10 EXIT 9", "hello", 9, "", "0:hello|;" },
		{ "1 IN 'he' 9\n2 THROW\n3 IN 'o' 9\n4 COPY\n5 EXIT 0\n9 EXIT 9", "hello", 0, "",
		  "0:llo|;" },
		{ "1 SEND '$*\\n'\n2 EXIT 1", "", 1, "one two three\n", "0:;" },
		{ "1 SEND '<$0,$2,$5>'\n2 SHIFT\n3 SEND ' $*'\n4 EXIT 1", "", 1,
		  "<one,three,> two three", "0:;" },
		{ "1 SHIFT\n2 IFARG 1\n3 SHIFT\n4 SEND '[$*]'\n5 EXIT 4", "", 4, "[]", "0:;" },
		{ "1 IN 'lo' 9\n2 IF 'hex' 5\n3 IF 'he' 6\n4 EXIT 4\n5 EXIT 5\n6 EXIT 6\n9 EXIT 9",
		  "hello", 6, "", "0:;" },
		{ "1 IN 'd' 9\n2 SKIP 2\n3 COPY\n4 SKIP 'wo'\n5 COPY\n6 SKIP 'zz'\n7 COPY\n"
		  "8 SKIP 99\n9 COPY\n10 EXIT 0",
		  "hello world", 0, "", "0:llo world|rld|rld||;" },
		{ "1 IN ' ' 9\n2 SKIP 1\n3 RVATOI\n4 THROW\n5 EXITRV\n9 EXIT 9", "1022 Bad", 22, "",
		  "0:;" },
		{ "1 IN ' ' 9\n2 SKIP 1\n3 EXITATOI\n9 EXIT 9", "1111 Refused", 111, "", "0:;" },
		{ "1 IN ' ' 9\n2 SKIP 1\n3 EXITATOI\n9 EXIT 9", "1524 Large", 254, "", "0:;" },
		{ "1 IN ' ' 9\n2 SKIP 1\n3 RVATOI 8\n4 EXITRV\n9 EXIT 9", "3021 x", 17, "", "0:;" },
		{ "1 IN ' ' 9\n2 EXITATOI\n9 EXIT 9", "xx ", 0, "", "0:;" },
		{ "1 IN 'b' 9\n2 COPY\n3 OUTSHIFT\n4 OUTTAG 5\n5 COPY\n6 EXIT -1\n9 EXIT 9", "ab",
		  255, "", "0:ab|;5:ab|;" },
		{ "1 IN ' ' 9\n2 RVATOI\n3 OUTTAG\n4 EXIT 0\n9 EXIT 9", "12 ", 0, "", "12:;" },
		{ "1 GOTO 3\n2 EXIT 2\n3 EXIT 3", "", 3, "", "0:;" },
		{ "5 EXIT 5\n3 EXIT 3", "", 3, "", "0:;" },
		{ "1 EXIT 300", "", 44, "", "0:;" },
		{ "# note\n\n  TIMEOUT 10\n\t1 EXIT 7 # end", "", 7, "", "0:;" },
		{ "1 SEND \"it's\\t\\\\\"\n2 SEND word\n3 SEND 'it\\'s'\n4 EXIT 0", "", 0,
		  "it's\t\\wordit's", "0:;" },
	};
	static char *const args[] = { (char *)"one", (char *)"two", (char *)"three", NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = run(rows[i].text, rows[i].input, args);

		assert_string_equal(o.error, "");
		assert_int_equal(o.result, 0);
		assert_int_equal(o.status, rows[i].status);
		assert_string_equal(o.sent, rows[i].sent);
		assert_string_equal(o.outs, rows[i].outs);
	}
}

static void test_timeout(void **state)
{
	static const char text[] = "TIMEOUT 30\n1 IN 'x' 9\n2 EXIT 2\n9 EXIT 9";
	struct automaton_run run = { 0 };
	struct automaton *a = NULL;
	int pair[2];

	(void)state;
	assert_int_equal(automaton_parse(&a, text, strlen(text), "x.rc", NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	run.fd = pair[0];
	assert_int_equal(automaton_execute(a, &run, NULL), 0);
	assert_int_equal(run.status, 9);
	(void)close(pair[0]);
	(void)close(pair[1]);
	automaton_run_done(&run);
	automaton_free(a);
}

static void test_run_errors(void **state)
{
	struct outcome o = run("1 GOTO 77\n2 EXIT 0", "", NULL);

	(void)state;
	assert_int_equal(o.result, -ENOENT);
	assert_non_null(strstr(o.error, "state 77, which does not exist"));
	o = run("1 THROW\n2 COPY", "", NULL);
	assert_int_equal(o.result, -EINVAL);
	assert_non_null(strstr(o.error, "without an EXIT"));
}

static void test_syntax_errors(void **state)
{
	static const struct {
		const char *text;
		const char *wanted;
	} rows[] = {
		{ "", "has no states" },
		{ "1 BOGUS", "line 1: there is no such operation" },
		{ "x EXIT 1", "line 1: a number was expected" },
		{ "1 THROW\n2 IN 'abc 9", "line 2: the closing quote is missing" },
		{ "1 IN 'abc'", "line 1: a number was expected" },
		{ "1 SEND", "line 1: an argument is missing" },
		{ "1 EXIT one", "line 1: a number was expected" },
		{ "1 EXIT 1\n1 EXIT 2", "line 2: this state exists already" },
		{ "TIMEOUT soon\n1 EXIT 1", "line 1: a number was expected" },
		{ "1 EXIT 99999999999999999999", "line 1: a number was expected" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct automaton *a = NULL;
		struct error error = { 0 };

		assert_int_equal(automaton_parse(&a, rows[i].text, strlen(rows[i].text), "x.rc",
						 &error),
				 -EINVAL);
		assert_non_null(strstr(error.text, rows[i].wanted));
		assert_null(a);
	}
}

static void test_load(void **state)
{
	char directory[64], path[96];
	struct automaton *a = NULL;
	struct error error = { 0 };

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/x.rc", test_directory(directory));
	assert_int_equal(automaton_load(&a, path, &error), -ENOENT);
	assert_non_null(strstr(error.text, path));
	test_write_file(path, "TIMEOUT 5\n1 EXIT 2\n");
	assert_int_equal(automaton_load(&a, path, NULL), 0);
	assert_int_equal(a->timeout_ms, 5);
	assert_int_equal(a->num_states, 1);
	automaton_free(a);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operations),    cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_run_errors),    cmocka_unit_test(test_syntax_errors),
		cmocka_unit_test(test_load),
	};

	return RUN_TESTS(tests);
}
