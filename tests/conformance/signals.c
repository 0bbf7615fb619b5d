/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers, masks and stacks of signals. */
#include "conformance.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

static volatile sig_atomic_t count;
static sigjmp_buf back;
static volatile uintptr_t handler_sp;

static void counting(int signo)
{
	(void)signo;
	count++;
}

static void telling(int signo)
{
	say("[%s]", signal_name(signo));
}

static void jumping(int signo)
{
	siglongjmp(back, signo);
}

static void noting_sp(int signo)
{
	char here;

	(void)signo;
	handler_sp = (uintptr_t)&here;
}

static void tell_mask(int signo)
{
	say("[%s usr1=%d usr2=%d hup=%d]", signal_name(signo), is_blocked(SIGUSR1), is_blocked(SIGUSR2),
	    is_blocked(SIGHUP));
}

CASE(handler_runs_before_kill_returns, "raise=0 count=1 kill=0 count=2 tgkill=0 count=3")
{
	handle(SIGUSR1, counting, 0);
	TRY("raise", raise(SIGUSR1));
	say("count=%d", count);
	TRY("kill", kill(getpid(), SIGUSR1));
	say("count=%d", count);
	TRY("tgkill", syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
	say("count=%d", count);
}

static void tell_info(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	say("[%s signo=%d code=%d pid=%d uid=%d value=%d mask=%d]", signal_name(signo),
	    info->si_signo == signo, info->si_code, info->si_pid == getpid(), info->si_uid == getuid(),
	    info->si_code == SI_QUEUE ? info->si_value.sival_int : 0, sigismember(&uc->uc_sigmask, SIGHUP));
}

CASE(siginfo_of_sent, "[SIGUSR1 signo=1 code=0 pid=1 uid=1 value=0 mask=1] "
		      "[SIGUSR2 signo=1 code=-1 pid=1 uid=1 value=42 mask=1] "
		      "[SIGTERM signo=1 code=-6 pid=1 uid=1 value=0 mask=1]")
{
	block(SIGHUP);
	handle_info(SIGUSR1, tell_info, 0);
	handle_info(SIGUSR2, tell_info, 0);
	handle_info(SIGTERM, tell_info, 0);
	NEED(kill(getpid(), SIGUSR1) == 0);
	NEED(sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 42 }) == 0);
	NEED(raise(SIGTERM) == 0);
}

static void tell_child(int signo, siginfo_t *info, void *context)
{
	(void)context;
	say("[%s code=%d status=%d]", signal_name(signo), info->si_code, info->si_status);
	count++;
}

static void exit_three(void)
{
	_exit(3);
}

static void kill_self(void)
{
	(void)raise(SIGKILL);
}

CASE(siginfo_of_children, "[SIGCHLD code=1 status=3] [SIGCHLD code=2 status=9]")
{
	pid_t pid;

	handle_info(SIGCHLD, tell_child, 0);
	pid = start(exit_three);
	(void)wait_status(pid);
	pid = start(kill_self);
	(void)wait_status(pid);
}

static void tell_timer(int signo, siginfo_t *info, void *context)
{
	(void)context;
	say("[%s timer=%d value=%d]", signal_name(signo), info->si_code == SI_TIMER, info->si_value.sival_int);
	count = 1;
}

CASE(siginfo_of_timer, "[SIGRT3 timer=1 value=7]")
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3,
				  .sigev_value.sival_int = 7 };
	struct itimerspec when = { .it_value.tv_nsec = 1000000 };
	timer_t timer;

	handle_info(SIGRTMIN + 3, tell_timer, 0);
	NEED(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &when, NULL) == 0);
	while (!count)
		pause_shortly();
	NEED(timer_delete(timer) == 0);
}

CASE(handler_mask, "[SIGTERM usr1=1 usr2=0 hup=1] after=0,0,0 context=0")
{
	struct sigaction action = { .sa_handler = tell_mask };

	action.sa_mask = set_of(SIGUSR1, SIGHUP, 0);
	NEED(sigaction(SIGTERM, &action, NULL) == 0);
	NEED(raise(SIGTERM) == 0);
	say("after=%d,%d,%d context=%d", is_blocked(SIGUSR1), is_blocked(SIGUSR2), is_blocked(SIGHUP),
	    is_blocked(SIGTERM));
}

static void raise_again(int signo)
{
	int depth = ++count;

	say("in%d", depth);
	if (depth < 3)
		(void)raise(signo);
	say("out%d", depth);
}

CASE(handler_blocks_itself, "in1 out1 in2 out2 in3 out3")
{
	handle(SIGUSR1, raise_again, 0);
	NEED(raise(SIGUSR1) == 0);
}

CASE(handler_nodefer, "in1 in2 in3 out3 out2 out1")
{
	handle(SIGUSR1, raise_again, SA_NODEFER);
	NEED(raise(SIGUSR1) == 0);
}

static void once(void)
{
	handle(SIGUSR1, telling, SA_RESETHAND);
	(void)raise(SIGUSR1);
	say("between");
	(void)raise(SIGUSR1);
	say("never");
}

CASE(handler_resethand, "[SIGUSR1] between end=SIGUSR1 seen=default")
{
	struct sigaction seen;

	say_end("end", once);
	handle(SIGUSR2, counting, SA_RESETHAND);
	NEED(raise(SIGUSR2) == 0 && sigaction(SIGUSR2, NULL, &seen) == 0);
	say("seen=%s", seen.sa_handler == SIG_DFL ? "default" : "handler");
}

CASE(action_as_set, "handler=1 flags=1 mask=1,0 ignored=1 default=1")
{
	struct sigaction action = { .sa_handler = counting,
				    .sa_flags = SA_RESTART | SA_NODEFER | SA_ONSTACK },
			 seen;

	action.sa_mask = set_of(SIGHUP, SIGKILL, 0);
	NEED(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR1, NULL, &seen) == 0);
	say("handler=%d flags=%d mask=%d,%d", seen.sa_handler == counting,
	    (seen.sa_flags & 0x7bffffff) == action.sa_flags, sigismember(&seen.sa_mask, SIGHUP),
	    sigismember(&seen.sa_mask, SIGKILL));
	handle(SIGUSR1, SIG_IGN, 0);
	NEED(sigaction(SIGUSR1, NULL, &seen) == 0);
	say("ignored=%d", seen.sa_handler == SIG_IGN);
	handle(SIGUSR1, SIG_DFL, 0);
	NEED(sigaction(SIGUSR1, NULL, &seen) == 0);
	say("default=%d", seen.sa_handler == SIG_DFL);
}

CASE(action_at_start, "usr1=default segv=default sys=default trap=default chld=default flags=0")
{
	static const struct {
		const char *name;
		int signo;
	} signals[] = { { "usr1", SIGUSR1 }, { "segv", SIGSEGV }, { "sys", SIGSYS }, { "trap", SIGTRAP },
			{ "chld", SIGCHLD } };
	unsigned long flags = 0;

	for (size_t i = 0; i < 5; i++) {
		struct {
			uint64_t handler, flags, restorer, mask;
		} seen;

		NEED(syscall(SYS_rt_sigaction, signals[i].signo, NULL, &seen, 8) == 0);
		say("%s=%s", signals[i].name, seen.handler ? "set" : "default");
		flags |= seen.flags | seen.restorer | seen.mask;
	}
	say("flags=%lu", flags);
}

/* The kernel clears what it does not know, so that programs can find out what it knows (sigaction(2)). */
CASE(action_unknown_flags, "unsupported=0 unknown=0 known=1 segv=0")
{
	struct sigaction action = { .sa_handler = counting, .sa_flags = 0x400 | 0x200 | SA_RESTART }, seen;

	NEED(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGUSR1, NULL, &seen) == 0);
	say("unsupported=%d unknown=%d known=%d", !!(seen.sa_flags & 0x400), !!(seen.sa_flags & 0x200),
	    !!(seen.sa_flags & SA_RESTART));
	NEED(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGSEGV, NULL, &seen) == 0);
	say("segv=%d", !!(seen.sa_flags & 0x600));
}

static void without_restorer(void)
{
	struct {
		uint64_t handler, flags, restorer, mask;
	} action = { .handler = (uint64_t)exit_three };

	NEED(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8) == 0);
	(void)raise(SIGUSR1);
}

CASE(action_without_restorer, "end=SIGSEGV")
{
	say_end("end", without_restorer);
}

CASE(ignored_by_default, "chld=0 urg=0 winch=0 cont=0")
{
	TRY("chld", raise(SIGCHLD));
	TRY("urg", raise(SIGURG));
	TRY("winch", raise(SIGWINCH));
	TRY("cont", raise(SIGCONT));
}

CASE(blocked_is_pending, "pending=1,0 count=0 unblocked count=1 pending=0")
{
	handle(SIGUSR1, counting, 0);
	block(SIGUSR1);
	NEED(raise(SIGUSR1) == 0 && raise(SIGUSR1) == 0);
	say("pending=%d,%d count=%d", is_pending(SIGUSR1), is_pending(SIGUSR2), count);
	unblock(SIGUSR1);
	say("unblocked count=%d pending=%d", count, is_pending(SIGUSR1));
}

CASE(pending_is_dropped_when_ignored, "pending=1 pending=0 count=0")
{
	handle(SIGUSR1, counting, 0);
	block(SIGUSR1);
	NEED(raise(SIGUSR1) == 0);
	say("pending=%d", is_pending(SIGUSR1));
	handle(SIGUSR1, SIG_IGN, 0);
	say("pending=%d", is_pending(SIGUSR1));
	handle(SIGUSR1, counting, 0);
	unblock(SIGUSR1);
	say("count=%d", count);
}

CASE(mask_cannot_have_kill, "kill=0 stop=0 usr1=1 segv=1 sys=1")
{
	sigset_t set;

	(void)sigfillset(&set);
	NEED(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
	say("kill=%d stop=%d usr1=%d segv=%d sys=%d", is_blocked(SIGKILL), is_blocked(SIGSTOP),
	    is_blocked(SIGUSR1), is_blocked(SIGSEGV), is_blocked(SIGSYS));
}

/* Two signals at once: the frames are made in the order of their numbers, so the last one runs first. */
CASE(two_unblocked_at_once, "[SIGUSR2] [SIGUSR1]")
{
	sigset_t set = set_of(SIGUSR1, SIGUSR2, 0);

	handle(SIGUSR1, telling, 0);
	handle(SIGUSR2, telling, 0);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && raise(SIGUSR1) == 0 && raise(SIGUSR2) == 0);
	NEED(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
}

CASE(realtime_queue, "[0:1] [0:2] [0:3] [1:1] [1:2] [2:9]")
{
	siginfo_t info;
	sigset_t set = set_of(SIGRTMIN, SIGRTMIN + 1, SIGRTMIN + 2, 0);
	static const int sent[][2] = { { 2, 9 }, { 1, 1 }, { 0, 1 }, { 0, 2 }, { 1, 2 }, { 0, 3 } };

	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	for (size_t i = 0; i < 6; i++)
		NEED(sigqueue(getpid(), SIGRTMIN + sent[i][0], (union sigval){ .sival_int = sent[i][1] }) == 0);
	for (size_t i = 0; i < 6; i++) {
		NEED(sigwaitinfo(&set, &info) > 0);
		say("[%d:%d]", info.si_signo - SIGRTMIN, info.si_value.sival_int);
	}
}

static int order[64];

static void note_value(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	order[count++] = info->si_value.sival_int;
}

CASE(realtime_queue_to_handler, "count=50 ordered=1")
{
	bool ordered = true;
	struct sigaction action = { .sa_sigaction = note_value, .sa_flags = SA_SIGINFO };

	NEED(sigaction(SIGRTMIN + 5, &action, NULL) == 0);
	block(SIGRTMIN + 5);
	for (int i = 0; i < 50; i++)
		NEED(sigqueue(getpid(), SIGRTMIN + 5, (union sigval){ .sival_int = i }) == 0);
	unblock(SIGRTMIN + 5);
	for (int i = 0; i < 50; i++)
		ordered &= order[i] == i;
	say("count=%d ordered=%d", count, ordered);
}

CASE(jump_out_of_handler, "round=1 round=2 round=3 mask=0")
{
	volatile int rounds = 0;

	handle(SIGUSR1, jumping, 0);
	if (sigsetjmp(back, 1) == SIGUSR1)
		say("round=%d", rounds);
	if (++rounds <= 3)
		NEED(raise(SIGUSR1) == 0);
	say("mask=%d", is_blocked(SIGUSR1));
}

CASE(jump_without_mask, "mask=1 pending=1")
{
	handle(SIGUSR1, jumping, 0);
	if (sigsetjmp(back, 0) == 0)
		NEED(raise(SIGUSR1) == 0);
	say("mask=%d", is_blocked(SIGUSR1));
	NEED(raise(SIGUSR1) == 0);
	say("pending=%d", is_pending(SIGUSR1));
}

static void inner(int signo)
{
	say("(%s usr1=%d)", signal_name(signo), is_blocked(SIGUSR1));
}

static void outer(int signo)
{
	say("<%s", signal_name(signo));
	(void)raise(SIGUSR2);
	say(">");
}

CASE(nested_handlers, "<SIGUSR1 (SIGUSR2 usr1=1) > usr1=0")
{
	handle(SIGUSR1, outer, 0);
	handle(SIGUSR2, inner, 0);
	NEED(raise(SIGUSR1) == 0);
	say("usr1=%d", is_blocked(SIGUSR1));
}

static void change_context(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signo;
	(void)info;
	(void)sigaddset(&uc->uc_sigmask, SIGUSR2);
	(void)sigaddset(&uc->uc_sigmask, SIGKILL);
	(void)sigaddset(&uc->uc_sigmask, SIGSEGV);
	(void)sigdelset(&uc->uc_sigmask, SIGHUP);
}

CASE(handler_changes_mask, "usr2=1 kill=0 hup=0 segv=1")
{
	block(SIGHUP);
	handle_info(SIGUSR1, change_context, 0);
	NEED(raise(SIGUSR1) == 0);
	say("usr2=%d kill=%d hup=%d segv=%d", is_blocked(SIGUSR2), is_blocked(SIGKILL), is_blocked(SIGHUP),
	    is_blocked(SIGSEGV));
}

static void change_result(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signo;
	(void)info;
	uc->uc_mcontext.gregs[REG_RAX] = 4711;
	uc->uc_mcontext.gregs[REG_R15] = 99;
}

CASE(handler_changes_registers, "rax=4711 r15=99")
{
	register long r15 __asm__("r15") = 1;
	long rax = SYS_tkill;

	handle_info(SIGUSR1, change_result, 0);
	__asm__ volatile("syscall" : "+a"(rax), "+r"(r15) : "D"((long)gettid()), "S"((long)SIGUSR1)
			 : "rcx", "r11", "memory");
	say("rax=%ld r15=%ld", rax, r15);
}

/* --- stacks ----------------------------------------------------------------------------------------- */

static stack_t use_stack(size_t size)
{
	stack_t stack = { .ss_sp = at_end(size), .ss_size = size };

	NEED(sigaltstack(&stack, NULL) == 0);
	return stack;
}

static bool is_within(const stack_t *stack, uintptr_t at)
{
	return at >= (uintptr_t)stack->ss_sp && at < (uintptr_t)stack->ss_sp + stack->ss_size;
}

CASE(alternate_stack, "on=1 off=0")
{
	stack_t stack = use_stack(64 << 10);

	handle(SIGUSR1, noting_sp, SA_ONSTACK);
	NEED(raise(SIGUSR1) == 0);
	say("on=%d", is_within(&stack, handler_sp));
	handle(SIGUSR1, noting_sp, 0);
	NEED(raise(SIGUSR1) == 0);
	say("off=%d", is_within(&stack, handler_sp));
}

static void try_stack(int signo)
{
	stack_t seen, none = { .ss_flags = SS_DISABLE };

	(void)signo;
	NEED(sigaltstack(NULL, &seen) == 0);
	say("flags=%d", seen.ss_flags);
	TRY("change", sigaltstack(&none, NULL));
}

CASE(alternate_stack_in_use, "flags=1 change=EPERM flags=0")
{
	stack_t seen;

	(void)use_stack(64 << 10);
	handle(SIGUSR1, try_stack, SA_ONSTACK);
	NEED(raise(SIGUSR1) == 0 && sigaltstack(NULL, &seen) == 0);
	say("flags=%d", seen.ss_flags);
}

static void try_disarmed(int signo)
{
	stack_t seen;

	(void)signo;
	NEED(sigaltstack(NULL, &seen) == 0);
	say("in=%x", (unsigned)seen.ss_flags);
}

CASE(alternate_stack_autodisarm, "in=2 after=80000000")
{
	stack_t stack = { .ss_sp = at_end(64 << 10), .ss_size = 64 << 10, .ss_flags = (int)(1u << 31) }, seen;

	NEED(sigaltstack(&stack, NULL) == 0);
	handle(SIGUSR1, try_disarmed, SA_ONSTACK);
	NEED(raise(SIGUSR1) == 0 && sigaltstack(NULL, &seen) == 0);
	say("after=%x", (unsigned)seen.ss_flags);
}

static void tell_context(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)info;
	say("[sp=%d size=%zu flags=%d]", uc->uc_stack.ss_sp != NULL, uc->uc_stack.ss_size,
	    uc->uc_stack.ss_flags);
	if (signo == SIGUSR1)
		(void)raise(SIGUSR2);
}

/* As it was set: that it is in use is not in the context. */
CASE(alternate_stack_in_context, "[sp=1 size=65536 flags=0] [sp=1 size=65536 flags=0]")
{
	(void)use_stack(64 << 10);
	handle_info(SIGUSR1, tell_context, SA_ONSTACK);
	handle_info(SIGUSR2, tell_context, SA_ONSTACK);
	NEED(raise(SIGUSR1) == 0);
}

/* Flags as they were given; what changes nothing is never wrong. */
CASE(alternate_stack_of_none, "same=0 [sp=0 size=0 flags=0] [sp=0 size=0 flags=0] none=0 zeros=ENOMEM same=0 "
			      "[sp=0 size=0 flags=2] [sp=0 size=0 flags=2]")
{
	stack_t zeros = { 0 }, none = { .ss_flags = SS_DISABLE };

	handle_info(SIGUSR1, tell_context, SA_ONSTACK);
	handle_info(SIGUSR2, tell_context, SA_ONSTACK);
	TRY("same", sigaltstack(&zeros, NULL));
	NEED(raise(SIGUSR1) == 0);
	TRY("none", sigaltstack(&none, NULL));
	TRY("zeros", sigaltstack(&zeros, NULL));
	TRY("same", sigaltstack(&none, NULL));
	NEED(raise(SIGUSR1) == 0);
}

static void nest_on_stack(int signo)
{
	uintptr_t sp = handler_sp;
	char here;

	handler_sp = (uintptr_t)&here;
	if (signo == SIGUSR1)
		(void)raise(SIGUSR2);
	else
		say("below=%d", (uintptr_t)&here < sp);
}

CASE(alternate_stack_nested, "below=1")
{
	(void)use_stack(64 << 10);
	handle(SIGUSR1, nest_on_stack, SA_ONSTACK);
	handle(SIGUSR2, nest_on_stack, SA_ONSTACK);
	NEED(raise(SIGUSR1) == 0);
}

static __attribute__((noinline)) int recurse(int depth)
{
	volatile char room[4096];

	room[0] = (char)depth;
	return recurse(depth + 1) + room[0];
}

static void caught_overflow(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	say("[%s near=%d]", signal_name(signo),
	    llabs((long long)(uintptr_t)info->si_addr - uc->uc_mcontext.gregs[REG_RSP]) < 16384);
	siglongjmp(back, 1);
}

CASE(stack_overflow_is_caught, "[SIGSEGV near=1] jumped [SIGSEGV near=1] jumped")
{
	for (int i = 0; i < 2; i++) {
		(void)use_stack(64 << 10);
		handle_info(SIGSEGV, caught_overflow, SA_ONSTACK);
		if (sigsetjmp(back, 1) == 0)
			(void)recurse(0);
		say("jumped");
	}
}

static void overflow_without_stack(void)
{
	handle(SIGSEGV, telling, 0);
	(void)recurse(0);
}

CASE(stack_overflow_is_not_caught, "end=SIGSEGV")
{
	say_end("end", overflow_without_stack);
}

static void handler_that_raises(int signo)
{
	(void)raise(signo);
}

/* The alternate stack fills up in the middle of memory that could be written. */
static void fill_stack(void)
{
	char *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_sp = memory + (1 << 19), .ss_size = 32 << 10 };

	NEED(sigaltstack(&stack, NULL) == 0);
	handle(SIGUSR1, handler_that_raises, SA_ONSTACK | SA_NODEFER);
	(void)raise(SIGUSR1);
}

CASE(alternate_stack_overflow, "end=SIGSEGV")
{
	say_end("end", fill_stack);
}

static void unmapped_stack(void)
{
	stack_t stack = { .ss_sp = nowhere(), .ss_size = PAGE };

	NEED(sigaltstack(&stack, NULL) == 0);
	handle(SIGUSR1, telling, SA_ONSTACK);
	(void)raise(SIGUSR1);
}

CASE(alternate_stack_unmapped, "end=SIGSEGV")
{
	say_end("end", unmapped_stack);
}

static void bad_return(void)
{
	__asm__ volatile("xor %%esp, %%esp; syscall" : : "a"(SYS_rt_sigreturn) : "memory");
}

CASE(sigreturn_without_frame, "end=SIGSEGV")
{
	say_end("end", bad_return);
}

/* --- SIGCHLD ------------------------------------------------------------------------------------------ */

CASE(sigchld_nocldwait, "wait=ECHILD count=1")
{
	handle(SIGCHLD, counting, SA_NOCLDWAIT);
	(void)start(exit_three);
	while (!count)
		pause_shortly();
	TRY("wait", waitpid(-1, NULL, 0));
	say("count=%d", count);
}

CASE(sigchld_ignored, "wait=ECHILD")
{
	handle(SIGCHLD, SIG_IGN, 0);
	(void)start(exit_three);
	TRY("wait", waitpid(-1, NULL, 0));
}

static void stop_and_go(void)
{
	(void)raise(SIGSTOP);
}

CASE(sigchld_nocldstop, "stopped=stopped:SIGSTOP count=0 end=exit:0 count=1")
{
	int status;
	pid_t pid;

	handle(SIGCHLD, counting, SA_NOCLDSTOP | SA_RESTART);
	pid = start(stop_and_go);
	NEED(waitpid(pid, &status, WUNTRACED) == pid);
	say_status("stopped", status);
	say("count=%d", count);
	NEED(kill(pid, SIGCONT) == 0);
	say_status("end", wait_status(pid));
	say("count=%d", count);
}

static void stop_and_stay(void)
{
	(void)raise(SIGSTOP);
	for (;;)
		(void)pause();
}

CASE(sigchld_of_stop, "[SIGCHLD code=5 status=19] [SIGCHLD code=6 status=18] [SIGCHLD code=2 status=15]")
{
	int status;
	pid_t pid;

	handle_info(SIGCHLD, tell_child, SA_RESTART);
	pid = start(stop_and_stay);
	NEED(waitpid(pid, &status, WUNTRACED) == pid);
	wait_number(&count, 1);
	NEED(kill(pid, SIGCONT) == 0);
	wait_number(&count, 2);
	NEED(kill(pid, SIGTERM) == 0);
	(void)wait_status(pid);
}
