/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"

void json_init(struct json *j, struct strbuf *out)
{
	*j = (struct json){ .out = out };
}

/* Length in bytes of the valid UTF-8 sequence at S (RFC 3629), or 0 when it is not one. */
static size_t json_utf8_length(const unsigned char *s)
{
	size_t len = s[0] < 0x80 ? 1 :
		     s[0] < 0xc2 ? 0 :
		     s[0] < 0xe0 ? 2 :
		     s[0] < 0xf0 ? 3 :
		     s[0] < 0xf5 ? 4 :
				   0;

	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

static void json_quote(struct strbuf *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	strbuf_putc(out, '"');
	while (*s) {
		size_t len = json_utf8_length(s);

		if (*s == '"' || *s == '\\')
			strbuf_printf(out, "\\%c", *s);
		else if (*s < 0x20)
			strbuf_printf(out, "\\u%04x", *s);
		else if (len)
			strbuf_append(out, s, len);
		else
			strbuf_puts(out, "\xef\xbf\xbd");
		s += len ? len : 1;
	}
	strbuf_putc(out, '"');
}

/* What comes before any value: the comma and the key. */
static void json_begin(struct json *j, const char *key)
{
	if (j->depth) {
		if (j->filled[j->depth - 1])
			strbuf_putc(j->out, ',');
		j->filled[j->depth - 1] = true;
	}
	if (key) {
		json_quote(j->out, key);
		strbuf_putc(j->out, ':');
	}
}

static void json_open(struct json *j, const char *key, char opener, char closer)
{
	assert(j->depth < JSON_MAX_DEPTH);
	json_begin(j, key);
	strbuf_putc(j->out, opener);
	j->closer[j->depth] = closer;
	j->filled[j->depth++] = false;
}

void json_object(struct json *j, const char *key)
{
	json_open(j, key, '{', '}');
}

void json_array(struct json *j, const char *key)
{
	json_open(j, key, '[', ']');
}

void json_end(struct json *j)
{
	assert(j->depth > 0);
	strbuf_putc(j->out, j->closer[--j->depth]);
}

void json_null(struct json *j, const char *key)
{
	json_begin(j, key);
	strbuf_puts(j->out, "null");
}

void json_string(struct json *j, const char *key, const char *value)
{
	json_begin(j, key);
	if (value)
		json_quote(j->out, value);
	else
		strbuf_puts(j->out, "null");
}

void json_format(struct json *j, const char *key, const char *format, ...)
{
	auto_free char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	json_string(j, key, text);
}

void json_int(struct json *j, const char *key, int64_t value)
{
	json_begin(j, key);
	strbuf_printf(j->out, "%lld", (long long)value);
}

void json_uint(struct json *j, const char *key, uint64_t value)
{
	json_begin(j, key);
	strbuf_printf(j->out, "%llu", (unsigned long long)value);
}

void json_double(struct json *j, const char *key, double value)
{
	if (!isfinite(value)) {
		json_null(j, key);
		return;
	}
	json_begin(j, key);
	strbuf_printf(j->out, "%.9g", value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	json_begin(j, key);
	strbuf_puts(j->out, value ? "true" : "false");
}
