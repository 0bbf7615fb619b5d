/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the command line of umvu says. */
#pragma once

#include "base/log.h"
#include "base/option.h"
#include "confine.h"
#include "messages.h"
#include "vuos/view/records.h"
#include "trace.h"

enum { STATUS_USAGE = 2, STATUS_REFUSED = 126, STATUS_NOT_FOUND = 127 };

/* As the resident numbers them (vuos/resident/context.h). */
enum trap { TRAP_DISPATCH = 0, TRAP_FILTER_NEW = 2, TRAP_ANY = -1 };

#define PATCH_NORMAL 1

/* What becomes of the processes that the program leaves behind. */
enum orphans { ORPHANS_WAIT, ORPHANS_LEAVE, ORPHANS_KILL };

struct settings {
	int trap; /* enum trap */
	bool counters;
	unsigned patching;
	struct trace_settings trace;
	struct confine_settings confine;
	bool check, json;
	const char *name; /* of the view */
	unsigned orphans; /* enum orphans */
	const char *rc_file; /* instead of the usual ones; NULL: none */
	bool no_rc, ignored;
	struct message_settings messages;
	struct view_tags debug_tags; /* that are active from the start, and colours */
	int messages_fd; /* where they are written to */
};

#define SETTINGS_INIT { .trap = TRAP_ANY, .patching = PATCH_NORMAL, .trace = TRACE_SETTINGS_INIT, .name = "", \
			.messages.level = LOG_LEVEL_NOTICE }

extern const struct option_program umvu_options;

/* What no option alone has wrong, with that many operands: the status to end with, after a message; or 0. */
int settings_check(const struct settings *s, unsigned operands);
