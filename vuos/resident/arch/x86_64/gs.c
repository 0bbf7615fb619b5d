/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The GS base is how the resident finds a thread's context, and a patched call site has no other way. So a
 * program cannot have it: arch_prctl(2) says EPERM, as from a kernel that does not know of it. A program that
 * writes the register by an instruction has to end, since its next call would use another's memory as ours.
 * That is found before anything is read by way of the register, in the handlers of signals: a call that
 * is trapped comes there, and one from a patched site as soon as it faults.
 */
#include <asm/prctl.h>

#include "vuos/resident/dispatch.h"

#define STATUS_CANNOT_RUN 126

void gs_check(uint64_t gs, uint64_t sp); /* from entry.S */

/* A context lies behind the stack of its thread; but for that which was there first. */
void gs_check(uint64_t gs, uint64_t sp)
{
	if (gs == (uint64_t)&process.first || gs - sp <= STACK_SIZE)
		return;
	complain(process.program, ": writes the GS register, which umvu needs for itself: it cannot run here",
		 NULL);
	give_up(STATUS_CANNOT_RUN);
}

static void complain_once(void)
{
	static bool done;

	if (!done)
		complain(process.program, ": wants the GS register, which umvu needs for itself: refused",
			 NULL);
	done = true;
}

long call_arch_prctl(struct context *c, struct call *call)
{
	const uint64_t none = 0;

	(void)c;
	switch ((int)CALL_ARG(call, 0)) {
	case ARCH_SET_GS:
		complain_once();
		return -EPERM;
	case ARCH_GET_GS:
		return copy_out(CALL_ARG(call, 1), &none, sizeof(none));
	default:
		return native_call(call->raw);
	}
}
