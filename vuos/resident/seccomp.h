/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters of programs: seccomp(2), and prctl(2) as far as it is about them. seccomp.c tells how. */
#pragma once

#include "vuos/resident/context.h"
#include "vuos/resident/exec_state.h"

/* Serves a call as the thread's filters say: SERVE makes it. */
long seccomp_serve(struct context *c, struct call *call, call_handler *serve);

/* prctl(2) for PR_SET_SECCOMP, PR_GET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS. */
long seccomp_prctl(struct context *c, struct call *call);

/* What was handed over, and what is handed on. Before our own trap is on. */
void seccomp_start(struct context *c, const void *state);
void seccomp_save(const struct context *c, struct exec_writer *writer);

/* A child of PARENT's that shares our memory has the same filters. */
void seccomp_inherit(struct context *child, const struct context *parent);
/* Of a thread that ends. */
void seccomp_drop(struct context *c);
