/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls that are served here and not by the kernel alone; dispatch.c has the table. */
#pragma once

#include "vuos/resident/context.h"

/* threads.c */
long call_clone(struct context *c, struct call *call);
long call_clone3(struct context *c, struct call *call);
long call_fork(struct context *c, struct call *call);
long call_vfork(struct context *c, struct call *call);
long call_exit(struct context *c, struct call *call);

/* exec.c */
long call_execve(struct context *c, struct call *call);
long call_execveat(struct context *c, struct call *call);

/* identity.c */
long call_readlink(struct context *c, struct call *call);
long call_readlinkat(struct context *c, struct call *call);
long call_path(struct context *c, struct call *call);

/*
 * From entry.S: the program has made a call, or somebody has sent SIGSYS (false: the frame is no way out
 * of the resident, and is returned from as it is).
 */
bool trap_handle(struct frame *f);
