/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a system call leaves as it was: all registers but rax, rcx and r11, the flags, and the vector
 * registers. */
#include "conformance.h"

#include <cpuid.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/time.h>
#include <ucontext.h>

static const uint64_t pattern[] = { 0x1111111111111111, 0x2222222222222222, 0x3333333333333333,
				    0x4444444444444444, 0x5555555555555555, 0x6666666666666666,
				    0x7777777777777777, 0x8888888888888888, 0x9999999999999999 };

/* rdi rsi rdx r8 r9 r10 rbx rbp r12 r13 r14 r15 and the flags, before and after the call NUMBER. */
static __attribute__((noinline)) long call_and_look(long number, uint64_t after[13])
{
	uint64_t registers[15] = { 0 };

	registers[13] = (uint64_t)number;
	for (int i = 0; i < 6; i++)
		registers[i] = 0;
	for (int i = 6; i < 12; i++)
		registers[i] = pattern[i - 6];
	__asm__ volatile(
		"push %%rbx; push %%rbp; push %%r12; push %%r13; push %%r14; push %%r15; push %0\n\t"
		"mov %0, %%rax\n\t"
		"mov 0(%%rax), %%rdi; mov 8(%%rax), %%rsi; mov 16(%%rax), %%rdx; mov 24(%%rax), %%r8\n\t"
		"mov 32(%%rax), %%r9; mov 40(%%rax), %%r10; mov 48(%%rax), %%rbx; mov 56(%%rax), %%rbp\n\t"
		"mov 64(%%rax), %%r12; mov 72(%%rax), %%r13; mov 80(%%rax), %%r14; mov 88(%%rax), %%r15\n\t"
		"mov 104(%%rax), %%rax\n\t"
		"stc; std\n\t"
		"syscall\n\t"
		"pushfq; pop %%rcx; cld\n\t"
		"pop %%r11\n\t"
		"mov %%rdi, 0(%%r11); mov %%rsi, 8(%%r11); mov %%rdx, 16(%%r11); mov %%r8, 24(%%r11)\n\t"
		"mov %%r9, 32(%%r11); mov %%r10, 40(%%r11); mov %%rbx, 48(%%r11); mov %%rbp, 56(%%r11)\n\t"
		"mov %%r12, 64(%%r11); mov %%r13, 72(%%r11); mov %%r14, 80(%%r11); mov %%r15, 88(%%r11)\n\t"
		"mov %%rcx, 96(%%r11); mov %%rax, 112(%%r11)\n\t"
		"pop %%r15; pop %%r14; pop %%r13; pop %%r12; pop %%rbp; pop %%rbx\n\t"
		: : "r"(registers)
		: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
	memcpy(after, registers, 13 * sizeof(uint64_t));
	return (long)registers[14];
}

static void say_registers(const char *label, long number)
{
	uint64_t after[13];
	long result = call_and_look(number, after);
	int changed = 0;

	for (int i = 0; i < 12; i++)
		changed += after[i] != (i < 6 ? 0 : pattern[i - 6]);
	say("%s=%d changed=%d carry=%d direction=%d", label, result > 0, changed, (int)(after[12] & 1),
	    (int)(after[12] >> 10 & 1));
}

CASE(registers_over_call, "getpid=1 changed=0 carry=1 direction=1 none=0 changed=0 carry=1 direction=1 "
			  "getppid=1 changed=0 carry=1 direction=1 fork=1 changed=0 carry=1 direction=1")
{
	pid_t self = getpid();

	say_registers("getpid", SYS_getpid);
	say_registers("none", 1000);
	say_registers("getppid", SYS_getppid);
	{
		uint64_t after[13];
		long result = call_and_look(SYS_fork, after);
		int changed = 0;

		if (getpid() != self) {
			for (int i = 0; i < 12; i++)
				changed += after[i] != (i < 6 ? 0 : pattern[i - 6]);
			_exit(changed || result);
		}
		for (int i = 0; i < 12; i++)
			changed += after[i] != (i < 6 ? 0 : pattern[i - 6]);
		if (wait_status((pid_t)result) != 0)
			changed = 100;
		say("fork=%d changed=%d carry=%d direction=%d", result > 0, changed, (int)(after[12] & 1),
		    (int)(after[12] >> 10 & 1));
	}
}

CASE(registers_by_the_call, "rcx=1 r11=1")
{
	register uint64_t r11 __asm__("r11");
	uint64_t rcx, rip, flags;
	long rax = SYS_getpid;

	__asm__ volatile("syscall; 1: lea 1b(%%rip), %2; pushfq; pop %3"
			 : "+a"(rax), "=c"(rcx), "=&r"(rip), "=&r"(flags), "=r"(r11) : : "memory");
	say("rcx=%d r11=%d", rcx == rip, (r11 & 0x8d5) == (flags & 0x8d5));
}

CASE(red_zone, "kept=1 signal=1")
{
	long same = 0;

	handle(SIGUSR1, (void (*)(int))(uintptr_t)getppid, 0);
	for (int i = 0; i < 2; i++) {
		long number = i ? SYS_tkill : SYS_getpid;

		__asm__ volatile("movq $0x1234567, -8(%%rsp); movq $0x7654321, -128(%%rsp)\n\t"
				 "syscall\n\t"
				 "xor %%eax, %%eax\n\t"
				 "cmpq $0x1234567, -8(%%rsp); jne 1f; cmpq $0x7654321, -128(%%rsp); jne 1f\n\t"
				 "inc %%eax\n1:"
				 : "+a"(number) : "D"((long)gettid()), "S"((long)SIGUSR1)
				 : "rcx", "r11", "memory", "cc");
		same = number;
		say("%s=%ld", i ? "signal" : "kept", same);
	}
}

static void spoil(int signo)
{
	(void)signo;
	__asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm7, %%xmm7; pxor %%xmm15, %%xmm15"
			 : : : "xmm0", "xmm7", "xmm15");
}

CASE(vectors_over_call, "getpid=1 open=1 signal=1 fork=1")
{
	static const long numbers[] = { SYS_getpid, SYS_access, SYS_tkill, SYS_fork };
	static const char *const names[] = { "getpid", "open", "signal", "fork" };
	pid_t self = getpid();

	handle(SIGUSR1, spoil, 0);
	for (int i = 0; i < 4; i++) {
		long first = i == 1 ? (long)"/proc/self/exe" : (long)gettid();
		uint64_t in[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, out[8] = { 0 };
		long rax = numbers[i];

		__asm__ volatile("movdqu 0(%1), %%xmm0; movdqu 16(%1), %%xmm7; movdqu 32(%1), %%xmm8; movdqu "
				 "48(%1), %%xmm15\n\t"
				 "syscall\n\t"
				 "movdqu %%xmm0, 0(%2); movdqu %%xmm7, 16(%2); movdqu %%xmm8, 32(%2); movdqu "
				 "%%xmm15, 48(%2)"
				 : "+a"(rax)
				 : "r"(in), "r"(out), "D"(first), "S"((long)SIGUSR1)
				 : "rcx", "r11", "memory", "xmm0", "xmm7", "xmm8", "xmm15");
		if (i == 3 && getpid() != self)
			_exit(memcmp(in, out, sizeof(in)) != 0);
		if (i == 3)
			say("%s=%d", names[i],
			    memcmp(in, out, sizeof(in)) == 0 && wait_status((pid_t)rax) == 0);
		else
			say("%s=%d", names[i], memcmp(in, out, sizeof(in)) == 0);
	}
}

static __attribute__((target("avx"))) bool wide_kept(long number)
{
	uint64_t in[4] = { 11, 22, 33, 44 }, out[4] = { 0 };
	long rax = number;

	__asm__ volatile(
		"vmovdqu (%1), %%ymm3; vmovdqu (%1), %%ymm14; syscall; vpxor %%xmm0, %%xmm0, %%xmm0\n\t"
		"vmovdqu %%ymm3, (%2); vmovdqu %%ymm14, %%ymm4"
		: "+a"(rax)
		: "r"(in), "r"(out), "D"((long)gettid()), "S"((long)SIGUSR1)
		: "rcx", "r11", "memory", "xmm0", "xmm3", "xmm4", "xmm14");
	return memcmp(in, out, sizeof(in)) == 0;
}

CASE(wide_vectors_over_call, "getpid=1 signal=1")
{
	handle(SIGUSR1, spoil, 0);
	if (!__builtin_cpu_supports("avx")) {
		say("getpid=1 signal=1");
		return;
	}
	say("getpid=%d", wide_kept(SYS_getpid));
	say("signal=%d", wide_kept(SYS_tkill));
}

CASE(x87_and_mxcsr, "control=37f mxcsr=7f80 after=7f80")
{
	uint16_t control;
	uint32_t mxcsr = 0x7f80; /* round to zero */

	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	(void)getppid();
	__asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(control), "=m"(mxcsr));
	say("control=%x mxcsr=%x", control, mxcsr);
	handle(SIGUSR1, spoil, 0);
	NEED(raise(SIGUSR1) == 0);
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	say("after=%x", mxcsr);
}

static volatile int ticks;

static void tick(int signo)
{
	spoil(signo);
	ticks++;
}

/* Vector registers under a timer whose handler uses them. */
CASE(vectors_under_timer, "wrong=0 ticks=1")
{
	struct itimerval when = { { 0, 300 }, { 0, 300 } }, off = { 0 };
	int wrong = 0;

	handle(SIGALRM, tick, SA_RESTART);
	NEED(setitimer(ITIMER_REAL, &when, NULL) == 0);
	while (ticks < 300) {
		uint64_t in[2] = { (uint64_t)ticks, 99 }, out[2] = { 0 };
		long rax = SYS_getppid;

		__asm__ volatile("movdqu (%1), %%xmm0; movdqu (%1), %%xmm7; syscall; movdqu %%xmm7, (%2); "
				 "pxor %%xmm0, %%xmm7"
				 : "+a"(rax)
				 : "r"(in), "r"(out)
				 : "rcx", "r11", "memory", "xmm0", "xmm7");
		wrong += memcmp(in, out, sizeof(in)) != 0;
	}
	NEED(setitimer(ITIMER_REAL, &off, NULL) == 0);
	say("wrong=%d ticks=%d", wrong, ticks >= 300);
}

static __thread int tls = 5;

static void *look_at_tls(void *argument)
{
	int before = tls;

	tls = 7;
	for (int i = 0; i < 100; i++)
		(void)getppid();
	*(int *)argument = before == 5 && tls == 7;
	return NULL;
}

CASE(tls_over_calls, "thread=1 own=9 fs=1")
{
	pthread_t thread;
	int fine = 0;
	unsigned long before = 0, after = 1;

	tls = 9;
	NEED(syscall(SYS_arch_prctl, 0x1003, &before) == 0);
	NEED(pthread_create(&thread, NULL, look_at_tls, &fine) == 0 && pthread_join(thread, NULL) == 0);
	NEED(syscall(SYS_arch_prctl, 0x1003, &after) == 0);
	say("thread=%d own=%d fs=%d", fine, tls, before == after);
}

CASE(gs_is_the_programs, "get=0 value=0")
{
	unsigned long value = 1;

	TRY("get", syscall(SYS_arch_prctl, 0x1004, &value));
	say("value=%d", value != 0);
}

/* Calls for 32-bit programs, from a 64-bit one. Where the kernel has none, a fault; either is fine. */
CASE(int80_is_no_way_round, "end=1")
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		long rax = 20; /* getpid */

		__asm__ volatile("int $0x80" : "+a"(rax) : : "memory", "r8", "r9", "r10", "r11");
		_exit(rax == getpid() || rax == -ENOSYS ? 0 : 1);
	}
	status = wait_status(pid);
	say("end=%d", status == 0 || WIFSIGNALED(status));
}
