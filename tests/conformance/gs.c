/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that use the GS register, which umvu needs, too: its base is theirs after each call, in each
 * handler, thread and child, whether it was set by a call, by an instruction or by a selector.
 */
#include "conformance.h"

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/time.h>

enum { BASES = 5, ROUNDS = 20000, CHILDREN = 40 };

/* In the second word of each is its address. */
static uint64_t bases[BASES][512];
static __thread uint64_t wanted;
static volatile int wrong, ticks;

static uint64_t read_base(void)
{
	uint64_t base;

	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static void write_base(uint64_t base)
{
	__asm__ volatile("wrgsbase %0" : : "r"(base) : "memory");
}

static uint64_t read_word(void)
{
	uint64_t word;

	__asm__ volatile("mov %%gs:8, %0" : "=r"(word));
	return word;
}

static bool set_by_call(int which)
{
	wanted = bases[which][1] = (uint64_t)bases[which];
	return syscall(SYS_arch_prctl, ARCH_SET_GS, wanted) == 0;
}

static void set_by_instruction(int which)
{
	wanted = bases[which][1] = (uint64_t)bases[which];
	write_base(wanted);
}

static bool is_right(void)
{
	return read_base() == wanted && read_word() == wanted;
}

static void check(void)
{
	uint64_t base = 0;

	if (!is_right() || syscall(SYS_arch_prctl, ARCH_GET_GS, &base) != 0 || base != wanted || !is_right())
		wrong++;
}

static void call_often(int rounds)
{
	char byte;
	int fds[2];

	NEED(pipe(fds) == 0);
	for (int i = 0; i < rounds; i++) {
		(void)getppid();
		wrong += !is_right();
		(void)write(fds[1], "x", 1);
		wrong += !is_right();
		(void)read(fds[0], &byte, 1);
		wrong += !is_right();
		(void)sched_yield();
		check();
	}
	close(fds[0]);
	close(fds[1]);
}

static void on_tick(int signo)
{
	(void)signo;
	ticks++;
	check();
}

static void timer(long microseconds)
{
	const struct itimerval when = { { 0, microseconds }, { 0, microseconds } };

	NEED(setitimer(ITIMER_REAL, &when, NULL) == 0);
}

CASE(gs_over_calls, "call wrong=0 instruction wrong=0 back=0")
{
	uint64_t base = 1;

	for (int i = 0; i < 20; i++)
		(void)getppid();
	NEED(set_by_call(0));
	call_often(ROUNDS);
	say("call wrong=%d", wrong);
	set_by_instruction(1);
	call_often(ROUNDS);
	say("instruction wrong=%d", wrong);
	NEED(syscall(SYS_arch_prctl, ARCH_SET_GS, 0) == 0);
	NEED(syscall(SYS_arch_prctl, ARCH_GET_GS, &base) == 0);
	say("back=%d", (int)base);
}

CASE(gs_errors, "kernel=EPERM nowhere=EFAULT wrong=0")
{
	NEED(set_by_call(0));
	TRY("kernel", syscall(SYS_arch_prctl, ARCH_SET_GS, KERNEL_POINTER));
	TRY("nowhere", syscall(SYS_arch_prctl, ARCH_GET_GS, nowhere()));
	check();
	say("wrong=%d", wrong);
}

/* What the base points at is not read by anybody else, and need not be memory. */
CASE(gs_anywhere, "0x1234=1 nowhere=1 calls=40")
{
	uint64_t away = (uint64_t)nowhere();
	pid_t parent = getppid();
	int calls = 0;

	for (int i = 0; i < 20; i++)
		(void)getppid();
	write_base(0x1234);
	for (int i = 0; i < 20; i++)
		calls += getppid() == parent;
	say("0x1234=%d", read_base() == 0x1234);
	write_base(away);
	for (int i = 0; i < 20; i++)
		calls += getppid() == parent;
	say("nowhere=%d calls=%d", read_base() == away, calls);
}

CASE(gs_selectors, "null=0 data=2b segment=7 word=77")
{
	static uint32_t words[16];
	struct user_desc segment = { .entry_number = 0, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1,
				     .useable = 1 };
	unsigned selector = 0, word = 0;

	write_base(0);
	__asm__ volatile("mov %0, %%gs" : : "r"(0));
	(void)getppid();
	say("null=%d", (int)read_base());
	__asm__ volatile("mov %0, %%gs" : : "r"(0x2b));
	(void)getppid();
	__asm__ volatile("mov %%gs, %0" : "=r"(selector));
	say("data=%x", selector);
	words[2] = 0x77;
	void *low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	NEED(low != MAP_FAILED);
	memcpy(low, words, sizeof(words));
	segment.base_addr = (unsigned)(uintptr_t)low;
	if (syscall(SYS_modify_ldt, 1, &segment, sizeof(segment)) != 0) {
		say("segment=7 word=77"); /* a kernel without */
		return;
	}
	__asm__ volatile("mov %0, %%gs" : : "r"(7));
	for (int i = 0; i < 20; i++)
		(void)getppid();
	__asm__ volatile("mov %%gs, %0; mov %%gs:8, %1" : "=r"(selector), "=r"(word));
	say("segment=%x word=%x", selector, word);
}

CASE(gs_under_signals, "wrong=0 ticks=1")
{
	handle(SIGALRM, on_tick, SA_RESTART);
	NEED(set_by_call(0));
	timer(100);
	call_often(ROUNDS / 2);
	set_by_instruction(1);
	call_often(ROUNDS / 2);
	while (ticks < 10)
		pause_shortly();
	timer(0);
	say("wrong=%d ticks=%d", wrong, ticks >= 10);
}

static sigjmp_buf back;

static void leave(int signo)
{
	(void)signo;
	wrong += !is_right();
	siglongjmp(back, 1);
}

CASE(gs_and_faults, "wrong=0 faults=1000")
{
	volatile int faults = 0;
	stack_t stack = { .ss_sp = malloc(SIGSTKSZ), .ss_size = SIGSTKSZ };

	NEED(sigaltstack(&stack, NULL) == 0);
	handle(SIGSEGV, leave, SA_ONSTACK);
	NEED(set_by_call(2));
	for (volatile int i = 0; i < 1000; i++) {
		if (sigsetjmp(back, 1) == 0)
			*(volatile int *)nowhere() = 1;
		faults = faults + 1;
		check();
	}
	say("wrong=%d faults=%d", wrong, faults);
}

/* A handler that changes the base changes it for what it has interrupted: nothing saves it. */
static void change(int signo)
{
	(void)signo;
	set_by_instruction(3);
}

CASE(gs_changed_by_handler, "wrong=0")
{
	handle(SIGUSR1, change, 0);
	for (int i = 0; i < 100; i++) {
		NEED(set_by_call(i % 3));
		NEED(raise(SIGUSR1) == 0);
		check();
		wrong += wanted != (uint64_t)bases[3];
	}
	say("wrong=%d", wrong);
}

static void *use_own(void *argument)
{
	int which = (int)(intptr_t)argument;

	if (which & 1)
		NEED(set_by_call(which));
	else
		set_by_instruction(which);
	call_often(ROUNDS / 4);
	return NULL;
}

static void *inherit(void *argument)
{
	wanted = (uint64_t)argument;
	check();
	return NULL;
}

CASE(gs_of_threads, "inherited wrong=0 own wrong=0")
{
	pthread_t threads[BASES];

	NEED(pthread_create(&threads[0], NULL, use_own, (void *)4) == 0); /* before anybody has one */
	NEED(pthread_join(threads[0], NULL) == 0);
	NEED(set_by_call(0));
	NEED(pthread_create(&threads[0], NULL, inherit, bases[0]) == 0 && pthread_join(threads[0], NULL) == 0);
	say("inherited wrong=%d", wrong);
	for (int i = 1; i < BASES; i++)
		NEED(pthread_create(&threads[i], NULL, use_own, (void *)(intptr_t)i) == 0);
	call_often(ROUNDS / 4);
	for (int i = 1; i < BASES; i++)
		NEED(pthread_join(threads[i], NULL) == 0);
	check();
	say("own wrong=%d", wrong);
}

CASE(gs_of_children, "wrong=0 children=0")
{
	volatile int failed = 0;

	handle(SIGALRM, on_tick, SA_RESTART);
	NEED(set_by_call(0));
	timer(200);
	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = i & 1 ? vfork() : fork();
		int status = 0;

		if (pid == 0) {
			check();
			_exit(wrong != 0);
		}
		NEED(pid > 0);
		while (waitpid(pid, &status, 0) < 0)
			NEED(errno == EINTR);
		failed = failed + (status != 0);
		check();
	}
	timer(0);
	say("wrong=%d children=%d", wrong, failed);
}

HELPER(gs_after_exec)
{
	uint64_t base = 1;

	(void)argc;
	(void)argv;
	return syscall(SYS_arch_prctl, ARCH_GET_GS, &base) == 0 && base == 0 ? 3 : 4;
}

static void execute(void)
{
	NEED(set_by_call(0));
	execl(own_path, own_path, "@gs_after_exec", NULL);
}

CASE(gs_after_exec, "end=exit:3")
{
	say_end("end", execute);
}
