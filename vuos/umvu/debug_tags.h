/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debug tags and their colours, as the command line and the programs of a view give them. */
#pragma once

#include "base/error.h"
#include "vuos/view/records.h"

/* SPEC is TAG...:COLOR, where the colour may be missing: then there is none. -EINVAL: it is not. */
int debug_tags_color(struct view_tags *tags, const char *spec);

/* --debugtags and --debugcols: into the settings (options.h). */
int debug_tags_set(void *settings, const char *argument, struct error *error);
int debug_tags_set_colors(void *settings, const char *argument, struct error *error);
