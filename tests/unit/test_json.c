/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <float.h>
#include <math.h>

#include "base/json.h"

struct fixture {
	struct strbuf out;
	struct json json;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	json_init(&f->json, &f->out);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	strbuf_done(&f->out);
	free(f);
	return 0;
}

static void assert_json(struct fixture *f, const char *expected)
{
	assert_string_equal(strbuf_text(&f->out), expected);
	strbuf_clear(&f->out);
	json_init(&f->json, &f->out);
}

static void containers_and_commas(void **state)
{
	struct fixture *f = *state;
	struct json *j = &f->json;

	json_object(j, NULL);
	json_end(j);
	assert_json(f, "{}");
	json_array(j, NULL);
	json_int(j, NULL, 1);
	json_array(j, NULL);
	json_end(j);
	json_object(j, NULL);
	json_int(j, "a", 1);
	json_bool(j, "b", true);
	json_array(j, "c");
	json_null(j, NULL);
	json_bool(j, NULL, false);
	json_end(j);
	json_string(j, "d", NULL);
	json_end(j);
	json_end(j);
	assert_json(f, "[1,[],{\"a\":1,\"b\":true,\"c\":[null,false],\"d\":null}]");
}

static void numbers(void **state)
{
	struct fixture *f = *state;
	struct json *j = &f->json;

	json_array(j, NULL);
	json_int(j, NULL, INT64_MIN);
	json_uint(j, NULL, UINT64_MAX);
	json_double(j, NULL, 0.5);
	json_double(j, NULL, -1e300);
	json_double(j, NULL, (double)NAN);
	json_double(j, NULL, (double)INFINITY);
	json_end(j);
	assert_json(f, "[-9223372036854775808,18446744073709551615,0.5,-1e+300,null,null]");
}

static void quoting(void **state)
{
	struct fixture *f = *state;
	struct json *j = &f->json;

	json_string(j, NULL, "a\"b\\c/d\n\t\x01\x1f\x7f");
	assert_json(f, "\"a\\\"b\\\\c/d\\u000a\\u0009\\u0001\\u001f\x7f\"");
	json_object(j, NULL);
	json_format(j, "k\"", "%d-%s", 7, "\"");
	json_end(j);
	assert_json(f, "{\"k\\\"\":\"7-\\\"\"}");
}

#define REPLACED "\xef\xbf\xbd"

static void utf8(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} cases[] = {
		{ "\xc3\xa9", "\xc3\xa9" },
		{ "\xe2\x82\xac", "\xe2\x82\xac" },
		{ "\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7" },
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
		{ "\x80", REPLACED },
		{ "\xff", REPLACED },
		{ "\xc3", REPLACED },
		{ "\xc3(", REPLACED "(" },
		{ "\xe2\x82", REPLACED REPLACED },
		{ "\xc0\x80", REPLACED REPLACED },                 /* overlong */
		{ "\xe0\x80\x80", REPLACED REPLACED REPLACED },    /* overlong */
		{ "\xf0\x8f\xbf\xbf", REPLACED REPLACED REPLACED REPLACED },
		{ "\xed\xa0\x80", REPLACED REPLACED REPLACED },    /* surrogate */
		{ "\xf4\x90\x80\x80", REPLACED REPLACED REPLACED REPLACED },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char expected[64];

		(void)snprintf(expected, sizeof(expected), "\"%s\"", cases[i].out);
		json_string(&f->json, NULL, cases[i].in);
		assert_json(f, expected);
	}
}

static void deepest(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < JSON_MAX_DEPTH; i++)
		json_array(&f->json, NULL);
	for (int i = 0; i < JSON_MAX_DEPTH; i++)
		json_end(&f->json);
	assert_json(f, "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(containers_and_commas, setup, teardown),
		cmocka_unit_test_setup_teardown(numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(quoting, setup, teardown),
		cmocka_unit_test_setup_teardown(utf8, setup, teardown),
		cmocka_unit_test_setup_teardown(deepest, setup, teardown),
	};

	return RUN_TESTS(tests);
}
