/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From one program to the next: what execve(2) checks, and what passes to the new image. */
#pragma once

#include "vuos/resident/context.h"

/*
 * The variable in the environment that the resident finds at its start, and takes out before the program
 * sees it: the descriptor of the state.
 */
#define EXEC_VARIABLE "_VU="

/*
 * Executes PATH with ARGV and ENVP (of the program, or ours), as execve(2): only returns on errors.
 * DESCRIPTOR is what PATH depends on; -1: nothing.
 */
long exec_program(struct context *c, const char *path, uint64_t argv, uint64_t envp, int descriptor);
