/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages for debug tags (vuos/view/tags.h): what is decided for a program, and why. debug.c tells how. */
#pragma once

#include "vuos/resident/context.h"
#include "vuos/view/tags.h"

/* From now on this process looks at each call whether a tag is active. */
void debug_on(void);

/* Serves CALL, and says what the active tags want to know of it. The result of SERVE. */
long debug_serve(struct context *c, struct call *call, call_handler *serve);

/* Whether a tag of TAG_CORE() is active, of the view or of this thread. */
bool debug_wants(const struct context *c, uint64_t tag);

/* A line for one tag: FILE:LINE, and the texts up to NULL. */
void debug_say(const struct context *c, uint64_t tag, const char *file, unsigned line, const char *part, ...);

#define DEBUG(c, letter, ...)                                                                         \
	do {                                                                                          \
		if (process.watch & WATCH_DEBUG && debug_wants(c, TAG_CORE(letter)))                  \
			debug_say(c, TAG_CORE(letter), __FILE__, __LINE__, __VA_ARGS__, (char *)NULL); \
	} while (0)
