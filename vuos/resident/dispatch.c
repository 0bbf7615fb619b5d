/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A call of the program arrives as SIGSYS, whose frame has the registers as they were and an instruction
 * pointer behind the instruction, or from a patched call site, without a frame of the kernel's. What has
 * no handler here is made as it is. What a handler returns is the program's result, but CALL_RESTART, by
 * which the program makes its call afresh.
 */
#include "vuos/resident/dispatch.h"

#include <asm/prctl.h>
#include <linux/audit.h>
#include <linux/prctl.h>

#include "vuos/resident/memory.h"
#include "vuos/resident/patch.h"
#include "vuos/resident/signals.h"
#include "vuos/resident/trace.h"

#define SYSCALL_INSTRUCTION 2 /* bytes */

typedef long call_handler(struct context *c, struct call *call);

/* GS is how we find ourselves. */
static long call_arch_prctl(struct context *c, struct call *call)
{
	const uint64_t none = 0;

	(void)c;
	switch ((int)CALL_ARG(call, 0)) {
	case ARCH_SET_GS:
		return -EPERM;
	case ARCH_GET_GS:
		return copy_out(CALL_ARG(call, 1), &none, sizeof(none));
	default:
		return native_call(call->raw);
	}
}

/* A filter of the program's would see our calls: there is none, as in a kernel without seccomp(2). */
static long call_prctl(struct context *c, struct call *call)
{
	int operation = (int)CALL_ARG(call, 0);

	(void)c;
	if (operation == PR_SET_SECCOMP || operation == PR_SET_SYSCALL_USER_DISPATCH)
		return -EINVAL;
	return native_call(call->raw);
}

static long call_seccomp(struct context *c, struct call *call)
{
	(void)c;
	(void)call;
	return -EINVAL;
}

/* Rings make calls that nobody sees: as where io_uring_disabled is 2. */
static long call_io_uring(struct context *c, struct call *call)
{
	(void)c;
	(void)call;
	return -EPERM;
}

/* uretprobe(2) and uprobe(2) are the kernel's own, and go by where they are made. */
static long call_probe(struct context *c, struct call *call)
{
	(void)c;
	(void)call;
	return -ENOSYS;
}

/* FRAME: it needs the program's registers as the kernel has them, and always goes by the trap. */
static const struct {
	call_handler *handler;
	bool frame;
} handlers[] = {
	[__NR_mmap] = { call_mmap }, [__NR_munmap] = { call_munmap }, [__NR_mprotect] = { call_mprotect },
	[__NR_pkey_mprotect] = { call_mprotect }, [__NR_madvise] = { call_range },
	[__NR_mremap] = { call_mremap }, [__NR_remap_file_pages] = { call_range },

	[__NR_rt_sigaction] = { call_rt_sigaction }, [__NR_rt_sigprocmask] = { call_rt_sigprocmask, true },
	[__NR_rt_sigtimedwait] = { call_rt_sigtimedwait },
	[__NR_rt_sigpending] = { call_rt_sigpending }, [__NR_sigaltstack] = { call_sigaltstack, true },
	[__NR_rt_sigreturn] = { call_rt_sigreturn, true },
	[__NR_rt_sigsuspend] = { call_with_mask, true }, [__NR_ppoll] = { call_with_mask, true },
	[__NR_pselect6] = { call_with_mask, true }, [__NR_epoll_pwait] = { call_with_mask, true },
	[__NR_epoll_pwait2] = { call_with_mask, true },

	[__NR_clone] = { call_clone, true }, [__NR_clone3] = { call_clone3, true },
	[__NR_fork] = { call_fork, true }, [__NR_vfork] = { call_vfork, true },
	[__NR_exit] = { call_exit, true },
	[__NR_execve] = { call_execve, true }, [__NR_execveat] = { call_execveat, true },

	[__NR_arch_prctl] = { call_arch_prctl }, [__NR_prctl] = { call_prctl },
	[__NR_seccomp] = { call_seccomp },
	[__NR_io_uring_setup] = { call_io_uring }, [__NR_io_uring_enter] = { call_io_uring },
	[__NR_io_uring_register] = { call_io_uring },

	[335] = { call_probe }, [336] = { call_probe },

	[__NR_readlink] = { call_readlink }, [__NR_readlinkat] = { call_readlinkat },
	[__NR_open] = { call_path }, [__NR_stat] = { call_path }, [__NR_access] = { call_path },
	[__NR_openat] = { call_path }, [__NR_newfstatat] = { call_path }, [__NR_statx] = { call_path },
	[__NR_faccessat] = { call_path }, [__NR_faccessat2] = { call_path },
};

static long serve(struct context *c, struct call *call)
{
	uint64_t number = call->raw[0];

	if (number < ARRAY_SIZE(handlers) && handlers[number].handler)
		return handlers[number].handler(c, call);
	return native_call(call->raw);
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

bool trap_handle(struct frame *f)
{
	struct context *c = context_here();
	struct call call = { .frame = f };
	long result;

	if (f->info.code <= 0) {
		signal_handle(f);
		return false;
	}
	if (f->info.architecture != AUDIT_ARCH_X86_64) {
		f->uc.rax = (uint64_t)-ENOSYS;
		return true;
	}
	if (f->uc.rip == (uint64_t)trap_call_end) {
		if (was_leaving(c, f))
			return true;
	} else {
		patch_trapped(f->uc.rip - SYSCALL_INSTRUCTION, f->uc.rax);
		f->uc.rip = patch_resume(f->uc.rip);
	}
	memcpy(call.raw, (const uint64_t[]){ f->uc.rax, f->uc.rdi, f->uc.rsi, f->uc.rdx, f->uc.r10, f->uc.r8,
					     f->uc.r9 }, sizeof(call.raw));
	result = process.tracing ? trace_serve(c, &call, serve) : serve(c, &call);
	if (call.keep)
		return true;
	if (result == CALL_RESTART)
		f->uc.rip -= SYSCALL_INSTRUCTION;
	else
		f->uc.rax = (uint64_t)result;
	return true;
}

/* From a patched site. The result in F, or where the call is made afresh, holds when the thread leaves. */
void fast_handle(struct fast_frame *f)
{
	struct context *c = context_here();
	struct call call = { .raw = { f->rax, f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9 } };
	long result;

	if (f->rax < ARRAY_SIZE(handlers) && handlers[f->rax].frame) {
		work_add(c, WORK_FRAME);
		return;
	}
	result = process.tracing ? trace_serve(c, &call, serve) : serve(c, &call);
	if (result == CALL_RESTART)
		f->rcx -= SYSCALL_INSTRUCTION;
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
