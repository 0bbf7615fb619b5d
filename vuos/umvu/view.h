/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the supervisor knows of its view, and publishes in the segment. */
#pragma once

#include <sys/types.h>

#include "segment_writer.h"
#include "vuos/view/records.h"

struct view {
	struct segment_writer segment;
	struct view_info info;
	struct view_tags tags;
	int log; /* descriptor for lines of debug tags; not owned */
};

/*
 * A view that is called NAME ("": nothing), of this process, with a log. -errno: there is none, and nothing to
 * be freed.
 */
int view_init(struct view *v, const char *name, int log, struct error *error);
void view_free(struct view *v);

/* Whether a view can be called so: 0, -EINVAL for control characters, -ENAMETOOLONG. */
int view_check_name(const char *name);

/*
 * Changes. -EINVAL: characters that a name cannot have, no tags, no colour; -ENAMETOOLONG: more than
 * VIEW_NAME_MAX bytes; -ENOSPC.
 */
int view_set_name(struct view *v, const char *name);
int view_set_tags(struct view *v, const struct view_tags *tags);
int view_add_tags(struct view *v, const char *letters);
int view_del_tags(struct view *v, const char *letters);
/* TAG...:COLOR, where the colour may be missing: then there is none. */
int view_set_color(struct view *v, const char *spec);

/* The record of processes becomes what /proc says now. */
int view_update_processes(struct view *v);

/* The supervisor's server of requests (channel.h); the object is the view. */
int64_t view_serve(void *object, uint32_t operation, const char *text, size_t len, pid_t pid);
