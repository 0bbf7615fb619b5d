/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults: SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE by an instruction; and the same signals when somebody
 * sends them. */
#include "conformance.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <ucontext.h>

static sigjmp_buf back;
static char *volatile object;
static volatile sig_atomic_t count;

static void tell_fault(int signo, siginfo_t *info, void *context)
{
	(void)context;
	say("[%s code=%d at=%lld]", signal_name(signo), info->si_code,
	    (long long)((char *)info->si_addr - object));
	siglongjmp(back, 1);
}

static void tell_code(int signo, siginfo_t *info, void *context)
{
	(void)context;
	say("[%s code=%d]", signal_name(signo), info->si_code);
	siglongjmp(back, 1);
}

static void telling(int signo)
{
	say("[%s]", signal_name(signo));
}

CASE(fault_read_unmapped, "[SIGSEGV code=1 at=5] blocked=0")
{
	object = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(munmap(object, PAGE) == 0);
	handle_info(SIGSEGV, tell_fault, 0);
	if (sigsetjmp(back, 1) == 0)
		(void)*(volatile char *)(object + 5);
	say("blocked=%d", is_blocked(SIGSEGV));
}

CASE(fault_write_protected, "[SIGSEGV code=2 at=100] [SIGSEGV code=2 at=200]")
{
	object = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	handle_info(SIGSEGV, tell_fault, 0);
	for (volatile int i = 1; i < 3; i++)
		if (sigsetjmp(back, 1) == 0)
			*(volatile char *)(object + i * 100) = 1;
}

CASE(fault_execute_data, "[SIGSEGV code=2 at=16]")
{
	object = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	handle_info(SIGSEGV, tell_fault, 0);
	if (sigsetjmp(back, 1) == 0)
		((void (*)(void))(uintptr_t)(object + 16))();
}

CASE(fault_no_address, "[SIGSEGV code=128 at=0]")
{
	object = NULL;
	handle_info(SIGSEGV, tell_fault, 0);
	if (sigsetjmp(back, 1) == 0)
		*(volatile char *)ODD_POINTER = 1;
}

CASE(fault_null, "[SIGSEGV code=1 at=8]")
{
	volatile char *none = (char *)8;

	object = NULL;
	handle_info(SIGSEGV, tell_fault, 0);
	if (sigsetjmp(back, 1) == 0)
		*none = 1;
}

CASE(fault_bus_beyond_end, "[SIGBUS code=2 at=4096] read=EFAULT stat=EFAULT")
{
	int fd = open("file", O_RDWR | O_CREAT, 0600), zero = open("/dev/zero", O_RDONLY);

	NEED(ftruncate(fd, 100) == 0);
	object = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	handle_info(SIGBUS, tell_fault, 0);
	if (sigsetjmp(back, 1) == 0)
		object[PAGE] = 1;
	TRY("read", read(zero, object + PAGE, 10));
	TRY("stat", syscall(SYS_rt_sigaction, SIGUSR1, object + PAGE, NULL, 8));
}

CASE(fault_illegal, "[SIGILL code=2] same=1")
{
	handle_info(SIGILL, tell_code, 0);
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("ud2");
	say("same=%d", !is_blocked(SIGILL));
}

CASE(fault_divide, "[SIGFPE code=1]")
{
	handle_info(SIGFPE, tell_code, 0);
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx"
				 : : : "eax", "ecx", "edx");
}

CASE(fault_privileged, "[SIGSEGV code=128]")
{
	handle_info(SIGSEGV, tell_code, 0);
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("hlt");
}

static void after_breakpoint(int signo, siginfo_t *info, void *context)
{
	(void)context;
	say("[%s code=%d]", signal_name(signo), info->si_code);
}

CASE(fault_breakpoint, "[SIGTRAP code=128] behind")
{
	handle_info(SIGTRAP, after_breakpoint, 0);
	__asm__ volatile("int3");
	say("behind");
}

static volatile int steps, step_code;

static void step(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signo;
	step_code = info->si_code;
	if (++steps == 5)
		uc->uc_mcontext.gregs[REG_EFL] &= ~0x100ll;
}

/* The trap flag: a handler is not stepped through itself. */
static void single_step(void)
{
	handle_info(SIGTRAP, step, 0);
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; nop; nop; nop; nop; nop; nop; nop"
			 : : : "memory", "cc");
	say("steps=%d code=%d", steps, step_code);
}

CASE(fault_single_step, "steps=5 code=2 end=exit:0")
{
	say_end("end", single_step);
}

static void step_over_call(void)
{
	long pid = SYS_getpid;

	handle_info(SIGTRAP, step, 0);
	steps = -100;
	__asm__ volatile(
		"pushfq; orq $0x100, (%%rsp); popfq; nop; syscall; nop; pushfq; andq $~0x100, (%%rsp); popfq"
		: "+a"(pid)
		:
		: "memory", "cc", "rcx", "r11");
	say("pid=%d", pid == getpid());
}

CASE(single_step_over_call, "pid=1 end=exit:0")
{
	say_end("end", step_over_call);
}

static void tell_mask(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)info;
	say("[%s blocked=%d before=%d]", signal_name(signo), is_blocked(signo),
	    sigismember(&uc->uc_sigmask, signo));
	siglongjmp(back, 1);
}

CASE(fault_blocks_its_signal, "[SIGSEGV blocked=1 before=0] after=0")
{
	handle_info(SIGSEGV, tell_mask, 0);
	if (sigsetjmp(back, 1) == 0)
		*(volatile char *)nowhere() = 1;
	say("after=%d", is_blocked(SIGSEGV));
}

static void mend(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	count++;
	NEED(mprotect((void *)((uintptr_t)info->si_addr & ~(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE) == 0);
}

CASE(fault_mended_by_handler, "value=7 faults=100")
{
	char *memory = mmap(NULL, 100 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	handle_info(SIGSEGV, mend, 0);
	for (size_t i = 0; i < 100; i++)
		((volatile char *)memory)[i * PAGE] = 7;
	say("value=%d faults=%d", memory[99 * PAGE], count);
}

/* Memory that a handler would mend is not mended for the kernel: the call fails. */
CASE(efault_runs_no_handler, "read=EFAULT sigaction=EFAULT faults=0")
{
	int fd = open("/dev/zero", O_RDONLY);
	char *memory = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	handle_info(SIGSEGV, mend, 0);
	TRY("read", read(fd, memory, 10));
	TRY("sigaction", syscall(SYS_rt_sigaction, SIGUSR1, memory, NULL, 8));
	say("faults=%d", count);
}

static void fault_in_handler(int signo)
{
	(void)signo;
	*(volatile char *)nowhere() = 1;
}

static void fault_twice(void)
{
	handle(SIGSEGV, fault_in_handler, 0);
	*(volatile char *)nowhere() = 1;
}

CASE(fault_in_its_handler, "end=SIGSEGV")
{
	say_end("end", fault_twice);
}

static void fault_blocked(void)
{
	handle(SIGSEGV, telling, 0);
	block(SIGSEGV);
	*(volatile char *)nowhere() = 1;
}

static void fault_ignored(void)
{
	handle(SIGSEGV, SIG_IGN, 0);
	*(volatile char *)nowhere() = 1;
}

static void illegal_blocked(void)
{
	handle(SIGILL, telling, 0);
	block(SIGILL);
	__asm__ volatile("ud2");
}

static void illegal_default(void)
{
	__asm__ volatile("ud2");
}

static void breakpoint_default(void)
{
	__asm__ volatile("int3");
}

static void breakpoint_blocked(void)
{
	handle(SIGTRAP, telling, 0);
	block(SIGTRAP);
	__asm__ volatile("int3");
}

static void divide_blocked(void)
{
	handle(SIGFPE, telling, 0);
	block(SIGFPE);
	__asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx"
			 :
			 :
			 : "eax", "ecx", "edx");
}

CASE(fault_while_blocked, "segv=SIGSEGV ill=SIGILL trap=SIGTRAP fpe=SIGFPE")
{
	say_end("segv", fault_blocked);
	say_end("ill", illegal_blocked);
	say_end("trap", breakpoint_blocked);
	say_end("fpe", divide_blocked);
}

CASE(fault_while_ignored, "segv=SIGSEGV")
{
	say_end("segv", fault_ignored);
}

static void null_default(void)
{
	*(volatile char *)nowhere() = 1;
}

CASE(fault_default, "segv=SIGSEGV ill=SIGILL trap=SIGTRAP")
{
	say_end("segv", null_default);
	say_end("ill", illegal_default);
	say_end("trap", breakpoint_default);
}

/* --- sent ---------------------------------------------------------------------------------------- */

static int sent;

static void send_default(void)
{
	(void)kill(getpid(), sent);
	say("survived");
}

static void send_blocked(void)
{
	block(sent);
	(void)kill(getpid(), sent);
	say("pending=%d", is_pending(sent));
	unblock(sent);
	say("survived");
}

#define SENT(name, signo, text)                                                               \
	CASE(sent_##name, "default=" text " pending=1 blocked=" text " ignored=0,0 "          \
			  "[" text "] handled held=1 [" text "] blocked=0,0")                 \
	{                                                                                     \
		sent = (signo);                                                               \
		say_end("default", send_default);                                             \
		say_end("blocked", send_blocked);                                             \
		handle(sent, SIG_IGN, 0);                                                     \
		say("ignored=%d,%d", kill(getpid(), sent), is_pending(sent));                 \
		handle(sent, telling, 0);                                                     \
		NEED(kill(getpid(), sent) == 0);                                              \
		say("handled");                                                               \
		block(sent);                                                                  \
		NEED(kill(getpid(), sent) == 0 && kill(getpid(), sent) == 0);                 \
		say("held=%d", is_pending(sent));                                             \
		unblock(sent);                                                                \
		say("blocked=%d,%d", is_blocked(sent), is_pending(sent));                     \
	}

SENT(segv, SIGSEGV, "SIGSEGV")
SENT(bus, SIGBUS, "SIGBUS")
SENT(ill, SIGILL, "SIGILL")
SENT(trap, SIGTRAP, "SIGTRAP")
SENT(sys, SIGSYS, "SIGSYS")
SENT(fpe, SIGFPE, "SIGFPE")
SENT(term, SIGTERM, "SIGTERM")
SENT(abrt, SIGABRT, "SIGABRT")

static void tell_sender(int signo, siginfo_t *info, void *context)
{
	(void)context;
	say("[%s code=%d pid=%d value=%d]", signal_name(signo), info->si_code, info->si_pid == getpid(),
	    info->si_code == SI_QUEUE ? info->si_value.sival_int : 0);
}

CASE(sent_with_value,
     "[SIGSEGV code=-1 pid=1 value=5] [SIGSYS code=-1 pid=1 value=6] [SIGTRAP code=-6 pid=1 value=0]")
{
	handle_info(SIGSEGV, tell_sender, 0);
	handle_info(SIGSYS, tell_sender, 0);
	handle_info(SIGTRAP, tell_sender, 0);
	NEED(sigqueue(getpid(), SIGSEGV, (union sigval){ .sival_int = 5 }) == 0);
	NEED(sigqueue(getpid(), SIGSYS, (union sigval){ .sival_int = 6 }) == 0);
	NEED(raise(SIGTRAP) == 0);
}

#define WAITED(name, signo)                                                                   \
	CASE(sigwait_##name, "taken=1 code=0 again=EAGAIN")                                   \
	{                                                                                     \
		sigset_t set = set_of(signo, 0);                                              \
		siginfo_t info;                                                               \
		block(signo);                                                                 \
		NEED(kill(getpid(), signo) == 0);                                             \
		say("taken=%d", sigtimedwait(&set, &info, &(struct timespec){ .tv_sec = 1 }) == (signo)); \
		say("code=%d", info.si_code);                                                 \
		TRY("again", sigtimedwait(&set, &info, &(struct timespec){ 0 }));             \
	}

WAITED(usr1, SIGUSR1)
WAITED(segv, SIGSEGV)
WAITED(trap, SIGTRAP)
WAITED(sys, SIGSYS)

#define SIGNALFD(name, signo)                                                                 \
	CASE(signalfd_##name, "read=1 signo=1 pid=1 again=EAGAIN pending=0")                  \
	{                                                                                     \
		sigset_t set = set_of(signo, 0);                                              \
		struct signalfd_siginfo info = { 0 };                                         \
		int fd;                                                                       \
		block(signo);                                                                 \
		fd = signalfd(-1, &set, SFD_NONBLOCK);                                        \
		NEED(kill(getpid(), signo) == 0);                                             \
		say("read=%d", read(fd, &info, sizeof(info)) == sizeof(info));                \
		say("signo=%d pid=%d", info.ssi_signo == (signo), info.ssi_pid == (uint32_t)getpid()); \
		TRY("again", read(fd, &info, sizeof(info)));                                  \
		say("pending=%d", is_pending(signo));                                         \
	}

SIGNALFD(usr1, SIGUSR1)
SIGNALFD(segv, SIGSEGV)
SIGNALFD(sys, SIGSYS)

#define SUSPENDED(name, signo)                                                                \
	CASE(sigsuspend_pending_##name, "[SIG" #name "] suspend=EINTR blocked=1")             \
	{                                                                                     \
		sigset_t none = set_of(0);                                                    \
		handle(signo, telling, 0);                                                    \
		block(signo);                                                                 \
		NEED(kill(getpid(), signo) == 0);                                             \
		TRY("suspend", sigsuspend(&none));                                            \
		say("blocked=%d", is_blocked(signo));                                         \
	}

SUSPENDED(USR1, SIGUSR1)
SUSPENDED(TRAP, SIGTRAP)
SUSPENDED(SYS, SIGSYS)

/* --- core dumps --------------------------------------------------------------------------------------- */

static void core_status(const char *label, void (*run)(void))
{
	int status = wait_status(start(run));

	say_status(label, status);
	say("core=%d", WCOREDUMP(status) != 0);
}

static void not_dumpable(void)
{
	NEED(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
	null_default();
}

static void not_dumpable_sent(void)
{
	NEED(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
	sent = SIGTRAP;
	send_default();
}

static void terminated(void)
{
	(void)raise(SIGTERM);
}

CASE(core_flag_without, "fault=SIGSEGV core=0 sent=SIGTRAP core=0 term=SIGTERM core=0")
{
	core_status("fault", not_dumpable);
	core_status("sent", not_dumpable_sent);
	core_status("term", terminated);
}

/* Whether there is a dump depends on the machine: where SIGABRT has one, so have the others. */
static void abort_here(void)
{
	abort();
}

static bool has_core(void (*run)(void))
{
	return WCOREDUMP(wait_status(start(run)));
}

CASE(core_flag_same_for_all, "fault=1 ill=1 trap=1 sys=1")
{
	const struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	bool wanted;

	(void)setrlimit(RLIMIT_CORE, &limit);
	wanted = has_core(abort_here);
	say("fault=%d ill=%d trap=%d", has_core(null_default) == wanted, has_core(illegal_default) == wanted,
	    has_core(breakpoint_default) == wanted);
	sent = SIGSYS;
	say("sys=%d", has_core(send_default) == wanted);
}
