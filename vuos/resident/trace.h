/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls of the program, written to a file as text or JSON; trace.c tells how. */
#pragma once

#include "vuos/resident/context.h"

/* Serves CALL, and notes it if there is a trace. The result of SERVE. */
long trace_serve(struct context *c, struct call *call, call_handler *serve);

/* What is noted goes to the file: before the process ends, or its memory is copied. */
void trace_flush(void);

/* In a child that does not share memory. */
void trace_forked(void);
