/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contexts of all threads that share our memory. Most are of one process; a child of vfork(2), or of
 * clone(2) with CLONE_VM alone, is another, with its own number for `group`.
 */
#pragma once

#include "vuos/resident/context.h"

/* C is the only one: at the begin of a program, and in a child with memory of its own. */
void thread_list_begin(struct context *c);

/*
 * Before a clone that makes CHILD, which gets its parent's filters, and behind it, with what that has
 * returned. The child runs, and may have ended, by then: its birth says whether it is still the same.
 */
uint64_t thread_list_add(struct context *child, struct context *parent, uint64_t clone_flags);
void thread_list_added(struct context *child, uint64_t birth, long result);

/* Before its context is gone. More than once is fine. */
void thread_list_remove(struct context *c);

/* Against changes. Where the lock may be this thread's own, as in a handler, it is only tried. */
void thread_list_lock(void);
bool thread_list_try(void);
void thread_list_unlock(void);

/* With the lock: the threads of C's process behind AFTER (NULL: all), in the order of their birth. */
struct context *thread_list_next(const struct context *c, const struct context *after);
