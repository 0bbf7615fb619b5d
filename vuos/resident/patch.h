/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Call sites that jump to us instead of trapping; arch/x86_64/patch.c tells how. */
#pragma once

#include "vuos/resident/context.h"

/*
 * The instruction at SITE has made the call NUMBER and was trapped. Patches it if it is time, and
 * possible.
 */
void patch_trapped(uint64_t site, uint64_t number);

/* A call site that was patched in another process, and the number of its call. */
struct patch_site {
	uint64_t address;
	uint32_t number;
};
/* Patches SITES in the code [BEGIN, END), which was just mapped: no thread is in it. */
void patch_ahead(uint64_t begin, uint64_t end, const struct patch_site *sites, uint32_t count);

/*
 * A trap that came from the instruction before PC: where the program is to go on. (A thread may trap at
 * a site that was patched meanwhile, and the bytes behind it are no instructions any more.)
 */
uint64_t patch_resume(uint64_t pc);

/* A fault that patching has made. True: F goes on where it should. */
bool patch_fault(struct frame *f);

/* A program counter in one of our stubs is shown as the place that it stands for. */
void patch_canonical(struct frame *f);

/* Code in [BEGIN, END) is gone. */
void patch_forget(uint64_t begin, uint64_t end);

/* Memory is to be shared with a thread for the first time: what is cheap before that. */
void patch_threads(void);

/*
 * The process of T, which is traced by this one, gets back what its jumps have replaced. Returns PC, but of one
 * in a stub the place in the program.
 */
struct tracee;
uint64_t patch_undo(const struct tracee *t, uint64_t pc);

/* In a child that does not share memory. */
void patch_forked(void);

/* Sites that are jumps now. */
unsigned patch_count(void);

/* entry.S: a call from a patched site; and one that leaves by the trapped instruction. */
void fast_handle(struct fast_frame *f);
void fast_leave_by_trap(struct fast_frame *f);
