/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The GS base, which is ours while we run, and the program's while it does; gs.c tells how. */
#pragma once

#include "vuos/resident/context.h"

/* entry.S: the first in a handler of signals. Makes GS, the base that was found, ours, and returns it. */
uint64_t gs_enter(const struct frame *f, uint64_t gs);
/* The base that the thread goes on with where F leads, when FOUND is what it had. */
uint64_t gs_leave(const struct frame *f, uint64_t found);

/* At the start of fast_entry, where nothing is done yet and the base may be the program's. */
static inline bool gs_is_at_entry(uint64_t pc)
{
	return pc >= (uint64_t)fast_entry && pc < (uint64_t)fast_begin;
}
