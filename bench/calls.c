/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What system calls and small programs cost where this is run: bare, or under something that looks at
 * them. One line of JSON: microseconds of each.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
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

static const struct {
	const char *name;
	void (*run)(void);
	int count;
} calls[] = {
	{ "getppid", call_getppid, 200000 }, { "stat", call_stat, 50000 },
	{ "open, close", call_open, 30000 }, { "pread of 4 KiB", call_pread, 100000 },
	{ "pipe, write and read", call_pipe, 50000 }, { "fork, exec, wait", run_fork, 200 },
	{ "posix_spawn, wait", run_spawn, 200 },      { "thread, create and join", run_thread, 3000 },
	{ "signal with a handler", run_signal, 20000 },
};

int main(void)
{
	file = open(FILE_NAME, O_RDONLY | O_CLOEXEC);
	if (file < 0 || pipe2(ends, O_CLOEXEC) < 0 || signal(SIGUSR1, count_signal) == SIG_ERR)
		return EXIT_FAILURE;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		uint64_t start;

		for (int n = 0; n < calls[i].count / 10; n++)
			calls[i].run();
		start = clock_now();
		for (int n = 0; n < calls[i].count; n++)
			calls[i].run();
		(void)printf("%s\"%s\": %.4f", i ? ", " : "{", calls[i].name,
			     (double)(clock_now() - start) / calls[i].count / NS_PER_USEC);
	}
	(void)puts("}");
	return signals ? EXIT_SUCCESS : EXIT_FAILURE;
}
