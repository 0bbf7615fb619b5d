/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the resident knows: of a thread (struct context, at its GS base), of a call that it serves, of the
 * process.
 */
#pragma once

#include "vuos/resident/arch/x86_64/frame.h"
#include "vuos/resident/base.h"
#include "vuos/resident/counters.h"
#include "vuos/resident/exec_state.h"

#define SIGNALS 65 /* 1 to 64 */
#define OURS_COUNT 5 /* signals that the kernel never blocks: signals.h */
#define SIGNAL_BIT(signo) (1ull << ((signo) - 1))

/* The kernel's struct sigaction. */
struct action {
	uint64_t handler, flags, restorer, mask;
};

/* Bits of context.work. */
enum {
	WORK_PENDING = 1, /* `pending` has a signal that came while we were in the resident */
	WORK_HELD = 2,    /* one of `held` may be delivered now */
	WORK_FRAME = 4,   /* this call needs a frame of the kernel's: it is made anew by the trap */
};

/* Filters of the program's own, for a thread (seccomp.c). */
struct seccomp_state {
	struct filter_link *chain; /* the newest first */
	uint32_t mode;             /* SECCOMP_MODE_ */
	bool no_new_privs;         /* of the program, where our trap needs it set for us */
	bool privs_due;            /* it is to be set: another thread wanted it */
};

struct trace_line;

/* The call of a thread that is traced, as its tracer sees it. */
struct traced_call {
	uint64_t number; /* orig_rax: -1: none */
	uint64_t pc;     /* behind its instruction */
	int64_t interrupted; /* what the kernel said when a signal ended it (-ERESTART...); 0: none did */
	uint64_t skip_exit;  /* in a child that begins: there is no stop after its call */
	uint64_t resent;     /* the signal that comes once more, for the kernel only; 0: none */
};

/* ptrace(PTRACE_TRACEME), as traced.c has it. */
enum traceme {
	TRACEME_NOT,
	TRACEME_LATER, /* the kernel is to be told */
	TRACEME_TOLD,
	TRACEME_ALONE, /* there is nobody who could trace it */
};

struct context {
	struct context *self;
	uint32_t work;       /* CONTEXT_WORK: changed by single instructions only */
	uint32_t traced;     /* CONTEXT_TRACED */
	uint64_t stack_end;  /* of the resident's stack, which is the kernel's alternate stack */
	uint64_t program_sp; /* for a moment, on the way in from a patched call site */
	/* Where the program's registers are, for its tracer: of its call, and of a signal under way. */
	struct frame *frame, *signal;
	/* The program's GS base; this context: it has none of its own (arch/x86_64/gs.c). */
	uint64_t gs;
	uint64_t mark; /* CONTEXT_MARK_VALUE, by which fast_entry knows that the GS base is ours */
	struct traced_call call;
	enum traceme traceme; /* what it has said of being traced: traced.c */
	/* On the way out by the trapped instruction: where to, and with which result. */
	uint64_t leave_pc, leave_result;
	/* A signal to be delivered when the thread leaves; everything else is blocked meanwhile. */
	struct siginfo pending;
	uint64_t pending_mask; /* of the program, when it came */
	/*
	 * A call that waits with a mask of its own: what is blocked until the handler of a signal
	 * returns.
	 */
	bool waits;
	uint64_t wait_mask;
	/* The signals that the kernel never blocks for us (signals.h), as the program sees them. */
	uint64_t blocked; /* those that it has blocked */
	uint64_t held;    /* those that were sent meanwhile (held.h) */
	uint64_t wanted;  /* those that a call waits for, although they are blocked */
	uint64_t told;    /* those of which another thread tells this one */
	struct siginfo held_info[OURS_COUNT];
	struct action *actions; /* of the process, or of a child that shares memory but not handlers */
	struct altstack alternate; /* the program's; size 0: none */
	struct stack_slot *slot;   /* of the stack and this (stacks.h); NULL: the first thread's */
	void *scratch;             /* mapping of an exec under way, freed by the parent of vfork(2) */
	size_t scratch_len;
	bool is_vfork_child;
	struct counters counters;
	struct seccomp_state seccomp;
	/* thread_list.h; the number is there when it is needed. */
	struct context *list_next, *list_before;
	uint64_t birth;
	uint32_t group, tid;
	bool is_listed;
	uint64_t tags; /* debug tags of this thread (vuos/view/tags.h) */
	/* To the supervisor, of a call that may be made afresh (view.c); mark 0: there is none. */
	struct {
		uint64_t mark, sequence;
	} request;
	struct trace_line *trace_line; /* of an exec under way, up to its result */
	int64_t exec_begin;            /* of that, for the trace; 0: nobody asks */
	uint32_t trace_thread;         /* the thread's number, for the trace; 0: not known yet */
	/*
	 * From here on what is written before it is read: a context that is used again is cleared up to
	 * here only.
	 */
	struct action own_actions[SIGNALS];
	char path[PATH_MAX];
};
_Static_assert(offsetof(struct context, work) == CONTEXT_WORK &&
	       offsetof(struct context, stack_end) == CONTEXT_STACK_END &&
	       offsetof(struct context, program_sp) == CONTEXT_PROGRAM_SP &&
	       offsetof(struct context, traced) == CONTEXT_TRACED &&
	       offsetof(struct context, frame) == CONTEXT_FRAME &&
	       offsetof(struct context, gs) == CONTEXT_GS &&
	       offsetof(struct context, mark) == CONTEXT_MARK &&
	       offsetof(struct context, signal) == CONTEXT_SIGNAL, "entry.S knows them");

#define STACK_SIZE 0x10000

static inline struct context *context_here(void)
{
	struct context *c;

	__asm__("mov %%gs:0, %0" : "=r"(c));
	return c;
}

static inline void context_set(struct context *c)
{
	c->self = c;
	c->gs = (uint64_t)c;
	c->mark = CONTEXT_MARK_VALUE;
	__asm__ volatile("wrgsbase %0" : : "r"(c));
}

static inline void work_add(struct context *c, uint32_t bits)
{
	__asm__ volatile("orl %1, %0" : "+m"(c->work) : "r"(bits) : "memory");
}

static inline void work_remove(struct context *c, uint32_t bits)
{
	__asm__ volatile("andl %1, %0" : "+m"(c->work) : "r"(~bits) : "memory");
}

/* What fast_entry has pushed. */
struct fast_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax, rsp;
};
_Static_assert(sizeof(struct fast_frame) == FRAME_RED_ZONE, "no more than what a signal leaves alone");

static inline void count(struct context *c, enum counter counter)
{
	c->counters.of[counter]++;
}

/* One call of the program. */
struct call {
	uint64_t raw[7];     /* number and arguments, for native_call() */
	/*
	 * The program's registers: what is changed there holds after the call. NULL: from a patched
	 * site.
	 */
	struct frame *frame;
	struct fast_frame *fast; /* the registers from a patched site, else NULL */
	uint64_t pc; /* behind its instruction */
	bool keep; /* the result is in the frame already */
};

/* The function that serves calls of some numbers (calls.tbl): the program's result, or CALL_RESTART. */
typedef long call_handler(struct context *c, struct call *call);

/* The kernel takes 32 bits of the register, with their sign. */
#define CALL_NUMBER(rax) ((uint64_t)(int64_t)(int32_t)(rax))

#define CALL_ARG(call, n) ((call)->raw[1 + (n)])

/* How the kernel brings the program's calls to us. */
enum trap {
	TRAP_DISPATCH, /* PR_SET_SYSCALL_USER_DISPATCH */
	TRAP_FILTER,   /* seccomp(2), SECCOMP_RET_TRAP; it is there since the first program */
	TRAP_FILTER_NEW, /* the same, and this is the first program */
};

/* When call sites are patched. */
enum patching {
	PATCH_NEVER,
	PATCH_NORMAL, /* at the third trap */
	PATCH_FIRST,  /* at the first: for tests */
};

/* Bits of process.watch: what is done with each call beside serving it. */
enum {
	WATCH_TRACE = 1,
	WATCH_SECCOMP = 2, /* some thread has filters of its own */
	WATCH_SIGNALFD = 4, /* some descriptor tells of OURS (signals.h) */
	WATCH_ENDS = 32,    /* the trace tells of signals that end the process: signals.h */
	WATCH_DEBUG = 16,   /* some debug tag is, or was, active: debug.h */
	WATCH_KEYS = 8,     /* some memory may have a protection key (keys.h) */
	WATCH_TRACEME = 64, /* some thread is to be traced: traced.h */
};

struct process {
	enum trap trap;
	enum patching patching;
	uint32_t watch;   /* WATCH_ */
	bool is_restricted; /* what may be executed: exec_file.c */
	bool uses_gs;     /* a thread has, or had, a GS base of its own: nothing more is patched */
	bool has_threads; /* memory is, or was, shared with others */
	uint64_t shown_signals; /* those of OURS that are in the mask of a signalfd(2) */
	bool tells_counters;
	uint32_t outer_seccomp; /* SECCOMP_MODE_ that we were started with, where our trap hides it */
	struct exec_reserved reserved; /* reserved.h */
	uint64_t segment_len; /* of the segment's mapping; 0: it was not needed yet */
	struct context first;   /* of the thread that has run since exec */
	struct action actions[SIGNALS];
	const char *self;       /* the resident's own file, where it has a name */
	const char *program;    /* what /proc/self/exe says */
	/* Both, one behind the other: a page for each would be a fault for each. */
	size_t texts_len;
	char texts[2 * PATH_MAX];
};
extern struct process process;

/* Behind the last byte of our data (the linker's). */
extern char resident_end[];

/* entry.S */
extern char trap_entry[], trap_window[], trap_leave[], trap_window_end[], signal_entry[], signal_leave[],
	signal_leave_end[];
extern char native_window[], native_syscall[], native_abort[], native_interrupted[];
extern char fast_entry[], fast_begin[], fast_window[], fast_jump[], fast_work_jump[];
extern char trap_call[], trap_call_end[];
extern char copy_fault[], copy_failed[], string_fault[], string_failed[];
extern char resident_entry[], clone_child[], clone_child_end[], clone_fast_child[], clone_fast_child_end[];
long native_call(const uint64_t call[7]);
long clone_call(const uint64_t call[7], struct context *child, bool dispatch);
long clone_call_fast(const uint64_t call[7], struct context *child, uint64_t mask);
_Noreturn void thread_end_kept(uint32_t *taken, int status);
_Noreturn void thread_end_unmapped(void *stack, size_t len, int status);
_Noreturn void program_enter(uint64_t sp, uint64_t pc);

/* Turns the trap on for this thread: its next call from outside the text comes to us. */
void trap_on(void);
/* Once for all children: the filter. -errno. */
long trap_filter(void);
