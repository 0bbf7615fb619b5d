/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* How much of a long line stands around the caret. */
#define CARET_WIDTH 100

static void error_format(struct error *e, int code, const char *format, va_list ap)
{
	e->code = code;
	(void)vsnprintf(e->text, sizeof(e->text), format, ap); /* cut is fine: it is a message */
}

static void error_append(struct error *e, const char *format, ...) PRINTF_LIKE(2, 3);

static void error_append(struct error *e, const char *format, ...)
{
	size_t used = strlen(e->text);
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(e->text + used, sizeof(e->text) - used, format, ap);
	va_end(ap);
}

int error_set(struct error *e, int code, const char *format, ...)
{
	va_list ap;

	if (e) {
		int saved = errno;

		va_start(ap, format);
		error_format(e, code, format, ap);
		va_end(ap);
		errno = saved;
	}
	return -code;
}

int error_set_errno(struct error *e, int code, const char *format, ...)
{
	va_list ap;

	if (e) {
		int saved = errno;

		va_start(ap, format);
		error_format(e, code, format, ap);
		va_end(ap);
		error_append(e, ": %s", strerror(code));
		errno = saved;
	}
	return -code;
}

int error_set_caret(struct error *e, int code, const char *line, size_t offset,
		    const char *format, ...)
{
	size_t len = strlen(line);
	size_t at = MIN(offset, len);
	size_t start = at > CARET_WIDTH / 2 && len > CARET_WIDTH ? at - CARET_WIDTH / 2 : 0;
	va_list ap;

	if (e) {
		int saved = errno;

		va_start(ap, format);
		error_format(e, code, format, ap);
		va_end(ap);
		error_append(e, "\n  %.*s\n  %*s^", CARET_WIDTH, line + start, (int)(at - start), "");
		errno = saved;
	}
	return -code;
}

const char *error_text(const struct error *e)
{
	return e->text[0] ? e->text : strerror(e->code);
}
