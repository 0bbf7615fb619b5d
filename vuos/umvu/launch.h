/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From umvu to the resident: programs of the view are started here. */
#pragma once

#include <limits.h>
#include <signal.h>
#include <sys/types.h>

#include "base/error.h"
#include "options.h"
#include "vuos/resident/exec_state.h"

struct launcher {
	const struct settings *settings;
	char resident[PATH_MAX];
	struct trace_view trace;
	struct confinement confinement;
	struct exec_reserved reserved; /* descriptors that all programs have */
	/* What programs get of the signals, though this process has its own ways with them. */
	sigset_t mask;
	bool ignores_children; /* SIGCHLD */
};

/* Finds what is needed, and blocks all signals for this process. To be freed in any case. */
int launcher_init(struct launcher *l, const struct settings *s, struct error *error);

/* But for the trace, which is the supervisor's to end. */
void launcher_free(struct launcher *l);

/* All programs that are started from now on have FD, which stays open here, too (vuos/resident/reserved.h). */
void launcher_share(struct launcher *l, enum reserved kind, int fd);

/*
 * Starts the program ARGV[0] as a child, whose number is returned: what is executed is the resident. -ENOENT:
 * there is no such program.
 */
pid_t launcher_start(const struct launcher *l, char **argv, struct error *error);
