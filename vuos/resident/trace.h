/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls of the program, written down as text or JSON; trace.c tells how. */
#pragma once

#include "vuos/resident/context.h"
#include "vuos/resident/exec_state.h"

/* What was handed over, and what is handed on. A program that begins is told, with its vectors. */
void trace_start(const void *state, uint64_t argv, uint64_t envp);
void trace_save(const struct context *c, struct exec_writer *writer);

/* Serves CALL, and notes it if it is to be traced. The result of SERVE. */
long trace_serve(struct context *c, struct call *call, call_handler *serve);

/* A handler of the program's is entered for a signal. */
void trace_signal(const struct siginfo *info);
/* A signal does what it does by default. */
void trace_default(const struct siginfo *info);

/* What was collected is written: before the process ends, or its memory is copied. */
void trace_flush(void);

/* In a child that does not share memory. */
void trace_forked(void);
