/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What system calls and small programs cost where this is run: bare, or under something that looks at
 * them. One line of JSON.
 *
 *	calls [FEWER]	microseconds of each call; a tenth of the rounds before, which does not count.
 *			FEWER: the rounds are divided by that
 *	calls one	microseconds of getppid(2), and of a byte through a pipe: cheap calls, few rounds
 *	calls memory N	private memory of this process in KiB, with N threads that wait
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"

#define FILE_NAME "/etc/passwd"

static int file, ends[2];
static volatile sig_atomic_t signals;

static void call_getppid(void)
{
	(void)getppid();
}

static void call_stat(void)
{
	struct stat st;

	(void)stat(FILE_NAME, &st);
}

static void call_open(void)
{
	(void)close(open(FILE_NAME, O_RDONLY | O_CLOEXEC));
}

static void call_pread(void)
{
	char buffer[4096];

	(void)!pread(file, buffer, sizeof(buffer), 0);
}

static void call_pipe(void)
{
	char byte = 0;

	(void)!write(ends[1], &byte, 1);
	(void)!read(ends[0], &byte, 1);
}

static void wait_for(pid_t pid)
{
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void run_fork(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	wait_for(pid);
}

static void run_spawn(void)
{
	char *argv[] = { (char[]){ "true" }, NULL };
	pid_t pid = 0;

	(void)posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ);
	wait_for(pid);
}

static void *nothing(void *context)
{
	return context;
}

static void run_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, nothing, NULL) == 0)
		(void)pthread_join(thread, NULL);
}

static void count_signal(int number)
{
	(void)number;
	signals++;
}

static void run_signal(void)
{
	(void)raise(SIGUSR1);
}

struct loop {
	const char *name;
	void (*run)(void);
	int count;
};

static const struct loop calls[] = {
	{ "getppid", call_getppid, 200000 }, { "stat", call_stat, 50000 },
	{ "open, close", call_open, 30000 }, { "pread of 4 KiB", call_pread, 100000 },
	{ "pipe, write and read", call_pipe, 50000 }, { "fork, exec, wait", run_fork, 200 },
	{ "posix_spawn, wait", run_spawn, 200 },      { "thread, create and join", run_thread, 3000 },
	{ "signal with a handler", run_signal, 20000 },
};

static const struct loop one[] = { { "getppid", call_getppid, 20000 }, { "pipe", call_pipe, 10000 } };

static void measure(const struct loop *loops, size_t num, int fewer)
{
	for (size_t i = 0; i < num; i++) {
		int count = MAX(loops[i].count / fewer, 10);
		uint64_t start;

		for (int n = 0; n < count / 10; n++)
			loops[i].run();
		start = clock_now();
		for (int n = 0; n < count; n++)
			loops[i].run();
		(void)printf("%s\"%s\": %.4f", i ? ", " : "{", loops[i].name,
			     (double)(clock_now() - start) / count / NS_PER_USEC);
	}
	(void)puts("}");
}

/* KiB that no other process has. */
static long private_memory(void)
{
	FILE *stream = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	long sum = 0, kib;

	while (stream && fgets(line, sizeof(line), stream))
		if (sscanf(line, "Private_Clean: %ld", &kib) == 1 ||
		    sscanf(line, "Private_Dirty: %ld", &kib) == 1)
			sum += kib;
	if (stream)
		(void)fclose(stream);
	return sum;
}

static pthread_barrier_t barrier;

/* Calls first, as every thread does, so that what it needs is there. */
static void *wait_there(void *context)
{
	call_stat();
	call_pread();
	(void)pthread_barrier_wait(&barrier);
	(void)pthread_barrier_wait(&barrier);
	return context;
}

static int measure_memory(int num)
{
	pthread_attr_t attributes;
	pthread_t thread;

	for (int i = 0; i < 10; i++) {
		call_stat();
		call_open();
		call_pread();
		call_pipe();
		run_signal();
	}
	if (pthread_attr_init(&attributes) || pthread_attr_setstacksize(&attributes, 64 << 10) ||
	    pthread_barrier_init(&barrier, NULL, (unsigned)num + 1))
		return EXIT_FAILURE;
	for (int i = 0; i < num; i++)
		if (pthread_create(&thread, &attributes, wait_there, NULL))
			return EXIT_FAILURE;
	(void)pthread_barrier_wait(&barrier);
	(void)printf("{\"private\": %ld}\n", private_memory());
	(void)pthread_barrier_wait(&barrier);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	file = open(FILE_NAME, O_RDONLY | O_CLOEXEC);
	if (file < 0 || pipe2(ends, O_CLOEXEC) < 0 || signal(SIGUSR1, count_signal) == SIG_ERR)
		return EXIT_FAILURE;
	if (argc > 2 && strcmp(argv[1], "memory") == 0)
		return measure_memory(atoi(argv[2]));
	if (argc > 1 && strcmp(argv[1], "one") == 0) {
		measure(one, ARRAY_SIZE(one), 1);
		return EXIT_SUCCESS;
	}
	measure(calls, ARRAY_SIZE(calls), argc > 1 ? MAX(atoi(argv[1]), 1) : 1);
	return signals ? EXIT_SUCCESS : EXIT_FAILURE;
}
