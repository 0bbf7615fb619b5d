/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two ways by which the kernel brings a call that is made outside our text to us, as SIGSYS. User
 * dispatch is a thread's, and has to be turned on again in each child and each program. A filter stays
 * for good, for all children; it costs a little with each call that it lets through, and needs
 * no_new_privs.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "vuos/resident/context.h"

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (field))
#define POINTER_LOW  offsetof(struct seccomp_data, instruction_pointer)
#define POINTER_HIGH (POINTER_LOW + 4)

long trap_filter(void)
{
	/* Foreign architectures, and what is not called from the text: to us. */
	struct sock_filter program[] = {
		LOAD(offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 5),
		LOAD(POINTER_HIGH),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RESIDENT_BASE >> 32, 0, 3),
		LOAD(POINTER_LOW),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, RESIDENT_TEXT_LEN, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	};
	struct sock_fprog filter = { .len = ARRAY_SIZE(program), .filter = program };
	long r = NATIVE(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

	if (r == 0)
		r = NATIVE(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
	process.trap = TRAP_FILTER;
	return r;
}

void trap_on(void)
{
	if (process.trap == TRAP_DISPATCH)
		(void)NATIVE(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, RESIDENT_BASE,
			     RESIDENT_TEXT_LEN, 0);
}
