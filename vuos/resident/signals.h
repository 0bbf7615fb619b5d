/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program's signals, which the kernel never sees as they are; signals.c tells how. */
#pragma once

#include <asm/signal.h>

#include "vuos/resident/context.h"
#include "vuos/resident/exec_state.h"

/*
 * Signals that are ours: their handlers are set from the first moment on, and the kernel never blocks
 * them, since it kills a thread that faults while the fault's signal is blocked.
 */
#define OURS (SIGNAL_BIT(SIGSYS) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | \
	      SIGNAL_BIT(SIGTRAP))

static inline bool signal_is_ours(int signo)
{
	return SIGNAL_BIT(signo) & OURS;
}

/* What passes at exec of the signals that are OURS. */
void signals_save(const struct context *c, struct exec_writer *writer);

/* Handlers for a process that begins, with the state from before exec. */
void signals_start(struct context *c, const void *state);

/* The resident's stack becomes the alternate stack of this thread. */
void signals_use_stack(struct context *c);

/* Blocks everything but OURS; returns the mask before it, for signals_restore(). */
uint64_t signals_block_all(void);
/* OURS, too: for where a signal would not find the thread's context. */
uint64_t signals_block_every(void);
void signals_restore(uint64_t mask);
/* Blocks those of OURS that the program blocks, so that the kernel keeps what is sent, as over exec. */
uint64_t signals_block_blocked(const struct context *c);

/* After clone with CLONE_CLEAR_SIGHAND, in the child, or for one that begins with its own table. */
void signals_clear(struct context *c, bool in_kernel);

/*
 * The thread, which is to go on by F, gets a signal of OURS that it cannot put off, as for a fault of its
 * own; or dies of it with its process.
 */
void signal_force(struct context *c, struct frame *f, const struct siginfo *info);
void signal_kill(struct frame *f, const struct siginfo *info);

/* This process traces somebody: it has to see SIGCHLD also if its program does not. */
void signals_watch_children(const struct context *c);

/* For a trace, which tells of what ends this process: our handler has the signals that do so, too. */
void signals_watch_ends(void);

/* From entry.S. */
void signal_handle(struct frame *f);
void trap_deliver(struct frame *f);
