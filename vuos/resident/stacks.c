/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. A thread of the program's needs a stack of the resident's and a context: one
 * mapping. To make and unmap one for each thread costs more than the thread itself, mostly by faults of
 * its pages, so up to KEPT_MAX of them are kept when their threads end, and taken again.
 *
 * Nobody holds a lock: a slot is taken by an exchange of its word, and free when that is 0. A thread
 * cannot put back what it runs on; so it blocks all signals, and its last instruction but the call by
 * which it ends, which touches no memory, clears the word (entry.S). Whoever is killed with a slot taken
 * keeps it: then there is one fewer.
 *
 * Threads beyond that have a mapping for themselves, which they unmap when they end.
 */
#include "vuos/resident/stacks.h"

#include "vuos/resident/signals.h"

#define KEPT_MAX 32
#define PROT_READ_WRITE 3
#define MAP_PRIVATE_ANONYMOUS 0x22
#define MAPPING_SIZE (STACK_SIZE + PAGE_UP(sizeof(struct context)))

static struct stack_slot slots[KEPT_MAX];

static struct context *map_new(void)
{
	long memory = NATIVE(__NR_mmap, 0, MAPPING_SIZE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);

	return is_error(memory) ? NULL : (struct context *)(memory + STACK_SIZE);
}

static void *mapping_of(const struct context *c)
{
	return (void *)((uint64_t)c - STACK_SIZE);
}

static void slot_free(struct stack_slot *slot)
{
	__atomic_store_n(&slot->taken, 0, __ATOMIC_RELEASE);
}

/* NULL: all are taken. */
static struct stack_slot *slot_take(void)
{
	for (size_t i = 0; i < KEPT_MAX; i++)
		if (!__atomic_load_n(&slots[i].taken, __ATOMIC_RELAXED) &&
		    !__atomic_exchange_n(&slots[i].taken, 1, __ATOMIC_ACQUIRE))
			return &slots[i];
	return NULL;
}

struct context *stack_take(void)
{
	struct stack_slot *slot = slot_take();
	struct context *c = slot && slot->context ? slot->context : map_new();

	if (!c) {
		if (slot)
			slot_free(slot);
		return NULL;
	}
	if (slot)
		slot->context = c;
	memset(c, 0, offsetof(struct context, own_actions));
	c->self = c;
	c->gs = (uint64_t)c;
	c->mark = CONTEXT_MARK_VALUE;
	c->stack_end = (uint64_t)c;
	c->slot = slot;
	return c;
}

void stack_give(struct context *c)
{
	if (c->slot)
		slot_free(c->slot);
	else
		(void)NATIVE(__NR_munmap, mapping_of(c), MAPPING_SIZE);
}

_Noreturn void stack_end(struct context *c, int status)
{
	(void)signals_block_every();
	if (c->slot)
		thread_end_kept(&c->slot->taken, status);
	thread_end_unmapped(mapping_of(c), MAPPING_SIZE, status);
}

void stacks_forked(const struct context *c)
{
	for (size_t i = 0; i < KEPT_MAX; i++)
		if (slots[i].context != c && slots[i].taken)
			slots[i].taken = 0;
}
