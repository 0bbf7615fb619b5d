/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks of the resident's, each with the context of its thread (stacks.c). */
#pragma once

#include "vuos/resident/context.h"

/* Where the thread that ends notes that its stack is free; of a stack that is not kept, `kept` is NULL. */
struct stack_slot {
	struct context *context; /* behind its stack; set once */
	uint32_t taken;
};

/* A context, cleared, with its stack; NULL: there is no memory. */
struct context *stack_take(void);
/* Of a child that has not begun, or that does not use it any more. */
void stack_give(struct context *c);
/* The thread that runs on it ends. */
_Noreturn void stack_end(struct context *c, int status);
/* In a child with memory of its own: the other threads are not there. */
void stacks_forked(const struct context *c);
