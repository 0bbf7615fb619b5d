/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Splits a command line into words as a shell does, without a shell. */
#pragma once

#include "base/error.h"

/*
 * Words are separated by blanks. '...' keeps everything, "..." everything but \ before " and \,
 * and a backslash outside quotes the next character. *RET becomes a NULL-terminated array in one
 * allocation that the caller frees. -EINVAL (no word; a quote that is not closed), -ENOMEM.
 */
int cmd_words(const char *line, char ***ret, struct error *error);
