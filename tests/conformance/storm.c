/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storm NAME ROUNDS: signals and calls at once, as fast as they go; at the end something has to be true.
 * Prints "NAME: fine", or what was wrong with status 1.
 */
#include "conformance.h"

#include <asm/prctl.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

static volatile int ticks;
const char *own_path;
static const char *name;
static long rounds;

static void fail(const char *what, long value)
{
	(void)printf("%s: %s (%ld, %s)\n", name, what, value, strerror(errno));
	(void)fflush(stdout);
	_exit(1);
}

#define REQUIRE(expression, value)                 \
	do {                                       \
		if (!(expression))                 \
			fail(#expression, (value)); \
	} while (0)

static void tick(int signo)
{
	(void)signo;
	ticks++;
}

static void timer(long microseconds)
{
	struct itimerval when = { { 0, microseconds }, { 0, microseconds } };

	(void)setitimer(ITIMER_REAL, &when, NULL);
}

static void on(int signo, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	(void)sigaction(signo, &action, NULL);
}

/* Bytes through a pipe, of which none may be lost or come twice. */
static void storm_read(void)
{
	unsigned char byte = 0;
	int fds[2];
	pid_t pid;

	REQUIRE(pipe(fds) == 0, 0);
	pid = fork();
	if (pid == 0) {
		for (long i = 0; i < rounds; i++) {
			unsigned char next = (unsigned char)i;

			if (write(fds[1], &next, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	on(SIGALRM, tick, SA_RESTART);
	timer(100);
	for (long i = 0; i < rounds; i++) {
		ssize_t n = read(fds[0], &byte, 1);

		REQUIRE(n == 1, n);
		REQUIRE(byte == (unsigned char)i, i);
	}
	timer(0);
	REQUIRE(waitpid(pid, NULL, 0) == pid, 0);
}

/* The same without SA_RESTART: EINTR, or a byte, never both. */
static void storm_eintr(void)
{
	unsigned char byte = 0;
	long interrupted = 0, count = 0;
	int fds[2];
	pid_t pid;

	REQUIRE(pipe(fds) == 0, 0);
	pid = fork();
	if (pid == 0) {
		for (long i = 0; i < rounds; i++) {
			unsigned char next = (unsigned char)i;

			if (write(fds[1], &next, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	on(SIGALRM, tick, 0);
	timer(150);
	while (count < rounds) {
		ssize_t n = read(fds[0], &byte, 1);

		if (n < 0) {
			REQUIRE(errno == EINTR, n);
			interrupted++;
			continue;
		}
		REQUIRE(byte == (unsigned char)count, count);
		count++;
	}
	timer(0);
	while (waitpid(pid, NULL, 0) < 0)
		REQUIRE(errno == EINTR, 0);
	REQUIRE(interrupted <= ticks, interrupted);
}

static void storm_getppid(void)
{
	pid_t parent = getppid();
	uint64_t same = 0x123456789;

	on(SIGALRM, tick, SA_RESTART);
	timer(100);
	for (long i = 0; i < rounds * 20 || ticks < 100; i++) {
		REQUIRE(getppid() == parent, i);
		REQUIRE(same == 0x123456789, i);
	}
	timer(0);
}

static void storm_fork(void)
{
	on(SIGALRM, tick, SA_RESTART);
	timer(200);
	for (long i = 0; i < rounds / 20; i++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0)
			_exit((int)(i & 127));
		REQUIRE(pid > 0, i);
		REQUIRE(waitpid(pid, &status, 0) == pid, i);
		REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == (i & 127), status);
	}
	timer(0);
}

static void storm_spawn(void)
{
	char text[16], *argv[] = { (char *)own_path, (char *)"@exit", text, NULL };

	on(SIGALRM, tick, SA_RESTART);
	timer(200);
	for (long i = 0; i < rounds / 50; i++) {
		int status = -1, error;
		pid_t pid;

		(void)snprintf(text, sizeof(text), "%ld", i & 127);
		error = posix_spawn(&pid, own_path, NULL, NULL, argv, environ);
		REQUIRE(error == 0, error);
		REQUIRE(waitpid(pid, &status, 0) == pid, i);
		REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == (i & 127), status);
	}
	timer(0);
}

static void storm_popen(void)
{
	on(SIGALRM, tick, SA_RESTART);
	timer(200);
	for (long i = 0; i < rounds / 100; i++) {
		char command[64], line[64];
		FILE *file;

		(void)snprintf(command, sizeof(command), "echo %ld", i);
		file = popen(command, "r");
		REQUIRE(file, i);
		REQUIRE(fgets(line, sizeof(line), file), i);
		REQUIRE(atol(line) == i, i);
		REQUIRE(pclose(file) == 0, i);
	}
	timer(0);
}

static sigjmp_buf back;
static volatile sig_atomic_t may_jump;

static void jump(int signo)
{
	(void)signo;
	ticks++;
	if (may_jump)
		siglongjmp(back, 1);
}

/* Jumps out of handlers, and so out of calls. */
static void storm_jump(void)
{
	static volatile long jumps;
	sigset_t set;
	int fds[2];

	REQUIRE(pipe(fds) == 0, 0);
	on(SIGALRM, jump, 0);
	timer(200);
	while (jumps < rounds / 4) {
		char byte;

		if (sigsetjmp(back, 1) == 0) {
			may_jump = 1;
			(void)getppid();
			if (jumps % 2)
				(void)read(fds[0], &byte, 1); /* for good */
			for (;;)
				(void)getppid();
		}
		may_jump = 0;
		jumps++;
		(void)sigprocmask(SIG_BLOCK, NULL, &set);
		REQUIRE(sigismember(&set, SIGALRM) == 0, jumps);
	}
	timer(0);
}

static volatile int sum;

static void *add(void *argument)
{
	sigset_t set;

	(void)pthread_sigmask(SIG_BLOCK, NULL, &set);
	if (sigismember(&set, SIGALRM) != 1)
		fail("the thread has its creator's mask", 0);
	__atomic_add_fetch(&sum, 1, __ATOMIC_SEQ_CST);
	return argument;
}

/* Everything is blocked around the creation of threads, as libraries do it. */
static void storm_blocked_create(void)
{
	on(SIGALRM, tick, SA_RESTART);
	timer(100);
	for (long i = 0; i < rounds / 5; i++) {
		sigset_t all, before;
		pthread_t thread;

		(void)sigfillset(&all);
		(void)pthread_sigmask(SIG_SETMASK, &all, &before);
		REQUIRE(pthread_create(&thread, NULL, add, NULL) == 0, i);
		(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
		(void)getppid();
		REQUIRE(pthread_join(thread, NULL) == 0, i);
		REQUIRE(sum == i + 1, sum);
	}
	timer(0);
}

static void *wait_to_end(void *argument)
{
	volatile int *go = argument;

	while (!*go)
		(void)sched_yield();
	return NULL;
}

/* Signals to threads that begin and end; each that was sent to a living one is handled. */
static void storm_thread_signals(void)
{
	long sent = 0;

	on(SIGUSR1, tick, SA_RESTART);
	for (long i = 0; i < rounds / 20; i++) {
		volatile int go = 0;
		pthread_t thread;

		REQUIRE(pthread_create(&thread, NULL, wait_to_end, (void *)&go) == 0, i);
		REQUIRE(pthread_kill(thread, SIGUSR1) == 0, i);
		sent++;
		while (ticks != sent)
			(void)sched_yield();
		go = 1;
		REQUIRE(pthread_join(thread, NULL) == 0, i);
	}
	REQUIRE(ticks == sent, ticks);
}

/* A signal while the other waits for it: none may be lost, else this never ends. */
static void storm_wakeups(void)
{
	sigset_t set, none;
	pid_t parent = getpid(), pid;

	(void)sigemptyset(&none);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	on(SIGUSR1, tick, 0);
	on(SIGALRM, tick, SA_RESTART);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	pid = fork();
	if (pid == 0) {
		for (long i = 0; i < rounds; i++) {
			(void)kill(parent, SIGUSR1);
			(void)sigsuspend(&none);
		}
		_exit(ticks == rounds ? 0 : 1);
	}
	for (long i = 0; i < rounds; i++) {
		(void)sigsuspend(&none);
		(void)kill(pid, SIGUSR1);
	}
	REQUIRE(ticks == rounds, ticks);
	{
		int status = -1;

		REQUIRE(waitpid(pid, &status, 0) == pid && status == 0, status);
	}
}

/* Queued signals with values: all of them, in their order, while calls are made. */
static volatile long next_value;

static void take_value(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	if (info->si_value.sival_int != next_value)
		fail("values come in their order", info->si_value.sival_int);
	next_value++;
}

static void storm_queue(void)
{
	struct sigaction action = { .sa_sigaction = take_value, .sa_flags = SA_SIGINFO | SA_RESTART };
	pid_t parent = getpid(), pid;
	int status = -1;

	(void)sigaction(SIGRTMIN, &action, NULL);
	pid = fork();
	if (pid == 0) {
		for (long i = 0; i < rounds; i++)
			while (sigqueue(parent, SIGRTMIN, (union sigval){ .sival_int = (int)i }) < 0)
				if (errno != EAGAIN)
					_exit(1);
		_exit(0);
	}
	REQUIRE(waitpid(pid, &status, 0) == pid && status == 0, status);
	while (next_value < rounds)
		(void)getppid();
	REQUIRE(next_value == rounds, next_value);
}

/* Many processes that execute others, at once. */
static void storm_exec(void)
{
	enum { PARALLEL = 8 };
	pid_t pids[PARALLEL];

	for (long i = 0; i < rounds / 200; i++) {
		for (int k = 0; k < PARALLEL; k++) {
			pids[k] = fork();
			if (pids[k] == 0) {
				char text[16];

				(void)snprintf(text, sizeof(text), "%d", k + 1);
				(void)execl(own_path, "storm", "@exit", text, NULL);
				_exit(100);
			}
			REQUIRE(pids[k] > 0, k);
		}
		for (int k = 0; k < PARALLEL; k++) {
			int status = -1;

			REQUIRE(waitpid(pids[k], &status, 0) == pids[k], k);
			REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == k + 1, status);
		}
	}
}

static void *fork_in_thread(void *argument)
{
	for (long i = 0; i < rounds / 100; i++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0)
			_exit(3);
		REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid, i);
		REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 3, status);
	}
	return argument;
}

/* Forks in several threads, under a timer. */
static void storm_thread_forks(void)
{
	pthread_t threads[4];

	on(SIGALRM, tick, SA_RESTART);
	timer(200);
	for (int i = 0; i < 4; i++)
		REQUIRE(pthread_create(&threads[i], NULL, fork_in_thread, NULL) == 0, i);
	for (int i = 0; i < 4; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0, i);
	timer(0);
}

/* Faults that a handler mends, under a timer. */
static void mend(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	if (mprotect((void *)((uintptr_t)info->si_addr & ~(uintptr_t)4095), 4096, PROT_READ | PROT_WRITE) < 0)
		_exit(2);
	sum++;
}

static void storm_faults(void)
{
	struct sigaction action = { .sa_sigaction = mend, .sa_flags = SA_SIGINFO };
	volatile char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)sigaction(SIGSEGV, &action, NULL);
	on(SIGALRM, tick, SA_RESTART);
	timer(100);
	for (long i = 0; i < rounds; i++) {
		page[i % 4096] = 1;
		REQUIRE(sum == i + 1, sum);
		REQUIRE(mprotect((void *)page, 4096, PROT_NONE) == 0, i);
	}
	timer(0);
}

static void *nothing_much(void *argument)
{
	return argument;
}

/* What a thread of the crowd does besides beginning and ending: by its number. */
static void *in_crowd(void *argument)
{
	long number = (long)argument;
	pthread_t thread;
	int status = -1;
	pid_t pid = -1;

	if (number % 8 == 0)
		pid = fork();
	else if (number % 8 == 1)
		pid = vfork();
	if (pid == 0 && number % 8 == 0) {
		/* The stacks of threads that are not here any more are there to be taken. */
		if (pthread_create(&thread, NULL, nothing_much, argument) != 0)
			_exit(1);
		_exit(pthread_join(thread, NULL) == 0 ? 4 : 1);
	}
	if (pid == 0)
		_exit(4);
	if (pid > 0 && (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 4))
		fail("a child of a thread in the crowd", status);
	(void)raise(SIGUSR2);
	__atomic_add_fetch(&sum, 1, __ATOMIC_SEQ_CST);
	return argument;
}

/* More threads at once than stacks are kept, which fork and get signals, again and again. */
static void storm_crowd(void)
{
	pthread_t threads[48];
	int expected = 0;

	on(SIGALRM, tick, SA_RESTART);
	on(SIGUSR2, tick, SA_RESTART);
	timer(500);
	for (long i = 0; i < rounds / 1000; i++) {
		int count = i % 3 ? 8 : 48;

		for (long k = 0; k < count; k++)
			REQUIRE(pthread_create(&threads[k], NULL, in_crowd, (void *)k) == 0, k);
		for (long k = 0; k < count; k++) {
			void *result = NULL;

			REQUIRE(pthread_join(threads[k], &result) == 0 && result == (void *)k, k);
		}
		expected += count;
		REQUIRE(sum == expected, sum);
	}
	timer(0);
}

/* Masks that change all the time: what is blocked does not come, and what came meanwhile comes then. */
static void storm_masks(void)
{
	sigset_t alarm, before, after;

	(void)sigemptyset(&alarm);
	(void)sigaddset(&alarm, SIGALRM);
	on(SIGALRM, tick, SA_RESTART);
	timer(100);
	for (long i = 0; i < rounds; i++) {
		int seen;

		REQUIRE(sigprocmask(SIG_BLOCK, &alarm, &before) == 0, i);
		REQUIRE(sigismember(&before, SIGALRM) == 0, i);
		seen = ticks;
		(void)getppid();
		REQUIRE(sigprocmask(SIG_BLOCK, NULL, &after) == 0 && sigismember(&after, SIGALRM) == 1, i);
		if (i % 64 == 0)
			REQUIRE(raise(SIGALRM) == 0, i);
		REQUIRE(ticks == seen, ticks);
		REQUIRE(sigprocmask(SIG_SETMASK, &before, NULL) == 0, i);
		REQUIRE(i % 64 != 0 || ticks != seen, i);
	}
	timer(0);
}

/* A handler that comes and goes: while a signal is ignored, it does not do what it does by default either. */
static void storm_actions(void)
{
	const struct sigaction ignored = { .sa_handler = SIG_IGN };
	const struct sigaction handled = { .sa_handler = tick, .sa_flags = SA_RESTART };

	on(SIGALRM, tick, SA_RESTART);
	for (long i = 0; i < rounds; i++) {
		struct sigaction old;
		int seen;

		(void)setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_usec = 1 + i % 16 }, NULL);
		REQUIRE(sigaction(SIGALRM, &ignored, &old) == 0 && old.sa_handler == tick, i);
		seen = ticks;
		(void)getppid();
		REQUIRE(ticks == seen, ticks);
		REQUIRE(sigaction(SIGALRM, &handled, &old) == 0 && old.sa_handler == SIG_IGN, i);
	}
	timer(0);
}

/* The program's own GS base, in handlers, behind calls, in children, and in threads that have another. */
static uint64_t behind_gs(void)
{
	uint64_t word;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(word));
	return word;
}

static __thread uint64_t gs_block;

static void gs_tick(int signo)
{
	tick(signo);
	if (behind_gs() != gs_block)
		fail("GS in a handler", (long)behind_gs());
}

static void gs_begin(uint64_t word)
{
	gs_block = word;
	REQUIRE(syscall(SYS_arch_prctl, ARCH_SET_GS, &gs_block) == 0, errno);
}

static void *gs_thread(void *argument)
{
	REQUIRE(behind_gs() != 0, 0); /* its creator's, at first */
	gs_begin((uint64_t)argument);
	for (long i = 0; i < 50; i++) {
		(void)getppid();
		REQUIRE(behind_gs() == (uint64_t)argument, i);
	}
	return argument;
}

static void storm_gs(void)
{
	gs_begin(1);
	on(SIGALRM, gs_tick, SA_RESTART);
	timer(200);
	for (long i = 0; i < rounds / 8; i++) {
		pthread_t thread;
		pid_t pid = -1;

		(void)getppid();
		REQUIRE(behind_gs() == 1, i);
		if (i % 64 == 0)
			pid = fork();
		if (pid == 0)
			_exit(behind_gs() == 1 ? 3 : 1);
		if (pid > 0) {
			int status = -1;

			REQUIRE(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3, status);
			timer(0); /* a thread has its creator's block until it has one of its own */
			REQUIRE(pthread_create(&thread, NULL, gs_thread, (void *)(i + 2)) == 0, i);
			REQUIRE(pthread_join(thread, NULL) == 0, i);
			timer(200);
		}
	}
	timer(0);
}

static const struct {
	const char *name;
	void (*run)(void);
} storms[] = {
	{ "read", storm_read }, { "eintr", storm_eintr }, { "getppid", storm_getppid },
	{ "fork", storm_fork }, { "spawn", storm_spawn }, { "popen", storm_popen },
	{ "jump", storm_jump }, { "blocked_create", storm_blocked_create },
	{ "thread_signals", storm_thread_signals }, { "wakeups", storm_wakeups },
	{ "queue", storm_queue }, { "exec", storm_exec }, { "thread_forks", storm_thread_forks },
	{ "faults", storm_faults }, { "crowd", storm_crowd }, { "masks", storm_masks },
	{ "actions", storm_actions }, { "gs", storm_gs },
};

int main(int argc, char **argv)
{
	static char path[4096];

	if (argc > 2 && strcmp(argv[1], "@exit") == 0)
		return atoi(argv[2]);
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) <= 0)
		return 2;
	own_path = path;
	for (size_t i = 0; i < sizeof(storms) / sizeof(storms[0]); i++) {
		if (argc == 2 && strcmp(argv[1], "--list") == 0) {
			(void)puts(storms[i].name);
		} else if (argc == 3 && strcmp(argv[1], storms[i].name) == 0) {
			name = argv[1];
			rounds = atol(argv[2]);
			storms[i].run();
			(void)printf("%s: fine\n", name);
			return 0;
		}
	}
	return argc == 2 ? 0 : 2;
}
