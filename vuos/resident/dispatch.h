/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which calls are served here, and not by the kernel alone: calls.tbl says, and its handlers are declared. */
#pragma once

#include "vuos/resident/calls_handlers.h"
#include "vuos/resident/calls_table.h"

struct call_entry {
	call_handler *handler; /* NULL: the call is made as it is */
	bool frame;            /* it needs the program's registers as the kernel has them: by the trap */
	uint8_t descriptors;   /* a bit for each argument that is one */
	/*
	 * The rest is in the call's row of calls.h, too. It stands here as the rows are otherwise only needed
	 * for traces, and are not mapped in a process without.
	 */
	uint8_t first_path, paths; /* in call_paths */
	uint8_t error;             /* of a refused call */
};
extern const struct call_entry call_entries[CALL_COUNT];

/*
 * From entry.S: the program has made a call, or somebody has sent SIGSYS (false: the frame is no way out
 * of the resident, and is returned from as it is).
 */
bool trap_handle(struct frame *f);
