/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that filter their own calls: seccomp(2) and prctl(2). */
#include "conformance.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <ucontext.h>

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define RETURN(value)  BPF_STMT(BPF_RET | BPF_K, (value))
#define LOAD(field)    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_HIGH(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + 4)
#define UNLESS(value)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1)
#define FAIL(number)   (SECCOMP_RET_ERRNO | (number))
#define OFTEN          20 /* until a call site is known well */

static const struct sock_filter allow_all[] = { RETURN(SECCOMP_RET_ALLOW) };

static long install(unsigned flags, const struct sock_filter *code, size_t len)
{
	const struct sock_fprog program = { (unsigned short)len, (struct sock_filter *)(uintptr_t)code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void no_new_privs(void)
{
	NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

/* The call NUMBER gets VERDICT, all others are let through. */
static long filter_number(unsigned flags, long number, uint32_t verdict)
{
	const struct sock_filter code[] = {
		LOAD(nr), UNLESS((uint32_t)number), RETURN(verdict), RETURN(SECCOMP_RET_ALLOW),
	};

	no_new_privs();
	return install(flags, code, COUNT(code));
}

/* getppid(2) does nothing else, and is called from one place. */
static __attribute__((noinline)) long call_getppid(void)
{
	return syscall(SYS_getppid);
}

static void no_core(void)
{
	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
}

/* --- what becomes of a call ---------------------------------------------------------------------- */

static int count_failed(long number, int error)
{
	int count = 0;

	for (int i = 0; i < OFTEN; i++)
		count += syscall(number) < 0 && errno == error;
	return count;
}

CASE(filter_error, "set=0 failed=20 others=1 again=0 later=20")
{
	TRY("set", filter_number(0, SYS_getppid, FAIL(EXDEV)));
	say("failed=%d others=%d", count_failed(SYS_getppid, EXDEV), getpid() > 0);
	for (int i = 0; i < OFTEN; i++)
		NEED(getpid() > 0 && syscall(SYS_getuid) >= 0);
	TRY("again", filter_number(0, SYS_getuid, FAIL(EPIPE)));
	say("later=%d", count_failed(SYS_getuid, EPIPE));
}

CASE(filter_error_numbers, "none=0 largest=-4095 larger=-4095 unknown=ENOSYS")
{
	NEED(filter_number(0, SYS_getppid, FAIL(0)) == 0);
	NEED(filter_number(0, SYS_getuid, FAIL(4095)) == 0);
	NEED(filter_number(0, SYS_getgid, FAIL(0xffff)) == 0);
	TRY("none", call_getppid());
	errno = 0;
	say("largest=%d", syscall(SYS_getuid) == -1 ? -errno : 0);
	say("larger=%d", syscall(SYS_getgid) == -1 ? -errno : 0);
	TRY("unknown", syscall(1000));
}

/* Also those that the kernel uses for itself. */
CASE(filter_all_errors, "as wanted=600")
{
	int as_wanted = 0;

	for (int number = 1; number <= 600; number++) {
		pid_t pid = fork();

		if (pid == 0) {
			alarm(10);
			NEED(filter_number(0, SYS_getuid, FAIL((unsigned)number)) == 0);
			_exit(syscall(SYS_getuid) == -1 && errno == number ? 0 : 1);
		}
		as_wanted += wait_status(pid) == 0;
	}
	say("as wanted=%d", as_wanted);
}

CASE(filter_unknown_number, "failed=EDOM minus=EBADMSG")
{
	NEED(filter_number(0, 1000, FAIL(EDOM)) == 0);
	NEED(filter_number(0, -1, FAIL(EBADMSG)) == 0);
	TRY("failed", syscall(1000));
	TRY("minus", syscall(-1));
}

/* Nobody traces, nobody listens, and the log is not ours to read. */
CASE(filter_other_actions, "trace=20 notify=20 log=1")
{
	NEED(filter_number(0, SYS_getuid, SECCOMP_RET_TRACE | 3) == 0);
	NEED(filter_number(0, SYS_getgid, SECCOMP_RET_USER_NOTIF) == 0);
	NEED(filter_number(SECCOMP_FILTER_FLAG_LOG, SYS_getppid, SECCOMP_RET_LOG) == 0);
	say("trace=%d", count_failed(SYS_getuid, ENOSYS));
	say("notify=%d", count_failed(SYS_getgid, ENOSYS));
	say("log=%d", call_getppid() > 0);
}

static struct {
	siginfo_t info;
	uint64_t rax, rip;
	int count, blocked;
} trapped;

static void on_trap(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	trapped.info = *info;
	trapped.rax = (uint64_t)uc->uc_mcontext.gregs[REG_RAX];
	trapped.rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
	trapped.blocked = is_blocked(signo);
	trapped.count++;
	uc->uc_mcontext.gregs[REG_RAX] = 4242;
}

CASE(filter_trap, "result=4242 signo=SIGSYS code=1 errno=7 nr=1 arch=c000003e address=1 rax=1 blocked=1 "
		  "results=20 count=21 after=0")
{
	int results = 0;
	long result;

	handle_info(SIGSYS, on_trap, 0);
	NEED(filter_number(0, SYS_getppid, SECCOMP_RET_TRAP | 7) == 0);
	result = call_getppid();
	say("result=%ld signo=%s code=%d errno=%d nr=%d arch=%x address=%d rax=%d blocked=%d", result,
	    signal_name(trapped.info.si_signo), trapped.info.si_code, trapped.info.si_errno,
	    trapped.info.si_syscall == SYS_getppid, trapped.info.si_arch,
	    (uint64_t)trapped.info.si_call_addr == trapped.rip, trapped.rax == SYS_getppid, trapped.blocked);
	for (int i = 0; i < OFTEN; i++)
		results += call_getppid() == 4242;
	say("results=%d count=%d after=%d", results, trapped.count, is_blocked(SIGSYS));
}

static void trap_blocked(void)
{
	no_core();
	handle_info(SIGSYS, on_trap, 0);
	block(SIGSYS);
	(void)call_getppid();
}

static void trap_ignored(void)
{
	no_core();
	handle(SIGSYS, SIG_IGN, 0);
	(void)call_getppid();
}

static void trap_default(void)
{
	no_core();
	for (int i = 0; i < OFTEN; i++)
		(void)call_getppid();
}

CASE(filter_trap_unhandled, "default=SIGSYS blocked=SIGSYS ignored=SIGSYS")
{
	NEED(filter_number(0, SYS_getppid, SECCOMP_RET_TRAP) == 0);
	say_end("default", trap_default);
	say_end("blocked", trap_blocked);
	say_end("ignored", trap_ignored);
}

static sigjmp_buf *jump_to;

static void on_trap_jump(int signo)
{
	(void)signo;
	siglongjmp(*jump_to, 1);
}

CASE(filter_trap_jump, "jumps=100")
{
	sigjmp_buf buffer;
	volatile int jumps = 0;

	jump_to = &buffer;
	handle(SIGSYS, on_trap_jump, 0);
	NEED(filter_number(0, SYS_getppid, SECCOMP_RET_TRAP) == 0);
	for (int i = 0; i < 100; i++) {
		if (sigsetjmp(buffer, 1) == 0)
			(void)call_getppid();
		else
			jumps++;
	}
	say("jumps=%d", jumps);
}

static uint32_t kill_verdict;

/* From a place that was called often before. */
static void be_killed(void)
{
	no_core();
	for (int i = 0; i < OFTEN; i++)
		(void)call_getppid();
	NEED(filter_number(0, SYS_getppid, kill_verdict) == 0);
	(void)call_getppid();
}

static void *sleep_for_good(void *argument)
{
	for (;;)
		(void)pause();
	return argument;
}

static void be_killed_beside(void)
{
	pthread_t thread;

	no_core();
	NEED(pthread_create(&thread, NULL, sleep_for_good, NULL) == 0);
	be_killed();
}

CASE(filter_kill_process, "end=SIGSYS beside=SIGSYS unknown=SIGSYS")
{
	kill_verdict = SECCOMP_RET_KILL_PROCESS;
	say_end("end", be_killed);
	say_end("beside", be_killed_beside);
	kill_verdict = 0x12340000;
	say_end("unknown", be_killed);
}

static void *be_killed_thread(void *argument)
{
	NEED(filter_number(0, SYS_getppid, SECCOMP_RET_KILL_THREAD) == 0);
	(void)call_getppid();
	say("survived");
	return argument;
}

static pid_t process_id;

/* The first thread is gone: when this ends, the process does. */
static void *end_last(void *argument)
{
	wait_number(argument, 1);
	while (syscall(SYS_tgkill, process_id, process_id, 0) == 0) {
		char path[64], text[512];

		(void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)process_id);
		if (read_file(path, text, sizeof(text)) == 0 || strstr(text, ") Z"))
			break;
		pause_shortly();
	}
	say("alone");
	syscall(SYS_exit, 0);
	return argument;
}

static void kill_first_thread(void)
{
	static int ready;
	pthread_t thread;

	process_id = getpid();
	NEED(pthread_create(&thread, NULL, end_last, &ready) == 0);
	ready = 1;
	(void)be_killed_thread(NULL);
}

CASE(filter_kill_thread, "joined=1 alive=1 alone single=SIGSYS")
{
	pthread_t thread;
	void *result = &thread;

	for (int i = 0; i < OFTEN; i++)
		(void)call_getppid();
	NEED(pthread_create(&thread, NULL, be_killed_thread, NULL) == 0);
	say("joined=%d", pthread_join(thread, &result) == 0);
	say("alive=%d", call_getppid() > 0);
	(void)wait_status(start(kill_first_thread)); /* its status is of the one thread, or of the other */
	kill_verdict = SECCOMP_RET_KILL_THREAD;
	say_end("single", be_killed);
}

/* The most severe one wins; of equal ones the newest says more. */
CASE(filter_precedence, "newest=EDOM errno=EXDEV trap=4242 end=SIGSYS")
{
	NEED(filter_number(0, SYS_getuid, FAIL(EXDEV)) == 0);
	NEED(filter_number(0, SYS_getuid, FAIL(EDOM)) == 0);
	TRY("newest", syscall(SYS_getuid));
	NEED(filter_number(0, SYS_getgid, FAIL(EXDEV)) == 0);
	NEED(filter_number(0, SYS_getgid, SECCOMP_RET_TRACE) == 0);
	NEED(filter_number(0, SYS_getgid, SECCOMP_RET_LOG) == 0);
	TRY("errno", syscall(SYS_getgid));
	handle_info(SIGSYS, on_trap, 0);
	NEED(filter_number(0, SYS_getppid, SECCOMP_RET_TRAP) == 0);
	NEED(filter_number(0, SYS_getppid, FAIL(EXDEV)) == 0);
	TRY("trap", call_getppid());
	kill_verdict = SECCOMP_RET_KILL_PROCESS;
	say_end("end", be_killed);
}

/* --- what a filter sees ---------------------------------------------------------------------------- */

CASE(filter_arguments, "match=EDOM low=EBADF high=EBADF sixth=EDOM fifth=EBADF")
{
	const struct sock_filter code[] = {
		LOAD(nr), UNLESS(SYS_dup), BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(SECCOMP_RET_ALLOW),
		LOAD(args[1]), UNLESS(0x11223344), BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(SECCOMP_RET_ALLOW),
		LOAD_HIGH(args[1]), UNLESS(0xaabbccdd), RETURN(FAIL(EDOM)),
		LOAD(args[5]), UNLESS(66), RETURN(FAIL(EDOM)), RETURN(SECCOMP_RET_ALLOW),
	};

	no_new_privs();
	NEED(install(0, code, COUNT(code)) == 0);
	TRY("match", syscall(SYS_dup, -1, 0xaabbccdd11223344));
	TRY("low", syscall(SYS_dup, -1, 0xaabbccdd11223345));
	TRY("high", syscall(SYS_dup, -1, 0xaabbccde11223344));
	TRY("sixth", syscall(SYS_dup, -1, 0x11223344, 0, 0, 0, 66));
	TRY("fifth", syscall(SYS_dup, -1, 0x11223344, 0, 0, 66, 0));
}

/* The only call of this place: its address is known. */
extern const char behind_call[];
#ifndef __clang__ /* which makes no clones of a function with such a label */
__attribute__((noclone))
#endif
__attribute__((noinline)) static long call_here(long number)
{
	long result;

	__asm__ volatile("syscall\n\t.globl behind_call\nbehind_call:\n\tcmp $-4096, %%rax"
			 : "=a"(result) : "0"(number) : "rcx", "r11", "memory", "cc");
	return result;
}

/* By the place of the call: also when it has been called often. */
CASE(filter_place, "before=20 here=20 there=20")
{
	const uint64_t here = (uint64_t)behind_call;
	const struct sock_filter code[] = {
		LOAD(nr), UNLESS(SYS_getppid), BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(SECCOMP_RET_ALLOW),
		LOAD(instruction_pointer), UNLESS((uint32_t)here), BPF_STMT(BPF_JMP | BPF_JA, 1),
		RETURN(SECCOMP_RET_ALLOW), LOAD_HIGH(instruction_pointer), UNLESS((uint32_t)(here >> 32)),
		RETURN(FAIL(EDOM)), RETURN(SECCOMP_RET_ALLOW),
	};
	int before = 0, at = 0, other = 0;

	for (int i = 0; i < OFTEN; i++)
		before += call_here(SYS_getppid) > 0;
	no_new_privs();
	NEED(install(0, code, COUNT(code)) == 0);
	for (int i = 0; i < OFTEN; i++) {
		at += call_here(SYS_getppid) == -EDOM;
		other += call_getppid() > 0;
	}
	say("before=%d here=%d there=%d", before, at, other);
}

/* Scratch memory, arithmetic, and a jump: the result is (number * 3 + 1) / 2 ^ length. */
CASE(filter_computes, "result=1")
{
	const struct sock_filter code[] = {
		LOAD(nr), UNLESS(SYS_getppid), BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 3), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1),
		BPF_STMT(BPF_LDX | BPF_IMM, 2), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), BPF_STMT(BPF_ST, 3),
		BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_LD | BPF_MEM, 3),
		BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0), BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};

	no_new_privs();
	NEED(install(0, code, COUNT(code)) == 0);
	say("result=%d", call_here(SYS_getppid) == -((SYS_getppid * 3 + 1) / 2 ^ 64));
}

/* By the entry for programs of 32 bits: getppid is 64 there, and another architecture. */
CASE(filter_foreign_entry, "foreign=-33 own=1")
{
	const struct sock_filter code[] = {
		LOAD(arch), UNLESS(AUDIT_ARCH_I386), BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(SECCOMP_RET_ALLOW),
		LOAD(nr), UNLESS(64), LOAD(args[1]), UNLESS(77), RETURN(FAIL(EDOM)), RETURN(SECCOMP_RET_ALLOW),
	};
	long result = 64;

	no_new_privs();
	NEED(install(0, code, COUNT(code)) == 0);
	__asm__ volatile("int $0x80" : "+a"(result) : "c"(77) : "memory", "r8", "r9", "r10", "r11");
	say("foreign=%ld own=%d", result, call_getppid() > 0);
}

/* The handler's way back is a call, too. */
static void return_denied(void)
{
	no_core();
	handle_info(SIGUSR1, on_trap, 0);
	NEED(filter_number(0, SYS_rt_sigreturn, SECCOMP_RET_KILL_PROCESS) == 0);
	(void)raise(SIGUSR1);
}

CASE(filter_sigreturn, "end=SIGSYS")
{
	say_end("end", return_denied);
}

static void on_alarm(int signo)
{
	(void)signo;
	trapped.count++;
}

static void *write_later(void *argument)
{
	const int *numbers = argument;

	wait_number(&trapped.count, 1);
	(void)!write(numbers[1], "x", 1);
	return NULL;
}

/* A call that is restarted passes its filters again. */
CASE(filter_restart, "read=1 count=1")
{
	int numbers[2];
	char byte;
	pthread_t thread;
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };

	NEED(pipe(numbers) == 0 && sigaction(SIGUSR2, &action, NULL) == 0);
	NEED(filter_number(0, SYS_getppid, FAIL(EDOM)) == 0);
	NEED(pthread_create(&thread, NULL, write_later, numbers) == 0);
	NEED(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	NEED(timer_settime(timer, 0, &(struct itimerspec){ .it_value.tv_nsec = 20000000 }, NULL) == 0);
	TRY("read", read(numbers[0], &byte, 1));
	NEED(pthread_join(thread, NULL) == 0);
	say("count=%d", trapped.count);
}

/* --- who has it --------------------------------------------------------------------------------------- */

static int is_denied(void)
{
	return syscall(SYS_getppid) < 0 && errno == EDOM;
}

/* @denied: the same in another program. */
HELPER(denied)
{
	(void)argc;
	(void)argv;
	return is_denied() + 2 * (prctl(PR_GET_SECCOMP) == 2) +
	       4 * prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static void deny_getppid(void)
{
	NEED(filter_number(0, SYS_getppid, FAIL(EDOM)) == 0);
}

static void say_denied(void)
{
	say("denied=%d", is_denied());
}

static void exec_denied(void)
{
	(void)execl(own_path, "x", "@denied", NULL);
}

static void exec_script(void)
{
	(void)execl("./script", "x", NULL);
}

CASE(filter_children, "denied=1 fork=exit:0 exec=exit:7 script=exit:7 spawn=exit:7 vfork=exit:1")
{
	char *argv[] = { (char *)"x", (char *)"@denied", NULL };
	char text[300];
	pid_t pid;

	deny_getppid();
	say_end("fork", say_denied);
	say_end("exec", exec_denied);
	NEED(symlink(own_path, "x") == 0);
	(void)snprintf(text, sizeof(text), "#!x @denied\n");
	write_file("script", text, 0700);
	say_end("script", exec_script);
	NEED(posix_spawn(&pid, own_path, NULL, NULL, argv, environ) == 0);
	say_status("spawn", wait_status(pid));
	pid = vfork();
	if (pid == 0)
		_exit(is_denied());
	say_status("vfork", wait_status(pid));
}

/* What a child of vfork(2) does to itself stays there. */
CASE(filter_in_vfork, "child=exit:1 denied=0 mode=0")
{
	pid_t pid;

	no_new_privs();
	pid = vfork();
	if (pid == 0) {
		deny_getppid();
		_exit(is_denied());
	}
	say_status("child", wait_status(pid));
	say_denied();
	TRY("mode", prctl(PR_GET_SECCOMP));
}

static int stage;

static void *denied_in_thread(void *argument)
{
	return is_denied() ? argument : NULL;
}

static void *deny_own_thread(void *argument)
{
	deny_getppid();
	stage = 1;
	wait_number(&stage, 2);
	return denied_in_thread(argument);
}

/* A filter is a thread's, and of those that it makes. */
CASE(filter_threads, "own=1 other=0 mode=0 later=1 mode=2")
{
	pthread_t thread;
	void *result;

	stage = 0;
	NEED(pthread_create(&thread, NULL, deny_own_thread, &stage) == 0);
	wait_number(&stage, 1);
	int other = is_denied();

	stage = 2;
	NEED(pthread_join(thread, &result) == 0);
	say("own=%d other=%d mode=%d", result != NULL, other, prctl(PR_GET_SECCOMP));
	deny_getppid();
	NEED(pthread_create(&thread, NULL, denied_in_thread, &stage) == 0);
	NEED(pthread_join(thread, &result) == 0);
	say("later=%d mode=%d", result != NULL, prctl(PR_GET_SECCOMP));
}

enum { THREADS = 5 };

static void *denied_later(void *argument)
{
	(void)__atomic_add_fetch(&stage, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&stage, __ATOMIC_SEQ_CST) != 100)
		(void)call_getppid();
	return is_denied() && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_SECCOMP) == 2 ?
		       argument : NULL;
}

/* With TSYNC it is all threads'. */
CASE(filter_all_threads, "set=0 denied=5 own=1")
{
	pthread_t threads[THREADS];
	void *result;
	int denied = 0;

	stage = 0;
	for (int i = 0; i < THREADS; i++)
		NEED(pthread_create(&threads[i], NULL, denied_later, &stage) == 0);
	wait_number(&stage, THREADS);
	TRY("set", filter_number(SECCOMP_FILTER_FLAG_TSYNC, SYS_getppid, FAIL(EDOM)));
	stage = 100;
	for (int i = 0; i < THREADS; i++) {
		NEED(pthread_join(threads[i], &result) == 0);
		denied += result != NULL;
	}
	say("denied=%d own=%d", denied, is_denied());
}

static pid_t unlike;

static void *deny_and_say(void *argument)
{
	unlike = (pid_t)syscall(SYS_gettid);
	return deny_own_thread(argument);
}

/* Unless one of them has what the caller has not. */
CASE(filter_unlike_thread, "thread=1 esrch=ESRCH own=0 mode=0 after=0 own=1")
{
	pthread_t thread;

	stage = 0;
	NEED(pthread_create(&thread, NULL, deny_and_say, &stage) == 0);
	wait_number(&stage, 1);
	say("thread=%d", filter_number(SECCOMP_FILTER_FLAG_TSYNC, SYS_getppid, FAIL(EDOM)) == unlike);
	TRY("esrch", filter_number(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, SYS_getppid,
				   FAIL(EDOM)));
	say("own=%d mode=%d", is_denied(), prctl(PR_GET_SECCOMP));
	stage = 2;
	NEED(pthread_join(thread, NULL) == 0);
	TRY("after", filter_number(SECCOMP_FILTER_FLAG_TSYNC, SYS_getppid, FAIL(EDOM)));
	say("own=%d", is_denied());
}

static void *exec_in_thread(void *argument)
{
	deny_getppid();
	exec_denied();
	return argument;
}

static void exec_beside(void)
{
	pthread_t thread;

	NEED(pthread_create(&thread, NULL, exec_in_thread, NULL) == 0);
	(void)sleep_for_good(NULL);
}

CASE(filter_exec_from_thread, "end=exit:7")
{
	say_end("end", exec_beside);
}

CASE(filter_denies_exec, "exec=EDOM after=exit:1")
{
	NEED(filter_number(0, SYS_execve, FAIL(EDOM)) == 0);
	TRY("exec", execl("/bin/true", "true", NULL));
	NEED(filter_number(0, SYS_execveat, FAIL(EDOM)) == 0);
	deny_getppid();
	say_status("after", wait_status(start(exec_denied)) | 0x100);
}

/* Many threads that come and go, each with a filter more. */
static void *filter_and_end(void *argument)
{
	deny_getppid();
	return is_denied() ? argument : NULL;
}

CASE(filter_many_threads, "denied=300 own=0")
{
	int denied = 0;

	for (int i = 0; i < 300; i += 4) {
		pthread_t threads[4];
		void *result;

		for (int j = 0; j < 4; j++)
			NEED(pthread_create(&threads[j], NULL, filter_and_end, &stage) == 0);
		for (int j = 0; j < 4; j++) {
			NEED(pthread_join(threads[j], &result) == 0);
			denied += result != NULL;
		}
	}
	say("denied=%d own=%d", denied, is_denied());
}

/* --- setting it ---------------------------------------------------------------------------------------- */

#define TRY_CODE(label, ...)                                             \
	do {                                                             \
		const struct sock_filter code[] = { __VA_ARGS__ };       \
		TRY(label, install(0, code, COUNT(code)));               \
	} while (0)

CASE(filter_invalid, "end=EINVAL align=EINVAL outside=EINVAL byte=EINVAL scratch=EINVAL zero=EINVAL "
		     "shift=EINVAL remainder=EINVAL jump=EINVAL branch=EINVAL unknown=EINVAL mode=0 fine=0")
{
	no_new_privs();
	TRY_CODE("end", LOAD(nr));
	TRY_CODE("align", BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RETURN(0));
	TRY_CODE("outside", BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(0));
	TRY_CODE("byte", BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RETURN(0));
	TRY_CODE("scratch", BPF_STMT(BPF_LD | BPF_MEM, 0), RETURN(0));
	TRY_CODE("zero", BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0));
	TRY_CODE("shift", BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RETURN(0));
	TRY_CODE("remainder", BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 2), RETURN(0));
	TRY_CODE("jump", BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(0));
	TRY_CODE("branch", BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RETURN(0));
	TRY_CODE("unknown", BPF_STMT(0xff, 0), RETURN(0));
	TRY("mode", prctl(PR_GET_SECCOMP));
	TRY("fine", install(0, allow_all, 1));
}

CASE(filter_errors, "operation=EINVAL flags=EINVAL pointer=EFAULT kernel=EFAULT empty=EINVAL long=EINVAL "
		    "code=EFAULT nocode=EINVAL prctl=EFAULT mode=EINVAL strict_flags=EINVAL "
		    "strict_pointer=EINVAL killable=EINVAL still=0")
{
	struct sock_fprog program = { 1, nowhere() };

	no_new_privs();
	TRY("operation", syscall(SYS_seccomp, 99, 0, NULL));
	TRY("flags", install(1u << 20, allow_all, 1));
	TRY("pointer", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL));
	TRY("kernel", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, KERNEL_POINTER));
	TRY("empty", install(0, allow_all, 0));
	TRY("long", install(0, allow_all, 4097));
	TRY("code", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
	program.filter = NULL;
	TRY("nocode", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
	TRY("prctl", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, nowhere()));
	TRY("mode", prctl(PR_SET_SECCOMP, 3, NULL));
	TRY("strict_flags", syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL));
	TRY("strict_pointer", syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, &program));
	TRY("killable", install(1u << 5, allow_all, 1));
	TRY("still", prctl(PR_GET_SECCOMP));
}

CASE(filter_modes, "none=0 prctl=0 mode=2 strict=EINVAL strict=EINVAL more=0 still=2")
{
	const struct sock_fprog program = { 1, (struct sock_filter *)(uintptr_t)allow_all };

	TRY("none", prctl(PR_GET_SECCOMP));
	no_new_privs();
	TRY("prctl", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
	TRY("mode", prctl(PR_GET_SECCOMP));
	TRY("strict", prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	TRY("strict", syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL));
	TRY("more", install(0, allow_all, 1));
	TRY("still", prctl(PR_GET_SECCOMP));
}

/* The filters of one thread may have so many instructions; each counts for some more. */
CASE(filter_too_many, "some=1 error=ENOMEM denied=1")
{
	static struct sock_filter code[4096];
	int count = 0;

	for (size_t i = 0; i < COUNT(code); i++)
		code[i] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	deny_getppid();
	while (count < 100 && install(0, code, COUNT(code)) == 0)
		count++;
	say("some=%d error=%s", count > 1 && count < 10, strerrorname_np(errno));
	say_denied();
}

static void available(const char *label, uint32_t action)
{
	TRY(label, syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
}

CASE(filter_available, "process=0 thread=0 trap=0 errno=0 trace=0 log=0 allow=0 other=EOPNOTSUPP "
		       "flags=EINVAL pointer=EFAULT sizes=0 80 24 64 flags=EINVAL pointer=EFAULT")
{
	uint32_t action = SECCOMP_RET_ALLOW;
	struct seccomp_notif_sizes sizes = { 0 };

	available("process", SECCOMP_RET_KILL_PROCESS);
	available("thread", SECCOMP_RET_KILL_THREAD);
	available("trap", SECCOMP_RET_TRAP);
	available("errno", SECCOMP_RET_ERRNO);
	available("trace", SECCOMP_RET_TRACE);
	available("log", SECCOMP_RET_LOG);
	available("allow", SECCOMP_RET_ALLOW);
	available("other", 0x12340000);
	TRY("flags", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &action));
	TRY("pointer", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, nowhere()));
	TRY("sizes", syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
	say("%d %d %d", sizes.seccomp_notif, sizes.seccomp_notif_resp, sizes.seccomp_data);
	TRY("flags", syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 1, &sizes));
	TRY("pointer", syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, nowhere()));
}

static void without_right(void)
{
	if (geteuid() == 0)
		NEED(setresuid(1000, 1000, 1000) == 0);
	TRY("right", install(0, allow_all, 1));
	TRY("pointer", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL));
	TRY("empty", install(0, allow_all, 0));
	TRY("privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	no_new_privs();
	TRY("then", install(0, allow_all, 1));
	TRY("privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

CASE(filter_needs_right, "right=EACCES pointer=EFAULT empty=EINVAL privs=0 then=0 privs=1 end=exit:0")
{
	say_end("end", without_right);
}

CASE_AS_ROOT(filter_as_root, "set=0 privs=0")
{
	TRY("set", install(0, allow_all, 1));
	TRY("privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static void say_privs(void)
{
	TRY("child", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static void *privs_in_thread(void *argument)
{
	*(int *)argument = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	return NULL;
}

CASE(filter_no_new_privs, "before=0 zero=EINVAL two=EINVAL more=EINVAL get=EINVAL still=0 set=0 after=1 "
			  "child=1 end=exit:0 thread=1")
{
	pthread_t thread;
	int seen = -1;

	TRY("before", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	TRY("zero", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
	TRY("two", prctl(PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0));
	TRY("more", prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
	TRY("get", prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
	TRY("still", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	TRY("set", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	TRY("after", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	say_end("end", say_privs);
	NEED(pthread_create(&thread, NULL, privs_in_thread, &seen) == 0);
	NEED(pthread_join(thread, NULL) == 0);
	say("thread=%d", seen);
}

/* --- the strict mode ------------------------------------------------------------------------------------ */

static int strict_pipe[2];

static void be_strict(void)
{
	char byte = 'x';

	NEED(pipe(strict_pipe) == 0);
	handle(SIGSEGV, SIG_DFL, 0);
	NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
	for (int i = 0; i < OFTEN; i++)
		if (write(strict_pipe[1], &byte, 1) != 1 || read(strict_pipe[0], &byte, 1) != 1)
			syscall(SYS_exit, 1);
	syscall(SYS_exit, 9);
}

static void be_strict_and_open(void)
{
	NEED(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL) == 0);
	(void)open("/dev/null", O_RDONLY);
}

static void be_strict_and_leave(void)
{
	NEED(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL) == 0);
	syscall(SYS_exit_group, 0);
}

CASE(filter_strict, "end=exit:9 open=SIGKILL group=SIGKILL")
{
	say_end("end", be_strict);
	say_end("open", be_strict_and_open);
	say_end("group", be_strict_and_leave);
}

static void *strict_thread(void *argument)
{
	be_strict_and_open();
	say("survived");
	return argument;
}

CASE(filter_strict_thread, "joined=1 mode=0")
{
	pthread_t thread;

	NEED(pthread_create(&thread, NULL, strict_thread, NULL) == 0);
	say("joined=%d", pthread_join(thread, NULL) == 0);
	TRY("mode", prctl(PR_GET_SECCOMP));
}
