/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the supervisor knows of its view, and publishes in the segment. */
#pragma once

#include "segment_writer.h"
#include "vuos/view/records.h"

struct view {
	struct segment_writer segment;
	struct view_info info;
};

/* A view that is called NAME ("": nothing), of this process. -errno: there is none, and nothing to be freed. */
int view_init(struct view *v, const char *name, struct error *error);
void view_free(struct view *v);

/* -ENAMETOOLONG: more than VIEW_NAME_MAX bytes; -EINVAL: characters that no line can have; -ENOSPC. */
int view_set_name(struct view *v, const char *name);
