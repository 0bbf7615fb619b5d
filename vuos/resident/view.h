/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The view, as the resident has it: the segment, and what can be asked of the supervisor. */
#pragma once

#include "vuos/resident/context.h"
#include "vuos/view/channel.h"
#include "vuos/view/segment.h"

/* The segment, mapped. False: this view has none, or there is no memory for it. */
bool view_segment(struct segment *ret);

/*
 * For a handler: has CALL's request served. What it returns is the result (0 or more; -errno), or
 * CALL_RESTART, which the handler has to return at once. -EIO: there is no supervisor any more.
 */
long view_request(struct context *c, const struct call *call, enum channel_operation operation,
		  const char *data, size_t len);
