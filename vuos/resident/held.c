/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. Signals of OURS are never blocked in the kernel, so one that is sent comes at once,
 * to a thread of the kernel's choice. When that thread does not want it, or has to finish a call of ours
 * first, it is held: one of each kind, with its first information, as the kernel does.
 *
 * What was sent to the process, and not to this thread, is held for the process: whoever unblocks it or
 * asks for it first takes it. A thread that wants it already, since it has it not blocked, or waits for it
 * by sigtimedwait(2) or with a signalfd(2), is told so by a signal of ours.
 *
 * A signalfd is read and waited for in the kernel, which must have the signals then: for the duration of
 * such a call they are blocked there, and what is held is sent again, to this thread. Those calls touch
 * no memory but in the kernel. What is left is taken back. (Calls with a mask of their own are left out.)
 */
#include "vuos/resident/held.h"

#include <linux/fcntl.h>

#include "vuos/resident/dispatch.h"
#include "vuos/resident/signals.h"
#include "vuos/resident/thread_list.h"

#define SET_SIZE 8
#define TRIES    100
#define AWAIT_MAX 10000 /* times that the processor is given away */
#define SI_QUEUE (-1)
#define SI_PASSED (-0x5eed) /* siginfo.code: the process has the signal, and this thread may take it */

static struct {
	uint64_t claimed; /* someone writes the information, or reads it */
	uint64_t present;
	struct siginfo info[OURS_COUNT];
} of_process;

static unsigned place_of(int signo)
{
	static const uint8_t places[] = {
		[SIGILL] = 0, [SIGTRAP] = 1, [SIGBUS] = 2, [SIGSEGV] = 3, [SIGSYS] = 4
	};

	return places[signo];
}

/* Others that share our memory are other processes: what they get stays with their thread. */
static bool is_for_process(const struct context *c, const struct siginfo *info)
{
	return c->group == 0 && (info->code == 0 || info->code == SI_QUEUE);
}

static uint64_t process_held(const struct context *c)
{
	return c->group == 0 ? __atomic_load_n(&of_process.present, __ATOMIC_SEQ_CST) : 0;
}

uint64_t held_pending(const struct context *c)
{
	return c->held | process_held(c);
}

static bool wants(const struct context *c, uint64_t bit)
{
	return __atomic_load_n(&c->wanted, __ATOMIC_SEQ_CST) & bit ||
	       !(__atomic_load_n(&c->blocked, __ATOMIC_SEQ_CST) & bit);
}

/*
 * The thread of AT is to be told of SIGNO: it does not know yet, and wants it also after it could see that
 * it is being told.
 */
static bool is_to_tell(struct context *at, int signo)
{
	uint64_t bit = SIGNAL_BIT(signo);

	if (!at->tid || !wants(at, bit) || __atomic_fetch_or(&at->told, bit, __ATOMIC_SEQ_CST) & bit)
		return false;
	if (wants(at, bit))
		return true;
	(void)__atomic_fetch_and(&at->told, ~bit, __ATOMIC_SEQ_CST);
	return false;
}

/* Wakes a thread that wants what the process has. The lock may be this thread's own: then nobody. */
static void tell_another(const struct context *c, int signo)
{
	const struct siginfo kick = { .signo = signo, .code = SI_PASSED };
	struct context *at = NULL;
	uint32_t tid = 0;

	if (!thread_list_try())
		return;
	while (!tid && (at = thread_list_next(c, at)))
		if (at != c && is_to_tell(at, signo))
			tid = at->tid;
	thread_list_unlock();
	if (tid)
		(void)NATIVE(__NR_rt_tgsigqueueinfo, NATIVE(__NR_getpid), tid, signo, &kick);
}

/*
 * Nobody tells any more, since it wants nothing now; what was on its way comes. (Unless one of the same
 * kind was there already: so this has an end.)
 */
static void await_told(struct context *c, uint64_t signals)
{
	for (int i = 0; i < AWAIT_MAX && __atomic_load_n(&c->told, __ATOMIC_SEQ_CST) & signals; i++)
		(void)NATIVE(__NR_sched_yield);
	(void)__atomic_fetch_and(&c->told, ~signals, __ATOMIC_SEQ_CST);
}

static bool process_take(int signo, struct siginfo *ret_info)
{
	uint64_t bit = SIGNAL_BIT(signo);

	if (!(__atomic_fetch_and(&of_process.present, ~bit, __ATOMIC_SEQ_CST) & bit))
		return false;
	*ret_info = of_process.info[place_of(signo)];
	(void)__atomic_fetch_and(&of_process.claimed, ~bit, __ATOMIC_RELEASE);
	return true;
}

/* One that is there already stays; one that is being taken is waited for. */
static void process_add(const struct siginfo *info)
{
	uint64_t bit = SIGNAL_BIT(info->signo);

	for (int i = 0; i < TRIES; i++) {
		if (!(__atomic_fetch_or(&of_process.claimed, bit, __ATOMIC_ACQUIRE) & bit)) {
			of_process.info[place_of(info->signo)] = *info;
			(void)__atomic_fetch_or(&of_process.present, bit, __ATOMIC_SEQ_CST);
			return;
		}
		if (__atomic_load_n(&of_process.present, __ATOMIC_SEQ_CST) & bit)
			return;
		(void)NATIVE(__NR_sched_yield);
	}
}

static void thread_add(struct context *c, const struct siginfo *info)
{
	uint64_t bit = SIGNAL_BIT(info->signo);

	if (!(c->held & bit))
		c->held_info[place_of(info->signo)] = *info;
	(void)__atomic_fetch_or(&c->held, bit, __ATOMIC_RELAXED);
	if (!(c->blocked & bit) || (c->wanted & bit))
		work_add(c, WORK_HELD);
}

void held_add(struct context *c, const struct siginfo *info)
{
	if (wants(c, SIGNAL_BIT(info->signo)) || !is_for_process(c, info)) {
		thread_add(c, info);
		return;
	}
	/* In this order: a thread that begins to want it says so before it looks whether it is there. */
	process_add(info);
	tell_another(c, info->signo);
}

bool held_passed(struct context *c, struct siginfo *info)
{
	if (info->code != SI_PASSED)
		return true;
	(void)__atomic_fetch_and(&c->told, ~SIGNAL_BIT(info->signo), __ATOMIC_SEQ_CST);
	return process_take(info->signo, info);
}

/* One instruction: a signal may come between two. */
static void held_clear(struct context *c, uint64_t bits)
{
	(void)__atomic_fetch_and(&c->held, ~bits, __ATOMIC_RELAXED);
}

bool held_take(struct context *c, uint64_t set, struct siginfo *ret_info)
{
	uint64_t there = held_pending(c) & set;

	for (int signo = 1; there && signo < SIGNALS; signo++) {
		uint64_t bit = SIGNAL_BIT(signo);

		if (c->held & there & bit) {
			*ret_info = c->held_info[place_of(signo)];
			held_clear(c, bit);
			return true;
		}
		if (there & bit && process_take(signo, ret_info))
			return true;
	}
	return false;
}

void held_drop(struct context *c, int signo)
{
	struct siginfo info;

	while (held_take(c, SIGNAL_BIT(signo), &info))
		continue;
}

void held_save(const struct context *c, struct exec_signals *saved)
{
	saved->held = held_pending(c);
	memcpy(saved->info, of_process.info, sizeof(saved->info));
	for (int signo = 1; signo < SIGNALS; signo++)
		if (c->held & SIGNAL_BIT(signo))
			memcpy(saved->info[place_of(signo)], &c->held_info[place_of(signo)],
			       sizeof(saved->info[0]));
}

void held_start(struct context *c, const struct exec_signals *saved)
{
	uint64_t held = saved->held & c->blocked;

	if (!held)
		return; /* the page stays untouched */
	memcpy(of_process.info, saved->info, sizeof(of_process.info));
	of_process.claimed = of_process.present = held;
}

void held_forked(struct context *c)
{
	c->held = 0;
	of_process.claimed = of_process.present = 0;
}

/* --- descriptors ---------------------------------------------------------------------------------- */

/* The kernel has the signals, which are blocked there. */
static void show(struct context *c, uint64_t signals)
{
	struct siginfo info;

	while (held_take(c, signals, &info))
		(void)NATIVE(__NR_rt_tgsigqueueinfo, NATIVE(__NR_getpid), NATIVE(__NR_gettid), info.signo,
			     &info);
}

static void take_back(struct context *c, uint64_t signals)
{
	const uint64_t no_time[2] = { 0, 0 };
	struct siginfo info;

	while (NATIVE(__NR_rt_sigtimedwait, &signals, &info, no_time, SET_SIZE) > 0) {
		if (is_for_process(c, &info))
			process_add(&info);
		else
			thread_add(c, &info);
	}
}

/* It is read, and sleeps until there is something to read. */
static bool is_waiting_descriptor(uint64_t fd)
{
	char path[40], link[40];
	long n;

	(void)text_put_number(text_put(path, "/proc/self/fd/"), (uint32_t)fd, 10);
	n = NATIVE(__NR_readlink, path, link, sizeof(link) - 1);
	link[MAX(n, 0)] = '\0';
	return text_equal(link, "anon_inode:[signalfd]") && !(NATIVE(__NR_fcntl, fd, F_GETFL) & O_NONBLOCK);
}

/* The kernel has what is held while the call is made. */
static long serve_with(struct context *c, struct call *call, uint64_t signals, call_handler *serve)
{
	uint64_t before = 0;
	long r;

	(void)NATIVE(__NR_rt_sigprocmask, SIG_BLOCK, &signals, &before, SET_SIZE);
	show(c, signals);
	r = serve(c, call);
	take_back(c, signals);
	signals_restore(before);
	return r;
}

/* A call that only looks: what tells it that there is a signal makes it ready. */
static long serve_look(struct context *c, struct call *call, uint64_t signals, call_handler *serve)
{
	long r;

	__atomic_store_n(&c->wanted, signals, __ATOMIC_SEQ_CST);
	r = held_pending(c) & signals ? CALL_RESTART : serve(c, call);
	__atomic_store_n(&c->wanted, 0, __ATOMIC_SEQ_CST);
	await_told(c, signals); /* before the kernel could give it to the program */
	return r == -EINTR && held_pending(c) & signals ? CALL_RESTART : r;
}

static long poll_native(struct context *c, struct call *call)
{
	(void)c;
	return native_call(call->raw);
}

/* Reads go on behind the handler of the signal that has come, which poll(2) never does. */
static bool restarts_reads(const struct context *c)
{
	return c->work & WORK_PENDING && c->actions[c->pending.signo].flags & SA_RESTART;
}

/*
 * Signals that the kernel has for the descriptor. If there are none, it was ready for one of OURS that
 * another thread is just about to hold.
 */
static bool others_pending(void)
{
	uint64_t set = 0;

	(void)NATIVE(__NR_rt_sigpending, &set, SET_SIZE);
	return set != 0;
}

/* One that reads could read what tells it: so it looks first. */
static long serve_read(struct context *c, struct call *call, uint64_t signals, call_handler *serve)
{
	struct {
		int32_t fd;
		int16_t events, returned;
	} poller = { (int32_t)CALL_ARG(call, 0), 1, 0 };
	struct call look = { .raw = { __NR_poll, (uint64_t)&poller, 1, (uint64_t)-1 } };
	long r;

	if (!is_waiting_descriptor(CALL_ARG(call, 0)))
		return serve(c, call);
	r = serve_look(c, &look, signals, poll_native);
	if (held_pending(c) & signals || (r == -EINTR && restarts_reads(c)) || (r > 0 && !others_pending()))
		return CALL_RESTART;
	return r < 0 ? r : serve(c, call);
}

/* A call that waits for descriptors, without a mask of its own. */
static bool is_look(const struct call *call)
{
	uint64_t mask_and_size[2];

	switch (call->raw[0]) {
	case __NR_poll:
	case __NR_select:
	case __NR_epoll_wait:
		return true;
	case __NR_ppoll:
		return !CALL_ARG(call, 3);
	case __NR_epoll_pwait:
	case __NR_epoll_pwait2:
		return !CALL_ARG(call, 4);
	case __NR_pselect6:
		return !CALL_ARG(call, 5) || (copy_in(mask_and_size, CALL_ARG(call, 5),
						      sizeof(mask_and_size)) == 0 && !mask_and_size[0]);
	default:
		return false;
	}
}

long held_serve(struct context *c, struct call *call, call_handler *serve)
{
	uint64_t signals = __atomic_load_n(&process.shown_signals, __ATOMIC_RELAXED) & c->blocked;
	bool shown = held_pending(c) & signals;

	if (signals && (call->raw[0] == __NR_read || call->raw[0] == __NR_readv))
		return shown ? serve_with(c, call, signals, serve) : serve_read(c, call, signals, serve);
	if (signals && is_look(call))
		return shown ? serve_with(c, call, signals, serve) : serve_look(c, call, signals, serve);
	return serve(c, call);
}

static long make_descriptor(struct call *call, uint64_t mask_at, uint64_t size)
{
	uint64_t mask = 0;

	if (size == SET_SIZE && copy_in(&mask, mask_at, sizeof(mask)) < 0)
		return -EFAULT;
	if (mask & OURS) {
		(void)__atomic_fetch_or(&process.shown_signals, mask & OURS, __ATOMIC_SEQ_CST);
		(void)__atomic_fetch_or(&process.watch, WATCH_SIGNALFD, __ATOMIC_SEQ_CST);
	}
	return native_call(call->raw);
}

/* signalfd and signalfd4 have both in the same places. */
long call_signalfd(struct context *c, struct call *call)
{
	(void)c;
	return make_descriptor(call, CALL_ARG(call, 1), CALL_ARG(call, 2));
}
