/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers of a thread that is traced, as ptrace(2) has them (struct user_regs_struct). */
#pragma once

#include "vuos/resident/context.h"

struct registers {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t orig_rax; /* of a call: its number; else -1 */
	uint64_t rip, cs, eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
};
_Static_assert(sizeof(struct registers) == 27 * 8, "struct user_regs_struct");

struct tracee;

/* Where the program's registers are of a tracee that has stopped. */
enum place {
	PLACE_PROGRAM, /* in its registers */
	PLACE_FRAME,   /* in a frame of the kernel's, in its memory */
	PLACE_FAST,    /* in what fast_entry has pushed, in its memory */
	PLACE_LOST,    /* nowhere that is known: the resident begins, or the thread ends */
};

/* The place for a tracee with these registers, and its address. */
enum place registers_place(const struct tracee *t, const struct registers *real, uint64_t *ret_at);

/* Takes the program's registers from a place in memory into R, or puts them there: -errno. */
long registers_load(const struct tracee *t, enum place place, uint64_t at, struct registers *r);
long registers_store(const struct tracee *t, enum place place, uint64_t at, const struct registers *r);

/* The registers as the tracer sees them: 0 or -errno. */
long registers_shown(const struct tracee *t, struct registers *ret);
/* And as it wants them. */
long registers_set(struct tracee *t, const struct registers *wanted);

/* The real ones. */
long registers_real(const struct tracee *t, struct registers *ret);
long registers_set_real(const struct tracee *t, const struct registers *r);

/* The extended state, whose frame is in memory: the place of it and its size; 0: it is in the registers. */
uint64_t registers_extended(const struct tracee *t, uint64_t *ret_size);

/* Whether the kernel has ended a call with RESULT because of a signal, and makes it again. */
static inline bool is_restart(uint64_t result)
{
	return result == (uint64_t)-512 || result == (uint64_t)-513 || result == (uint64_t)-514 ||
	       result == (uint64_t)-516;
}

static inline bool is_resident(uint64_t pc)
{
	return pc - RESIDENT_BASE < RESIDENT_TEXT_LEN || pc - RESIDENT_TRAP < PAGE;
}
