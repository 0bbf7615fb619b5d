/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands around a call's instruction must not matter, also when it was made often and other code
 * has taken its place: each instruction behind it works, faults where it should, and what only looks
 * like the call's number before it is left alone.
 */
#include "conformance.h"

#include <pthread.h>
#include <sys/time.h>
#include <ucontext.h>

enum { ROUNDS = 12 };

/* long NAME(number, memory, other): makes the call NUMBER without arguments, with BEHIND after it. */
#define SITE(name, before, behind)                         \
	__asm__(".text; .p2align 4; .type " #name ", @function; " #name ": " \
		"push %rbx; push %r12; mov %rsi, %rbx; mov %rdx, %r12; mov %edi, %eax; xor %edi, %edi;" \
		before "syscall; " #name "_behind: " behind "; pop %r12; pop %rbx; ret; .p2align 4");      \
	long name(long number, uint64_t *memory, long other)

SITE(site_compare, "", "cmp $-4095, %rax; mov $-1, %rdx; cmovae %rdx, %rax");
SITE(site_to_register, "", "mov %rax, %r9; lea (%r9), %rax");
SITE(site_to_memory, "", "mov %eax, 8(%rbx); mov 8(%rbx), %rax");
SITE(site_to_far_memory, "", "mov %rax, 0x80(%rbx); mov 0x80(%rbx), %rax");
SITE(site_to_indexed, "", "mov %rax, 8(%rbx,%r12,8); mov 8(%rbx,%r12,8), %rax");
SITE(site_constant, "", "movq $77, 16(%rbx); add 16(%rbx), %rax; sub $77, %rax");
SITE(site_from_tls, "", "mov %fs:0, %rcx; test %rcx, %rcx; mov $0, %ecx; cmovz %rcx, %rax");
SITE(site_extended, "", "movslq %eax, %rax");
SITE(site_stack, "sub $24, %rsp;", "mov %eax, 12(%rsp); mov 12(%rsp), %eax; add $24, %rsp");
SITE(site_stack_moves, "sub $24, %rsp;", "add $24, %rsp");
SITE(site_flags, "", "setc 24(%rbx); sbb $0, %rax");
SITE(site_vector, "", "movups %xmm0, 32(%rbx)");
/* It ends in the bytes of `mov $0, %eax`, and 0 is read(2). */
SITE(site_like_number, "movl $0x1000, -0x48(%rsp); movl $0, -0x48(%rsp);",
     "mov -0x48(%rsp), %ecx; xor %rcx, %rax");

/* `ret`, and padding up to the next function. */
__asm__(".text; .p2align 4; .type site_return, @function; site_return: mov %edi, %eax; xor %edi, %edi; syscall;"
	"ret; .p2align 4, 0xcc; .type site_return_nop, @function;"
	"site_return_nop: mov %edi, %eax; xor %edi, %edi; nop; syscall; ret; .p2align 4, 0x90");
long site_return(long number, uint64_t *memory, long other);
long site_return_nop(long number, uint64_t *memory, long other);

#define ROW(name) { #name, name }
static const struct {
	const char *name;
	long (*call)(long number, uint64_t *memory, long other);
} sites[] = {
	ROW(site_compare), ROW(site_to_register), ROW(site_to_memory), ROW(site_to_far_memory),
	ROW(site_to_indexed), ROW(site_constant), ROW(site_from_tls), ROW(site_extended), ROW(site_stack),
	ROW(site_stack_moves), ROW(site_flags), ROW(site_vector), ROW(site_return), ROW(site_return_nop),
};

static void *call_sites(void *unused)
{
	uint64_t memory[64] = { 0 };
	pid_t wanted = getpid();
	long wrong = 0;

	(void)unused;
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < sizeof(sites) / sizeof(sites[0]); i++)
			wrong += (int)sites[i].call(SYS_getpid, memory, 3) != wanted;
	return (void *)wrong;
}

CASE(sites_moved, "wrong=0")
{
	say("wrong=%ld", (long)call_sites(NULL));
}

CASE(sites_moved_many_threads, "wrong=0")
{
	pthread_t threads[4];
	void *wrong;
	long all = 0;

	for (size_t i = 0; i < 4; i++)
		NEED(pthread_create(&threads[i], NULL, call_sites, NULL) == 0);
	for (size_t i = 0; i < 4; i++) {
		NEED(pthread_join(threads[i], &wrong) == 0);
		all += (long)wrong;
	}
	say("wrong=%ld", all);
}

/* --- faults of what stands behind ---------------------------------------------------------------- */

extern char site_to_memory_behind[];
static uint64_t good_memory[64];
static volatile int faults, places;

static void mend_memory(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signo;
	(void)info;
	faults++;
	places += uc->uc_mcontext.gregs[REG_RIP] == (greg_t)site_to_memory_behind;
	uc->uc_mcontext.gregs[REG_RBX] = (greg_t)good_memory;
}

/* The handler sees the instruction where it stands, and it is made again after it. */
CASE(sites_fault_behind, "faults=12 places=12 right=12")
{
	int right = 0;

	handle_info(SIGSEGV, mend_memory, 0);
	for (int round = 0; round < ROUNDS; round++)
		right += (int)site_to_memory(SYS_getpid, nowhere(), 0) == getpid();
	say("faults=%d places=%d right=%d", faults, places, right);
}

/* --- what looks like a number -------------------------------------------------------------------- */

CASE(sites_like_a_number, "read=12")
{
	int right = 0;

	NEED(close(0) == 0); /* read(0, ...) is EBADF */
	for (int round = 0; round < ROUNDS; round++)
		right += site_like_number(SYS_read, good_memory, 0) == -EBADF;
	say("read=%d", right);
}

/* --- signals between the call and what is behind it ----------------------------------------------- */

static volatile bool in_sites; /* false: the program may as well be in libc, to set the timer */

static void count_places(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signo;
	(void)info;
	if (!in_sites)
		return;
	faults++;
	/* Everything is in the program: nothing of other code that stands for it is shown. */
	places += (char *)uc->uc_mcontext.gregs[REG_RIP] - site_to_memory_behind < 0x10000000 &&
		  (char *)uc->uc_mcontext.gregs[REG_RIP] - site_to_memory_behind > -0x10000000;
}

CASE(sites_and_timer, "wrong=0 outside=0")
{
	struct itimerval often = { { 0, 100 }, { 0, 100 } }, never = { { 0, 0 }, { 0, 0 } };
	uint64_t memory[64];
	pid_t wanted = getpid();
	long wrong = 0;

	handle_info(SIGALRM, count_places, SA_RESTART);
	NEED(setitimer(ITIMER_REAL, &often, NULL) == 0);
	in_sites = true;
	for (int round = 0; faults < 200; round++)
		wrong += (int)sites[round % 14].call(SYS_getpid, memory, 3) != wanted;
	in_sites = false;
	NEED(setitimer(ITIMER_REAL, &never, NULL) == 0);
	say("wrong=%ld outside=%d", wrong, faults - places);
}
