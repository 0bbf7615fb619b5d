/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tracee that has stopped in the resident has the program's registers in its memory: in the frame of the
 * call or signal that brought it there, or where fast_entry has pushed them. Which one, its context says,
 * and, for the few instructions at the borders, where the thread is.
 */
#include "vuos/resident/arch/x86_64/registers.h"

#include <linux/ptrace.h>

#include <asm/ptrace.h>

#include "vuos/resident/traced.h"
#include "vuos/resident/tracee.h"

#define SYSCALL_LEN  2
#define FIRST_WORD   offsetof(struct frame, uc.r8)
#define NONE         ((uint64_t)-1)
#define PLACE_OF(r)  offsetof(struct registers, r)

/* The order of both places in memory: places in struct registers. */
static const uint8_t frame_order[] = {
	PLACE_OF(r8),  PLACE_OF(r9),  PLACE_OF(r10), PLACE_OF(r11), PLACE_OF(r12), PLACE_OF(r13),
	PLACE_OF(r14), PLACE_OF(r15), PLACE_OF(rdi), PLACE_OF(rsi), PLACE_OF(rbp), PLACE_OF(rbx),
	PLACE_OF(rdx), PLACE_OF(rax), PLACE_OF(rcx), PLACE_OF(rsp), PLACE_OF(rip), PLACE_OF(eflags),
};
static const uint8_t fast_order[] = {
	PLACE_OF(r15), PLACE_OF(r14), PLACE_OF(r13), PLACE_OF(r12), PLACE_OF(r11), PLACE_OF(r10),
	PLACE_OF(r9),  PLACE_OF(r8),  PLACE_OF(rbp), PLACE_OF(rdi), PLACE_OF(rsi), PLACE_OF(rdx),
	PLACE_OF(rcx), PLACE_OF(rbx), PLACE_OF(rax), PLACE_OF(rsp),
};
_Static_assert(offsetof(struct frame, uc.eflags) == FIRST_WORD + 17 * 8, "frame_order");

static uint64_t *word_at(struct registers *r, uint8_t place)
{
	return (uint64_t *)((char *)r + place);
}

long registers_real(const struct tracee *t, struct registers *ret)
{
	return NATIVE(__NR_ptrace, PTRACE_GETREGS, t->tid, 0, ret);
}

long registers_set_real(const struct tracee *t, const struct registers *r)
{
	return NATIVE(__NR_ptrace, PTRACE_SETREGS, t->tid, 0, r);
}

long registers_load(const struct tracee *t, enum place place, uint64_t at, struct registers *r)
{
	uint64_t words[ARRAY_SIZE(frame_order)];
	bool fast = place == PLACE_FAST;
	size_t count = fast ? ARRAY_SIZE(fast_order) : ARRAY_SIZE(frame_order);
	long error = tracee_read(t, fast ? at : at + FIRST_WORD, words, count * sizeof(*words));

	if (error < 0)
		return error;
	for (size_t i = 0; i < count; i++)
		*word_at(r, fast ? fast_order[i] : frame_order[i]) = words[i];
	if (fast)
		r->rip = r->rcx;
	return 0;
}

long registers_store(const struct tracee *t, enum place place, uint64_t at, const struct registers *r)
{
	struct registers copy = *r;
	uint64_t words[ARRAY_SIZE(frame_order)];
	bool fast = place == PLACE_FAST;
	size_t count = fast ? ARRAY_SIZE(fast_order) : ARRAY_SIZE(frame_order);

	if (fast)
		copy.rcx = copy.rip;
	for (size_t i = 0; i < count; i++)
		words[i] = *word_at(&copy, fast ? fast_order[i] : frame_order[i]);
	return tracee_write(t, fast ? at : at + FIRST_WORD, words, count * sizeof(*words));
}

/* --- where they are --------------------------------------------------------------------------------- */

/* In a signal's frame; that may have met the fast path. */
static enum place place_of_signal(const struct tracee *t, uint64_t frame, uint64_t *ret_at)
{
	uint64_t pc = tracee_field(t, frame + offsetof(struct frame, uc.rip));

	*ret_at = frame;
	if (!is_resident(pc))
		return PLACE_FRAME;
	*ret_at = tracee_field(t, TRACEE_FIELD(t, stack_end)) - sizeof(struct fast_frame);
	return PLACE_FAST;
}

enum place registers_place(const struct tracee *t, const struct registers *real, uint64_t *ret_at)
{
	uint64_t frame, signal, end;

	*ret_at = 0;
	if (!is_resident(real->rip))
		return PLACE_PROGRAM;
	if (!t->context)
		return PLACE_LOST;
	if (real->rip == (uint64_t)clone_child && real->r12 == t->context) {
		*ret_at = real->rsp - sizeof(uint64_t);
		return PLACE_FRAME;
	}
	if (real->rip == (uint64_t)clone_fast_child && real->r12 == t->context) {
		*ret_at = real->rsp;
		return PLACE_FAST;
	}
	frame = tracee_field(t, TRACEE_FIELD(t, frame));
	if (real->rip == (uint64_t)trap_entry)
		frame = real->rsp;
	else if (!frame && real->rip > (uint64_t)trap_leave && real->rip <= (uint64_t)trap_window_end)
		frame = real->rbx;
	if (frame) {
		*ret_at = frame;
		return PLACE_FRAME;
	}
	signal = real->rip == (uint64_t)signal_entry ? real->rsp : tracee_field(t, TRACEE_FIELD(t, signal));
	if (signal)
		return place_of_signal(t, signal, ret_at);
	end = tracee_field(t, TRACEE_FIELD(t, stack_end));
	*ret_at = end - sizeof(struct fast_frame);
	return real->rsp <= *ret_at && real->rsp > end - STACK_SIZE ? PLACE_FAST : PLACE_LOST;
}

/* --- as the tracer sees them ----------------------------------------------------------------------- */

/* In a call of the kernel's that is the program's. */
static void show_call(const struct tracee *t, const struct registers *real, struct registers *r)
{
	if ((int64_t)real->orig_rax < 0) {
		r->orig_rax = NONE;
		return;
	}
	r->orig_rax = r->rax && r->rax < 1024 ? r->rax : real->orig_rax;
	r->rax = t->is_born ? 0 : real->rax;
}

static long show_real(const struct tracee *t, struct registers *r)
{
	const struct registers real = *r;
	uint64_t at;
	enum place place = registers_place(t, &real, &at);
	long error = 0;

	if (place == PLACE_FRAME || place == PLACE_FAST) {
		error = registers_load(t, place, at, r);
		if (!t->is_diverted)
			show_call(t, &real, r);
	}
	if (t->is_diverted) {
		r->orig_rax = NONE;
		r->rip -= SYSCALL_LEN;
	}
	return error;
}

/* Before a signal is delivered: if it has ended a call, as the kernel shows that. */
static long show_signal(const struct tracee *t, struct registers *r)
{
	long error = registers_load(t, PLACE_FRAME, tracee_field(t, TRACEE_FIELD(t, frame)), r);
	uint64_t interrupted = tracee_field(t, TRACEE_FIELD(t, call.interrupted));

	r->orig_rax = NONE;
	if (error < 0 || !interrupted)
		return error;
	r->rax = interrupted;
	r->orig_rax = tracee_field(t, TRACEE_FIELD(t, call.number));
	r->rip = tracee_field(t, TRACEE_FIELD(t, call.pc));
	return 0;
}

static long show_stop(const struct tracee *t, struct registers *r)
{
	switch (t->stop) {
	case STOP_ENTER:
	case STOP_EXIT:
		r->orig_rax = tracee_field(t, TRACEE_FIELD(t, call.number));
		return registers_load(t, PLACE_FRAME, tracee_field(t, TRACEE_FIELD(t, frame)), r);
	case STOP_SIGNAL:
		return show_signal(t, r);
	case STOP_START:
		r->rip = r->rcx;
		r->rcx = 0;
		r->rax = t->start_now == START_EVENT ? (uint64_t)-ENOSYS : 0;
		r->orig_rax = __NR_execve;
		return 0;
	default:
		return show_real(t, r);
	}
}

/* The program's GS base (gs.c), 0 where that is the context. */
static uint64_t gs_shown(const struct tracee *t, const struct registers *real)
{
	uint64_t base = is_resident(real->rip) ? tracee_field(t, TRACEE_FIELD(t, gs)) : real->gs_base;

	return base == t->context ? 0 : base;
}

/* As the tracer wants it, which is a change only where it differs from what was shown. */
static long gs_set(const struct tracee *t, const struct registers *real, struct registers *r)
{
	uint64_t base = r->gs_base ? r->gs_base : t->context;
	bool is_new = r->gs_base != gs_shown(t, real);

	r->gs_base = real->gs_base;
	if (!is_new)
		return 0;
	if (is_resident(real->rip))
		return tracee_poke(t, TRACEE_FIELD(t, gs), base);
	r->gs_base = base;
	return 0;
}

long registers_shown(const struct tracee *t, struct registers *ret)
{
	long error = registers_real(t, ret);
	const struct registers real = *ret;

	if (error == 0 && t->traced)
		error = show_stop(t, ret);
	if (t->traced)
		ret->gs_base = gs_shown(t, &real);
	return error;
}

/* --- as it wants them ------------------------------------------------------------------------------- */

static long set_real_stop(struct tracee *t, const struct registers *real, struct registers *r)
{
	struct registers shown = *real, new = *real;
	uint64_t at;
	enum place place = registers_place(t, real, &at);
	long error = show_real(t, &shown);

	if (place == PLACE_PROGRAM || place == PLACE_LOST)
		return registers_set_real(t, r);
	if (error < 0)
		return error;
	if (t->is_diverted)
		r->rip += SYSCALL_LEN;
	if (t->is_diverted || (int64_t)real->orig_rax < 0)
		return registers_store(t, place, at, r);
	new.rax = r->rax;
	if (r->rip != shown.rip && is_restart(real->rax)) {
		/* It is to go on somewhere else: as if the call was to be made afresh there. */
		new.rip = (uint64_t)native_abort;
		new.orig_rax = NONE;
		r->rip += SYSCALL_LEN;
		t->is_diverted = true;
	} else if (!t->is_born) {
		r->rax = shown.orig_rax; /* the frame has the number till the call is done */
	}
	error = registers_store(t, place, at, r);
	return error < 0 ? error : registers_set_real(t, &new);
}

static long set_signal_stop(struct tracee *t, struct registers *r)
{
	uint64_t frame = tracee_field(t, TRACEE_FIELD(t, frame));
	struct registers shown = *r, kept = *r;
	long error = show_signal(t, &shown);

	if (error == 0)
		error = registers_load(t, PLACE_FRAME, frame, &kept);
	if (error < 0)
		return error;
	if (r->rip == shown.rip && r->rax == shown.rax && r->orig_rax == shown.orig_rax) {
		r->rip = kept.rip; /* as the resident has it, to make the call afresh */
		r->rax = kept.rax;
	} else {
		if ((int64_t)r->orig_rax >= 0 && is_restart(r->rax)) {
			r->rip -= SYSCALL_LEN;
			r->rax = r->orig_rax;
		}
		(void)tracee_poke(t, TRACEE_FIELD(t, call.interrupted), 0);
	}
	return registers_store(t, PLACE_FRAME, frame, r);
}

static long set_stop(struct tracee *t, const struct registers *real, struct registers *r)
{
	switch (t->stop) {
	case STOP_ENTER:
	case STOP_EXIT:
		(void)tracee_poke(t, TRACEE_FIELD(t, call.number), r->orig_rax);
		return registers_store(t, PLACE_FRAME, tracee_field(t, TRACEE_FIELD(t, frame)), r);
	case STOP_SIGNAL:
		return set_signal_stop(t, r);
	case STOP_START:
		t->stop = STOP_REAL; /* it has them now, and is at its first instruction */
		return registers_set_real(t, r);
	default:
		return set_real_stop(t, real, r);
	}
}

long registers_set(struct tracee *t, const struct registers *wanted)
{
	struct registers real, r = *wanted;
	long error = registers_real(t, &real);

	if (error < 0)
		return error;
	if (!t->traced)
		return registers_set_real(t, wanted);
	error = gs_set(t, &real, &r);
	if (error == 0 && r.fs_base != real.fs_base && is_resident(real.rip)) {
		real.fs_base = r.fs_base;
		error = registers_set_real(t, &real);
	}
	return error < 0 ? error : set_stop(t, &real, &r);
}

uint64_t registers_extended(const struct tracee *t, uint64_t *ret_size)
{
	struct registers real;
	uint64_t at, fp, words;

	*ret_size = 0;
	if (!t->traced || t->stop == STOP_START || registers_real(t, &real) < 0 ||
	    registers_place(t, &real, &at) != PLACE_FRAME)
		return 0;
	fp = tracee_field(t, at + offsetof(struct frame, uc.fpstate));
	words = fp ? tracee_field(t, fp + 464) : 0;
	if (fp)
		*ret_size = (uint32_t)words == 0x46505853 ? words >> 32 : 512;
	return fp;
}
