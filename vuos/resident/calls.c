/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A call of the program arrives as SIGSYS. The frame has its number and arguments as they were; its
 * instruction pointer stands behind the instruction. What has no handler here is made as it is. What a
 * handler returns is the program's result, but CALL_RESTART, by which the program makes its call afresh.
 */
#include "vuos/resident/calls.h"

#include <asm/prctl.h>
#include <linux/audit.h>
#include <linux/prctl.h>

#include "vuos/resident/signals.h"

#define SYSCALL_INSTRUCTION 2 /* bytes */
#define MAP_FIXED           0x10
#define MAP_FIXED_NOREPLACE 0x100000
#define MREMAP_FIXED        2

typedef long call_handler(struct context *c, struct call *call);

/* The program's heap may begin right behind our data. */
static bool is_ours(uint64_t address, uint64_t len)
{
	return address < PAGE_UP(resident_end) && address + len > RESIDENT_BASE && len;
}

/* munmap, mprotect, madvise ...: not over what is ours. */
static long call_range(struct context *c, struct call *call)
{
	(void)c;
	return is_ours(CALL_ARG(call, 0), CALL_ARG(call, 1)) ? -EINVAL : native_call(call->raw);
}

static long call_mmap(struct context *c, struct call *call)
{
	(void)c;
	if (CALL_ARG(call, 3) & (MAP_FIXED | MAP_FIXED_NOREPLACE) &&
	    is_ours(CALL_ARG(call, 0), CALL_ARG(call, 1)))
		return -ENOMEM;
	return native_call(call->raw);
}

static long call_mremap(struct context *c, struct call *call)
{
	(void)c;
	if (is_ours(CALL_ARG(call, 0), MAX(CALL_ARG(call, 1), 1)) ||
	    (CALL_ARG(call, 3) & MREMAP_FIXED && is_ours(CALL_ARG(call, 4), CALL_ARG(call, 2))))
		return -EINVAL;
	return native_call(call->raw);
}

/* GS is how we find ourselves. */
static long call_arch_prctl(struct context *c, struct call *call)
{
	(void)c;
	return (int)CALL_ARG(call, 0) == ARCH_SET_GS ? -EPERM : native_call(call->raw);
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

static call_handler *const handlers[] = {
	[__NR_mmap] = call_mmap, [__NR_munmap] = call_range, [__NR_mprotect] = call_range,
	[__NR_pkey_mprotect] = call_range, [__NR_madvise] = call_range, [__NR_mremap] = call_mremap,
	[__NR_remap_file_pages] = call_range,

	[__NR_rt_sigaction] = call_rt_sigaction, [__NR_rt_sigprocmask] = call_rt_sigprocmask,
	[__NR_rt_sigpending] = call_rt_sigpending, [__NR_sigaltstack] = call_sigaltstack,
	[__NR_rt_sigreturn] = call_rt_sigreturn,

	[__NR_clone] = call_clone, [__NR_clone3] = call_clone3, [__NR_fork] = call_fork,
	[__NR_vfork] = call_vfork, [__NR_exit] = call_exit,
	[__NR_execve] = call_execve, [__NR_execveat] = call_execveat,

	[__NR_arch_prctl] = call_arch_prctl, [__NR_prctl] = call_prctl, [__NR_seccomp] = call_seccomp,
	[__NR_io_uring_setup] = call_io_uring, [__NR_io_uring_enter] = call_io_uring,
	[__NR_io_uring_register] = call_io_uring,

	[__NR_readlink] = call_readlink, [__NR_readlinkat] = call_readlinkat,
	[__NR_open] = call_path, [__NR_stat] = call_path, [__NR_access] = call_path,
	[__NR_openat] = call_path, [__NR_newfstatat] = call_path, [__NR_statx] = call_path,
	[__NR_faccessat] = call_path, [__NR_faccessat2] = call_path,
};

static long serve(struct context *c, struct call *call)
{
	uint64_t number = call->raw[0];

	if (number < ARRAY_SIZE(handlers) && handlers[number])
		return handlers[number](c, call);
	return native_call(call->raw);
}

void trap_handle(struct frame *f)
{
	struct call call = {
		.raw = { f->uc.rax, f->uc.rdi, f->uc.rsi, f->uc.rdx, f->uc.r10, f->uc.r8, f->uc.r9 },
		.frame = f,
	};
	long result;

	if (f->info.code <= 0) {
		signal_handle(f); /* somebody has sent it */
		return;
	}
	if (f->info.architecture != AUDIT_ARCH_X86_64) {
		f->uc.rax = (uint64_t)-ENOSYS;
		return;
	}
	result = serve(context_here(), &call);
	if (call.keep)
		return;
	if (result == CALL_RESTART)
		f->uc.rip -= SYSCALL_INSTRUCTION;
	else
		f->uc.rax = (uint64_t)result;
}
