/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a tracer is told of its tracees. Each stop that wait4(2) or waitid(2) finds is looked at here first:
 *
 *	hidden	  what the resident of the tracee causes: the trap of a call, a fault while it copies, the
 *		  start of the resident itself, a signal that met it (which is told later, when the thread is
 *		  about to leave). The tracee is continued, and the call waits on.
 *	a stop of the resident (traced.h)
 *		  is told as the stop of the kernel's that it stands for.
 *	others	  are told as they are.
 *
 * A stop is looked at once; who waits for it again (WNOWAIT) is told the same.
 */
#include <asm/ptrace.h>
#include <linux/ptrace.h>
#include <linux/wait.h>

#include "vuos/resident/dispatch.h"
#include "vuos/resident/signals.h"
#include "vuos/resident/traced.h"
#include "vuos/resident/tracee.h"

#define STOPPED          0x7f /* low byte of a status */
#define SYSCALL_LEN      2
#define SYSGOOD          0x80
#define CODE_STEP        2 /* siginfo.code of SIGTRAP */
#define CODE_WATCHPOINT  4
#define CODE_TRAPPED     4 /* of SIGCHLD: a tracee has stopped */
#define SET_SIZE         8

/* A stop that is being looked at. */
struct seen {
	struct tracee *t;
	int signo, event;
	struct registers real;
	struct siginfo info;
	bool has_info; /* not a group stop */
};

static bool hide(struct seen *seen, int signo)
{
	struct tracee *t = seen->t;
	bool step = t->mode == MODE_STEP && !is_resident(seen->real.rip) && !signo;

	(void)NATIVE(__NR_ptrace, step ? PTRACE_SINGLESTEP : PTRACE_CONT, t->tid, 0, signo);
	return false;
}

static bool show(struct seen *seen, enum tracee_stop stop, int code)
{
	seen->t->stop = (uint8_t)stop;
	seen->t->status = code << 8 | STOPPED;
	return true;
}

static bool show_as_is(struct seen *seen)
{
	return show(seen, STOP_REAL, seen->event << 8 | seen->signo);
}

static int call_code(const struct tracee *t)
{
	return SIGTRAP | (t->options & PTRACE_O_TRACESYSGOOD ? SYSGOOD : 0);
}

/* --- a program begins ------------------------------------------------------------------------------- */

static bool show_start(struct seen *seen)
{
	struct tracee *t = seen->t;

	t->start_now = t->start & (uint8_t)-t->start; /* the first of them */
	t->start &= (uint8_t)~t->start_now;
	if (t->start_now == START_EVENT)
		return show(seen, STOP_START, PTRACE_EVENT_EXEC << 8 | SIGTRAP);
	if (t->start_now == START_EXIT && t->mode == MODE_CALLS)
		return show(seen, STOP_START, call_code(t));
	if (t->start_now == START_EXIT)
		return show_start(seen);
	return show(seen, STOP_START, SIGTRAP);
}

/* What the kernel executes is the resident: what it tells of that is told when the program begins. */
static bool hide_exec(struct seen *seen)
{
	struct tracee *t = seen->t;
	bool again = t->start; /* the resident has executed once more, for a script */

	t->traced = 0;
	t->is_known = false;
	t->is_fresh = false;
	if (!again)
		t->start = (seen->event ? START_EVENT : START_SIGNAL) |
			   (t->mode == MODE_CALLS ? START_EXIT : 0);
	if (!again && seen->event)
		(void)NATIVE(__NR_ptrace, PTRACE_GETEVENTMSG, t->tid, 0, &t->message);
	t->context = (uint64_t)&process.first;
	tracee_set_traced(t, TRACED);
	return hide(seen, 0);
}

/* --- stops of the resident's ------------------------------------------------------------------------- */

/* The thread is about to return to the program: by the last instruction, which is made as a single step. */
static bool step_out(struct seen *seen, const char *leave)
{
	struct tracee *t = seen->t;

	tracee_set_traced(t, t->traced & ~(uint32_t)TRACED_STEP);
	seen->real.rip = (uint64_t)leave;
	seen->real.orig_rax = (uint64_t)-1;
	(void)registers_set_real(t, &seen->real);
	(void)NATIVE(__NR_ptrace, PTRACE_SINGLESTEP, t->tid, 0, 0);
	return false;
}

static bool look_at_stop(struct seen *seen)
{
	const char *place = (const char *)seen->real.rip - 1;
	struct tracee *t = seen->t;

	if (place == traced_start) {
		t->traced = 0;
		tracee_adopt(t, &seen->real);
		return show_start(seen);
	}
	if (place == traced_enter)
		return show(seen, STOP_ENTER, call_code(t));
	if (place == traced_exit) {
		tracee_send(t, &seen->real, t->late);
		t->late = 0;
		return show(seen, STOP_EXIT, call_code(t));
	}
	if (place == traced_leave)
		return step_out(seen, trap_leave);
	if (place == traced_signal_leave)
		return step_out(seen, signal_leave);
	return show(seen, STOP_SIGNAL, (int)tracee_field(t, TRACEE_FIELD(t, pending)) & 0x7f);
}

/* --- signals -------------------------------------------------------------------------------------------- */

/* A thread that is in one of the windows of entry.S goes back to the test of `work`. */
static void leave_window(const struct tracee *t, struct registers *r)
{
	uint64_t at = r->rip;

	if (at == (uint64_t)native_syscall + SYSCALL_LEN && (int64_t)r->orig_rax >= 0 && is_restart(r->rax)) {
		r->rip = (uint64_t)native_abort;
	} else if (at >= (uint64_t)native_window && at <= (uint64_t)native_syscall) {
		r->rip = (uint64_t)native_abort;
	} else if (at >= (uint64_t)trap_window && at <= (uint64_t)trap_window_end) {
		r->rip = (uint64_t)trap_window;
		r->gs_base = t->context; /* it may have been the program's already */
		r->rsp = r->rbx - sizeof(uint64_t);
	} else if (at >= (uint64_t)fast_window && at < (uint64_t)fast_jump) {
		r->rip = (uint64_t)fast_window;
		r->rsp = tracee_field(t, TRACEE_FIELD(t, stack_end)) - sizeof(struct fast_frame);
	} else {
		return;
	}
	r->orig_rax = (uint64_t)-1;
	(void)registers_set_real(t, r);
}

bool tracee_note(struct tracee *t, const struct registers *real, const struct siginfo *info)
{
	const uint64_t all = ~(uint64_t)OURS;
	struct registers r = *real;
	uint64_t mask = 0;

	if (tracee_field(t, TRACEE_FIELD(t, work)) & WORK_PENDING)
		return false;
	if (NATIVE(__NR_ptrace, PTRACE_GETSIGMASK, t->tid, SET_SIZE, &mask) < 0 ||
	    tracee_write(t, TRACEE_FIELD(t, pending), info, sizeof(*info)) < 0)
		return false;
	(void)tracee_poke(t, TRACEE_FIELD(t, pending_mask), mask);
	(void)NATIVE(__NR_ptrace, PTRACE_SETSIGMASK, t->tid, SET_SIZE, &all);
	tracee_add_work(t, WORK_PENDING);
	leave_window(t, &r);
	return true;
}

/* What the program does with a signal: its handler. */
static uint64_t handler_of(const struct tracee *t, int signo)
{
	uint64_t actions = tracee_field(t, TRACEE_FIELD(t, actions));

	return tracee_field(t, actions + (uint64_t)signo * sizeof(struct action));
}

/*
 * A signal has met the resident: it is noted, and told before it is delivered. With a handler the resident
 * does that, as the kernel knows how a call ends by it; else it would never see the signal.
 */
static bool look_at_signal_inside(struct seen *seen)
{
	struct tracee *t = seen->t;
	bool in_call = seen->real.rip == (uint64_t)native_syscall + SYSCALL_LEN &&
		       (int64_t)seen->real.orig_rax >= 0 && is_restart(seen->real.rax);
	uint64_t handler = handler_of(t, seen->signo);

	if (in_call)
		(void)tracee_poke(t, TRACEE_FIELD(t, call.interrupted), seen->real.rax);
	if (handler > (uint64_t)SIG_IGN || (signal_is_ours(seen->signo) && seen->info.code <= 0))
		return hide(seen, seen->signo);
	/* A wait that the kernel goes on with by itself would begin anew. */
	if (in_call && seen->real.rax == (uint64_t)-516)
		return show_as_is(seen);
	if (t->is_fresh || !tracee_note(t, &seen->real, &seen->info))
		return show_as_is(seen);
	return hide(seen, 0);
}

/* A thread on the last instruction of the resident's is in the program already. */
static void finish_leaving(struct seen *seen)
{
	struct registers *r = &seen->real;
	const struct tracee *t = seen->t;
	uint64_t pc;

	if (r->rip == (uint64_t)fast_jump || r->rip == (uint64_t)fast_work_jump) {
		r->rip = r->rcx;
	} else if (r->rip == (uint64_t)trap_call) {
		pc = tracee_field(t, TRACEE_FIELD(t, leave_pc));
		if (r->rax == CALL_LEAVE)
			r->rax = tracee_field(t, TRACEE_FIELD(t, leave_result));
		else
			pc -= SYSCALL_LEN;
		r->rip = pc;
	} else {
		return;
	}
	(void)registers_set_real(t, r);
}

static bool is_leaving(uint64_t pc)
{
	return (pc >= (uint64_t)trap_leave && pc <= (uint64_t)trap_window_end) ||
	       (pc >= (uint64_t)signal_leave && pc <= (uint64_t)signal_leave_end);
}

static bool look_at_trap(struct seen *seen)
{
	bool inside = is_resident(seen->real.rip);

	if (inside && traced_is_stop(seen->real.rip - 1))
		return look_at_stop(seen);
	if (!inside)
		return show_as_is(seen);
	if (is_leaving(seen->real.rip)) {
		(void)NATIVE(__NR_ptrace, PTRACE_SINGLESTEP, seen->t->tid, 0, 0);
		return false;
	}
	/* A step into the resident, as when a signal is delivered; or what it reads or writes is watched. */
	tracee_set_traced(seen->t, tracee_wanted(seen->t));
	return hide(seen, 0);
}

static bool look_at_call(struct seen *seen)
{
	if (seen->t->traced)
		tracee_set_traced(seen->t, tracee_wanted(seen->t));
	return hide(seen, SIGSYS);
}

static bool look_at_signal(struct seen *seen)
{
	struct tracee *t = seen->t;
	uint64_t pc = seen->real.rip;
	bool fault = signal_is_ours(seen->signo) && seen->info.code > 0;

	if (seen->signo == SIGSYS && fault)
		return look_at_call(seen);
	if (!t->traced)
		return show_as_is(seen);
	if (seen->signo == (int)tracee_field(t, TRACEE_FIELD(t, call.resent))) {
		(void)tracee_poke(t, TRACEE_FIELD(t, call.resent), 0);
		return hide(seen, seen->signo);
	}
	if (seen->signo == SIGTRAP && (fault || traced_is_stop(pc - 1)))
		return look_at_trap(seen);
	if (fault && (pc == (uint64_t)copy_fault || pc == (uint64_t)string_fault))
		return hide(seen, seen->signo);
	finish_leaving(seen);
	if (signal_is_ours(seen->signo) && !fault &&
	    tracee_field(t, TRACEE_FIELD(t, blocked)) & SIGNAL_BIT(seen->signo))
		return hide(seen, seen->signo);
	return is_resident(seen->real.rip) && !fault ? look_at_signal_inside(seen) : show_as_is(seen);
}

/* --- all stops ---------------------------------------------------------------------------------------- */

static bool is_exec(const struct seen *seen)
{
	return seen->event == PTRACE_EVENT_EXEC ||
	       (seen->signo == SIGTRAP && !seen->event && seen->real.rip == (uint64_t)resident_entry);
}

/* Its new child is traced, too. */
static void note_child(const struct tracee *t)
{
	uint64_t child;

	if (NATIVE(__NR_ptrace, PTRACE_GETEVENTMSG, t->tid, 0, &child) == 0)
		(void)tracee_born((int32_t)child, t);
}

bool tracee_stopped(int32_t tid, int32_t *status)
{
	struct seen seen = { .t = tracee_find(tid, false), .signo = *status >> 8 & 0x7f,
			     .event = *status >> 16 & 0xff };
	struct tracee *t = seen.t;
	bool told;
	long r;

	if (t && t->stop) {
		*status = t->status;
		return true;
	}
	r = NATIVE(__NR_ptrace, PTRACE_GETREGS, tid, 0, &seen.real);
	if (r < 0)
		return true; /* not traced, or not by this thread, or killed */
	if (!t)
		seen.t = t = tracee_born(tid, NULL);
	if (!t || !tracee_is_ours(t))
		return true;
	if (seen.event == PTRACE_EVENT_FORK || seen.event == PTRACE_EVENT_VFORK ||
	    seen.event == PTRACE_EVENT_CLONE)
		note_child(t);
	seen.has_info = NATIVE(__NR_ptrace, PTRACE_GETSIGINFO, tid, 0, &seen.info) == 0;
	if (is_exec(&seen)) {
		told = hide_exec(&seen);
	} else {
		tracee_adopt(t, &seen.real);
		told = seen.event || !seen.has_info ? show_as_is(&seen) : look_at_signal(&seen);
	}
	*status = t->status;
	return told;
}

/* --- the calls ---------------------------------------------------------------------------------------- */

static bool is_stopped(int32_t status)
{
	return (status & 0xff) == STOPPED;
}

long call_wait4(struct context *c, struct call *call)
{
	uint64_t status_at = CALL_ARG(call, 1);
	int32_t status;
	long r;

	(void)c;
	do {
		status = 0;
		CALL_ARG(call, 1) = (uint64_t)&status;
		r = native_call(call->raw);
		CALL_ARG(call, 1) = status_at;
	} while (r > 0 && is_stopped(status) && !tracee_stopped((int32_t)r, &status));
	if (r > 0 && !is_stopped(status) && status != 0xffff)
		tracee_drop((int32_t)r);
	if (r > 0 && status_at && copy_out(status_at, &status, sizeof(status)) < 0)
		return -EFAULT;
	return r;
}

/* siginfo_t as waitid(2) has it. */
struct wait_info {
	int32_t signo, error, code, unused;
	int32_t pid, uid, status;
	int32_t rest[25];
};
_Static_assert(sizeof(struct wait_info) == 128, "siginfo_t");

/* True: what has been found is hidden. */
static bool hides(struct wait_info *info)
{
	int32_t status = info->status << 8 | STOPPED;

	if (info->signo != SIGCHLD || info->code != CODE_TRAPPED)
		return false;
	if (!tracee_stopped(info->pid, &status))
		return true;
	info->status = status >> 8;
	return false;
}

/* What waitid(2) would find of a child, or (0) of any. */
static bool is_waited_for(int32_t tid, uint64_t what, struct wait_info *info)
{
	*info = (struct wait_info){ 0 };
	return NATIVE(__NR_waitid, tid ? P_PID : P_ALL, tid, info, what | WNOHANG | WNOWAIT | __WALL, 0) == 0 &&
	       info->pid;
}

bool tracees_serve(void)
{
	struct wait_info info;
	bool all = true;

	for (struct tracee *t = tracee_next(NULL); t; t = tracee_next(t))
		while (all && !t->stop && is_waited_for(t->tid, WSTOPPED, &info))
			all = hides(&info);
	while (all && is_waited_for(0, WSTOPPED, &info))
		all = hides(&info);
	return all && !is_waited_for(0, WSTOPPED | WEXITED | WCONTINUED, &info);
}

long call_waitid(struct context *c, struct call *call)
{
	uint64_t info_at = CALL_ARG(call, 2), options = CALL_ARG(call, 3);
	struct wait_info info;
	long r;

	(void)c;
	do {
		info = (struct wait_info){ 0 };
		CALL_ARG(call, 2) = (uint64_t)&info;
		r = native_call(call->raw);
		CALL_ARG(call, 2) = info_at;
	} while (r == 0 && hides(&info));
	if (r == 0 && info.signo && info.code < CODE_TRAPPED && !(options & WNOWAIT))
		tracee_drop(info.pid);
	/* As the kernel, not what is between; and when it fails, too. */
	if (r != CALL_RESTART && info_at && (copy_out(info_at, &info, 3 * sizeof(int32_t)) < 0 ||
				  copy_out(info_at + 16, &info.pid, 3 * sizeof(int32_t)) < 0))
		return -EFAULT;
	return r;
}
