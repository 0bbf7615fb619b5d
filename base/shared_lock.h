/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A lock in memory that processes share, a parent and the children of its forks. It outlives its
 * owner: when a process (or thread) ends with it, the kernel hands it on.
 *
 * Costs about 10 ns when it is free.
 */
#pragma once

#include <errno.h>
#include <pthread.h>

#include "util.h"

struct shared_lock {
	pthread_mutex_t mutex;
};

/* -errno. There is nothing to be undone at the end. */
int shared_lock_init(struct shared_lock *lock);

/* The rest of shared_lock_take(), for all but 0. */
int shared_lock_result(struct shared_lock *lock, int code);

/*
 * Waits for the lock. 0; 1: its owner has died, what it guards may need repair; -EDEADLK: the
 * calling thread has it already.
 */
static inline int shared_lock_take(struct shared_lock *lock)
{
	int code = pthread_mutex_lock(&lock->mutex);

	return __builtin_expect(code == 0, 1) ? 0 : shared_lock_result(lock, code);
}

static inline void shared_lock_drop(struct shared_lock *lock)
{
	(void)pthread_mutex_unlock(&lock->mutex);
}

/* Whether the calling thread has it. */
bool shared_lock_mine(struct shared_lock *lock);
