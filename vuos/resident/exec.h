/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From one program to the next: what execve(2) checks, and what passes to the new image. */
#pragma once

#include "vuos/resident/context.h"

/*
 * The variable in the environment that the resident finds at its start, and takes out before the program
 * sees it: "TRAP,PATCHING,IGNORED,BLOCKED,DESCRIPTOR,TRACING,LENGTH,TRACE,PATH"; TRACE has LENGTH bytes,
 * and what stands before is hexadecimal.
 */
#define EXEC_VARIABLE "_VU="

struct exec_state {
	enum trap trap;
	enum patching patching;
	uint64_t ignored, blocked; /* of the signals that are ours */
	int descriptor;            /* to be closed when PATH is loaded, which names it; -1: none */
	enum tracing tracing;
	const char *trace; /* the file's path, not ended by NUL when it was parsed */
	size_t trace_len;
	const char *path;  /* of the program */
};

/* The value as text, into room that is EXEC_STATE_SIZE and the paths' lengths large. */
#define EXEC_STATE_SIZE 128
char *exec_state_put(char *to, const struct exec_state *state);
/* False: it is none. `path` points into TEXT. */
bool exec_state_parse(const char *text, struct exec_state *ret);

/*
 * Executes PATH with ARGV and ENVP (of the program, or ours), as execve(2): only returns on errors.
 * DESCRIPTOR is what PATH depends on; -1: nothing.
 */
long exec_program(struct context *c, const char *path, uint64_t argv, uint64_t envp, int descriptor);
