/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How calls and signals came to us, counted always, by each thread for itself; umvu --counters shows it. */
#pragma once

#include "vuos/resident/base.h"

enum counter {
	COUNT_FAST,        /* calls from patched sites */
	COUNT_TRAPPED,     /* calls that were trapped */
	COUNT_DEFERRED,    /* signals that met the resident, and waited until the thread left it */
	COUNT_RESTARTED,   /* calls that the program makes afresh behind a signal */
	COUNT_ROLLED_BACK, /* threads that a signal has set back to the test before a window */
	COUNTERS,
};

struct counters {
	uint64_t of[COUNTERS];
};

struct context;

/* The thread of C ends: the process has what it counted. */
void counters_take(struct context *c);
/* In a child with memory of its own: it begins with none. */
void counters_forked(struct context *c);
/* The program of this process ends. */
void counters_tell(void);
