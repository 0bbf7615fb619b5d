/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See call_text.h. */
#include "vuos/resident/call_text.h"

void call_text_init(struct call_text *t, enum call_form form, char *to, size_t room)
{
	*t = (struct call_text){ .to = to, .room = room, .form = form, .fresh = true };
	if (room)
		*to = '\0';
}

void call_text_char(struct call_text *t, char c)
{
	if (t->room && t->len < t->room - 1) {
		t->to[t->len] = c;
		t->to[t->len + 1] = '\0';
	}
	t->len++;
}

void call_text_raw(struct call_text *t, const char *string)
{
	while (*string)
		call_text_char(t, *string++);
}

void call_text_either(struct call_text *t, const char *text, const char *json)
{
	call_text_raw(t, t->form == CALL_JSON ? json : text);
}

void call_text_begin(struct call_text *t, char bracket)
{
	call_text_char(t, bracket);
	t->fresh = true;
}

void call_text_end(struct call_text *t, char bracket)
{
	call_text_char(t, bracket);
	t->fresh = false; /* the bracket around this one has something in it */
}

void call_text_item(struct call_text *t)
{
	if (!t->fresh)
		call_text_either(t, ", ", ",");
	t->fresh = false;
}

void call_text_member(struct call_text *t, const char *name)
{
	call_text_item(t);
	if (t->form == CALL_JSON)
		call_text_char(t, '"');
	call_text_raw(t, name);
	call_text_either(t, "=", "\":");
}

void call_text_more(struct call_text *t)
{
	call_text_item(t);
	call_text_either(t, "...", "\"...\"");
}

static void write_digits(struct call_text *t, uint64_t value, unsigned base)
{
	char digits[24];
	unsigned count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (count)
		call_text_char(t, digits[--count]);
}

void call_text_unsigned(struct call_text *t, uint64_t value)
{
	write_digits(t, value, 10);
}

void call_text_signed(struct call_text *t, int64_t value)
{
	if (value < 0)
		call_text_char(t, '-');
	write_digits(t, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

static void write_prefixed(struct call_text *t, const char *prefix, uint64_t value, unsigned base)
{
	call_text_either(t, "", "\"");
	call_text_raw(t, prefix);
	write_digits(t, value, base);
	call_text_either(t, "", "\"");
}

void call_text_hex(struct call_text *t, uint64_t value)
{
	write_prefixed(t, "0x", value, 16);
}

void call_text_octal(struct call_text *t, uint64_t value)
{
	write_prefixed(t, value ? "0" : "", value, 8);
}

void call_text_word(struct call_text *t, const char *word)
{
	call_text_either(t, "", "\"");
	call_text_raw(t, word);
	call_text_either(t, "", "\"");
}

void call_text_quote_begin(struct call_text *t, bool cut)
{
	if (cut)
		call_text_either(t, "", "{\"cut\":");
	call_text_char(t, '"');
}

void call_text_quote_end(struct call_text *t, bool cut)
{
	call_text_char(t, '"');
	if (cut)
		call_text_either(t, "...", "}");
}

/* The letter that stands for a byte behind a backslash, 0 if there is none. */
static char short_escape(const struct call_text *t, uint8_t byte)
{
	switch (byte) {
	case '"':
	case '\\':
		return (char)byte;
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	case '\f':
		return 'f';
	case '\v':
		return t->form == CALL_JSON ? 0 : 'v';
	default:
		return 0;
	}
}

/* \x1f, or \u001f in JSON: of fixed length, whatever the next byte is. */
static void long_escape(struct call_text *t, uint8_t byte)
{
	call_text_either(t, "\\x", "\\u00");
	call_text_char(t, "0123456789abcdef"[byte >> 4]);
	call_text_char(t, "0123456789abcdef"[byte & 15]);
}

void call_text_quote_bytes(struct call_text *t, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char letter = short_escape(t, bytes[i]);

		if (letter) {
			call_text_char(t, '\\');
			call_text_char(t, letter);
		} else if (bytes[i] < 0x20 || bytes[i] > 0x7e) {
			long_escape(t, bytes[i]);
		} else {
			call_text_char(t, (char)bytes[i]);
		}
	}
}
