/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where plug-ins are looked for. */
#pragma once

#include "base/error.h"

struct plug_search {
	char **dirs; /* owned; "" stands for the dynamic linker's own search, and comes last */
	size_t count;
	bool from_variable; /* VDEPLUGIN_PATH replaced the usual places */
};

/* Lists the directories in order. -ENOMEM. The caller ends *ret with plug_search_done(). */
int plug_search_init(struct plug_search *ret);
void plug_search_done(struct plug_search *s);

/* File name of SCHEME's plug-in in directory DIR (malloc'd), or NULL. */
char *plug_file_name(const char *dir, const char *scheme);

/* Says why nothing was found for SCHEME in the locator VNL, and what to do. Returns its code. */
int plug_search_explain(const struct plug_search *s, const char *vnl, const char *scheme,
			struct error *error);
