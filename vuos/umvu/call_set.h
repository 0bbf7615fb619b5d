/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of system calls as users write them. */
#pragma once

#include "base/error.h"
#include "vuos/resident/exec_state.h"

struct call_set {
	uint64_t words[EXEC_CALL_WORDS]; /* a bit for each number */
	bool others;                     /* and numbers that the table does not know */
};

/*
 * Items with commas between them: the name of a call, %CLASS, /REGULAR-EXPRESSION, all, none. `!` in
 * front of the first: all calls without those of the list; in front of another: without that one. `?` in
 * front of a name: it may be unknown.
 */
int call_set_parse(struct call_set *set, const char *text, struct error *error);

static inline bool call_set_has(const struct call_set *set, unsigned number)
{
	return set->words[number / 64] >> number % 64 & 1;
}
