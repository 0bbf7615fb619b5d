/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A growing byte buffer that is always NUL-terminated. A failed allocation makes it "broken":
 * later appends do nothing and `error` tells, so that a chain of appends needs one check.
 */
#pragma once

#include <stdarg.h>
#include <sys/types.h>

#include "cleanup.h"
#include "util.h"

struct strbuf {
	char *data; /* owned; NULL until the first append */
	size_t len; /* bytes, without the final NUL */
	size_t room;
	size_t limit; /* most bytes it may hold; 0 means no limit */
	int error;    /* 0, -ENOMEM, or -EMSGSIZE when the limit was met */
};

void strbuf_done(struct strbuf *b);

/* Empties it and clears the error; keeps the memory. */
void strbuf_clear(struct strbuf *b);

void strbuf_append(struct strbuf *b, const void *data, size_t len);
void strbuf_puts(struct strbuf *b, const char *text);
void strbuf_putc(struct strbuf *b, char c);
void strbuf_printf(struct strbuf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void strbuf_vprintf(struct strbuf *b, const char *format, va_list ap);

/* Removes the first LEN bytes (at most all). */
void strbuf_consume(struct strbuf *b, size_t len);

/* Room for at least LEN more bytes; the caller fills it and adds to len. NULL on failure. */
char *strbuf_reserve(struct strbuf *b, size_t len);

/* The text; "" while empty. Borrowed until the next append. */
const char *strbuf_text(const struct strbuf *b);

/* The text as a malloc'd string that the caller owns (NULL when broken); empties the buffer. */
char *strbuf_steal(struct strbuf *b);

#define auto_strbuf CLEANUP(strbuf_done)
