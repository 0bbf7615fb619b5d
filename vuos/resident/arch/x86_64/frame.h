/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel puts on the stack for a signal handler (x86-64: arch/x86/include/uapi/asm/ucontext.h,
 * sigcontext.h), and how to read and change it.
 */
#pragma once

#include "vuos/resident/base.h"

struct altstack {
	uint64_t sp;
	int32_t flags;
	uint64_t size;
};

#define SS_DISABLE 2 /* flags: there is none */

struct frame_context {
	uint64_t flags, link;
	struct altstack stack;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
	uint64_t eflags, segments, error, trap, old_mask, cr2, fpstate, reserved[8];
	uint64_t mask;
};
_Static_assert(sizeof(struct frame_context) == 304, "struct ucontext with 64 signals");

struct siginfo {
	int32_t signo, error, code;
	uint64_t address;        /* SIGSYS: behind the instruction */
	int32_t call;            /* SIGSYS */
	uint32_t architecture;   /* SIGSYS: AUDIT_ARCH_... */
	uint64_t rest[12];
};
_Static_assert(sizeof(struct siginfo) == 128, "siginfo_t");

struct frame {
	uint64_t restorer; /* the return address */
	struct frame_context uc;
	struct siginfo info;
};

#define SI_KERNEL 0x80 /* siginfo.code: the kernel's, without more to say */
#define SI_TKILL  (-6) /* sent to a thread */

#define FRAME_RED_ZONE    128
#define FRAME_TRAP_FLAGS  0x10500ull /* direction, resume, single step: clear at the start of a handler */

/* Bytes of extended state at FP (struct _fpx_sw_bytes says). 0: there is none. */
static inline uint64_t fpstate_size(uint64_t fp)
{
	const uint32_t *words = (const uint32_t *)(fp + 464);

	if (!fp)
		return 0;
	return words[0] == 0x46505853 ? words[1] : 512;
}
