/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads and processes.
 *
 * A child with memory of its own (fork) goes on in our handler as its parent does; it has only to turn
 * the trap on. A child that shares our memory gets a stack of the resident's, a context (stacks.h), and
 * on that stack a copy of the frame of its parent's call, with its own stack pointer and result 0. It
 * begins with the return from that frame (clone_call()); of a call from a patched site, which has no
 * frame, with the registers that the program had (clone_call_fast()). One way for pthread_create, vfork
 * and posix_spawn.
 *
 * All signals are blocked meanwhile: a child that a signal meets before it can be trapped would
 * run the handler without us.
 *
 * The stack is given back by the thread when it ends; by its parent after vfork(2), whose child has gone
 * its own way by then.
 */
#include "vuos/resident/dispatch.h"

#include <linux/sched.h>

#include "vuos/resident/exec.h"
#include "vuos/resident/held.h"
#include "vuos/resident/memory.h"
#include "vuos/resident/patch.h"
#include "vuos/resident/seccomp.h"
#include "vuos/resident/signals.h"
#include "vuos/resident/stacks.h"
#include "vuos/resident/thread_list.h"
#include "vuos/resident/trace.h"
#include "vuos/resident/traced.h"
#include "vuos/resident/tracee.h"

#define FRAME_SLACK 256

void thread_begin(uint64_t mask); /* from entry.S */

/* The flags and the child's stack, of all forms of clone. */
struct clone {
	uint64_t flags;
	uint64_t stack;     /* stack pointer of the child; 0: its parent's */
	struct call native; /* the call to be made; `raw` is changed for our stack */
	bool is_clone3;
	struct clone_args args;
	uint64_t args_size;
};

static void context_free(struct context *c)
{
	if (c->scratch)
		(void)NATIVE(__NR_munmap, c->scratch, c->scratch_len);
	thread_list_remove(c);
	counters_take(c);
	seccomp_drop(c);
	stack_give(c);
}

/* What the child has of its parent, as the kernel gives it by FLAGS. */
static void context_inherit(struct context *c, const struct context *parent, uint64_t flags)
{
	c->blocked = parent->blocked;
	c->tags = parent->tags;
	if (parent->gs != (uint64_t)parent)
		c->gs = parent->gs;
	c->actions = parent->actions;
	if (!(flags & CLONE_SIGHAND)) {
		memcpy(c->own_actions, parent->actions, sizeof(c->own_actions));
		c->actions = c->own_actions;
		if (flags & CLONE_CLEAR_SIGHAND)
			signals_clear(c, false); /* the kernel's side follows when a signal comes */
	}
	c->is_vfork_child = flags & CLONE_VFORK;
	c->alternate = c->is_vfork_child ? parent->alternate : (struct altstack){ .flags = SS_DISABLE };
}

/* A copy of F, extended state and all, on top of the child's stack of the resident's. */
static struct frame *copy_frame(const struct context *child, const struct frame *f, uint64_t stack)
{
	uint64_t size = fpstate_size(f->uc.fpstate);
	size_t len = size ? f->uc.fpstate + size - (uint64_t)f : sizeof(*f);
	/* The distance between both parts stays, so the place has the same remainder of 64. */
	uint64_t at = ((child->stack_end - len - FRAME_SLACK) & ~63ull) + ((uint64_t)f & 63);
	struct frame *copy = (struct frame *)at;

	memcpy(copy, f, len);
	if (size)
		copy->uc.fpstate += at - (uint64_t)f;
	copy->uc.rax = 0;
	if (stack)
		copy->uc.rsp = stack;
	copy->uc.stack = (struct altstack){ .sp = child->stack_end - STACK_SIZE, .size = STACK_SIZE };
	return copy;
}

/* The registers of a call from a patched site, for the child: the kernel gives it the others. */
static struct fast_frame *copy_registers(const struct context *child, const struct fast_frame *f,
					 uint64_t stack)
{
	struct fast_frame *copy = (struct fast_frame *)child->stack_end - 1;

	*copy = *f;
	copy->rax = 0;
	if (stack)
		copy->rsp = stack;
	return copy;
}

/* The child begins on our stack, at SP. */
static void use_stack(struct clone *clone, const struct context *child, uint64_t sp)
{
	uint64_t base = child->stack_end - STACK_SIZE;

	if (!clone->is_clone3) {
		clone->native.raw[2] = sp;
		return;
	}
	clone->args.stack = base;
	clone->args.stack_size = sp - base;
}

/* The child of a call from a patched site: what rt_sigreturn does for the others. */
void thread_begin(uint64_t mask)
{
	trap_on();
	signals_use_stack(context_here());
	signals_restore(mask);
}

static long clone_shared(struct context *c, struct call *call, struct clone *clone)
{
	struct context *child = stack_take();
	uint64_t mask, birth;
	long r;

	if (!child)
		return -EAGAIN;
	if (!(clone->flags & CLONE_VFORK))
		patch_threads();
	context_inherit(child, c, clone->flags);
	if (call->fast) /* rt_sigreturn begins at the second word of a frame */
		use_stack(clone, child, (uint64_t)copy_registers(child, call->fast, clone->stack));
	else
		use_stack(clone, child, (uint64_t)&copy_frame(child, call->frame, clone->stack)->uc);
	mask = signals_block_every();
	birth = thread_list_add(child, c, clone->flags);
	if (c->work)
		r = CALL_RESTART;
	else if (call->fast)
		r = clone_call_fast(clone->native.raw, child, mask);
	else
		r = clone_call(clone->native.raw, child, process.trap == TRAP_DISPATCH);
	thread_list_added(child, birth, r);
	signals_restore(mask);
	if (r < 0 || clone->flags & CLONE_VFORK)
		context_free(child);
	return r;
}

static long clone_apart(struct context *c, struct call *call, struct clone *clone)
{
	uint64_t mask = signals_block_all();
	long r = c->work ? CALL_RESTART
			 : syscall6((long)clone->native.raw[0], clone->native.raw[1], clone->native.raw[2],
				    clone->native.raw[3], clone->native.raw[4], clone->native.raw[5], 0);

	if (r == 0) {
		trap_on();
		memory_forked();
		patch_forked();
		exec_forked();
		stacks_forked(c);
		counters_forked(c);
		trace_forked();
		thread_list_begin(c);
		traced_forked(c);
		tracees_forget();
		held_forked(c);
		if (clone->flags & CLONE_CLEAR_SIGHAND)
			signals_clear(c, true);
		if (clone->stack && call->fast)
			call->fast->rsp = clone->stack;
		else if (clone->stack)
			call->frame->uc.rsp = clone->stack;
	}
	signals_restore(mask);
	return r;
}

static long clone_any(struct context *c, struct call *call, struct clone *clone)
{
	if (clone->flags & CLONE_VM)
		return clone_shared(c, call, clone);
	return clone_apart(c, call, clone);
}

long call_clone(struct context *c, struct call *call)
{
	/* The kernel takes 32 bits of the flags: those above are for clone3. */
	struct clone clone = { .flags = CALL_ARG(call, 0) & UINT32_MAX & ~(uint64_t)CSIGNAL,
			       .stack = CALL_ARG(call, 1), .native = *call };

	clone.native.raw[2] = 0;
	return clone_any(c, call, &clone);
}

static long fork_with(struct context *c, struct call *call, uint64_t flags)
{
	struct clone clone = { .flags = flags,
			       .native.raw = { __NR_clone, flags | SIGCHLD, 0, 0, 0, 0, 0 } };

	return clone_any(c, call, &clone);
}

long call_fork(struct context *c, struct call *call)
{
	return fork_with(c, call, 0);
}

long call_vfork(struct context *c, struct call *call)
{
	return fork_with(c, call, CLONE_VM | CLONE_VFORK);
}

/* What we do not know has to be 0, as for a kernel that does not: clone3(2), copy_struct_from_user(). */
static long take_clone_args(struct clone_args *args, uint64_t at, uint64_t size)
{
	if (copy_in(args, at, MIN(size, sizeof(*args))) < 0)
		return -EFAULT;
	for (uint64_t i = sizeof(*args); i < size; i++) {
		char byte;

		if (copy_in(&byte, at + i, 1) < 0)
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

long call_clone3(struct context *c, struct call *call)
{
	struct clone clone = { .is_clone3 = true };
	uint64_t size = CALL_ARG(call, 1);
	long r;

	if (size < CLONE_ARGS_SIZE_VER0 || size > PAGE)
		return size > PAGE ? -E2BIG : -EINVAL;
	r = take_clone_args(&clone.args, CALL_ARG(call, 0), size);
	if (r < 0)
		return r;
	if ((clone.args.stack == 0) != (clone.args.stack_size == 0) ||
	    (clone.args.flags & CLONE_SIGHAND && clone.args.flags & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	clone.flags = clone.args.flags;
	clone.stack = clone.args.stack + clone.args.stack_size;
	clone.args.flags &= ~(uint64_t)CLONE_CLEAR_SIGHAND; /* it would take our handlers, too */
	clone.args.stack = clone.args.stack_size = 0;
	clone.native.raw[0] = __NR_clone3;
	clone.native.raw[1] = (uint64_t)&clone.args;
	clone.native.raw[2] = MIN(size, sizeof(clone.args));
	return clone_any(c, call, &clone);
}

long call_exit(struct context *c, struct call *call)
{
	if (c->is_vfork_child)
		return native_call(call->raw);
	(void)signals_block_every(); /* no handler runs any more, without the filters */
	thread_list_remove(c);
	counters_take(c);
	seccomp_drop(c);
	if (c == &process.first)
		return syscall6(__NR_exit, CALL_ARG(call, 0), 0, 0, 0, 0, 0);
	stack_end(c, (int)CALL_ARG(call, 0));
}

long call_exit_group(struct context *c, struct call *call)
{
	if (!c->work && process.tells_counters)
		counters_tell();
	return native_call(call->raw);
}
