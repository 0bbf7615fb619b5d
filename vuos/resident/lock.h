/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks among the threads of a process. They are held for short, and never across a copy of program
 * memory or a call that may block. A child of vfork(2) may be killed while it holds one: it only tries.
 */
#pragma once

#include "vuos/resident/base.h"

struct lock {
	uint32_t taken;
};

static inline bool lock_try(struct lock *lock)
{
	return !__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE);
}

static inline void lock_drop(struct lock *lock)
{
	__atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
}
