/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first line of a script. Nothing here makes a call or looks beyond the bytes it is given. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

#define SCRIPT_HEAD 256 /* bytes of a file by which the kernel knows its kind */

/*
 * The interpreter and its one argument (NULL: none) of a line that begins with "#!". HEAD is the file's,
 * filled up with zeros; it is cut. False: it names none. A name may be empty.
 */
bool script_line(char head[SCRIPT_HEAD], char **interpreter, char **argument);

#pragma GCC visibility pop
