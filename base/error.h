/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An error that a user can act on: the errno value and a sentence that names the cause and the
 * remedy. Functions that can say more than an errno take a `struct error *` last; NULL is fine.
 */
#pragma once

#include "util.h"

struct error {
	int code;       /* positive errno value; 0 while nothing failed */
	char text[512]; /* one sentence, or several lines with a caret; never ends with a newline */
};

/* Records CODE (positive errno) and the sentence; returns -code. E may be NULL. Keeps errno. */
int error_set(struct error *e, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Like error_set(), with `: ` and the system's text for CODE appended. */
int error_set_errno(struct error *e, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/*
 * Like error_set(), and quotes LINE below the sentence with a caret under the byte at OFFSET
 * (0 to strlen(LINE)); a long line is quoted around the caret.
 */
int error_set_caret(struct error *e, int code, const char *line, size_t offset,
		    const char *format, ...) PRINTF_LIKE(5, 6);

/* The sentence, or the system's text for E's code when there is none. Never NULL. */
const char *error_text(const struct error *e);
