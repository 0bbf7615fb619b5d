/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of a program. */
#pragma once

#include <limits.h>

#include "base/error.h"

/* -ENOENT, or why it cannot be run. */
int find_program(const char *name, char found[PATH_MAX], struct error *error);
