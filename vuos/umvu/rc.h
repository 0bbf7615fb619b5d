/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The programs that are run in a view before the one that it is for, as a rule scripts. */
#pragma once

#include <limits.h>

#include "options.h"

#define RC_FILES_MAX 2

struct rc_files {
	char paths[RC_FILES_MAX][PATH_MAX];
	unsigned count;
};

/* Those that the settings want: one, none, or the system's and the user's that may be executed. */
void rc_find(const struct settings *s, struct rc_files *ret);
