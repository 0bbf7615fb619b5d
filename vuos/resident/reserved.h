/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors of the resident's own among the program's: every process of the view has them, at the same
 * numbers, which are kept from the program. reserved.c tells how.
 */
#pragma once

#include "vuos/resident/context.h"
#include "vuos/resident/exec_state.h"

/* What was handed over, and what is handed on. */
void reserved_start(const void *state);
void reserved_save(struct exec_writer *writer);

/* False: umvu has not told of any. */
bool reserved_is_ready(void);
/* The descriptor; -EBADF: there is none. */
long reserved_get(enum reserved kind);
/*
 * Makes FD the descriptor for KIND, and closes FD. -errno: FD stays. While the program has one thread
 * only, since it lifts a limit of the process for a moment.
 */
long reserved_add(enum reserved kind, int fd);

/* Whether the call names a reserved descriptor in ARGUMENT: then nothing is open there. */
bool reserved_is_named(const struct call *call, unsigned argument);

static inline bool reserved_has(uint64_t fd)
{
	return (uint32_t)fd - process.reserved.first < RESERVED_ROOM;
}

/* The same for each argument whose bit is in DESCRIPTORS. Most calls have none, or one. */
static inline bool reserved_hides(const struct call *call, unsigned descriptors)
{
	for (; descriptors; descriptors &= descriptors - 1) {
		unsigned argument = (unsigned)__builtin_ctz(descriptors);

		if (reserved_has(CALL_ARG(call, argument)) && reserved_is_named(call, argument))
			return true;
	}
	return false;
}
