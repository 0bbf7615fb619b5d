/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. The kernel gets SIG_DFL and SIG_IGN as the program says, and instead of each
 * handler signal_entry, on the resident's stack and with everything blocked. Where the signal met the
 * thread decides:
 *
 *	in the program	 it is delivered: the kernel's frame is copied to the program's stack (or
 *			 alternate stack), and ours is changed so that rt_sigreturn enters the program's
 *			 handler. So no frame of ours stays below a running handler, which may leave by
 *			 longjmp.
 *	in the resident	 it is noted (`pending`), and the thread goes on with everything blocked. Before
 *			 a blocking call or the return to the program it is found: see the windows in
 *			 entry.S. A call that the kernel has interrupted says EINTR; one that was not
 *			 begun, or that the kernel restarts, is made afresh by the program itself, behind
 *			 its handler.
 *
 * rt_sigreturn of the program is a call like others: the frame it names is copied over ours. The mask of
 * the program is in the frame that the trap came with, and changed there.
 *
 * OURS. Faults of the program's become signals for it; faults in copy_bytes() and copy_string() become
 * -EFAULT. These signals are never blocked in the kernel; the program's wish is in `blocked`, and what
 * was *sent* to it meanwhile is held (held.c).
 */
#include "vuos/resident/signals.h"

#include "vuos/resident/arch/x86_64/gs.h"
#include "vuos/resident/arch/x86_64/keys.h"
#include "vuos/resident/dispatch.h"
#include "vuos/resident/held.h"
#include "vuos/resident/patch.h"
#include "vuos/resident/trace.h"
#include "vuos/resident/traced.h"
#include "vuos/resident/tracee.h"

#define SET_SIZE 8
#define SYSCALL_LEN 2
#define ALL_BUT_OURS (~(uint64_t)OURS)
#define UNBLOCKABLE  (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))
/* By default: the rest ends the process. */
#define NOT_DEADLY   (UNBLOCKABLE | SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH) | \
		      SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))
#define HANDLER(label) ((uint64_t)(label))
#define KNOWN_FLAGS  (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | \
		      SA_RESETHAND | SA_RESTORER | 0x800u /* SA_EXPOSE_TAGBITS */)
#define CODE_TRAPPED 4 /* siginfo.code: a tracee has stopped */
#define TRAP_TRACE   2 /* siginfo.code of a single step */
#define KEPT_FLAGS   (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_RESTART)
#define SS_ONSTACK   1
#define SS_AUTODISARM 0x80000000u
#define MIN_STACK    2048

static long kernel_action(int signo, const struct action *new, struct action *old)
{
	return NATIVE(__NR_rt_sigaction, signo, new, old, SET_SIZE);
}

static void kernel_default(int signo)
{
	const struct action action = { .flags = SA_RESTORER, .restorer = HANDLER(trap_entry) };

	(void)kernel_action(signo, &action, NULL);
}

/* Our handler for SIGNO; FLAGS are the program's that concern the kernel. RET_OLD: what it had, or NULL. */
static void kernel_handler(int signo, uint64_t flags, struct action *ret_old)
{
	bool is_trap = signo == SIGSYS;
	bool ours = signal_is_ours(signo);
	struct action action = {
		.handler = is_trap ? HANDLER(trap_entry) : HANDLER(signal_entry),
		.flags = (flags & KEPT_FLAGS) | SA_SIGINFO | SA_ONSTACK | SA_RESTORER,
		.restorer = HANDLER(trap_entry), /* never used: we return by ourselves */
		.mask = is_trap ? 0 : ALL_BUT_OURS,
	};

	/* Whether a call that one of ours has met goes on depends on what is blocked by then. */
	if (ours)
		action.flags |= SA_NODEFER | SA_RESTART;
	(void)kernel_action(signo, &action, ret_old);
}

void signals_watch_children(const struct context *c)
{
	struct action kernel;

	if (!c->actions[SIGCHLD].handler && kernel_action(SIGCHLD, NULL, &kernel) == 0 && !kernel.handler)
		kernel_handler(SIGCHLD, (kernel.flags & SA_NOCLDWAIT) | SA_RESTART, NULL);
}

static bool watches_end(int signo)
{
	return process.watch & WATCH_ENDS && !signal_is_ours(signo) && !(NOT_DEADLY & SIGNAL_BIT(signo));
}

/* What the kernel does by default, when the signal comes or when we have been told of it. */
static void default_or_watch(int signo)
{
	if (watches_end(signo))
		kernel_handler(signo, SA_RESTART, NULL);
	else
		kernel_default(signo);
}

void signals_watch_ends(void)
{
	struct action kernel;

	process.watch |= WATCH_ENDS;
	for (int signo = 1; signo < SIGNALS; signo++)
		if (watches_end(signo) && kernel_action(signo, NULL, &kernel) == 0 && !kernel.handler)
			kernel_handler(signo, SA_RESTART, NULL);
}

static uint64_t kernel_mask(uint64_t mask)
{
	uint64_t before = 0;

	(void)NATIVE(__NR_rt_sigprocmask, SIG_SETMASK, &mask, &before, SET_SIZE);
	return before;
}

uint64_t signals_block_all(void)
{
	return kernel_mask(ALL_BUT_OURS);
}

uint64_t signals_block_every(void)
{
	return kernel_mask(UINT64_MAX);
}

void signals_restore(uint64_t mask)
{
	(void)NATIVE(__NR_rt_sigprocmask, SIG_SETMASK, &mask, NULL, SET_SIZE);
}

uint64_t signals_block_blocked(const struct context *c)
{
	uint64_t before = 0;

	(void)NATIVE(__NR_rt_sigprocmask, SIG_BLOCK, &c->blocked, &before, SET_SIZE);
	return before;
}

void signals_use_stack(struct context *c)
{
	const struct altstack stack = { .sp = c->stack_end - STACK_SIZE, .size = STACK_SIZE };

	(void)NATIVE(__NR_sigaltstack, &stack, NULL);
}

void signals_start(struct context *c, const void *state)
{
	const struct exec_signals *saved = exec_state_find(state, EXEC_SIGNALS, sizeof(*saved), NULL);
	const struct exec_signals none = { 0 };
	const uint64_t ours = OURS;

	if (!saved)
		saved = &none;
	c->blocked = saved->blocked & OURS;
	held_start(c, saved);
	signals_use_stack(c);
	for (int signo = 1; signo < SIGNALS; signo++) {
		if (!signal_is_ours(signo))
			continue;
		if (saved->ignored & SIGNAL_BIT(signo))
			c->actions[signo].handler = (uint64_t)SIG_IGN;
		kernel_handler(signo, 0, NULL);
	}
	(void)NATIVE(__NR_rt_sigprocmask, SIG_UNBLOCK, &ours, NULL, SET_SIZE);
}

static uint64_t ignored_of_ours(const struct context *c)
{
	uint64_t ignored = 0;

	for (int signo = 1; signo < SIGNALS; signo++)
		if (signal_is_ours(signo) && c->actions[signo].handler == (uint64_t)SIG_IGN)
			ignored |= SIGNAL_BIT(signo);
	return ignored;
}

void signals_save(const struct context *c, struct exec_writer *writer)
{
	struct exec_signals saved = { .ignored = ignored_of_ours(c), .blocked = c->blocked };

	held_save(c, &saved);
	if (!(saved.ignored | saved.blocked | saved.held))
		return;
	(void)exec_state_add(writer, EXEC_SIGNALS, &saved, sizeof(saved));
}

void signals_clear(struct context *c, bool in_kernel)
{
	for (int signo = 1; signo < SIGNALS; signo++) {
		struct action *action = &c->actions[signo];

		if (action->handler == (uint64_t)SIG_IGN)
			continue;
		if (in_kernel && action->handler && !signal_is_ours(signo))
			kernel_default(signo);
		*action = (struct action){ 0 };
	}
}

/* --- delivery ------------------------------------------------------------------------------ */

/* To this thread, as it was sent before; it comes when the frame is returned from. */
static void send_again(int signo, const struct siginfo *info)
{
	const uint64_t bit = SIGNAL_BIT(signo);

	(void)NATIVE(__NR_rt_sigprocmask, SIG_BLOCK, &bit, NULL, SET_SIZE);
	(void)NATIVE(__NR_rt_tgsigqueueinfo, NATIVE(__NR_getpid), NATIVE(__NR_gettid), signo, info);
}

/* What the kernel does with SIGNO by default shall happen now, with MASK blocked. */
static void deliver_default(struct frame *f, int signo, const struct siginfo *info, uint64_t mask)
{
	if (process.watch & WATCH_TRACE)
		trace_default(info);
	kernel_default(signo);
	f->uc.mask = mask & ~SIGNAL_BIT(signo);
	traced_default(context_here(), signo);
	/* A fault, but a breakpoint, comes again by itself, and so the core dump shows it. */
	if (info->code <= 0 || signo == SIGTRAP || signo == SIGSYS || !signal_is_ours(signo))
		send_again(signo, info);
}

/*
 * The kernel cannot put a frame where the program wants it, or take one from there: SIGSEGV, and no
 * way back.
 */
static void deliver_bad_frame(struct frame *f, uint64_t mask)
{
	deliver_default(f, SIGSEGV, &(struct siginfo){ .signo = SIGSEGV, .code = SI_TKILL }, mask);
}

static bool is_on(const struct altstack *stack, uint64_t sp)
{
	bool is_used = stack->size && !(stack->flags & (int32_t)SS_AUTODISARM);

	return is_used && sp > stack->sp && sp - stack->sp <= stack->size;
}

/* The alternate stack as sigaltstack(2) says it, to a program at SP. (A frame has it as it was set.) */
static struct altstack altstack_seen(const struct context *c, uint64_t sp)
{
	struct altstack stack = c->alternate;

	stack.flags &= (int32_t)SS_AUTODISARM;
	if (!stack.size)
		stack.flags |= SS_DISABLE;
	else if (is_on(&stack, sp))
		stack.flags |= SS_ONSTACK;
	return stack;
}

/*
 * Where the frame for ACTION goes on the program's stack. *FP gets the place of the extended state, 0:
 * none.
 */
static uint64_t frame_place(const struct context *c, const struct frame *f, const struct action *action,
			    uint64_t *fp)
{
	uint64_t sp = f->uc.rsp, size = fpstate_size(f->uc.fpstate);

	if (action->flags & SA_ONSTACK && c->alternate.size && !is_on(&c->alternate, sp))
		sp = c->alternate.sp + c->alternate.size;
	else
		sp -= FRAME_RED_ZONE;
	*fp = 0;
	if (size) {
		sp = (sp - size) & ~63ull;
		*fp = sp;
	}
	return ((sp - sizeof(*f)) & ~15ull) - 8;
}

/* Puts the frame on the program's stack: -EFAULT when there is no room. */
static long put_frame(const struct context *c, const struct frame *f, const struct action *action,
		      const struct siginfo *info, uint64_t mask, uint64_t *ret_sp)
{
	struct frame frame = *f;
	bool alternate = action->flags & SA_ONSTACK || is_on(&c->alternate, f->uc.rsp);
	uint64_t fp;

	*ret_sp = frame_place(c, f, action, &fp);
	if (!(action->flags & SA_RESTORER) ||
	    (alternate && c->alternate.size && *ret_sp < c->alternate.sp))
		return -EFAULT;
	if (fp && copy_out(fp, (const void *)f->uc.fpstate, fpstate_size(f->uc.fpstate)) < 0)
		return -EFAULT;
	frame.restorer = action->restorer;
	frame.uc.fpstate = fp;
	frame.uc.mask = (mask & ALL_BUT_OURS) | c->blocked;
	frame.uc.stack = c->alternate;
	frame.info = *info;
	return copy_out(*ret_sp, &frame, sizeof(frame));
}

/* Has F, when it is returned from, enter the program's handler. MASK is the program's, without OURS. */
static void deliver(struct context *c, struct frame *f, const struct siginfo *info, uint64_t mask)
{
	int signo = info->signo;
	struct action *action = &c->actions[signo], taken = *action;
	uint64_t sp;

	patch_canonical(f);
	if (process.watch & WATCH_KEYS)
		keys_enter(f);
	if (taken.handler == (uint64_t)SIG_IGN) { /* since it came; of a fault it is not asked */
		f->uc.mask = mask;
		return;
	}
	if (signo == SIGCHLD && !taken.handler && tracees_any()) {
		f->uc.mask = mask; /* it is ignored, but we want to see the next one */
		return;
	}
	if (taken.handler <= (uint64_t)SIG_IGN) {
		deliver_default(f, signo, info, mask);
		return;
	}
	if (process.watch & WATCH_TRACE)
		trace_signal(info);
	if (put_frame(c, f, &taken, info, mask, &sp) < 0) {
		const struct siginfo fault = { .signo = SIGSEGV, .code = SI_KERNEL };

		if (signo != SIGSEGV && c->actions[SIGSEGV].handler > (uint64_t)SIG_IGN)
			deliver(c, f, &fault, mask);
		else
			deliver_bad_frame(f, mask);
		return;
	}
	if (process.watch & WATCH_KEYS)
		keys_handler(f);
	f->uc.rsp = sp;
	f->uc.rip = taken.handler;
	f->uc.rdi = (uint64_t)signo;
	f->uc.rsi = sp + offsetof(struct frame, info);
	f->uc.rdx = sp + offsetof(struct frame, uc);
	f->uc.rax = 0;
	f->uc.eflags &= ~FRAME_TRAP_FLAGS;
	if (c->waits) {
		mask = c->wait_mask & ALL_BUT_OURS;
		c->blocked = c->wait_mask & OURS;
		c->waits = false;
	}
	mask |= taken.mask;
	if (!(taken.flags & SA_NODEFER))
		mask |= SIGNAL_BIT(signo);
	c->blocked |= mask & OURS;
	f->uc.mask = mask & ALL_BUT_OURS & ~UNBLOCKABLE;
	if (c->alternate.flags & (int32_t)SS_AUTODISARM)
		c->alternate = (struct altstack){ .flags = SS_DISABLE };
	if (!(taken.flags & SA_RESETHAND))
		return;
	action->handler = 0;
	if (!signal_is_ours(signo))
		default_or_watch(signo);
}

/* SIGCHLD of tracees whose stops are hidden: they go on now, and if that was all, the signal was not sent. */
static bool is_hidden(const struct context *c, const struct siginfo *info)
{
	bool all;

	if (info->signo != SIGCHLD || !tracees_any())
		return false;
	all = tracees_serve();
	/* Who ignores it without our handler is not even interrupted by it. */
	return (!c->actions[SIGCHLD].handler && !c->traced) || (all && info->code == CODE_TRAPPED);
}

/* Delivers those of the held signals that are not blocked (any more, or while a call waits). */
static void deliver_held(struct context *c, struct frame *f)
{
	struct siginfo info;

	while (held_take(c, ~(c->waits ? c->wait_mask : c->blocked), &info))
		if (traced_deliver(c, f, &info))
			deliver(c, f, &info, f->uc.mask);
}

/* The thread is about to leave the resident through F. */
void trap_deliver(struct frame *f)
{
	struct context *c = context_here();

	if (c->work & WORK_PENDING) {
		struct siginfo info = c->pending;

		work_remove(c, WORK_PENDING);
		if (!is_hidden(c, &info) && traced_deliver(c, f, &info))
			deliver(c, f, &info, f->uc.mask);
	}
	if (c->work & WORK_HELD) {
		work_remove(c, WORK_HELD);
		deliver_held(c, f);
	}
	c->waits = false;
}

/* --- where it met us ------------------------------------------------------------------------- */

static bool is_between(uint64_t pc, const char *first, const char *last)
{
	return pc >= (uint64_t)first && pc <= (uint64_t)last;
}

static bool is_in_text(uint64_t pc)
{
	return pc >= RESIDENT_BASE && pc < RESIDENT_BASE + RESIDENT_TEXT_LEN;
}

/* Whether the program's handler of a held signal wants the call that it meets to end. */
static bool interrupts(const struct context *c)
{
	for (int signo = 1; signo < SIGNALS; signo++)
		if (c->held & ~c->blocked & SIGNAL_BIT(signo) &&
		    c->actions[signo].handler > (uint64_t)SIG_IGN && !(c->actions[signo].flags & SA_RESTART))
			return true;
	return false;
}

/* A thread in a window is set back to the test before it. */
static void leave_window(struct context *c, struct frame *f)
{
	uint64_t pc = f->uc.rip;

	if (is_between(f->uc.rip, native_window, native_syscall)) {
		/* Of ours the kernel thinks that all calls are to be restarted. */
		f->uc.rip = (uint64_t)(c->work == WORK_HELD && interrupts(c) ? native_interrupted
									      : native_abort);
	} else if (is_between(f->uc.rip, trap_window, trap_window_end)) {
		f->uc.rip = (uint64_t)trap_window;
		f->uc.rsp = f->uc.rbx - 8;
	} else if (is_between(f->uc.rip, fast_window, fast_jump)) {
		f->uc.rip = (uint64_t)fast_window;
		f->uc.rsp = c->stack_end - sizeof(struct fast_frame);
	}
	if (f->uc.rip != pc)
		count(c, COUNT_ROLLED_BACK);
}

/* A thread that is leaving, on its last instruction or our trapped one, is where it wants to go. */
static void finish_leaving(const struct context *c, struct frame *f)
{
	if (gs_is_at_entry(f->uc.rip))
		f->uc.rip = f->uc.rcx - SYSCALL_LEN;
	if (f->uc.rip == (uint64_t)fast_jump || f->uc.rip == (uint64_t)fast_work_jump)
		f->uc.rip = f->uc.rcx;
	if (f->uc.rip != (uint64_t)trap_call)
		return;
	if (f->uc.rax == CALL_LEAVE) {
		f->uc.rip = c->leave_pc;
		f->uc.rax = c->leave_result;
	} else {
		f->uc.rip = c->leave_pc - SYSCALL_LEN; /* the call was not made yet */
	}
}

/* True: the fault was ours, and is dealt with. */
static bool repair(struct frame *f)
{
	if (f->uc.rip == (uint64_t)copy_fault)
		f->uc.rip = (uint64_t)copy_failed;
	else if (f->uc.rip == (uint64_t)string_fault)
		f->uc.rip = (uint64_t)string_failed;
	else if (gs_is_at_entry(f->uc.rip))
		f->uc.rip = f->uc.rcx - SYSCALL_LEN;
	else
		return false;
	return true;
}

/* A fault in the resident that is not expected: a defect. The core dump shows where. */
static void own_fault(const struct frame *f)
{
	char pc[20], address[20];

	(void)text_put_number(pc, f->uc.rip, 16);
	(void)text_put_number(address, f->info.address, 16);
	complain("a defect of its own: fault at ", pc, ", address ", address, NULL);
	kernel_default(f->info.signo);
}

/* As the kernel: who blocks or ignores the signal of its own fault is killed by it. */
void signal_force(struct context *c, struct frame *f, const struct siginfo *info)
{
	int signo = info->signo;

	if (c->blocked & SIGNAL_BIT(signo) || c->actions[signo].handler == (uint64_t)SIG_IGN)
		signal_kill(f, info);
	else
		deliver(c, f, info, f->uc.mask);
}

void signal_kill(struct frame *f, const struct siginfo *info)
{
	patch_canonical(f);
	deliver_default(f, info->signo, info, f->uc.mask);
}

static void handle_fault(struct context *c, struct frame *f)
{
	if (repair(f) || patch_fault(f))
		return;
	if (f->info.signo == SIGTRAP && traced_is_stop(f->uc.rip - 1)) {
		c->traced = 0; /* the tracer is gone */
		return;
	}
	if (is_in_text(f->uc.rip)) {
		/* A program that makes single steps makes them through us. */
		if (f->info.signo != SIGTRAP || f->info.code != TRAP_TRACE)
			own_fault(f);
		return;
	}
	if (!traced_fault(c, f))
		signal_force(c, f, &f->info);
}

/* A wait that it has met goes on: it was only about tracees that nobody is to be told of. */
static bool passes_unseen(const struct context *c, struct frame *f)
{
	bool waits = is_between(f->uc.rip, native_window, native_syscall + SYSCALL_LEN);

	if ((is_in_text(f->uc.rip) && !waits) || !is_hidden(c, &f->info))
		return false;
	if (f->uc.rip == (uint64_t)native_syscall + SYSCALL_LEN && f->uc.rax == (uint64_t)-EINTR)
		f->uc.rip = (uint64_t)native_abort;
	return true;
}

void signal_handle(struct frame *f)
{
	struct context *c = context_here();
	bool ours = signal_is_ours(f->info.signo);

	if (ours && f->info.code > 0) {
		handle_fault(c, f);
		return;
	}
	if (ours && !held_passed(c, &f->info))
		return;
	finish_leaving(c, f);
	if (f->info.signo == SIGCHLD && passes_unseen(c, f))
		return;
	if (ours && (c->blocked & SIGNAL_BIT(f->info.signo) || is_in_text(f->uc.rip))) {
		held_add(c, &f->info);
		count(c, COUNT_DEFERRED);
		if (c->work)
			leave_window(c, f);
	} else if (is_in_text(f->uc.rip)) {
		c->pending = f->info;
		c->pending_mask = f->uc.mask; /* if there is no frame of the trap, which has it */
		work_add(c, WORK_PENDING);
		count(c, COUNT_DEFERRED);
		f->uc.mask = ALL_BUT_OURS;
		leave_window(c, f);
	} else {
		deliver(c, f, &f->info, f->uc.mask);
	}
}

/* --- calls ------------------------------------------------------------------------------------ */

/* What the program is told about SIGNO, for which we have WAS, and the kernel KERNEL. */
static struct action action_seen(int signo, const struct action *was, const struct action *kernel)
{
	struct action seen = *was;

	if (!signal_is_ours(signo) && kernel->handler != HANDLER(signal_entry))
		seen = *kernel; /* also from before exec */
	if (seen.handler <= (uint64_t)SIG_IGN && seen.restorer == HANDLER(trap_entry)) {
		seen.flags &= ~(uint64_t)SA_RESTORER;
		seen.restorer = 0;
	}
	return seen;
}

/*
 * A signal that comes meanwhile is noted, as we are in the resident, and delivered as the new action says.
 * *RET_KERNEL: what the kernel had.
 */
static void action_set(struct context *c, int signo, const struct action *new, struct action *ret_kernel)
{
	c->actions[signo] = *new;
	c->actions[signo].mask &= ~UNBLOCKABLE;
	c->actions[signo].flags &= KNOWN_FLAGS;
	if (signal_is_ours(signo)) {
		kernel_handler(signo, new->flags, ret_kernel);
		if (new->handler == (uint64_t)SIG_IGN)
			held_drop(c, signo);
	} else if (new->handler > (uint64_t)SIG_IGN) {
		kernel_handler(signo, new->flags, ret_kernel);
	} else if (signo == SIGCHLD && !new->handler && tracees_any()) {
		kernel_handler(signo, (new->flags & SA_NOCLDWAIT) | SA_RESTART, ret_kernel);
	} else if (!new->handler && watches_end(signo)) {
		kernel_handler(signo, SA_RESTART, ret_kernel);
	} else {
		(void)kernel_action(signo, new, ret_kernel);
	}
}

long call_rt_sigaction(struct context *c, struct call *call)
{
	int signo = (int)CALL_ARG(call, 0);
	uint64_t new_at = CALL_ARG(call, 1), old_at = CALL_ARG(call, 2);
	struct action new, old, was, kernel = { 0 };

	if (CALL_ARG(call, 3) != SET_SIZE)
		return -EINVAL;
	if (new_at && copy_in(&new, new_at, sizeof(new)) < 0)
		return -EFAULT;
	if (signo < 1 || signo >= SIGNALS)
		return -EINVAL;
	if (SIGNAL_BIT(signo) & UNBLOCKABLE)
		return new_at ? -EINVAL : native_call(call->raw);
	was = c->actions[signo];
	if (new_at)
		action_set(c, signo, &new, &kernel);
	else
		(void)kernel_action(signo, NULL, &kernel);
	old = action_seen(signo, &was, &kernel);
	return old_at && copy_out(old_at, &old, sizeof(old)) < 0 ? -EFAULT : 0;
}

/* The mask of the program as a whole; it holds from the return on. */
static void mask_set(struct context *c, struct frame *f, uint64_t mask)
{
	f->uc.mask = mask & ALL_BUT_OURS & ~UNBLOCKABLE;
	c->blocked = mask & OURS;
	if (held_pending(c) & ~c->blocked)
		work_add(c, WORK_HELD);
}

/* What the mask OLD is after rt_sigprocmask(HOW) with SET. False: there is no such HOW. */
static bool mask_changed(int how, uint64_t old, uint64_t set, uint64_t *ret)
{
	switch (how) {
	case SIG_BLOCK:
		*ret = old | set;
		return true;
	case SIG_UNBLOCK:
		*ret = old & ~set;
		return true;
	case SIG_SETMASK:
		*ret = set;
		return true;
	default:
		return false;
	}
}

/*
 * From a patched site: the kernel's mask is the program's, and changed at once. *RET_OLD: as it was. A
 * signal that comes by that is noted with the new mask.
 */
static long mask_set_now(struct context *c, int how, const uint64_t *set, uint64_t *ret_old)
{
	const uint64_t kernel_set = set ? *set & ALL_BUT_OURS : 0;
	uint64_t kernel_old = 0, blocked = c->blocked;
	const uint64_t call[7] = { __NR_rt_sigprocmask, (uint64_t)how, set ? (uint64_t)&kernel_set : 0,
				   (uint64_t)&kernel_old, SET_SIZE };
	long r = native_call(call);

	if (r < 0)
		return r;
	*ret_old = kernel_old | blocked;
	if (!set || !mask_changed(how, blocked, *set & OURS, &blocked))
		return 0;
	c->blocked = blocked;
	if (held_pending(c) & ~blocked)
		work_add(c, WORK_HELD);
	return 0;
}

long call_rt_sigprocmask(struct context *c, struct call *call)
{
	uint64_t old = 0, set = 0, new, set_at = CALL_ARG(call, 1), old_at = CALL_ARG(call, 2);
	int how = (int)CALL_ARG(call, 0);
	long r = 0;

	if (CALL_ARG(call, 3) != SET_SIZE)
		return -EINVAL;
	if (set_at && copy_in(&set, set_at, sizeof(set)) < 0)
		return -EFAULT;
	if (call->fast) {
		r = mask_set_now(c, how, set_at ? &set : NULL, &old);
	} else {
		old = call->frame->uc.mask | c->blocked;
		if (set_at && !mask_changed(how, old, set, &new))
			r = -EINVAL;
		else if (set_at)
			mask_set(c, call->frame, new);
	}
	if (r == 0 && old_at && copy_out(old_at, &old, sizeof(old)) < 0)
		r = -EFAULT;
	return r;
}

/* Where the calls have their masks: an argument, or (PAIR) a pointer to pointer and size. */
static const struct {
	long number;
	uint8_t mask, size;
	bool pair;
} mask_calls[] = {
	{ __NR_rt_sigsuspend, 0, 1, false }, { __NR_ppoll, 3, 4, false },
	{ __NR_pselect6, 5, 5, true },	     { __NR_epoll_pwait, 4, 5, false },
	{ __NR_epoll_pwait2, 4, 5, false }, { __NR_io_pgetevents, 5, 5, true },
};

/* The mask of CALL: 1 if it has one, 0, or -EFAULT. Where the kernel is to read it is *RET_AT. */
static long read_wait_mask(const struct call *call, uint64_t *ret_mask)
{
	for (size_t i = 0; i < ARRAY_SIZE(mask_calls); i++) {
		uint64_t at[2] = { CALL_ARG(call, mask_calls[i].mask), CALL_ARG(call, mask_calls[i].size) };

		if (mask_calls[i].number != (long)call->raw[0])
			continue;
		if (mask_calls[i].pair && at[0] && copy_in(at, at[0], sizeof(at)) < 0)
			return -EFAULT;
		if (!at[0] || at[1] != SET_SIZE)
			return 0; /* the kernel says what is wrong with it */
		return copy_in(ret_mask, at[0], SET_SIZE) < 0 ? -EFAULT : 1;
	}
	return 0;
}

/*
 * While it waits, and in the handler that ends that, the call's mask holds. The kernel's part of it does
 * what it does by itself; but it knows no handler of the program's, nor OURS.
 */
long call_with_mask(struct context *c, struct call *call)
{
	uint64_t mask = 0, blocked = c->blocked;
	long r = read_wait_mask(call, &mask);

	if (r <= 0)
		return r < 0 ? r : native_call(call->raw);
	c->blocked = mask & OURS;
	if (held_pending(c) & ~c->blocked) {
		work_add(c, WORK_HELD);
		r = -EINTR;
	} else {
		r = native_call(call->raw);
	}
	c->blocked = blocked;
	c->waits = r == -EINTR && c->work;
	c->wait_mask = mask;
	return r;
}

/* Takes one of SET that is held: its number, 0: there is none, -EFAULT. */
static long take_held(struct context *c, uint64_t set, uint64_t info_at)
{
	struct siginfo info;

	if (!held_take(c, c->blocked & set, &info))
		return 0;
	return info_at && copy_out(info_at, &info, sizeof(info)) < 0 ? -EFAULT : info.signo;
}

/* In the kernel; what comes may only tell that there is one, which is not the program's to see. */
static long wait_for_ours(struct context *c, struct call *call, uint64_t info_at)
{
	struct siginfo info;
	long r;

	CALL_ARG(call, 1) = (uint64_t)&info;
	r = native_call(call->raw);
	if (r <= 0)
		return r;
	if (signal_is_ours((int)r) && !held_passed(c, &info))
		return CALL_RESTART;
	return info_at && copy_out(info_at, &info, sizeof(info)) < 0 ? -EFAULT : r;
}

/* One of OURS interrupts the wait, when it comes before or behind it. */
long call_rt_sigtimedwait(struct context *c, struct call *call)
{
	uint64_t set, info_at = CALL_ARG(call, 1);
	long r, taken;

	if (CALL_ARG(call, 3) != SET_SIZE)
		return -EINVAL;
	if (copy_in(&set, CALL_ARG(call, 0), sizeof(set)) < 0)
		return -EFAULT;
	if (!(set & OURS))
		return native_call(call->raw);
	__atomic_store_n(&c->wanted, set & OURS, __ATOMIC_SEQ_CST);
	taken = take_held(c, set, info_at);
	r = taken ? taken : wait_for_ours(c, call, info_at);
	__atomic_store_n(&c->wanted, 0, __ATOMIC_SEQ_CST);
	taken = r == -EINTR || r == CALL_RESTART ? take_held(c, set, info_at) : 0;
	return taken ? taken : r;
}

long call_rt_sigpending(struct context *c, struct call *call)
{
	uint64_t size = CALL_ARG(call, 1), set = 0;

	if (size > SET_SIZE)
		return -EINVAL;
	(void)NATIVE(__NR_rt_sigpending, &set, SET_SIZE);
	set |= held_pending(c) & c->blocked;
	return copy_out(CALL_ARG(call, 0), &set, size) < 0 ? -EFAULT : 0;
}

static long altstack_set(struct context *c, const struct altstack *new, bool on)
{
	uint32_t mode = (uint32_t)new->flags & ~SS_AUTODISARM;

	if (on)
		return -EPERM;
	if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE)
		return -EINVAL;
	if (new->sp == c->alternate.sp && new->size == c->alternate.size && new->flags == c->alternate.flags)
		return 0;
	if (mode != SS_DISABLE && new->size < MIN_STACK)
		return -ENOMEM;
	c->alternate = mode == SS_DISABLE ? (struct altstack){ .flags = new->flags } : *new;
	return 0;
}

long call_sigaltstack(struct context *c, struct call *call)
{
	uint64_t sp = call->frame->uc.rsp, new_at = CALL_ARG(call, 0), old_at = CALL_ARG(call, 1);
	struct altstack old = altstack_seen(c, sp), new;
	long r = 0;

	if (new_at) {
		if (copy_in(&new, new_at, sizeof(new)) < 0)
			return -EFAULT;
		r = altstack_set(c, &new, is_on(&c->alternate, sp));
	}
	if (r == 0 && old_at && copy_out(old_at, &old, sizeof(old)) < 0)
		r = -EFAULT;
	return r;
}

/* The extended state that FROM names becomes that of F, in its place when it fits. -EFAULT. */
static long take_fpstate(struct frame *f, uint64_t from)
{
	uint32_t words[2];
	uint64_t size;

	if (!from || !f->uc.fpstate) {
		f->uc.fpstate = from;
		return 0;
	}
	if (copy_in(words, from + 464, sizeof(words)) < 0)
		return -EFAULT;
	size = words[0] == 0x46505853 ? words[1] : 512;
	if (size <= fpstate_size(f->uc.fpstate))
		return copy_in((void *)f->uc.fpstate, from, size);
	f->uc.fpstate = from; /* the kernel reads it there */
	return 0;
}

long call_rt_sigreturn(struct context *c, struct call *call)
{
	struct frame *f = call->frame, frame;
	uint64_t at = f->uc.rsp - sizeof(frame.restorer), fp = f->uc.fpstate;
	struct altstack ours = f->uc.stack;

	if (copy_in(&frame, at, sizeof(frame)) < 0 || take_fpstate(f, frame.uc.fpstate) < 0) {
		deliver_bad_frame(f, f->uc.mask);
		call->keep = true;
		return 0;
	}
	fp = f->uc.fpstate;
	f->uc = frame.uc;
	f->uc.fpstate = fp;
	f->uc.stack = ours;
	(void)altstack_set(c, &frame.uc.stack, is_on(&c->alternate, f->uc.rsp));
	mask_set(c, f, frame.uc.mask);
	call->keep = true;
	return 0;
}
