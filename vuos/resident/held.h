/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signals of OURS that were sent, and cannot be delivered now. held.c tells how. */
#pragma once

#include "vuos/resident/context.h"
#include "vuos/resident/exec_state.h"

/* INFO has come to C, which blocks it or is in the resident. */
void held_add(struct context *c, const struct siginfo *info);

/* A signal has come: false: it only told that the process has one, and that is gone. */
bool held_passed(struct context *c, struct siginfo *info);

/* One of SET, of those that C may have: false: there is none. */
bool held_take(struct context *c, uint64_t set, struct siginfo *ret_info);

/* All that C may have. */
uint64_t held_pending(const struct context *c);

/* With WATCH_SIGNALFD: some descriptor says that such signals are there. */
long held_serve(struct context *c, struct call *call, call_handler *serve);

/* It is ignored now. */
void held_drop(struct context *c, int signo);

/* What passes at exec, and is there when a program begins; in a child with memory of its own: nothing. */
void held_save(const struct context *c, struct exec_signals *saved);
void held_start(struct context *c, const struct exec_signals *saved);
void held_forked(struct context *c);
