/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the plug-ins are that were installed, or built, with this program. */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "vde/switch/plugin_private.h"

char *plugin_program_dir(void)
{
	char program[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	char *slash, *dir = NULL;

	if (len <= 0)
		return NULL;
	program[len] = '\0';
	slash = strrchr(program, '/');
	if (!slash)
		return NULL;
	*slash = '\0';
	return asprintf(&dir, "%s/../lib/vde2/plugins", program) < 0 ? NULL : dir;
}
