/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes text of bounded size, in one of two forms that have the same structure: what people read
 * (name=value, words bare) and JSON (names and words quoted). The caller says what a thing is, the
 * form says how it looks.
 *
 * The text always ends in NUL if there is room for one; `len` counts on when the room is used up, so
 * that it says how much room there should have been.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum call_form { CALL_TEXT, CALL_JSON };

struct call_text {
	char *to;
	size_t room;
	size_t len;
	enum call_form form;
	bool fresh; /* nothing stands in the innermost bracket yet */
};

void call_text_init(struct call_text *t, enum call_form form, char *to, size_t room);

/* As they are. */
void call_text_char(struct call_text *t, char c);
void call_text_raw(struct call_text *t, const char *string);
/* Either of two, by form. */
void call_text_either(struct call_text *t, const char *text, const char *json);

/* Lists and objects: begin, then item or member before each thing in it, then end. */
void call_text_begin(struct call_text *t, char bracket);
void call_text_end(struct call_text *t, char bracket);
void call_text_item(struct call_text *t);
void call_text_member(struct call_text *t, const char *name);
/* An item that says that more would follow. */
void call_text_more(struct call_text *t);

void call_text_unsigned(struct call_text *t, uint64_t value);
void call_text_signed(struct call_text *t, int64_t value);
void call_text_hex(struct call_text *t, uint64_t value);   /* 0x1f; in JSON a string */
void call_text_octal(struct call_text *t, uint64_t value); /* 0644; in JSON a string */
void call_text_word(struct call_text *t, const char *word);

/*
 * Bytes between quotes, what is not printable escaped. In JSON a byte is the code point of its value,
 * so that every byte comes back; CUT makes it {"cut": "..."}.
 */
void call_text_quote_begin(struct call_text *t, bool cut);
void call_text_quote_bytes(struct call_text *t, const uint8_t *bytes, size_t len);
void call_text_quote_end(struct call_text *t, bool cut);
