/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation.
 *
 * The console's output is lines, apart from two things that end without a newline: the prompt and
 * the farewell. What a line is depends on where it stands:
 *
 *	greeting   lines up to the first prompt; a line that can only be an answer ends it as well,
 *	           for callers that took the greeting off before
 *	block      from `0000 DATA ...` to a line with a single dot; every line is data, also one
 *	           that looks like a result (the console writes a block in one piece, so that no
 *	           asynchronous line gets between)
 *	otherwise  `1EEE text` result, `3TTT text` asynchronous, `9999 ` farewell, or plain text
 *
 * The prompt differs between consoles (`vde$ `, `VDEwf$ `, ...). It is learned: the first text
 * behind an empty line that goes up to `$ ` before any newline. From then on it is known to the
 * byte, and what follows it on the same line is a line of its own, because asynchronous lines and
 * answers are written straight behind it.
 *
 * The farewell may come in pieces; it is reported when it is complete.
 */
#include "session.h"

#include <errno.h>

#include "wire/cursor.h"

#define DATA_START "0000 DATA"
#define FAREWELL   "9999 END OF SESSION"

void mgmt_session_done(struct mgmt_session *s)
{
	strbuf_done(&s->in);
	*s = (struct mgmt_session){ 0 };
}

void mgmt_session_reset(struct mgmt_session *s)
{
	struct strbuf in = s->in;

	strbuf_clear(&in);
	*s = (struct mgmt_session){ .in = in };
}

int mgmt_session_feed(struct mgmt_session *s, const void *data, size_t len)
{
	strbuf_consume(&s->in, s->at);
	s->at = 0;
	if (s->in.len + len > MGMT_LINE_MAX)
		return -EMSGSIZE;
	strbuf_append(&s->in, data, len);
	return s->in.error;
}

const char *mgmt_session_prompt(const struct mgmt_session *s)
{
	return s->prompt[0] ? s->prompt : "vde$ ";
}

/* What was not handed out yet. */
static const char *pending(const struct mgmt_session *s, size_t *ret_len)
{
	*ret_len = s->in.len - s->at;
	return strbuf_text(&s->in) + s->at;
}

static void take(struct mgmt_session *s, size_t len)
{
	s->at += len;
	s->scanned = 0;
}

static bool begins(const char *text, size_t len, const char *word)
{
	size_t word_len = strlen(word);

	return len >= word_len && memcmp(text, word, word_len) == 0;
}

/* The length of a prompt, which is text, that ends at the first `$ ` of this line, or 0. */
static size_t learn_prompt(struct mgmt_session *s, const char *text, size_t len)
{
	size_t most = MIN(len, sizeof(s->prompt) - 1);

	for (size_t i = 0; i < most && text[i] != '\n' && text[i] != '\0'; i++) {
		if (text[i] != ' ' || !i || text[i - 1] != '$')
			continue;
		memcpy(s->prompt, text, i + 1);
		s->prompt[i + 1] = '\0';
		return i + 1;
	}
	return 0;
}

/* The length of the prompt that stands here, or 0. */
static size_t match_prompt(struct mgmt_session *s, const char *text, size_t len)
{
	if (s->prompt[0])
		return begins(text, len, s->prompt) ? strlen(s->prompt) : 0;
	if (!s->greeted && !s->after_blank && begins(text, len, "vde$ "))
		return learn_prompt(s, text, len);
	return s->after_blank ? learn_prompt(s, text, len) : 0;
}

static int give(struct mgmt_item *item, enum mgmt_kind kind, const char *text, size_t len)
{
	*item = (struct mgmt_item){ .kind = kind, .text = text, .len = len };
	return 1;
}

/* Takes a decimal or octal number of 1 to 6 digits, to a blank or the end. False: there is none. */
static bool take_number(struct cursor *c, int base, int *ret)
{
	int value = 0, digits = 0;

	while (c->left && *c->at != ' ') {
		int digit = cursor_u8(c) - '0';

		if (digit < 0 || digit >= base || ++digits > 6)
			return false;
		value = value * base + digit;
	}
	if (c->left)
		(void)cursor_u8(c);
	*ret = value;
	return digits >= 3;
}

/* Reads `1EEE text` or `3TTT text`. */
static bool numbered(struct mgmt_item *item, const char *text, size_t len)
{
	struct cursor c = cursor_of(text, len);
	uint8_t class = cursor_u8(&c);

	if ((class != '1' && class != '3') || !take_number(&c, class == '1' ? 10 : 8, &item->number))
		return false;
	item->kind = class == '1' ? MGMT_RESULT : MGMT_ASYNC;
	item->text = (const char *)c.at;
	item->len = c.left;
	return true;
}

static int block_line(struct mgmt_session *s, struct mgmt_item *item, const char *text, size_t len)
{
	if (len != 1 || *text != '.')
		return give(item, MGMT_DATA, text, len);
	s->in_block = false;
	return give(item, MGMT_DATA_END, text, len);
}

/* A complete line. Returns 1, or 0 when it carries nothing. */
static int whole_line(struct mgmt_session *s, struct mgmt_item *item, const char *text, size_t len)
{
	if (s->in_block)
		return block_line(s, item, text, len);
	s->after_blank = len == 0;
	(void)give(item, MGMT_TEXT, text, len);
	if (begins(text, len, DATA_START)) {
		s->in_block = s->greeted = true;
		item->kind = MGMT_DATA_BEGIN;
	} else if (numbered(item, text, len)) {
		s->greeted = true;
	} else if (!s->greeted && len) {
		item->kind = MGMT_BANNER;
	}
	return len > 0;
}

/* What stands at the start of a line without being one: the prompt and the farewell. */
static int unterminated(struct mgmt_session *s, struct mgmt_item *item)
{
	size_t len, prompt_len;
	const char *text = pending(s, &len);

	if (begins(text, len, FAREWELL)) {
		take(s, len);
		s->ended = true;
		return give(item, MGMT_END, FAREWELL, strlen(FAREWELL));
	}
	prompt_len = match_prompt(s, text, len);
	if (!prompt_len)
		return 0;
	take(s, prompt_len);
	(void)give(item, MGMT_PROMPT, s->prompt, prompt_len);
	item->greeting = !s->greeted;
	s->greeted = true;
	s->after_blank = false;
	return 1;
}

int mgmt_session_next(struct mgmt_session *s, struct mgmt_item *item)
{
	while (!s->ended) {
		size_t len;
		char *text, *end;

		if (!s->in_block && unterminated(s, item) > 0)
			return 1;
		(void)pending(s, &len);
		if (!len)
			return 0;
		text = s->in.data + s->at;
		end = memchr(text + s->scanned, '\n', len - s->scanned);
		if (!end) {
			s->scanned = len;
			return 0;
		}
		*end = '\0';
		take(s, (size_t)(end - text) + 1);
		if (whole_line(s, item, text, (size_t)(end - text)))
			return 1;
	}
	return 0;
}
