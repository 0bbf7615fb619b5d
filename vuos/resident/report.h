/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is written to umvu's log: messages are complain()'s (base.h), and lines of other forms. */
#pragma once

#include "vuos/resident/base.h"

/* LEN bytes with the newline, if there is a log that takes them now. */
void report_line(const char *text, size_t len);
/*
 * As write(2), but that nobody reads a pipe any more, or a file is too large (RLIMIT_FSIZE), is an error only,
 * and no signal: the program has not written there.
 */
long report_write(long fd, const char *text, size_t len);
/* Whether somebody looks at the log. */
bool report_is_terminal(void);
