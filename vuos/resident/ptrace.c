/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. ptrace(2) of a program is really made, on the real tracee. What differs is what the
 * tracee's resident does: ptrace_wait.c hides it when the tracee stops; here, what the tracer then asks of a
 * tracee that is in the resident is answered as if it were in the program (registers.h), and continuing it
 * says in its context at which places it is to stop (traced.h) instead of asking the kernel for stops at
 * calls.
 *
 * Requests about memory, debug registers and events are the kernel's. So is all of a tracee that is not in a
 * view.
 */
#include <asm/ptrace.h>
#include <linux/ptrace.h>

#include "vuos/resident/calls.h"
#include "vuos/resident/dispatch.h"
#include "vuos/resident/signals.h"
#include "vuos/resident/traced.h"
#include "vuos/resident/tracee.h"

#define SYSCALL_LEN 2
#define SYSGOOD     0x80
#define SET_SIZE    8
#define AUDIT_ARCH_X86_64 0xc000003eu
#define NT_PRSTATUS 1
#define NT_PRFPREG  2
#define NT_XSTATE   0x202
#define FX_SIZE     512
#define FX_OURS     464 /* what the kernel and the frame have there differs */
#define STATE_MAX   16384

struct iovec {
	uint64_t base, len;
};

/* A request about a tracee that has stopped, and whose resident we know. */
struct request {
	struct tracee *t;
	long request;
	uint64_t addr, data;
	const struct call *call;
};

static long as_it_is(const struct request *q)
{
	return native_call(q->call->raw);
}

/* --- continuing ------------------------------------------------------------------------------------- */

/* A signal as the kernel makes it up for a tracer that wants another one than has come. */
static struct siginfo made_up(int signo)
{
	struct siginfo info = { .signo = signo }; /* SI_USER */

	info.address = (uint64_t)NATIVE(__NR_getpid) | (uint64_t)NATIVE(__NR_getuid) << 32;
	return info;
}

/* Of the signal that is about to be delivered, the tracer says which one it is to be; 0: none. */
static void choose_signal(const struct tracee *t, int signo)
{
	struct siginfo info;

	if ((int32_t)tracee_field(t, TRACEE_FIELD(t, pending)) == signo)
		return;
	info = made_up(signo);
	(void)tracee_write(t, TRACEE_FIELD(t, pending), &info, sizeof(info));
}

/*
 * At a stop before or after a call: as if it was sent. A call that does not wait is made before the signal
 * is seen; one that does ends at once.
 */
static void add_signal(struct tracee *t, const struct registers *real, int signo)
{
	uint64_t number = tracee_field(t, TRACEE_FIELD(t, call.number));

	if (t->stop == STOP_ENTER && number < CALL_COUNT && !call_rows[number].waits) {
		t->late = (uint8_t)signo;
		return;
	}
	tracee_send(t, real, signo);
}

void tracee_send(struct tracee *t, const struct registers *real, int signo)
{
	const struct siginfo info = { .signo = signo, .code = SI_KERNEL };

	if (signo)
		(void)tracee_note(t, real, &info);
}

/* A program that begins stops once more, or goes to its first instruction. */
static void leave_start(const struct tracee *t, struct registers *real)
{
	bool again = t->start & START_SIGNAL || (t->start & START_EXIT && t->mode == MODE_CALLS);

	if (again) {
		real->rip = (uint64_t)traced_start;
	} else {
		real->rip = real->rcx;
		real->rcx = 0;
		real->rax = 0;
	}
	real->orig_rax = (uint64_t)-1;
	(void)registers_set_real(t, real);
}

/*
 * The kernel tells of a call's end before it tells of signals and stops, so that is over. A call that sleeps
 * is made afresh, so that there is a stop before it.
 */
static void leave_call(const struct tracee *t, struct registers *real)
{
	int event = t->status >> 16;

	if (!is_resident(real->rip) || (int64_t)real->orig_rax < 0 || (event && event != PTRACE_EVENT_STOP) ||
	    (real->rax == (uint64_t)-516 && !t->is_fresh))
		return; /* (-516: the kernel goes on with it by itself, and then it ends) */
	(void)tracee_poke(t, TRACEE_FIELD(t, call.skip_exit), 1);
	if (t->mode != MODE_CALLS || real->rip != (uint64_t)native_syscall + SYSCALL_LEN ||
	    !is_restart(real->rax) || real->rax == (uint64_t)-516)
		return;
	real->rip = (uint64_t)native_abort;
	real->orig_rax = (uint64_t)-1;
	(void)registers_set_real(t, real);
}

/* What is to be done before it is continued by STOP and signal; returns the signal for the kernel. */
static int prepare(struct tracee *t, struct registers *real, uint8_t stop, int signo, bool emulates)
{
	switch (stop) {
	case STOP_START:
		if (t->mode != MODE_CALLS)
			t->start &= (uint8_t)~START_EXIT;
		leave_start(t, real);
		return t->start_now == START_SIGNAL ? signo : 0;
	case STOP_ENTER:
		if (emulates) /* as it has stopped so */
			(void)tracee_poke(t, TRACEE_FIELD(t, call.number), (uint64_t)-1);
		add_signal(t, real, signo);
		return 0;
	case STOP_EXIT:
		add_signal(t, real, signo);
		return 0;
	case STOP_SIGNAL:
		choose_signal(t, signo);
		return 0;
	default:
		if (!t->is_born && !t->is_diverted)
			leave_call(t, real);
		return signo;
	}
}

static enum tracee_mode mode_of(long request)
{
	switch (request) {
	case PTRACE_SYSCALL:
		return MODE_CALLS;
	case PTRACE_SINGLESTEP:
		return MODE_STEP;
	case PTRACE_SYSEMU:
		return MODE_EMULATE;
	case PTRACE_SYSEMU_SINGLESTEP:
		return MODE_EMULATE_STEP;
	default:
		return MODE_CONT;
	}
}

static long resume(const struct request *q)
{
	struct tracee *t = q->t;
	struct registers real;
	uint8_t stop = t->stop;
	int signo = (int)q->data;
	bool step, emulates;
	long r = registers_real(t, &real);

	if (r < 0 || q->data > 64)
		return r < 0 ? r : -EIO;
	emulates = t->mode == MODE_EMULATE || t->mode == MODE_EMULATE_STEP;
	t->mode = (uint8_t)mode_of(q->request);
	signo = prepare(t, &real, stop, signo, emulates);
	if (q->request == PTRACE_DETACH)
		tracee_release(t);
	else
		tracee_set_traced(t, tracee_wanted(t) & ~(uint32_t)(is_resident(real.rip) ? 0 : TRACED_STEP));
	t->is_fresh = t->is_born = t->is_diverted = false;
	t->stop = STOP_NONE;
	if (q->request == PTRACE_DETACH) {
		r = NATIVE(__NR_ptrace, PTRACE_DETACH, t->tid, 0, signo);
		tracee_drop(t->tid);
		return r;
	}
	step = (t->mode == MODE_STEP || t->mode == MODE_EMULATE_STEP) && !is_resident(real.rip);
	return NATIVE(__NR_ptrace, step ? PTRACE_SINGLESTEP : PTRACE_CONT, t->tid, 0, signo);
}

/* It waits for the end of a group stop, and stops anew then. */
static long listen(const struct request *q)
{
	long r = as_it_is(q);

	if (r == 0)
		q->t->stop = STOP_NONE;
	return r;
}

static long set_options(const struct request *q)
{
	long r = as_it_is(q);

	if (r == 0)
		q->t->options = (uint32_t)q->data;
	return r;
}

/* --- registers ---------------------------------------------------------------------------------------- */

static long get_registers(const struct request *q)
{
	struct registers r;
	long error = registers_shown(q->t, &r);

	return error < 0 ? error : copy_out(q->data, &r, sizeof(r));
}

static long set_registers(const struct request *q)
{
	struct registers r;

	if (copy_in(&r, q->data, sizeof(r)) < 0)
		return -EFAULT;
	return registers_set(q->t, &r);
}

static long peek_user(const struct request *q)
{
	struct registers r;
	long error;

	if (q->addr >= sizeof(r) || q->addr % 8)
		return as_it_is(q);
	error = registers_shown(q->t, &r);
	return error < 0 ? error : copy_out(q->data, (const char *)&r + q->addr, 8);
}

static long poke_user(const struct request *q)
{
	struct registers r;
	long error;

	if (q->addr >= sizeof(r) || q->addr % 8)
		return as_it_is(q);
	error = registers_shown(q->t, &r);
	if (error < 0)
		return error;
	memcpy((char *)&r + q->addr, &q->data, 8);
	return registers_set(q->t, &r);
}

/* The extended state: what the kernel has, but for the bytes in which both differ, from the frame. */
static long get_extended(const struct request *q, uint64_t type, struct iovec *io)
{
	uint64_t size, at = registers_extended(q->t, &size), len = io->len, word;
	long r;

	r = NATIVE(__NR_ptrace, PTRACE_GETREGSET, q->t->tid, type, io);
	if (!at || r < 0)
		return r;
	size = type == NT_PRFPREG ? FX_SIZE : size & ~7ull;
	for (uint64_t i = 0; i + 8 <= MIN(MIN(size, len), io->len) && r == 0; i += 8) {
		if (i >= FX_OURS && i < FX_SIZE)
			continue;
		r = tracee_peek(q->t, at + i, &word);
		if (r == 0)
			r = copy_out(io->base + i, &word, sizeof(word));
	}
	return r;
}

static long set_extended(const struct request *q, uint64_t type, const struct iovec *io)
{
	uint64_t size, at = registers_extended(q->t, &size), word;
	long r = 0;

	if (!at)
		return NATIVE(__NR_ptrace, PTRACE_SETREGSET, q->t->tid, type, io);
	size = type == NT_PRFPREG ? FX_SIZE : size & ~7ull;
	for (uint64_t i = 0; i + 8 <= MIN(size, io->len) && r == 0; i += 8) {
		if (i >= FX_OURS && i < FX_SIZE)
			continue;
		r = copy_in(&word, io->base + i, sizeof(word));
		if (r == 0)
			r = tracee_poke(q->t, at + i, word);
	}
	return r;
}

static long get_set(const struct request *q)
{
	struct registers r;
	struct iovec io;
	long error;

	if (copy_in(&io, q->data, sizeof(io)) < 0)
		return -EFAULT;
	if (q->addr == NT_PRFPREG || q->addr == NT_XSTATE) {
		error = get_extended(q, q->addr, &io);
	} else if (q->addr == NT_PRSTATUS) {
		if (io.len % 8)
			return -EINVAL;
		error = registers_shown(q->t, &r);
		io.len = MIN(io.len, sizeof(r));
		if (error == 0)
			error = copy_out(io.base, &r, io.len);
	} else {
		return as_it_is(q);
	}
	return error < 0 ? error : copy_out(q->data + 8, &io.len, sizeof(io.len));
}

static long set_set(const struct request *q)
{
	struct registers r;
	struct iovec io;
	long error;

	if (copy_in(&io, q->data, sizeof(io)) < 0)
		return -EFAULT;
	if (q->addr == NT_PRFPREG || q->addr == NT_XSTATE)
		return set_extended(q, q->addr, &io);
	if (q->addr != NT_PRSTATUS)
		return as_it_is(q);
	if (io.len % 8)
		return -EINVAL;
	error = registers_shown(q->t, &r);
	io.len = MIN(io.len, sizeof(r));
	if (error == 0)
		error = copy_in(&r, io.base, io.len);
	if (error == 0)
		error = registers_set(q->t, &r);
	return error < 0 ? error : copy_out(q->data + 8, &io.len, sizeof(io.len));
}

static long get_fp(const struct request *q)
{
	struct iovec io = { q->data, FX_SIZE };

	return get_extended(q, NT_PRFPREG, &io);
}

static long set_fp(const struct request *q)
{
	const struct iovec io = { q->data, FX_SIZE };

	return set_extended(q, NT_PRFPREG, &io);
}

/* --- what it has stopped for ------------------------------------------------------------------------ */

/* As the kernel makes it up for its own stops. */
static struct siginfo stop_info(const struct tracee *t)
{
	struct siginfo info = { .signo = SIGTRAP };
	bool exec = t->stop == STOP_START && t->start_now == START_EVENT;

	info.code = exec ? PTRACE_EVENT_EXEC << 8 | SIGTRAP : t->status >> 8 & 0xff;
	if (t->stop == STOP_START && t->start_now == START_SIGNAL)
		info.code = 0; /* as sent by itself */
	info.address = (uint32_t)t->tid | (uint64_t)NATIVE(__NR_getuid) << 32;
	return info;
}

static long get_siginfo(const struct request *q)
{
	const struct tracee *t = q->t;
	struct siginfo info;

	if (t->stop == STOP_REAL)
		return as_it_is(q);
	info = stop_info(t);
	if (t->stop == STOP_SIGNAL && tracee_read(t, TRACEE_FIELD(t, pending), &info, sizeof(info)) < 0)
		return -ESRCH;
	return copy_out(q->data, &info, sizeof(info));
}

static long set_siginfo(const struct request *q)
{
	struct siginfo info;

	if (q->t->stop != STOP_SIGNAL)
		return as_it_is(q);
	if (copy_in(&info, q->data, sizeof(info)) < 0)
		return -EFAULT;
	return tracee_write(q->t, TRACEE_FIELD(q->t, pending), &info, sizeof(info));
}

static long get_message(const struct request *q)
{
	const struct tracee *t = q->t;
	uint64_t message;

	if (t->stop == STOP_ENTER || t->stop == STOP_EXIT || t->start_now == START_EXIT)
		message = t->stop == STOP_ENTER ? PTRACE_EVENTMSG_SYSCALL_ENTRY : PTRACE_EVENTMSG_SYSCALL_EXIT;
	else if (t->stop == STOP_START)
		message = t->message;
	else
		return as_it_is(q);
	return copy_out(q->data, &message, sizeof(message));
}

static long get_syscall_info(const struct request *q)
{
	const struct tracee *t = q->t;
	struct registers r;
	struct ptrace_syscall_info info = { .op = PTRACE_SYSCALL_INFO_NONE };
	size_t size = offsetof(struct ptrace_syscall_info, entry);
	long error = registers_shown(t, &r);

	if (error < 0)
		return error;
	info.arch = AUDIT_ARCH_X86_64;
	info.instruction_pointer = r.rip;
	info.stack_pointer = r.rsp;
	if (t->stop == STOP_ENTER) {
		info.op = PTRACE_SYSCALL_INFO_ENTRY;
		info.entry.nr = r.orig_rax;
		memcpy(info.entry.args, (const uint64_t[]){ r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9 },
		       sizeof(info.entry.args));
		size = offsetof(struct ptrace_syscall_info, entry.args) + sizeof(info.entry.args);
	} else if (t->stop == STOP_EXIT || (t->stop == STOP_START && t->start_now == START_EXIT)) {
		info.op = PTRACE_SYSCALL_INFO_EXIT;
		info.exit.rval = (int64_t)r.rax;
		info.exit.is_error = is_error((long)r.rax);
		size = offsetof(struct ptrace_syscall_info, exit.is_error) + 1;
	}
	error = copy_out(q->data, &info, MIN(size, q->addr));
	return error < 0 ? error : (long)size;
}

/* --- the call ------------------------------------------------------------------------------------------ */

static const struct {
	long request;
	long (*serve)(const struct request *q);
} requests[] = {
	{ PTRACE_CONT, resume },	  { PTRACE_SYSCALL, resume },
	{ PTRACE_SINGLESTEP, resume },	  { PTRACE_SYSEMU, resume },
	{ PTRACE_SYSEMU_SINGLESTEP, resume }, { PTRACE_DETACH, resume },
	{ PTRACE_LISTEN, listen },	  { PTRACE_SETOPTIONS, set_options },
	{ PTRACE_GETREGS, get_registers }, { PTRACE_SETREGS, set_registers },
	{ PTRACE_PEEKUSR, peek_user },	  { PTRACE_POKEUSR, poke_user },
	{ PTRACE_GETREGSET, get_set },	  { PTRACE_SETREGSET, set_set },
	{ PTRACE_GETFPREGS, get_fp },	  { PTRACE_SETFPREGS, set_fp },
	{ PTRACE_GETSIGINFO, get_siginfo }, { PTRACE_SETSIGINFO, set_siginfo },
	{ PTRACE_GETEVENTMSG, get_message }, { PTRACE_GET_SYSCALL_INFO, get_syscall_info },
};

/* A thread is traced from now on; whoever was traced by that number before is gone. */
static long attach(const struct call *call)
{
	int32_t tid = (int32_t)CALL_ARG(call, 1);
	bool is_seized = (long)CALL_ARG(call, 0) == PTRACE_SEIZE;
	struct tracee *t;
	long r = native_call(call->raw);

	if (r < 0)
		return r;
	tracee_drop(tid);
	t = tracee_find(tid, true);
	if (t) {
		t->is_seized = is_seized;
		t->options = is_seized ? (uint32_t)CALL_ARG(call, 3) : 0;
	}
	return r;
}

long call_ptrace(struct context *c, struct call *call)
{
	struct request q = { .request = (long)CALL_ARG(call, 0), .addr = CALL_ARG(call, 2),
			     .data = CALL_ARG(call, 3), .call = call };

	if (q.request == PTRACE_TRACEME)
		return traced_me(c, call);
	if (q.request == PTRACE_ATTACH || q.request == PTRACE_SEIZE)
		return attach(call);
	q.t = tracee_find((int32_t)CALL_ARG(call, 1), false);
	if (!q.t || !q.t->stop || !tracee_is_ours(q.t))
		return native_call(call->raw);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (requests[i].request == q.request)
			return requests[i].serve(&q);
	return native_call(call->raw);
}
