/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The side of a debugger's child (traced.c): it stops where its tracer's resident (ptrace.c) expects it,
 * by a breakpoint instruction at a place that both know. `traced` in the context has what is wanted.
 */
#pragma once

#include "vuos/resident/context.h"

/* entry.S: the breakpoints. */
extern char traced_start[]; /* before the first instruction of a program; rcx is its address */
extern char traced_enter[], traced_exit[]; /* before and after a call */
extern char traced_signal[];               /* before a signal that came in the resident is delivered */
extern char traced_leave[], traced_signal_leave[]; /* before the return to the program: rbx is the frame */

/* Whether PC is the place of one of them. */
bool traced_is_stop(uint64_t pc);

/* Serves a call by SERVE between the stops that are wanted. */
long traced_serve(struct context *c, struct call *call, call_handler *serve);

/* A signal is about to be delivered to F. False: the tracer does not want it; INFO may be another one. */
bool traced_deliver(struct context *c, struct frame *f, struct siginfo *info);

/* SIGNO is sent once more, or comes by itself once more, for the kernel to do what it does by default. */
void traced_default(struct context *c, int signo);

/* In the child of fork(2). */
void traced_forked(struct context *c);

/* ptrace(PTRACE_TRACEME). */
long traced_me(struct context *c, struct call *call);
/* With WATCH_TRACEME: before the call of that NUMBER. */
void traced_call(struct context *c, uint64_t number);
/* Before a signal for a fault of the program's. True: it is to happen once more, for its tracer. */
bool traced_fault(struct context *c, struct frame *f);
/* The last before the resident executes another; and when that has failed. */
void traced_exec(struct context *c);
void traced_exec_failed(struct context *c);
