/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the resident of the first program is told, as execve(2) inside tells the next one's. */
#pragma once

#include <signal.h>

#include "base/error.h"
#include "vuos/resident/exec_state.h"

struct handover {
	struct exec_base base;
	const char *path;  /* of the program */
	const struct exec_trace *trace; /* NULL: none */
	const char *resident; /* its file */
	struct exec_reserved reserved;
	const sigset_t *mask; /* of the program */
};

/* Whether a security module (SELinux, AppArmor) may keep this process from executing some files. */
bool handover_is_restricted(void);

/* A sealed file of memory with it, and with the signals of faults as they are here: a descriptor. */
int handover_make(const struct handover *handover, struct error *error);
