/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From one program to the next: what execve(2) checks, and what passes to the new image. */
#pragma once

#include "vuos/resident/exec_file.h"

/*
 * The variable in the environment that the resident finds at its start, and takes out before the program
 * sees it: the descriptor of the state, a colon, and the program's name (AT_EXECFN).
 */
#define EXEC_VARIABLE "_VU="

/* What is to be executed. */
struct exec_target {
	struct exec_name file;
	const char *name; /* by which the program knows itself: of a descriptor, one in /dev/fd */
	bool is_unnamed;  /* it was given as a descriptor and nothing more */
	bool is_closed;   /* exec closes that descriptor: a script's interpreter could not open the script */
};

/* Executes it with ARGV and ENVP (of the program, or ours), as execve(2): only returns on errors. */
long exec_program(struct context *c, const struct exec_target *target, uint64_t argv, uint64_t envp);

/* In a child with memory of its own: what other threads were about to pass on is closed. */
void exec_forked(void);
