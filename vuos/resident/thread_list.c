/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One list, and one lock that is held for a few instructions. Who waits for it gives its processor
 * away. A process that shares our memory without being ours may be killed while it holds
 * the lock, so nobody waits for good.
 */
#include "vuos/resident/thread_list.h"

#include <linux/sched.h>

#include "vuos/resident/lock.h"
#include "vuos/resident/seccomp.h"

/* Times that the processor is given away. */
#define WAIT_MAX 100000
#define TRY_MAX  100

static struct {
	struct lock lock;
	uint32_t groups;
	uint64_t births;
	struct context *first, *last;
} list HOT;

void thread_list_lock(void)
{
	for (int i = 0; i < WAIT_MAX && !lock_try(&list.lock); i++)
		(void)NATIVE(__NR_sched_yield);
}

bool thread_list_try(void)
{
	for (int i = 0; i < TRY_MAX; i++) {
		if (lock_try(&list.lock))
			return true;
		(void)NATIVE(__NR_sched_yield);
	}
	return false;
}

void thread_list_unlock(void)
{
	lock_drop(&list.lock);
}

static void append(struct context *c)
{
	c->list_before = list.last;
	c->list_next = NULL;
	if (list.last)
		list.last->list_next = c;
	else
		list.first = c;
	list.last = c;
	c->is_listed = true;
}

static void take_out(struct context *c)
{
	if (c->list_before)
		c->list_before->list_next = c->list_next;
	else
		list.first = c->list_next;
	if (c->list_next)
		c->list_next->list_before = c->list_before;
	else
		list.last = c->list_before;
	c->is_listed = false;
}

void thread_list_begin(struct context *c)
{
	list.first = list.last = NULL;
	list.groups = 0;
	c->group = c->tid = 0;
	append(c);
	thread_list_unlock();
}

uint64_t thread_list_add(struct context *child, struct context *parent, uint64_t clone_flags)
{
	uint64_t birth;

	if (!parent->tid)
		parent->tid = (uint32_t)NATIVE(__NR_gettid);
	thread_list_lock();
	child->group = clone_flags & CLONE_THREAD ? parent->group : ++list.groups;
	child->birth = birth = ++list.births;
	append(child);
	seccomp_inherit(child, parent);
	thread_list_unlock();
	return birth;
}

void thread_list_added(struct context *child, uint64_t birth, long result)
{
	struct context *at;

	if (result <= 0)
		return;
	thread_list_lock();
	for (at = list.last; at && at != child; at = at->list_before)
		continue;
	if (at && at->birth == birth)
		at->tid = (uint32_t)result;
	thread_list_unlock();
}

void thread_list_remove(struct context *c)
{
	if (!c->is_listed)
		return;
	thread_list_lock();
	take_out(c);
	thread_list_unlock();
}

struct context *thread_list_next(const struct context *c, const struct context *after)
{
	struct context *at = after ? after->list_next : list.first;

	while (at && at->group != c->group)
		at = at->list_next;
	return at;
}
