/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What --trace and the options beside it say. */
#pragma once

#include "base/error.h"
#include "vuos/resident/exec_state.h"

struct trace_settings {
	struct exec_trace how; /* `flags`: what the options say */
	const char *output;    /* NULL: standard error */
	bool filtered;         /* `calls` are what a filter says, and not all */
	bool lines, summary, also, unhandled; /* what was asked for; `also`: lines beside the summary */
};

#define TRACE_STRINGS 32
#define TRACE_SETTINGS_INIT \
	{ .how = { .flags = TRACE_DURATION | TRACE_SIGNALS, .string_max = TRACE_STRINGS } }

/* For rows of options with struct settings; each turns tracing on. No filter: all calls. */
int trace_set_filter(void *settings, const char *filter, struct error *error);
int trace_set_format(void *settings, const char *format, struct error *error);
int trace_set_times(void *settings, const char *times, struct error *error);
int trace_set_strings(void *settings, const char *number, struct error *error);
int trace_set_output(void *settings, const char *file, struct error *error);
int trace_set_failed(void *settings, const char *none, struct error *error);
int trace_set_successful(void *settings, const char *none, struct error *error);
int trace_set_quiet(void *settings, const char *none, struct error *error);
int trace_set_summary(void *settings, const char *also, struct error *error);
int trace_set_unhandled(void *settings, const char *none, struct error *error);
int trace_set_split(void *settings, const char *none, struct error *error);

/* The trace of a view. */
struct trace_view {
	struct exec_trace how;
	int fd;              /* the file, with TRACE_SPLIT its directory; -1: nothing is traced */
	int board_fd;
	struct board *board; /* trace_board.h */
};

/*
 * What was asked for, made ready: all calls where there is no filter, the difference of local time, the
 * file, emptied, and a board.
 */
int trace_open(struct trace_view *view, const struct trace_settings *s, struct error *error);
