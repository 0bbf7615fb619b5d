/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rc.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One that is too long, or that the effective user may not execute, is none. */
static void add_if_executable(struct rc_files *files, const char *directory, const char *name)
{
	char *path = files->paths[files->count];

	if (directory && snprintf(path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX &&
	    eaccess(path, X_OK) == 0)
		files->count++;
}

void rc_find(const struct settings *s, struct rc_files *ret)
{
	ret->count = 0;
	if (s->rc_file) {
		(void)str_copy(ret->paths[ret->count++], PATH_MAX, s->rc_file);
	} else if (!s->no_rc) {
		add_if_executable(ret, VS_SYSCONFDIR, "vurc");
		add_if_executable(ret, getenv("HOME"), ".vurc");
	}
}
