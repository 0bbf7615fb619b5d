/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation. The screen shows the prompt, the line and the cursor at `point`. A change at
 * the cursor prints what follows it again and steps back with backspaces; a change of the whole line
 * steps to its start, prints the new one and clears the rest. One column is one UTF-8 character;
 * `point` never stands within one.
 *
 * Keys come as single bytes or as sequences (ESC [ ... letter, ESC O letter, ESC letter), one state
 * machine for all. Both kinds end in a row of a table that names the action.
 */
#include "lineedit.h"

#include <ctype.h>
#include <stdlib.h>

#define CONTROL(letter) ((letter) & 0x1f)
#define ESCAPE          033
#define DELETE          0177

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t columns(const char *text, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += !is_continuation(text[i]);
	return count;
}

static void emit(struct line_edit *e, const char *text, size_t len)
{
	if (!e->hidden)
		strbuf_append(e->out, text, len);
}

static void emit_back(struct line_edit *e, size_t count)
{
	while (count--)
		emit(e, "\b", 1);
}

static enum line_event bell(struct line_edit *e)
{
	strbuf_putc(e->out, '\a');
	return LINE_NONE;
}

/* Prints the line from the cursor on, clears GONE columns behind it, and returns to the cursor. */
static void emit_rest(struct line_edit *e, size_t gone)
{
	size_t rest = e->len - e->point;

	emit(e, e->text + e->point, rest);
	if (gone)
		emit(e, "\033[K", 3);
	emit_back(e, columns(e->text + e->point, rest));
}

static size_t before(const struct line_edit *e, size_t at)
{
	while (at && is_continuation(e->text[--at]))
		;
	return at;
}

static size_t behind(const struct line_edit *e, size_t at)
{
	if (at < e->len)
		at++;
	while (at < e->len && is_continuation(e->text[at]))
		at++;
	return at;
}

static void move_to(struct line_edit *e, size_t at)
{
	if (at < e->point)
		emit_back(e, columns(e->text + at, e->point - at));
	else
		emit(e, e->text + e->point, at - e->point);
	e->point = at;
}

static bool insert(struct line_edit *e, const char *text, size_t len)
{
	if (e->len + len >= sizeof(e->text)) {
		(void)bell(e);
		return false;
	}
	memmove(e->text + e->point + len, e->text + e->point, e->len - e->point);
	memcpy(e->text + e->point, text, len);
	e->len += len;
	e->text[e->len] = '\0';
	emit(e, text, len);
	e->point += len;
	if (e->point < e->len)
		emit_rest(e, 0);
	return true;
}

/* Removes what is between FROM and TO, one of which is the cursor; keeps it for ^Y when KEEP. */
static void cut(struct line_edit *e, size_t from, size_t to, bool keep)
{
	size_t gone = columns(e->text + from, to - from);

	if (from == to)
		return;
	if (keep) {
		memcpy(e->killed, e->text + from, to - from);
		e->killed[to - from] = '\0';
	}
	move_to(e, from);
	memmove(e->text + from, e->text + to, e->len - to);
	e->len -= to - from;
	e->text[e->len] = '\0';
	emit_rest(e, gone);
}

static void replace(struct line_edit *e, const char *text)
{
	size_t len = MIN(strlen(text), sizeof(e->text) - 1);

	move_to(e, 0);
	memcpy(e->text, text, len);
	e->text[len] = '\0';
	e->len = e->point = len;
	emit(e, text, len);
	emit(e, "\033[K", 3);
}

static size_t word_start(const struct line_edit *e)
{
	size_t at = e->point;

	while (at && isspace((unsigned char)e->text[at - 1]))
		at--;
	while (at && !isspace((unsigned char)e->text[at - 1]))
		at--;
	return at;
}

static size_t word_end(const struct line_edit *e)
{
	size_t at = e->point;

	while (at < e->len && isspace((unsigned char)e->text[at]))
		at++;
	while (at < e->len && !isspace((unsigned char)e->text[at]))
		at++;
	return at;
}

static enum line_event key_home(struct line_edit *e)
{
	move_to(e, 0);
	return LINE_NONE;
}

static enum line_event key_end(struct line_edit *e)
{
	move_to(e, e->len);
	return LINE_NONE;
}

static enum line_event key_left(struct line_edit *e)
{
	move_to(e, before(e, e->point));
	return LINE_NONE;
}

static enum line_event key_right(struct line_edit *e)
{
	move_to(e, behind(e, e->point));
	return LINE_NONE;
}

static enum line_event key_word_left(struct line_edit *e)
{
	move_to(e, word_start(e));
	return LINE_NONE;
}

static enum line_event key_word_right(struct line_edit *e)
{
	move_to(e, word_end(e));
	return LINE_NONE;
}

static enum line_event key_backspace(struct line_edit *e)
{
	if (!e->point)
		return bell(e);
	cut(e, before(e, e->point), e->point, false);
	return LINE_NONE;
}

static enum line_event key_delete(struct line_edit *e)
{
	if (e->point == e->len)
		return bell(e);
	cut(e, e->point, behind(e, e->point), false);
	return LINE_NONE;
}

static enum line_event key_delete_or_eof(struct line_edit *e)
{
	return e->len ? key_delete(e) : LINE_EOF;
}

static enum line_event key_kill_rest(struct line_edit *e)
{
	cut(e, e->point, e->len, true);
	return LINE_NONE;
}

static enum line_event key_kill_start(struct line_edit *e)
{
	cut(e, 0, e->point, true);
	return LINE_NONE;
}

static enum line_event key_kill_word(struct line_edit *e)
{
	cut(e, word_start(e), e->point, true);
	return LINE_NONE;
}

static enum line_event key_yank(struct line_edit *e)
{
	(void)insert(e, e->killed, strlen(e->killed));
	return LINE_NONE;
}

/* ^C gives the line up. */
static enum line_event key_cancel(struct line_edit *e)
{
	replace(e, "");
	e->back = 0;
	return LINE_NONE;
}

static enum line_event key_tab(struct line_edit *e)
{
	return e->hidden ? bell(e) : LINE_COMPLETE;
}

static enum line_event key_redraw(struct line_edit *e)
{
	line_edit_hide(e);
	return LINE_REDRAW;
}

/* Shows the line that lies BACK lines back. */
static enum line_event recall(struct line_edit *e, unsigned back)
{
	if (e->hidden || back > e->num_history || back == e->back)
		return bell(e);
	if (!e->back) {
		free(e->new_line);
		e->new_line = strdup(e->text);
	}
	e->back = back;
	if (back)
		replace(e, e->history[e->num_history - back]);
	else
		replace(e, e->new_line ? e->new_line : "");
	return LINE_NONE;
}

static enum line_event key_older(struct line_edit *e)
{
	return recall(e, e->back + 1);
}

static enum line_event key_newer(struct line_edit *e)
{
	return e->back ? recall(e, e->back - 1) : bell(e);
}

/* Remembers the line unless it is empty, secret, or the same as the one before. */
static void remember(struct line_edit *e)
{
	char *copy;

	if (!e->len || e->hidden)
		return;
	if (e->num_history && str_equal(e->history[e->num_history - 1], e->text))
		return;
	copy = strdup(e->text);
	if (!copy)
		return;
	if (e->num_history == LINE_EDIT_HISTORY) {
		free(e->history[0]);
		memmove(e->history, e->history + 1, sizeof(e->history) - sizeof(e->history[0]));
		e->num_history--;
	}
	e->history[e->num_history++] = copy;
}

static enum line_event key_enter(struct line_edit *e)
{
	move_to(e, e->len);
	remember(e);
	emit(e, "\r\n", 2);
	return LINE_DONE;
}

struct key_row {
	unsigned code;
	enum line_event (*action)(struct line_edit *e);
};

static const struct key_row plain_keys[] = {
	{ CONTROL('A'), key_home },	  { CONTROL('B'), key_left },
	{ CONTROL('C'), key_cancel },	  { CONTROL('D'), key_delete_or_eof },
	{ CONTROL('E'), key_end },	  { CONTROL('F'), key_right },
	{ CONTROL('H'), key_backspace },  { CONTROL('I'), key_tab },
	{ CONTROL('J'), key_enter },	  { CONTROL('K'), key_kill_rest },
	{ CONTROL('L'), key_redraw },	  { CONTROL('M'), key_enter },
	{ CONTROL('N'), key_newer },	  { CONTROL('P'), key_older },
	{ CONTROL('U'), key_kill_start }, { CONTROL('W'), key_kill_word },
	{ CONTROL('Y'), key_yank },	  { DELETE, key_backspace },
};

/* Behind ESC [ or ESC O. */
static const struct key_row letter_keys[] = {
	{ 'A', key_older }, { 'B', key_newer }, { 'C', key_right },
	{ 'D', key_left },  { 'H', key_home },	{ 'F', key_end },
};

/* ESC [ number ~ */
static const struct key_row tilde_keys[] = {
	{ 1, key_home }, { 3, key_delete }, { 4, key_end }, { 7, key_home }, { 8, key_end },
};

/* ESC letter */
static const struct key_row meta_keys[] = {
	{ 'b', key_word_left },
	{ 'f', key_word_right },
	{ DELETE, key_kill_word },
};

static enum line_event act(struct line_edit *e, const struct key_row *rows, size_t count,
			   unsigned code)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].code == code)
			return rows[i].action(e);
	return LINE_NONE;
}

static enum line_event plain_key(struct line_edit *e, unsigned char key)
{
	bool swallowed = e->after_cr && (key == '\n' || key == '\0');
	char byte = (char)key;

	e->after_cr = key == '\r';
	if (swallowed)
		return LINE_NONE;
	if (key == ESCAPE) {
		e->state = LINE_KEY_ESCAPE;
		return LINE_NONE;
	}
	if (key < ' ' || key == DELETE)
		return act(e, plain_keys, ARRAY_SIZE(plain_keys), key);
	(void)insert(e, &byte, 1);
	return LINE_NONE;
}

static enum line_event escape_key(struct line_edit *e, unsigned char key)
{
	e->state = LINE_KEY_PLAIN;
	e->parameter = 0;
	if (key == '[')
		e->state = LINE_KEY_CSI;
	else if (key == 'O')
		e->state = LINE_KEY_SS3;
	else if (key == ESCAPE)
		e->state = LINE_KEY_ESCAPE;
	else
		return act(e, meta_keys, ARRAY_SIZE(meta_keys), key);
	return LINE_NONE;
}

static enum line_event sequence_key(struct line_edit *e, unsigned char key)
{
	if (isdigit(key)) {
		e->parameter = MIN(e->parameter * 10 + (key - '0'), 1000u);
		return LINE_NONE;
	}
	if (key >= ' ' && key < '@')
		return LINE_NONE; /* more parameters: modifier keys */
	e->state = LINE_KEY_PLAIN;
	if (key == '~')
		return act(e, tilde_keys, ARRAY_SIZE(tilde_keys), e->parameter);
	if (key < '@') /* a control byte breaks the sequence off */
		return plain_key(e, key);
	return act(e, letter_keys, ARRAY_SIZE(letter_keys), key);
}

enum line_event line_edit_key(struct line_edit *e, unsigned char key)
{
	if (e->state == LINE_KEY_PLAIN)
		return plain_key(e, key);
	return e->state == LINE_KEY_ESCAPE ? escape_key(e, key) : sequence_key(e, key);
}

void line_edit_reset(struct line_edit *e)
{
	e->len = e->point = 0;
	e->back = 0;
	memset(e->text, 0, sizeof(e->text)); /* it may have been a password */
}

void line_edit_done(struct line_edit *e)
{
	line_edit_reset(e);
	for (unsigned i = 0; i < e->num_history; i++)
		free(e->history[i]);
	e->num_history = 0;
	free(e->new_line);
	e->new_line = NULL;
}

void line_edit_hide(struct line_edit *e)
{
	strbuf_puts(e->out, "\r\033[K");
}

void line_edit_show(struct line_edit *e, const char *prompt)
{
	strbuf_puts(e->out, prompt);
	emit(e, e->text, e->len);
	emit_back(e, columns(e->text + e->point, e->len - e->point));
}

/* How far the words that start with the LEN bytes at PREFIX agree; *ret_count: how many they are. */
static const char *common(char *const *words, const char *prefix, size_t len, size_t *ret_agreed,
			  size_t *ret_count)
{
	const char *first = NULL;

	*ret_count = 0;
	for (; words && *words; words++) {
		size_t same = 0;

		if (strncmp(*words, prefix, len) != 0)
			continue;
		if ((*ret_count)++ == 0) {
			first = *words;
			*ret_agreed = strlen(first);
			continue;
		}
		while (same < *ret_agreed && first[same] == (*words)[same])
			same++;
		*ret_agreed = same;
	}
	return first;
}

static void list_choices(struct line_edit *e, char *const *words, const char *prefix, size_t len)
{
	strbuf_puts(e->out, "\r\n");
	for (; *words; words++)
		if (strncmp(*words, prefix, len) == 0)
			strbuf_printf(e->out, "%s ", *words);
	strbuf_puts(e->out, "\r\n");
}

void line_edit_complete(struct line_edit *e, char *const *words, const char *prompt)
{
	size_t start = e->point, len, agreed = 0, count;
	const char *word;

	while (start && !isspace((unsigned char)e->text[start - 1]))
		start--;
	len = e->point - start;
	word = common(words, e->text + start, len, &agreed, &count);
	if (!word) {
		(void)bell(e);
	} else if (count == 1) {
		if (insert(e, word + len, agreed - len))
			(void)insert(e, " ", 1);
	} else if (agreed > len) {
		(void)insert(e, word + len, agreed - len);
	} else {
		list_choices(e, words, e->text + start, len);
		line_edit_show(e, prompt);
	}
}
