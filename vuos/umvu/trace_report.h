/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left to say of a trace when the view has ended. */
#pragma once

#include "trace.h"

/*
 * Lines of processes that were killed go out, then the summary, and what calls are not handled in full (to
 * standard error), as far as they were asked for.
 */
void trace_finish(const struct trace_view *view);
