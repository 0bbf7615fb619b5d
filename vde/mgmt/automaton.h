/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The small automaton of unixcmd: numbered states that read, compare, send and copy text on a
 * stream. unixcmdrc(5) describes the language.
 */
#pragma once

#include <stdio.h>

#include "base/error.h"
#include "base/strbuf.h"

#define AUTOMATON_STATES_MAX 10000
#define AUTOMATON_BUFFER_MAX (16u << 20)

enum automaton_op {
	AUTOMATON_IN,
	AUTOMATON_THROW,
	AUTOMATON_SEND,
	AUTOMATON_SHIFT,
	AUTOMATON_IF,
	AUTOMATON_GOTO,
	AUTOMATON_COPY,
	AUTOMATON_EXIT,
	AUTOMATON_EXITRV,
	AUTOMATON_EXITATOI,
	AUTOMATON_SKIP,
	AUTOMATON_IFARG,
	AUTOMATON_RVATOI,
	AUTOMATON_OUTSHIFT,
	AUTOMATON_OUTTAG,
	AUTOMATON_NUM_OPS,
};

struct automaton_state {
	int number; /* the label that it carries */
	enum automaton_op op;
	char *text; /* owned; NULL: none was given */
	int value;  /* label or number; -1: an optional one was left out */
};

struct automaton {
	struct automaton_state *states; /* owned, by number */
	size_t num_states;
	int timeout_ms; /* silence that lets IN fail */
};

/* What COPY collected under one tag. */
struct automaton_out {
	struct automaton_out *next;
	int tag;
	struct strbuf text; /* each copied piece followed by a NUL */
};

/* One execution. The caller sets the first four fields and calls automaton_run_done() later. */
struct automaton_run {
	int fd; /* borrowed */
	char *const *args;
	size_t num_args;
	FILE *trace; /* NULL: none */
	int status;  /* of the EXIT that was met */
	struct automaton_out *outs;
	/* private */
	struct automaton_out *out;
	struct strbuf input; /* received and not yet looked at */
	struct strbuf buffer; /* what the operations work on */
	int value; /* of RVATOI */
};

/* Parses TEXT of LEN bytes; NAME is quoted in errors. The caller frees *ret. -EINVAL, -ENOMEM. */
int automaton_parse(struct automaton **ret, const char *text, size_t len, const char *name,
		    struct error *error);

/* Parses the file at PATH. Also -ENOENT, -EACCES ... */
int automaton_load(struct automaton **ret, const char *path, struct error *error);
void automaton_free(struct automaton *a);

/* The name of OP as it is written in the file. */
const char *automaton_op_name(enum automaton_op op);

/*
 * Runs A until an EXIT; 0 and run->status. Blocks for at most the time-out in each IN. Negative errno
 * when it cannot go on: a state that does not exist (-ENOENT), the end without an EXIT (-EINVAL),
 * a failed write, memory.
 */
int automaton_execute(const struct automaton *a, struct automaton_run *run, struct error *error);
void automaton_run_done(struct automaton_run *run);
