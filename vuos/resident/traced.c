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
 * A child that wants to be traced (PTRACE_TRACEME) is not at once: it would stop at its next call, which only
 * its parent can hide, who may wait until it has executed something: by vfork(2), or for the end of a pipe.
 * So it is told to the kernel just before exec; or before the first call by which it may meet a signal, or
 * somebody may see that it is not traced yet; and at a fault.
 */
#include "vuos/resident/traced.h"

#include <asm/ptrace.h>
#include <asm/signal.h>
#include <linux/prctl.h>
#include <linux/ptrace.h>

#include "vuos/resident/patch.h"
#include "vuos/resident/view.h"
#include "vuos/view/records.h"

#define ERESTARTSYS 512 /* of the kernel's own: what a tracer sees of a call that a signal has met */

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
	if (c->call.interrupted)
		shown = (uint64_t)c->call.interrupted;
	else
		shown = (uint64_t)(result == CALL_RESTART ? -ERESTARTSYS : result);
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
	c->traceme = TRACEME_NOT;
	c->call.skip_exit = 1;
}

/* --- ptrace(PTRACE_TRACEME) --------------------------------------------------------------------- */

/*
 * Whose parent is umvu has nobody who could trace it: umvu would have to continue it at each call. That may
 * come later, too, when the parent ends. The call may be denied (confine.c), unlike those by NATIVE().
 */
static bool has_tracer(void)
{
	uint64_t parent = (uint64_t)SYSCALL0(__NR_getppid);
	struct view_info info = { 0 };
	struct segment segment;

	if (view_segment(&segment))
		(void)segment_read(&segment, SEGMENT_INFO, &info, sizeof(info));
	return parent != info.supervisor;
}

long traced_me(struct context *c, struct call *call)
{
	if (c->traced || c->traceme == TRACEME_LATER || c->traceme == TRACEME_ALONE)
		return -EPERM;
	if (c->traceme == TRACEME_TOLD)
		return has_tracer() ? native_call(call->raw) : -EPERM;
	c->traceme = TRACEME_LATER;
	if (!c->is_vfork_child)
		(void)__atomic_fetch_or(&process.watch, WATCH_TRACEME, __ATOMIC_SEQ_CST);
	return 0;
}

static void tell(struct context *c)
{
	c->traceme = has_tracer() ? TRACEME_TOLD : TRACEME_ALONE;
	if (c->traceme == TRACEME_TOLD)
		(void)NATIVE(__NR_ptrace, PTRACE_TRACEME, 0, 0, 0);
}

static bool is_to_tell(const struct context *c)
{
	return c->traceme == TRACEME_LATER && !c->is_vfork_child;
}

/* What a child does on its way to exec. */
static bool is_before_exec(uint64_t number)
{
	static const uint16_t numbers[] = {
		__NR_execve, __NR_execveat, __NR_exit, __NR_exit_group, __NR_ptrace, __NR_personality,
		__NR_close, __NR_close_range, __NR_dup, __NR_dup2, __NR_dup3, __NR_fcntl, __NR_write,
		__NR_chdir, __NR_fchdir, __NR_umask, __NR_setpgid, __NR_setsid, __NR_getpid, __NR_getppid,
		__NR_gettid, __NR_prctl, __NR_prlimit64, __NR_setrlimit, __NR_setgroups, __NR_setresgid,
		__NR_setresuid, __NR_setgid, __NR_setuid, __NR_rt_sigaction, __NR_brk, __NR_mmap,
		__NR_munmap, __NR_mprotect, __NR_futex,
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i] == number)
			return true;
	return false;
}

void traced_call(struct context *c, uint64_t number)
{
	if (is_to_tell(c) && !is_before_exec(number))
		tell(c);
}

bool traced_fault(struct context *c, struct frame *f)
{
	bool is_breakpoint = f->info.signo == SIGTRAP;

	if (!is_to_tell(c) || (is_breakpoint && f->info.code != SI_KERNEL))
		return false;
	tell(c);
	if (c->traceme != TRACEME_TOLD)
		return false;
	f->uc.rip -= is_breakpoint;
	return true;
}

void traced_exec(struct context *c)
{
	if (c->traceme == TRACEME_LATER)
		tell(c);
}

/*
 * It is traced now, and its parent sleeps: its few calls up to its end are made without us, as each of
 * them would stop it.
 */
void traced_exec_failed(struct context *c)
{
	if (c->traceme == TRACEME_TOLD && c->is_vfork_child && process.trap == TRAP_DISPATCH)
		(void)NATIVE(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
}
