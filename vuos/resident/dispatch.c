/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A call of the program arrives as SIGSYS, whose frame has the registers as they were and an instruction
 * pointer behind the instruction, or from a patched call site, without a frame of the kernel's. calls.tbl
 * names the handler of each call; what has none is made as it is. What a handler returns is the program's
 * result, but CALL_RESTART, by which the program makes its call afresh.
 */
#include "vuos/resident/dispatch.h"

#include <linux/audit.h>
#include <linux/prctl.h>

#include "vuos/resident/arch/x86_64/keys.h"
#include "vuos/resident/calls.h"
#include "vuos/resident/debug.h"
#include "vuos/resident/held.h"
#include "vuos/resident/patch.h"
#include "vuos/resident/reserved.h"
#include "vuos/resident/seccomp.h"
#include "vuos/resident/signals.h"
#include "vuos/resident/trace.h"
#include "vuos/resident/traced.h"
#include "vuos/resident/vuctl.h"

#define SYSCALL_INSTRUCTION 2 /* bytes */

#define CALL_X32 0x40000000u /* in numbers of the x32 ABI */

/* How calls come to us is our own affair. */
long call_prctl(struct context *c, struct call *call)
{
	switch ((int)CALL_ARG(call, 0)) {
	case PR_SET_SECCOMP:
	case PR_GET_SECCOMP:
	case PR_SET_NO_NEW_PRIVS:
	case PR_GET_NO_NEW_PRIVS:
		return seccomp_prctl(c, call);
	case PR_SET_SYSCALL_USER_DISPATCH:
		return -EINVAL;
	default:
		return native_call(call->raw);
	}
}

/* What calls.tbl refuses, with its error. */
long call_refuse(struct context *c, struct call *call)
{
	(void)c;
	return -call_entries[call->raw[0]].error;
}

/* A number that calls.tbl does not know: the kernel may. */
long call_unknown(struct context *c, struct call *call)
{
	(void)c;
	return call->raw[0] & CALL_X32 ? -ENOSYS : native_call(call->raw);
}

static const struct call_entry *entry_of(uint64_t number)
{
	static const struct call_entry unknown = { .handler = call_unknown };

	if (number < CALL_COUNT)
		return &call_entries[number];
	return (int64_t)number < 0 ? virtual_entry(number) : &unknown;
}

static long serve(struct context *c, struct call *call)
{
	const struct call_entry *entry = entry_of(call->raw[0]);

	if (reserved_hides(call, entry->descriptors))
		return -EBADF;
	return entry->handler ? entry->handler(c, call) : native_call(call->raw);
}

static long serve_shown(struct context *c, struct call *call)
{
	return process.watch & WATCH_SIGNALFD ? held_serve(c, call, serve) : serve(c, call);
}

/* As the program's own filters say, if it has some. */
static long serve_filtered(struct context *c, struct call *call)
{
	return process.watch & WATCH_SECCOMP ? seccomp_serve(c, call, serve_shown) : serve_shown(c, call);
}

static long serve_traced(struct context *c, struct call *call)
{
	return process.watch & WATCH_TRACE ? trace_serve(c, call, serve_filtered) : serve_filtered(c, call);
}

/* Somebody wants to know of, or to decide on, each call. */
static __attribute__((noinline)) long serve_watched(struct context *c, struct call *call)
{
	if (process.watch & WATCH_TRACEME)
		traced_call(c, call->raw[0]);
	return process.watch & WATCH_DEBUG ? debug_serve(c, call, serve_traced) : serve_traced(c, call);
}

static long serve_foreign(struct context *c, struct call *call)
{
	(void)c;
	(void)call;
	return -ENOSYS;
}

/* A call by the 32-bit entry: there is none, but a filter may have more to say. */
static bool foreign_handle(struct context *c, struct frame *f)
{
	struct call call = { .frame = f, .pc = f->uc.rip,
			     .raw = { CALL_NUMBER(f->uc.rax), (uint32_t)f->uc.rbx, (uint32_t)f->uc.rcx,
				      (uint32_t)f->uc.rdx, (uint32_t)f->uc.rsi, (uint32_t)f->uc.rdi,
				      (uint32_t)f->uc.rbp } };
	long result = seccomp_serve(c, &call, serve_foreign);

	if (!call.keep)
		f->uc.rax = (uint64_t)result;
	return true;
}

/* Our own trapped instruction. True: the call was made already, and only a way out was wanted. */
static bool was_leaving(struct context *c, struct frame *f)
{
	if (f->uc.rip != (uint64_t)trap_call_end)
		return false;
	f->uc.rip = c->leave_pc;
	if (c->work & WORK_PENDING)
		f->uc.mask = c->pending_mask; /* not the one that holds off others meanwhile */
	if (f->uc.rax != CALL_LEAVE)
		return false;
	f->uc.rax = c->leave_result;
	return true;
}

/* The call before PC was not made. */
static uint64_t restart(struct context *c, uint64_t pc)
{
	count(c, COUNT_RESTARTED);
	return pc - SYSCALL_INSTRUCTION;
}

bool trap_handle(struct frame *f)
{
	struct context *c = context_here();
	struct call call = { .frame = f };
	long result;

	if (f->info.code <= 0) {
		signal_handle(f);
		return false;
	}
	if (process.watch & WATCH_KEYS)
		keys_enter(f);
	if (f->info.architecture != AUDIT_ARCH_X86_64)
		return foreign_handle(c, f);
	if (f->uc.rip == (uint64_t)trap_call_end) {
		if (was_leaving(c, f))
			return true;
	} else {
		/* A jump would only lead to the trap; and restorers are known by their bytes. */
		if (!c->traced && !process.uses_gs && !entry_of(CALL_NUMBER(f->uc.rax))->frame)
			patch_trapped(f->uc.rip - SYSCALL_INSTRUCTION, f->uc.rax);
		f->uc.rip = patch_resume(f->uc.rip);
	}
	count(c, COUNT_TRAPPED);
	call.pc = f->uc.rip;
	memcpy(call.raw, (const uint64_t[]){ CALL_NUMBER(f->uc.rax), f->uc.rdi, f->uc.rsi, f->uc.rdx, f->uc.r10,
					     f->uc.r8, f->uc.r9 }, sizeof(call.raw));
	if (c->traced)
		result = traced_serve(c, &call, process.watch ? serve_watched : serve);
	else
		result = process.watch ? serve_watched(c, &call) : serve(c, &call);
	if (call.keep)
		return true;
	if (result == CALL_RESTART)
		f->uc.rip = restart(c, f->uc.rip);
	else
		f->uc.rax = (uint64_t)result;
	return true;
}

/* From a patched site. The result in F, or where the call is made afresh, holds when the thread leaves. */
void fast_handle(struct fast_frame *f)
{
	struct context *c = context_here();
	struct call call = { .raw = { CALL_NUMBER(f->rax), f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9 },
			     .fast = f, .pc = f->rcx };
	long result;

	if (entry_of(call.raw[0])->frame) {
		work_add(c, WORK_FRAME);
		return;
	}
	result = process.watch ? serve_watched(c, &call) : serve(c, &call);
	count(c, COUNT_FAST);
	if (result == CALL_RESTART)
		f->rcx = restart(c, f->rcx);
	else
		f->rax = (uint64_t)result;
}

/* There is work: by the trapped instruction, which makes the call itself, or only a frame to deliver on. */
void fast_leave_by_trap(struct fast_frame *f)
{
	struct context *c = context_here();

	c->leave_pc = f->rcx;
	c->leave_result = f->rax;
	f->rcx = (uint64_t)trap_call;
	if (c->work & WORK_FRAME)
		work_remove(c, WORK_FRAME);
	else
		f->rax = CALL_LEAVE;
}
