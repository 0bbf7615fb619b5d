/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chain of commands as dpipe(1) is given it: which commands there are, and which output of which
 * goes to which input.
 *
 *	A = B = C                 neighbours talk both ways
 *	A =} F }= B               F stands in the way from A to B; from B to A is direct
 *	A ={ F {= B               F stands in the way from B to A
 *	A =} F }=} G }={ H {= B   several
 */
#pragma once

#include "base/error.h"

enum chain_kind {
	CHAIN_FULL,  /* talks to its neighbours both ways */
	CHAIN_RIGHT, /* passes on what goes to the right */
	CHAIN_LEFT,
};

struct chain_command {
	char **argv; /* borrowed; ends with NULL */
	enum chain_kind kind;
	bool has_right; /* a full command that has neighbours at both sides: two pairs of streams */
};

/* One pipe. A full command's right side is apart from its left one when it has both. */
struct chain_pipe {
	size_t from, to; /* commands */
	bool from_right, to_right;
};

struct chain {
	struct chain_command *commands; /* owned */
	size_t num_commands;
	struct chain_pipe *pipes; /* owned */
	size_t num_pipes;
};

/*
 * Reads the chain in ARGV, ended by NULL, whose separators are replaced by NULL. -EINVAL with a
 * sentence when it is none.
 */
int chain_parse(char **argv, struct chain *ret, struct error *error);
void chain_done(struct chain *chain);
