/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. A process of the view that is traced by another one of the view is really traced,
 * but its tracer shall not see what the resident does. The tracer's resident hides that (ptrace_wait.c); what
 * the kernel would report on its own, and cannot since all calls are ours, this side has to tell by stops:
 * before and after a call (PTRACE_SYSCALL), before a signal is delivered that came while the thread was in
 * the resident, and before the first instruction of a program. At each the program's registers are in the
 * frame that `frame` of the context names; the tracer's resident reads and changes them there.
 *
 * A stop is a breakpoint instruction. If the tracer is gone, its SIGTRAP is ignored (signals.c), and nobody
 * is asked again.
 *
 * A child of vfork(2) that wants to be traced cannot be it at once: it would stop at its next call, and its
 * parent, who has to continue it, sleeps until it has executed something. So it is told to the kernel just
 * before exec.
 */
#include "vuos/resident/traced.h"

#include <asm/ptrace.h>
#include <linux/prctl.h>
#include <linux/ptrace.h>

#include "vuos/resident/patch.h"

typedef void stop_function(void);

bool traced_is_stop(uint64_t pc)
{
	const uint64_t stops[] = { (uint64_t)traced_start,  (uint64_t)traced_enter, (uint64_t)traced_exit,
				   (uint64_t)traced_signal, (uint64_t)traced_leave,
				   (uint64_t)traced_signal_leave };

	for (size_t i = 0; i < ARRAY_SIZE(stops); i++)
		if (stops[i] == pc)
			return true;
	return false;
}

static void stop_at(const char *place)
{
	/* The tracer may change all that is in memory. */
	__asm__ volatile("call *%0" : : "r"(place) : "memory", "cc");
}

/* The call as its tracer has left it at the stop before. False: it is not made. */
static bool enter(struct context *c, struct call *call)
{
	struct frame_context *uc = &call->frame->uc;

	uc->rax = (uint64_t)-ENOSYS;
	stop_at(traced_enter);
	if ((int32_t)c->call.number == -1 || c->traced & TRACED_EMULATE)
		return false;
	memcpy(call->raw, (const uint64_t[]){ CALL_NUMBER(c->call.number), uc->rdi, uc->rsi, uc->rdx, uc->r10,
					      uc->r8, uc->r9 }, sizeof(call->raw));
	uc->rax = c->call.number;
	return true;
}

/* What the program gets for RESULT. */
static long leave(struct context *c, struct call *call, long result)
{
	uint64_t *rax = &call->frame->uc.rax, shown;

	if (call->keep) {
		c->call.number = (uint64_t)-1;
		stop_at(traced_exit);
		return result;
	}
	shown = (uint64_t)(c->call.interrupted ? c->call.interrupted : result);
	*rax = shown;
	stop_at(traced_exit);
	if (*rax != shown || (int32_t)c->call.number == -1)
		result = (long)*rax;
	return result;
}

long traced_serve(struct context *c, struct call *call, call_handler *serve)
{
	bool stops = c->traced & TRACED_CALLS, wanted = true;
	long result;

	c->call.number = call->raw[0];
	c->call.pc = call->pc;
	c->call.interrupted = 0;
	c->call.skip_exit = 0;
	if (stops)
		wanted = enter(c, call);
	result = wanted ? serve(c, call) : (long)call->frame->uc.rax;
	if (c->traced & TRACED_CALLS && !c->call.skip_exit && !(stops && c->traced & TRACED_EMULATE))
		result = leave(c, call, result);
	if (result == CALL_RESTART && !call->keep)
		call->frame->uc.rax = c->call.number;
	return result;
}

bool traced_deliver(struct context *c, struct frame *f, struct siginfo *info)
{
	if (!c->traced)
		return true;
	patch_canonical(f);
	c->pending = *info;
	stop_at(traced_signal);
	*info = c->pending;
	c->call.interrupted = 0;
	return info->signo;
}

void traced_default(struct context *c, int signo)
{
	if (c->traced)
		c->call.resent = (uint64_t)signo;
}

void traced_forked(struct context *c)
{
	if (c->traced & TRACED_ADOPTED)
		c->traced &= ~(uint32_t)TRACED_ADOPTED;
	else
		c->traced = 0; /* it was the parent's */
	c->call.skip_exit = 1;
}

/* --- ptrace(PTRACE_TRACEME) --------------------------------------------------------------------- */

long traced_me(struct context *c, struct call *call)
{
	if (!c->is_vfork_child)
		return native_call(call->raw);
	if (c->trace_at_exec || c->traced)
		return -EPERM;
	c->trace_at_exec = true;
	return 0;
}

void traced_exec(struct context *c)
{
	if (c->trace_at_exec)
		(void)NATIVE(__NR_ptrace, PTRACE_TRACEME, 0, 0, 0);
}

/*
 * It is traced now, and its parent sleeps: its few calls up to its end are made without us, as each of
 * them would stop it.
 */
void traced_exec_failed(struct context *c)
{
	if (c->trace_at_exec && process.trap == TRAP_DISPATCH)
		(void)NATIVE(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
}
