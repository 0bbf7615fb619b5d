/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the records of the segment (segment.h) hold. Fixed widths and no pointers: versions may meet. */
#pragma once

#include <stdint.h>

#define VIEW_NAME_MAX 64 /* bytes */

/* SEGMENT_INFO */
struct view_info {
	char name[VIEW_NAME_MAX + 1];     /* of the view; "": it has none */
	char serverid[VIEW_NAME_MAX + 1]; /* the supervisor's number in decimal */
	char unused[6];
	uint64_t supervisor; /* the same as a number */
};

/*
 * SEGMENT_TAGS: which debug tags are active, a bit for each (tags.h), and the colours of those that have
 * one: the letters of vudebug(1).
 */
#define VIEW_TAGS      63
#define VIEW_COLOR_MAX 11

struct view_tags {
	uint64_t active;
	char color[VIEW_TAGS][VIEW_COLOR_MAX + 1];
};

#define VIEW_PROCESSES_MAX 4096 /* more are not listed: the request fails */

/* SEGMENT_PROCESSES: so many of them, in order of pid, as `count` in the head says; then the paths. */
struct view_processes {
	uint64_t count;
	uint64_t unused;
};

struct view_process {
	int32_t pid, parent;
	uint64_t start; /* in ticks of the clock since the machine started, as in /proc/PID/stat */
	uint32_t path, path_len; /* of its program: where in the record, and its length without an end */
};
