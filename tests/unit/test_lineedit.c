/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The editor against a small screen that understands what the editor is allowed to send: text,
 * backspace, carriage return, newline, bell and "clear to the end".
 */
#include "test.h"

#include "vde/mgmt/lineedit.h"

struct screen {
	struct line_edit edit;
	struct strbuf out;
	char row[512];
	size_t column, width; /* of the last row */
	int bells;
	enum line_event event; /* the last one that was not LINE_NONE */
};

static void draw(struct screen *s)
{
	for (size_t i = 0; i < s->out.len; i++) {
		const char *at = s->out.data + i;

		if (str_starts(at, "\033[K")) {
			s->width = s->column;
			i += 2;
		} else if (*at == '\b') {
			assert_true(s->column > 0);
			s->column--;
		} else if (*at == '\r') {
			s->column = 0;
		} else if (*at == '\n') {
			s->column = s->width = 0;
		} else if (*at == '\a') {
			s->bells++;
		} else {
			assert_int_not_equal(*at, 033);
			s->row[s->column++] = *at;
			s->width = MAX(s->width, s->column);
		}
		s->row[s->width] = '\0';
	}
	strbuf_clear(&s->out);
}

static struct screen *screen_new(void)
{
	struct screen *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->edit.out = &s->out;
	return s;
}

static void screen_free(struct screen *s)
{
	line_edit_done(&s->edit);
	strbuf_done(&s->out);
	free(s);
}

/* Types KEYS; what is on the screen is then the line, and the cursor at its point. */
static void type(struct screen *s, const char *keys)
{
	s->event = LINE_NONE;
	for (; *keys; keys++) {
		enum line_event event = line_edit_key(&s->edit, (unsigned char)*keys);

		if (event != LINE_NONE)
			s->event = event;
		if (event == LINE_DONE)
			break;
		draw(s);
		if (!s->edit.hidden) {
			assert_string_equal(s->row, s->edit.text);
			assert_int_equal(s->column, s->edit.point);
		}
	}
	draw(s);
}

static void enter(struct screen *s, const char *keys)
{
	type(s, keys);
	type(s, "\r");
	assert_int_equal(s->event, LINE_DONE);
	line_edit_reset(&s->edit);
}

static void test_editing(void **state)
{
	static const struct {
		const char *keys;
		const char *line;
		size_t point;
	} rows[] = {
		{ "abc", "abc", 3 },
		{ "abc\033[D\033[DX", "aXbc", 2 },
		{ "abc\033OD\033OCX", "abcX", 4 },
		{ "abc\001X\005Y", "XabcY", 5 },
		{ "abc\033[HX\033[FY", "XabcY", 5 },
		{ "abc\033[1~X\033[4~Y", "XabcY", 5 },
		{ "abc\002\002\006X", "abXc", 3 },
		{ "abc\177", "ab", 2 },
		{ "abc\033[D\010", "ac", 1 },
		{ "abc\001\033[3~", "bc", 0 },
		{ "abc\001\004", "bc", 0 },
		{ "abc def\001\033f\013", "abc", 3 },
		{ "abc def\002\002\025", "ef", 0 },
		{ "abc def\027", "abc ", 4 },
		{ "abc def\027\001\031", "defabc ", 3 },
		{ "abc def\033bX", "abc Xdef", 5 },
		{ "abc\003", "", 0 },
		{ "abc\033[1;5DX", "abXc", 3 },
		{ "a\033zb", "ab", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct screen *s = screen_new();

		type(s, rows[i].keys);
		assert_string_equal(s->edit.text, rows[i].line);
		assert_int_equal(s->edit.point, rows[i].point);
		screen_free(s);
	}
}

static void test_utf8(void **state)
{
	struct screen *s = screen_new();

	(void)state;
	for (const char *key = "a\303\244\303\266\033[D\033[D\177"; *key; key++)
		(void)line_edit_key(&s->edit, (unsigned char)*key);
	assert_string_equal(s->edit.text, "\303\244\303\266");
	assert_int_equal(s->edit.point, 0);
	(void)line_edit_key(&s->edit, 4);
	assert_string_equal(s->edit.text, "\303\266");
	screen_free(s);
}

static void test_enter(void **state)
{
	static const char *const enters[] = { "\r", "\n", "\r\n" };
	struct screen *s = screen_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(enters); i++) {
		type(s, "x");
		type(s, enters[i]);
		assert_int_equal(s->event, LINE_DONE);
		assert_string_equal(s->edit.text, "x");
		line_edit_reset(&s->edit);
	}
	/* Telnet: CR NUL, CR LF are one Enter; then the next key counts. */
	assert_int_equal(line_edit_key(&s->edit, '\r'), LINE_DONE);
	line_edit_reset(&s->edit);
	assert_int_equal(line_edit_key(&s->edit, '\0'), LINE_NONE);
	assert_int_equal(line_edit_key(&s->edit, '\r'), LINE_DONE);
	assert_int_equal(line_edit_key(&s->edit, '\n'), LINE_NONE);
	assert_int_equal(line_edit_key(&s->edit, '\n'), LINE_DONE);
	screen_free(s);
}

static void test_end(void **state)
{
	struct screen *s = screen_new();

	(void)state;
	type(s, "a\004");
	assert_int_equal(s->event, LINE_NONE);
	type(s, "\177\004");
	assert_int_equal(s->event, LINE_EOF);
	screen_free(s);
}

static void test_history(void **state)
{
	struct screen *s = screen_new();

	(void)state;
	enter(s, "one");
	enter(s, "two");
	enter(s, "two");
	enter(s, "");
	type(s, "new\033[A");
	assert_string_equal(s->edit.text, "two");
	type(s, "\020");
	assert_string_equal(s->edit.text, "one");
	s->bells = 0;
	type(s, "\033[A");
	assert_int_equal(s->bells, 1);
	type(s, "\033[B\016");
	assert_string_equal(s->edit.text, "new");
	type(s, "\033[B");
	assert_int_equal(s->bells, 2);
	for (int i = 0; i < 40; i++) {
		char line[16];

		(void)snprintf(line, sizeof(line), "\025line %d", i);
		enter(s, line);
	}
	assert_int_equal(s->edit.num_history, LINE_EDIT_HISTORY);
	for (int i = 0; i < 50; i++)
		type(s, "\033[A");
	assert_string_equal(s->edit.text, "line 8");
	screen_free(s);
}

static void test_password(void **state)
{
	struct screen *s = screen_new();

	(void)state;
	s->edit.hidden = true;
	type(s, "secret\177\t");
	assert_string_equal(s->edit.text, "secre");
	assert_string_equal(s->row, "");
	assert_int_equal(line_edit_key(&s->edit, '\r'), LINE_DONE);
	assert_int_equal(s->out.len, 0);
	assert_int_equal(s->edit.num_history, 0);
	line_edit_reset(&s->edit);
	for (size_t i = 0; i < sizeof(s->edit.text); i++)
		assert_int_equal(s->edit.text[i], 0);
	screen_free(s);
}

static void test_completion(void **state)
{
	static const char *const list[] = { "help", "port/create", "port/createauto", "port/print",
					    "showinfo", NULL };
	char *const *words = (char *const *)list;
	struct screen *s = screen_new();

	(void)state;
	type(s, "sh\t");
	assert_int_equal(s->event, LINE_COMPLETE);
	line_edit_complete(&s->edit, words, "> ");
	draw(s);
	assert_string_equal(s->edit.text, "showinfo ");
	assert_string_equal(s->row, s->edit.text);
	type(s, "\025po");
	line_edit_complete(&s->edit, words, "> ");
	draw(s);
	assert_string_equal(s->edit.text, "port/");
	type(s, "c");
	line_edit_complete(&s->edit, words, "> ");
	draw(s);
	assert_string_equal(s->edit.text, "port/create");
	line_edit_complete(&s->edit, words, "> ");
	assert_non_null(strstr(strbuf_text(&s->out),
			       "\r\nport/create port/createauto \r\n> port/create"));
	draw(s);
	s->bells = 0;
	line_edit_complete(&s->edit, NULL, "> ");
	draw(s);
	assert_int_equal(s->bells, 1);
	screen_free(s);
}

static void test_overflow(void **state)
{
	struct screen *s = screen_new();

	(void)state;
	for (int i = 0; i < LINE_EDIT_MAX + 10; i++)
		(void)line_edit_key(&s->edit, 'a');
	assert_int_equal(s->edit.len, LINE_EDIT_MAX - 1);
	(void)line_edit_key(&s->edit, 025);
	(void)line_edit_key(&s->edit, 'b');
	(void)line_edit_key(&s->edit, 031); /* the killed text does not fit any more */
	assert_string_equal(s->edit.text, "b");
	screen_free(s);
}

/* Whatever is typed, the screen shows the line. */
static void test_random_keys(void **state)
{
	static const char *const keys[] = { "a", "b ", "\033[D", "\033[C", "\001", "\005", "\177",
					    "\004", "\013", "\025", "\027", "\031", "\033[A",
					    "\033[B", "\033b", "\033f", "\003", "\t" };
	struct screen *s = screen_new();
	uint64_t random = 42;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		if (s->edit.len > 300 || test_random(&random) % 50 == 0)
			enter(s, "");
		else
			type(s, keys[test_random(&random) % ARRAY_SIZE(keys)]);
	}
	screen_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_editing),	   cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_enter),	   cmocka_unit_test(test_end),
		cmocka_unit_test(test_history),	   cmocka_unit_test(test_password),
		cmocka_unit_test(test_completion), cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_random_keys),
	};

	return RUN_TESTS(tests);
}
