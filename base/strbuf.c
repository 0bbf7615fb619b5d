/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_ROOM 256

void strbuf_done(struct strbuf *b)
{
	free(b->data);
	*b = (struct strbuf){ .limit = b->limit };
}

void strbuf_clear(struct strbuf *b)
{
	b->len = 0;
	b->error = 0;
	if (b->data)
		b->data[0] = '\0';
}

char *strbuf_reserve(struct strbuf *b, size_t len)
{
	size_t need = b->len + len + 1;
	size_t room = b->room ? b->room : FIRST_ROOM;
	char *data;

	if (b->error)
		return NULL;
	if (need < len || (b->limit && need > b->limit + 1)) {
		b->error = -EMSGSIZE;
		return NULL;
	}
	if (need <= b->room)
		return b->data + b->len;
	if (need > SIZE_MAX / 2) {
		b->error = -ENOMEM;
		return NULL;
	}
	while (room < need)
		room *= 2;
	data = realloc(b->data, room);
	if (!data) {
		b->error = -ENOMEM;
		return NULL;
	}
	b->data = data;
	b->room = room;
	b->data[b->len] = '\0';
	return b->data + b->len;
}

void strbuf_append(struct strbuf *b, const void *data, size_t len)
{
	char *to = strbuf_reserve(b, len);

	if (!to)
		return;
	if (len)
		memcpy(to, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void strbuf_puts(struct strbuf *b, const char *text)
{
	strbuf_append(b, text, strlen(text));
}

void strbuf_putc(struct strbuf *b, char c)
{
	strbuf_append(b, &c, 1);
}

void strbuf_vprintf(struct strbuf *b, const char *format, va_list ap)
{
	va_list again;
	int len;

	va_copy(again, ap);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0 && !b->error)
		b->error = -EMSGSIZE; /* longer than an int can say, or not representable */
	if (len < 0 || !strbuf_reserve(b, (size_t)len))
		return;
	(void)vsnprintf(b->data + b->len, (size_t)len + 1, format, ap);
	b->len += (size_t)len;
}

void strbuf_printf(struct strbuf *b, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	strbuf_vprintf(b, format, ap);
	va_end(ap);
}

void strbuf_consume(struct strbuf *b, size_t len)
{
	len = MIN(len, b->len);
	if (len == 0)
		return;
	memmove(b->data, b->data + len, b->len - len + 1);
	b->len -= len;
}

const char *strbuf_text(const struct strbuf *b)
{
	return b->data ? b->data : "";
}

char *strbuf_steal(struct strbuf *b)
{
	char *data;

	if (!b->data && !b->error)
		(void)strbuf_reserve(b, 0);
	if (b->error)
		return NULL;
	data = b->data;
	*b = (struct strbuf){ .limit = b->limit };
	return data;
}
