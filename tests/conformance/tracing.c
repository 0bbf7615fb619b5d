/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptrace(2): what a tracer sees of its tracees, and what it can change. */
#include "conformance.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#define SYSGOOD (SIGTRAP | 0x80)
#define NT_PRSTATUS 1
#define EVENT(status) ((status) >> 16)

static volatile int *number;
static int ends[2];

static long request(int what, pid_t pid, void *address, void *data)
{
	return syscall(SYS_ptrace, (long)what, (long)pid, address, data);
}

/* A stop: a signal, a call's (if the option is set), an event's, or an end. */
static void say_stop(int status)
{
	static const char *const events[] = {
		"", "fork", "vfork", "clone", "exec", "vfork-done", "exit", "seccomp"
	};

	if (!WIFSTOPPED(status))
		say_status("end", status);
	else if (EVENT(status) == PTRACE_EVENT_STOP)
		say("trap:%s", signal_name(WSTOPSIG(status)));
	else if (EVENT(status))
		say("event:%s", events[EVENT(status)]);
	else if (WSTOPSIG(status) == SYSGOOD)
		say("call");
	else
		say("%s", signal_name(WSTOPSIG(status)));
}

static int next_status(pid_t pid)
{
	int status = 0;

	NEED(waitpid(pid, &status, __WALL) == pid);
	return status;
}

static void say_next(pid_t pid)
{
	say_stop(next_status(pid));
}

static void go_on(int how, pid_t pid, int signo)
{
	NEED(request(how, pid, NULL, (void *)(long)signo) == 0);
}

/* Continues it, and says why it stops next. */
static void say_run(int how, pid_t pid, int signo)
{
	go_on(how, pid, signo);
	say_next(pid);
}

static struct user_regs_struct registers(pid_t pid)
{
	struct user_regs_struct r;

	NEED(request(PTRACE_GETREGS, pid, NULL, &r) == 0);
	return r;
}

static void set_registers(pid_t pid, const struct user_regs_struct *r)
{
	NEED(request(PTRACE_SETREGS, pid, NULL, (void *)(uintptr_t)r) == 0);
}

/* A call without the library around it. */
static long plain_call(long nr, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

static void stop_here(void)
{
	(void)plain_call(SYS_kill, plain_call(SYS_getpid, 0, 0, 0), SIGSTOP, 0);
}

/* A child that is traced, and has stopped before it runs the function. */
static pid_t start_traced(void (*run)(void), long options)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (request(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(99);
		stop_here();
		run();
		(void)plain_call(SYS_exit_group, 0, 0, 0);
	}
	status = next_status(pid);
	NEED(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	if (options)
		NEED(request(PTRACE_SETOPTIONS, pid, NULL, (void *)options) == 0);
	return pid;
}

static void breakpoint(void)
{
	__asm__ volatile("int3");
}

/* --- exec ------------------------------------------------------------------------------------- */

HELPER(traced_program)
{
	(void)argv;
	return argc + 5;
}

static void execute(void)
{
	execl(own_path, own_path, "@traced_program", NULL);
	_exit(98);
}

static void say_first_instruction(pid_t pid)
{
	struct user_regs_struct r = registers(pid);

	say("rax=%lld orig=%lld zero=%d argc=%ld", (long long)r.rax, (long long)r.orig_rax,
	    !(r.rbx | r.rcx | r.rdx | r.rsi | r.rdi | r.rbp | r.r8 | r.r9 | r.r10 | r.r11 | r.r12 | r.r13 |
	      r.r14 | r.r15), ptrace(PTRACE_PEEKDATA, pid, (void *)r.rsp, NULL));
}

CASE(trace_exec, "SIGTRAP code=0 sender=1 rax=0 orig=59 zero=1 argc=2 end=exit:7")
{
	pid_t pid = start_traced(execute, 0);
	siginfo_t info = { 0 };

	say_run(PTRACE_CONT, pid, 0);
	NEED(request(PTRACE_GETSIGINFO, pid, NULL, &info) == 0);
	say("code=%d sender=%d", info.si_code, info.si_pid == pid);
	say_first_instruction(pid);
	say_run(PTRACE_CONT, pid, 0);
}

CASE(trace_exec_event, "event:exec code=1029 message=1 rax=-38 orig=59 zero=1 argc=2 end=exit:7")
{
	pid_t pid = start_traced(execute, PTRACE_O_TRACEEXEC);
	siginfo_t info = { 0 };
	unsigned long message = 0;

	say_run(PTRACE_CONT, pid, 0);
	NEED(request(PTRACE_GETSIGINFO, pid, NULL, &info) == 0);
	NEED(request(PTRACE_GETEVENTMSG, pid, NULL, &message) == 0);
	say("code=%d message=%d", info.si_code, message == (unsigned long)pid);
	say_first_instruction(pid);
	say_run(PTRACE_CONT, pid, 0);
}

/* The stops of execve(2) itself: before it, the event, and after it, in the new program. */
CASE(trace_exec_calls, "call 59 call rax=-2 call 59 event:exec call 59 rax=0 call 12 end=SIGKILL")
{
	pid_t pid = start_traced(execute, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD);
	struct user_regs_struct r;

	say_run(PTRACE_SYSCALL, pid, 0);
	r = registers(pid);
	say("%lld", r.orig_rax);
	(void)ptrace(PTRACE_POKEDATA, pid, (void *)r.rdi, (void *)0); /* an empty name */
	say_run(PTRACE_SYSCALL, pid, 0);
	r = registers(pid);
	say("rax=%lld", (long long)r.rax);
	NEED(kill(pid, SIGKILL) == 0);
	(void)next_status(pid);
	pid = start_traced(execute, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD);
	say_run(PTRACE_SYSCALL, pid, 0);
	say("%lld", registers(pid).orig_rax);
	say_run(PTRACE_SYSCALL, pid, 0);
	say_run(PTRACE_SYSCALL, pid, 0);
	r = registers(pid);
	say("%lld rax=%lld", r.orig_rax, (long long)r.rax);
	say_run(PTRACE_SYSCALL, pid, 0);
	say("%lld", registers(pid).orig_rax);
	NEED(kill(pid, SIGKILL) == 0);
	say_next(pid);
}

/* As debuggers start programs: the parent sleeps until the child has executed something. */
CASE(trace_vfork_child, "SIGTRAP rax=0 orig=59 zero=1 argc=2 end=exit:7")
{
	pid_t pid = vfork();

	if (pid == 0) {
		if (syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) == 0)
			execl(own_path, own_path, "@traced_program", NULL);
		_exit(98);
	}
	say_next(pid);
	say_first_instruction(pid);
	say_run(PTRACE_CONT, pid, 0);
}

/* The parent does not wait for the child, but for the end of a pipe that the exec closes. */
CASE(trace_exec_behind_pipe, "read=0 SIGTRAP rax=0 orig=59 zero=1 argc=2 end=exit:7")
{
	int pipes[2];
	char byte;
	pid_t pid;

	NEED(pipe2(pipes, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		(void)close(pipes[0]);
		if (request(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			execute();
		_exit(97);
	}
	(void)close(pipes[1]);
	say("read=%zd", read(pipes[0], &byte, 1));
	say_next(pid);
	say_first_instruction(pid);
	say_run(PTRACE_CONT, pid, 0);
}

CASE(trace_me_twice, "SIGSTOP end=exit:3")
{
	pid_t pid = fork();

	if (pid == 0) {
		int first = request(PTRACE_TRACEME, 0, NULL, NULL) == 0;
		int second = request(PTRACE_TRACEME, 0, NULL, NULL) < 0 && errno == EPERM;

		stop_here();
		_exit(first + second + (request(PTRACE_TRACEME, 0, NULL, NULL) < 0 && errno == EPERM));
	}
	say_next(pid);
	say_run(PTRACE_CONT, pid, 0);
}

/* A child that does FAULT at once, without another call. */
static void trace_fault(void (*fault)(void))
{
	siginfo_t info = { 0 };
	pid_t pid = fork();

	if (pid == 0) {
		if (request(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			fault();
		_exit(5);
	}
	say_next(pid);
	NEED(request(PTRACE_GETSIGINFO, pid, NULL, &info) == 0);
	say("code=%d", info.si_code);
	say_run(PTRACE_CONT, pid, info.si_signo == SIGTRAP ? 0 : info.si_signo);
}

static void write_nowhere(void)
{
	*(volatile int *)nowhere() = 1;
}

CASE(trace_me_breakpoint, "SIGTRAP code=128 end=exit:5")
{
	trace_fault(breakpoint);
}

CASE(trace_me_fault, "SIGSEGV code=2 end=SIGSEGV")
{
	trace_fault(write_nowhere);
}

/* It waits: a signal that the parent sends stops it. */
CASE(trace_me_and_wait, "SIGUSR1 end=SIGUSR1")
{
	pid_t pid = fork();

	if (pid == 0) {
		if (request(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			(void)pause();
		_exit(6);
	}
	wait_asleep(pid);
	NEED(kill(pid, SIGUSR1) == 0);
	say_next(pid);
	say_run(PTRACE_CONT, pid, SIGUSR1);
}

/* --- memory and registers ---------------------------------------------------------------------- */

static volatile long word = 1234567890123;

static void check_word(void)
{
	breakpoint();
	_exit(word == 55 ? 11 : 12);
}

CASE(trace_memory, "SIGTRAP word=1234567890123 poke=0 nowhere=EIO poke=EIO end=exit:11")
{
	pid_t pid = start_traced(check_word, 0);

	say_run(PTRACE_CONT, pid, 0);
	errno = 0;
	say("word=%ld", ptrace(PTRACE_PEEKDATA, pid, (void *)(uintptr_t)&word, NULL));
	TRY("poke", request(PTRACE_POKEDATA, pid, (void *)(uintptr_t)&word, (void *)55));
	TRY("nowhere", ptrace(PTRACE_PEEKDATA, pid, (void *)8, NULL));
	TRY("poke", request(PTRACE_POKEDATA, pid, (void *)8, (void *)55));
	say_run(PTRACE_CONT, pid, 0);
}

static void use_registers(void)
{
	long a = 0, b = 0;

	__asm__ volatile("mov $0x1111, %%rbx; mov $0x2222, %%r12; mov $0x3333, %%r15; mov $0x4444, %%rax; int3;"
			 "mov %%r12, %0; mov %%rax, %1"
			 : "=r"(a), "=r"(b) : : "rbx", "r12", "r15", "rax", "memory");
	_exit(a == 0x77 && b == 0x88 ? 21 : 22);
}

CASE(trace_registers, "SIGTRAP 1111 2222 3333 4444 orig=-1 user=2222 set=2222 gs=0 end=exit:21")
{
	pid_t pid = start_traced(use_registers, 0);
	struct user_regs_struct r, set;
	struct iovec io = { &set, sizeof(set) };

	say_run(PTRACE_CONT, pid, 0);
	r = registers(pid);
	say("%llx %llx %llx %llx orig=%lld", r.rbx, r.r12, r.r15, r.rax, (long long)r.orig_rax);
	say("user=%lx", ptrace(PTRACE_PEEKUSER, pid, (void *)offsetof(struct user_regs_struct, r12), NULL));
	NEED(request(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &io) == 0);
	say("set=%llx gs=%llx", set.r12, set.gs_base);
	r.r12 = 0x77;
	set_registers(pid, &r);
	NEED(ptrace(PTRACE_POKEUSER, pid, (void *)offsetof(struct user_regs_struct, rax), (void *)0x88) == 0);
	say_run(PTRACE_CONT, pid, 0);
}

static void use_vectors(void)
{
	long value = 0x1234, after = 0;

	__asm__ volatile("movq %1, %%xmm3; syscall; movq %%xmm3, %0"
			 : "=r"(after) : "r"(value), "a"(SYS_getppid) : "rcx", "r11", "xmm3", "memory");
	_exit(after == 0x5678 ? 31 : 32);
}

CASE(trace_vectors, "call 1234 call 1234 end=exit:31")
{
	pid_t pid = start_traced(use_vectors, PTRACE_O_TRACESYSGOOD);
	struct user_fpregs_struct fp;

	say_run(PTRACE_SYSCALL, pid, 0);
	NEED(request(PTRACE_GETFPREGS, pid, NULL, &fp) == 0);
	say("%x", fp.xmm_space[12]);
	say_run(PTRACE_SYSCALL, pid, 0);
	NEED(request(PTRACE_GETFPREGS, pid, NULL, &fp) == 0);
	say("%x", fp.xmm_space[12]);
	fp.xmm_space[12] = 0x5678;
	NEED(request(PTRACE_SETFPREGS, pid, NULL, &fp) == 0);
	say_run(PTRACE_CONT, pid, 0);
}

/* --- calls ---------------------------------------------------------------------------------------- */

static void make_calls(void)
{
	(void)plain_call(SYS_getpriority, 1, 2, 3);
	(void)plain_call(SYS_close, -1, 0, 0);
	(void)plain_call(SYS_exit_group, 41, 0, 0);
}

CASE(trace_calls,
     "call 140 rax=-38 1,2,3 next=1 call 140 rax=-3 next=1 call 3 rax=-38 call 3 rax=-9 call 231 end=exit:41")
{
	pid_t pid = start_traced(make_calls, PTRACE_O_TRACESYSGOOD);

	for (int i = 0; i < 5; i++) {
		struct user_regs_struct r;

		say_run(PTRACE_SYSCALL, pid, 0);
		r = registers(pid);
		say("%lld", r.orig_rax);
		if (i < 4)
			say("rax=%lld", (long long)r.rax);
		if (i == 0)
			say("%lld,%lld,%lld", r.rdi, r.rsi, r.rdx);
		if (i < 2)
			say("next=%d", r.rcx == r.rip);
	}
	say_run(PTRACE_SYSCALL, pid, 0);
}

CASE(trace_calls_without_option, "SIGTRAP code=5 SIGTRAP code=5 end=SIGKILL")
{
	pid_t pid = start_traced(make_calls, 0);
	siginfo_t info;

	for (int i = 0; i < 2; i++) {
		say_run(PTRACE_SYSCALL, pid, 0);
		NEED(request(PTRACE_GETSIGINFO, pid, NULL, &info) == 0);
		say("code=%d", info.si_code);
	}
	NEED(kill(pid, SIGKILL) == 0);
	say_next(pid);
}

static void say_info(pid_t pid)
{
	struct __ptrace_syscall_info info = { 0 };
	long size = request(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info);

	say("size=%ld op=%d arch=%x", size, info.op, info.arch);
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		say("nr=%lld arg=%lld", (long long)info.entry.nr, (long long)info.entry.args[1]);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		say("rval=%lld error=%d", (long long)info.exit.rval, info.exit.is_error);
}

CASE(trace_call_info, "size=24 op=0 arch=c000003e call size=80 op=1 arch=c000003e nr=140 arg=2 "
		      "call size=33 op=2 arch=c000003e rval=-3 error=1 end=SIGKILL")
{
	pid_t pid = start_traced(make_calls, PTRACE_O_TRACESYSGOOD);

	say_info(pid);
	say_run(PTRACE_SYSCALL, pid, 0);
	say_info(pid);
	say_run(PTRACE_SYSCALL, pid, 0);
	say_info(pid);
	NEED(kill(pid, SIGKILL) == 0);
	say_next(pid);
}

static void check_calls(void)
{
	long a = plain_call(SYS_getppid, 0, 0, 0);
	long b = plain_call(SYS_getppid, 0, 0, 0);
	long c = plain_call(SYS_close, -1, 0, 0);

	b = b == plain_call(SYS_getpid, 0, 0, 0);
	(void)plain_call(SYS_exit_group, (a == 77) + 2 * b + 4 * (c == -22), 0, 0);
}

/* One call is not made, one becomes another, and of one the result is changed. */
CASE(trace_changes_calls, "call call call call call call end=exit:7")
{
	pid_t pid = start_traced(check_calls, PTRACE_O_TRACESYSGOOD);
	struct user_regs_struct r;

	say_run(PTRACE_SYSCALL, pid, 0);
	r = registers(pid);
	r.orig_rax = (unsigned long long)-1;
	set_registers(pid, &r);
	say_run(PTRACE_SYSCALL, pid, 0);
	r = registers(pid);
	r.rax = 77;
	set_registers(pid, &r);
	say_run(PTRACE_SYSCALL, pid, 0);
	r = registers(pid);
	r.orig_rax = SYS_getpid;
	set_registers(pid, &r);
	say_run(PTRACE_SYSCALL, pid, 0);
	say_run(PTRACE_SYSCALL, pid, 0);
	say_run(PTRACE_SYSCALL, pid, 0);
	r = registers(pid);
	r.rax = (unsigned long long)-22;
	set_registers(pid, &r);
	say_run(PTRACE_CONT, pid, 0);
}

/* Of the last one, exit_group, there is no more than the stop, either. */
CASE(trace_emulated_calls, "status=7 end=exit:0")
{
	pid_t pid = start_traced(check_calls, PTRACE_O_TRACESYSGOOD);

	for (;;) {
		struct user_regs_struct r;

		go_on(PTRACE_SYSEMU, pid, 0);
		(void)next_status(pid);
		r = registers(pid);
		if (r.orig_rax == SYS_exit_group) {
			say("status=%lld", (long long)r.rdi);
			break;
		}
		r.rax = r.orig_rax == SYS_close ? (unsigned long long)-22 : 77;
		set_registers(pid, &r);
	}
	say_run(PTRACE_CONT, pid, 0);
}

/* --- single steps -------------------------------------------------------------------------------- */

static void step_here(void)
{
	__asm__ volatile("int3; nop; mov $39, %%eax; syscall; nop; mov $1, %%eax" : : : "rax", "rcx", "r11");
}

CASE(trace_steps, "SIGTRAP 1 code=2 5 code=2 2 code=1 pid=1 1 code=2 5 code=2 end=exit:0")
{
	pid_t pid = start_traced(step_here, 0);
	struct user_regs_struct r, before;
	siginfo_t info;

	say_run(PTRACE_CONT, pid, 0);
	before = registers(pid);
	for (int i = 0; i < 5; i++) {
		go_on(PTRACE_SINGLESTEP, pid, 0);
		NEED(WSTOPSIG(next_status(pid)) == SIGTRAP);
		r = registers(pid);
		NEED(request(PTRACE_GETSIGINFO, pid, NULL, &info) == 0);
		say("%lld code=%d", r.rip - before.rip, info.si_code);
		if (i == 2)
			say("pid=%d", r.rax == (unsigned long long)pid);
		before = r;
	}
	say_run(PTRACE_CONT, pid, 0);
}

static volatile int handled;

static void on_signal(int signo)
{
	handled += signo;
}

static void with_handler(void)
{
	handle(SIGUSR1, on_signal, 0);
	breakpoint();
	(void)plain_call(SYS_kill, getpid(), SIGUSR1, 0);
	_exit(handled);
}

CASE(trace_step_into_handler, "SIGTRAP SIGUSR1 SIGTRAP handler=1 argument=10 end=exit:10")
{
	pid_t pid = start_traced(with_handler, 0);
	struct user_regs_struct r;

	say_run(PTRACE_CONT, pid, 0);
	say_run(PTRACE_CONT, pid, 0);
	say_run(PTRACE_SINGLESTEP, pid, SIGUSR1);
	r = registers(pid);
	say("handler=%d argument=%lld", r.rip == (unsigned long long)(uintptr_t)on_signal, r.rdi);
	say_run(PTRACE_CONT, pid, 0);
}

/* --- signals -------------------------------------------------------------------------------------- */

static void three_signals(void)
{
	handle(SIGUSR1, on_signal, 0);
	handle(SIGUSR2, on_signal, 0);
	for (int i = 0; i < 3; i++)
		(void)plain_call(SYS_kill, getpid(), SIGUSR1, 0);
	_exit(handled);
}

/* One is delivered, one is not, one becomes another. */
CASE(trace_signals, "SIGUSR1 code=0 sender=1 SIGUSR1 SIGUSR1 end=exit:22")
{
	pid_t pid = start_traced(three_signals, 0);
	siginfo_t info = { 0 };

	say_run(PTRACE_CONT, pid, 0);
	NEED(request(PTRACE_GETSIGINFO, pid, NULL, &info) == 0);
	say("code=%d sender=%d", info.si_code, info.si_pid == pid);
	say_run(PTRACE_CONT, pid, SIGUSR1);
	say_run(PTRACE_CONT, pid, 0);
	say_run(PTRACE_CONT, pid, SIGUSR2);
}

static void on_value(int signo, siginfo_t *info, void *context)
{
	handled = info->si_value.sival_int;
}

static void queue_one(void)
{
	union sigval value = { .sival_int = 3 };

	handle_info(SIGUSR1, on_value, 0);
	(void)sigqueue(getpid(), SIGUSR1, value);
	_exit(handled);
}

CASE(trace_changes_siginfo, "SIGUSR1 code=-1 value=3 end=exit:44")
{
	pid_t pid = start_traced(queue_one, 0);
	siginfo_t info = { 0 };

	say_run(PTRACE_CONT, pid, 0);
	NEED(request(PTRACE_GETSIGINFO, pid, NULL, &info) == 0);
	say("code=%d value=%d", info.si_code, info.si_value.sival_int);
	info.si_value.sival_int = 44;
	NEED(request(PTRACE_SETSIGINFO, pid, NULL, &info) == 0);
	say_run(PTRACE_CONT, pid, SIGUSR1);
}

static void fault(void)
{
	*(volatile int *)nowhere() = 1;
}

CASE(trace_fault, "SIGSEGV code=2 end=SIGSEGV")
{
	pid_t pid = start_traced(fault, 0);
	siginfo_t info = { 0 };

	say_run(PTRACE_CONT, pid, 0);
	NEED(request(PTRACE_GETSIGINFO, pid, NULL, &info) == 0);
	say("code=%d", info.si_code);
	say_run(PTRACE_CONT, pid, SIGSEGV);
}

static void read_pipe(void)
{
	char byte = 0;

	handle(SIGUSR1, on_signal, SA_RESTART);
	handle(SIGUSR2, on_signal, 0);
	*number = 1;
	_exit(plain_call(SYS_read, ends[0], (long)&byte, 1) == 1 ? 51 : 52);
}

static pid_t start_reader(long options)
{
	pid_t pid;

	number = shared(sizeof(*number));
	NEED(pipe(ends) == 0);
	pid = start_traced(read_pipe, options);
	return pid;
}

/* A signal without a handler, and one with: both let the call go on. */
CASE(trace_signal_in_call, "SIGWINCH rax=-512 orig=0 SIGUSR1 rax=-512 orig=0 end=exit:51")
{
	pid_t pid = start_reader(0);
	struct user_regs_struct r;
	const int signals[] = { SIGWINCH, SIGUSR1 };

	go_on(PTRACE_CONT, pid, 0);
	wait_number(number, 1);
	for (int i = 0; i < 2; i++) {
		wait_asleep(pid);
		NEED(kill(pid, signals[i]) == 0);
		say_next(pid);
		r = registers(pid);
		say("rax=%lld orig=%lld", (long long)r.rax, (long long)r.orig_rax);
		go_on(PTRACE_CONT, pid, signals[i]);
	}
	wait_asleep(pid);
	NEED(write(ends[1], "x", 1) == 1);
	say_next(pid);
}

/* With stops at calls: the call's end comes before the signal, and it is made afresh. */
CASE(trace_calls_and_signal, "call 0 call 0 rax=-512 SIGUSR1 call 15 call call 0 call 0 rax=1 end=exit:51")
{
	pid_t pid = start_reader(PTRACE_O_TRACESYSGOOD);
	struct user_regs_struct r;

	do {
		go_on(PTRACE_SYSCALL, pid, 0);
		(void)next_status(pid);
	} while (registers(pid).orig_rax != SYS_read);
	say("call 0");
	go_on(PTRACE_SYSCALL, pid, 0);
	wait_asleep(pid);
	NEED(kill(pid, SIGUSR1) == 0);
	say_next(pid);
	r = registers(pid);
	say("%lld rax=%lld", r.orig_rax, (long long)r.rax);
	say_run(PTRACE_SYSCALL, pid, 0);
	say_run(PTRACE_SYSCALL, pid, SIGUSR1);
	say("%lld", registers(pid).orig_rax);
	say_run(PTRACE_SYSCALL, pid, 0);
	say_run(PTRACE_SYSCALL, pid, 0);
	say("%lld", registers(pid).orig_rax);
	NEED(write(ends[1], "x", 1) == 1);
	say_run(PTRACE_SYSCALL, pid, 0);
	r = registers(pid);
	say("%lld rax=%lld", r.orig_rax, (long long)r.rax);
	say_run(PTRACE_CONT, pid, 0);
}

/* --- attaching ----------------------------------------------------------------------------------- */

static pid_t start_untraced(void)
{
	pid_t pid;

	number = shared(sizeof(*number));
	NEED(pipe(ends) == 0);
	pid = start(read_pipe);
	wait_number(number, 1);
	wait_asleep(pid);
	return pid;
}

CASE(trace_attach, "attach=0 SIGSTOP orig=0 detach=0 end=exit:51")
{
	pid_t pid = start_untraced();

	TRY("attach", request(PTRACE_ATTACH, pid, NULL, NULL));
	say_next(pid);
	say("orig=%lld", registers(pid).orig_rax);
	TRY("detach", request(PTRACE_DETACH, pid, NULL, NULL));
	wait_asleep(pid);
	NEED(write(ends[1], "x", 1) == 1);
	say_next(pid);
}

CASE(trace_seize, "seize=0 interrupt=0 trap:SIGTRAP orig=0 call 0 detach=0 end=exit:51")
{
	pid_t pid = start_untraced();

	TRY("seize", request(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD));
	TRY("interrupt", request(PTRACE_INTERRUPT, pid, NULL, NULL));
	say_next(pid);
	say("orig=%lld", registers(pid).orig_rax);
	say_run(PTRACE_SYSCALL, pid, 0);
	say("%lld", registers(pid).orig_rax);
	TRY("detach", request(PTRACE_DETACH, pid, NULL, NULL));
	NEED(write(ends[1], "x", 1) == 1);
	say_next(pid);
}

CASE(trace_group_stop,
     "seize=0 SIGSTOP trap:SIGSTOP info=0 code=32787 listen=0 trap:SIGTRAP SIGCONT end=exit:51")
{
	pid_t pid = start_untraced();
	siginfo_t info;

	TRY("seize", request(PTRACE_SEIZE, pid, NULL, NULL));
	NEED(kill(pid, SIGSTOP) == 0);
	say_next(pid);
	say_run(PTRACE_CONT, pid, SIGSTOP);
	TRY("info", request(PTRACE_GETSIGINFO, pid, NULL, &info));
	say("code=%d", info.si_code);
	TRY("listen", request(PTRACE_LISTEN, pid, NULL, NULL));
	NEED(kill(pid, SIGCONT) == 0);
	say_next(pid);
	say_run(PTRACE_CONT, pid, 0);
	NEED(write(ends[1], "x", 1) == 1);
	say_run(PTRACE_CONT, pid, 0);
}

CASE(trace_detach_with_signal, "SIGTRAP detach=0 end=SIGTERM")
{
	pid_t pid = start_traced(breakpoint, 0);

	say_run(PTRACE_CONT, pid, 0);
	TRY("detach", request(PTRACE_DETACH, pid, NULL, (void *)SIGTERM));
	say_next(pid);
}

static void *sleep_in_thread(void *tid)
{
	char byte;

	*(volatile int *)tid = (int)syscall(SYS_gettid);
	(void)plain_call(SYS_read, ends[0], (long)&byte, 1);
	return NULL;
}

static void with_thread(void)
{
	pthread_t thread;

	NEED(pthread_create(&thread, NULL, sleep_in_thread, (void *)(uintptr_t)number) == 0);
	(void)pthread_join(thread, NULL);
	_exit(61);
}

/* One thread of a process, while the others run. */
CASE(trace_one_thread, "attach=0 SIGSTOP orig=0 detach=0 end=exit:61")
{
	pid_t pid, tid;

	number = shared(sizeof(*number));
	NEED(pipe(ends) == 0);
	pid = start(with_thread);
	while (!*number)
		pause_shortly();
	tid = *number;
	wait_asleep(tid);
	TRY("attach", request(PTRACE_ATTACH, tid, NULL, NULL));
	say_next(tid);
	say("orig=%lld", registers(tid).orig_rax);
	TRY("detach", request(PTRACE_DETACH, tid, NULL, NULL));
	NEED(write(ends[1], "x", 1) == 1);
	say_next(pid);
}

/* --- events --------------------------------------------------------------------------------------- */

static void make_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(3);
	_exit(wait_status(pid) == 3 << 8 ? 71 : 72);
}

/* The parent's event, the child's first stop, and both to their ends. */
static void say_children(pid_t pid)
{
	unsigned long message = 0;
	pid_t child;
	int status;

	NEED(request(PTRACE_GETEVENTMSG, pid, NULL, &message) == 0);
	child = (pid_t)message;
	status = next_status(child);
	say("child");
	say_stop(status);
	say("rax=%lld", (long long)registers(child).rax);
	say("child");
	say_run(PTRACE_CONT, child, 0);
	go_on(PTRACE_CONT, pid, 0);
	for (status = next_status(pid); WIFSTOPPED(status); status = next_status(pid)) {
		if (EVENT(status))
			say_stop(status); /* but SIGCHLD comes whenever it wants */
		go_on(PTRACE_CONT, pid, EVENT(status) ? 0 : WSTOPSIG(status));
	}
	say_stop(status);
}

CASE(trace_fork, "event:fork child SIGSTOP rax=0 child end=exit:3 end=exit:71")
{
	pid_t pid = start_traced(make_child, PTRACE_O_TRACEFORK);

	say_run(PTRACE_CONT, pid, 0);
	say_children(pid);
}

static void make_vfork_child(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(3);
	_exit(wait_status(pid) == 3 << 8 ? 71 : 72);
}

CASE(trace_vfork, "event:vfork child SIGSTOP rax=0 child end=exit:3 event:vfork-done end=exit:71")
{
	pid_t pid = start_traced(make_vfork_child, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE);

	say_run(PTRACE_CONT, pid, 0);
	say_children(pid);
}

static void *end_at_once(void *argument)
{
	return argument;
}

static void make_thread(void)
{
	pthread_t thread;

	NEED(pthread_create(&thread, NULL, end_at_once, NULL) == 0);
	(void)pthread_join(thread, NULL);
	_exit(71);
}

CASE(trace_clone, "event:clone child SIGSTOP rax=0 child end=exit:0 end=exit:71")
{
	pid_t pid = start_traced(make_thread, PTRACE_O_TRACECLONE);

	say_run(PTRACE_CONT, pid, 0);
	say_children(pid);
}

/* Without the options nothing of a child is seen. */
CASE(trace_fork_untraced, "end=exit:71")
{
	pid_t pid = start_traced(make_child, 0);
	int status;

	go_on(PTRACE_CONT, pid, 0);
	for (status = next_status(pid); WIFSTOPPED(status); status = next_status(pid))
		go_on(PTRACE_CONT, pid, WSTOPSIG(status));
	say_stop(status);
}

static void end_with_81(void)
{
	(void)plain_call(SYS_exit_group, 81, 0, 0);
}

CASE(trace_exit, "event:exit message=81 orig=231 end=exit:81")
{
	pid_t pid = start_traced(end_with_81, PTRACE_O_TRACEEXIT);
	unsigned long message = 0;

	say_run(PTRACE_CONT, pid, 0);
	NEED(request(PTRACE_GETEVENTMSG, pid, NULL, &message) == 0);
	say("message=%lu orig=%lld", message >> 8, registers(pid).orig_rax);
	say_run(PTRACE_CONT, pid, 0);
}

static void trace_and_end(void)
{
	pid_t pid = start_traced(read_pipe, *number ? PTRACE_O_EXITKILL : 0);

	*number = 0;
	go_on(PTRACE_CONT, pid, 0);
	while (!*number)
		pause_shortly();
	wait_asleep(pid);
	number[1] = pid;
	_exit(0);
}

/* A tracer ends: its tracee goes on, or (with the option) is killed. */
static void end_of_tracer(int option)
{
	int status = 0;

	number = shared(2 * sizeof(*number));
	*number = option;
	NEED(pipe(ends) == 0);
	NEED(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
	NEED(wait_status(start(trace_and_end)) == 0);
	if (!option)
		NEED(write(ends[1], "x", 1) == 1);
	NEED(waitpid(number[1], &status, 0) == number[1]);
	say_stop(status);
}

CASE(trace_end_of_tracer, "end=exit:51")
{
	end_of_tracer(0);
}

CASE(trace_exitkill, "end=SIGKILL")
{
	end_of_tracer(1);
}

/* --- waiting, and errors ------------------------------------------------------------------------- */

CASE(trace_waitid, "code=4 status=5 same=1 none=0 code=1 status=0")
{
	pid_t pid = start_traced(breakpoint, 0);
	siginfo_t first = { 0 }, second = { 0 };

	go_on(PTRACE_CONT, pid, 0);
	NEED(waitid(P_PID, (id_t)pid, &first, WSTOPPED | WEXITED | WNOWAIT) == 0);
	say("code=%d status=%d", first.si_code, first.si_status);
	NEED(waitid(P_PID, (id_t)pid, &second, WSTOPPED | WEXITED) == 0);
	say("same=%d", first.si_status == second.si_status && first.si_code == second.si_code);
	second.si_pid = 77;
	NEED(waitid(P_PID, (id_t)pid, &second, WSTOPPED | WEXITED | WNOHANG) == 0);
	say("none=%d", second.si_pid);
	go_on(PTRACE_CONT, pid, 0);
	NEED(waitid(P_PID, (id_t)pid, &second, WEXITED) == 0);
	say("code=%d status=%d", second.si_code, second.si_status);
}

CASE(trace_errors, "none=ESRCH self=EPERM request=EIO user=EIO user=EIO signal=EIO memory=EFAULT "
		   "options=EINVAL again=EPERM running=ESRCH end=SIGKILL")
{
	pid_t pid = start_reader(0);

	TRY("none", request(PTRACE_CONT, getppid(), NULL, NULL));
	TRY("self", request(PTRACE_ATTACH, getpid(), NULL, NULL));
	TRY("request", request(0x999, pid, NULL, NULL));
	TRY("user", request(PTRACE_PEEKUSER, pid, (void *)3, &pid + 1));
	TRY("user", request(PTRACE_POKEUSER, pid, (void *)100000, NULL));
	TRY("signal", request(PTRACE_CONT, pid, NULL, (void *)1000));
	TRY("memory", request(PTRACE_GETREGS, pid, NULL, nowhere()));
	TRY("options", request(PTRACE_SETOPTIONS, pid, NULL, (void *)(1L << 30)));
	TRY("again", request(PTRACE_ATTACH, pid, NULL, NULL));
	go_on(PTRACE_CONT, pid, 0);
	wait_number(number, 1);
	TRY("running", request(PTRACE_CONT, pid, NULL, NULL));
	NEED(kill(pid, SIGKILL) == 0);
	say_next(pid);
}
