/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. The GS base is how the resident finds a thread's context, and a patched call site has no
 * other way. A program may use it nevertheless. While it runs, the base is its own; a handler of signals takes
 * it from the register as its first act, finds the context by the alternate stack that the kernel notes in each
 * frame, and gives the base back as its last. Handlers nest, and one may meet another before that has
 * made the base ours or after it gave it back; so each remembers what it has found, and goes back into the
 * resident with that. Only where it sets the thread back to the test before a window the base has to be
 * ours.
 *
 * A thread that never wrote the base has the context there, and its patched sites work. One that did makes
 * its calls by the trap: fast_entry compares the base with a word in the context that no other memory has,
 * and sends it back to the call's own instruction, which every site has kept; if there is no memory the
 * fault does the same. So nothing has to be undone, other threads are not concerned, and no code must be
 * searched for the instructions that write the base. No more sites are patched in such a process, for these
 * would be slower.
 *
 * That a selector is loaded (modify_ldt(2)) changes the base as well, and we leave the selector alone.
 */
#include "vuos/resident/arch/x86_64/gs.h"

#include <asm/prctl.h>

#include "vuos/resident/dispatch.h"

/* ARCH_SHSTK_ENABLE and ARCH_SHSTK_STATUS, of kernels that are newer than our headers may be. */
#define SHADOW_STACK_ENABLE 0x5001
#define SHADOW_STACK_STATUS 0x5005

static bool is_in_resident(uint64_t pc)
{
	return pc - RESIDENT_BASE < RESIDENT_TEXT_LEN && !gs_is_at_entry(pc);
}

/* A context lies behind the stack of its thread; but for that which was there first. */
static struct context *context_of(const struct frame *f)
{
	uint64_t end = f->uc.stack.sp + STACK_SIZE;

	return end == process.first.stack_end ? &process.first : (struct context *)end;
}

uint64_t gs_enter(const struct frame *f, uint64_t gs)
{
	struct context *c = context_of(f);

	if (gs != (uint64_t)c)
		__asm__ volatile("wrgsbase %0" : : "r"(c) : "memory");
	if (is_in_resident(f->uc.rip))
		return gs;
	c->gs = gs;
	if (gs != (uint64_t)c && !process.uses_gs)
		process.uses_gs = true;
	return gs;
}

uint64_t gs_leave(const struct frame *f, uint64_t found)
{
	const struct context *c = context_here();

	if (!is_in_resident(f->uc.rip))
		return c->gs;
	return f->uc.rip == (uint64_t)trap_window ? (uint64_t)c : found;
}

/* The kernel says which bases there may be. To a program that sets 0 it is as if it never had one. */
static long set_base(struct context *c, struct call *call)
{
	uint64_t base = CALL_ARG(call, 1);
	long r = NATIVE(__NR_arch_prctl, ARCH_SET_GS, base);

	__asm__ volatile("wrgsbase %0" : : "r"(c) : "memory");
	if (r < 0)
		return r;
	c->gs = base ? base : (uint64_t)c;
	if (base)
		process.uses_gs = true;
	return 0;
}

/*
 * A shadow stack of the program's would have returns of which the kernel knows nothing: where we enter a
 * handler, and leave it. As on a processor without, or a kernel that does not know of it.
 */
static long refuse_shadow_stack(void)
{
	uint64_t features;
	long r = NATIVE(__NR_arch_prctl, SHADOW_STACK_STATUS, &features);

	return r < 0 ? r : -EOPNOTSUPP;
}

long call_arch_prctl(struct context *c, struct call *call)
{
	const uint64_t base = c->gs == (uint64_t)c ? 0 : c->gs;

	switch ((int)CALL_ARG(call, 0)) {
	case ARCH_SET_GS:
		return set_base(c, call);
	case ARCH_GET_GS:
		return copy_out(CALL_ARG(call, 1), &base, sizeof(base));
	case SHADOW_STACK_ENABLE:
		return refuse_shadow_stack();
	default:
		return native_call(call->raw);
	}
}
