/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program to be debugged (test_umvu_debug.py): one mode each for what a debugger is asked to do. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int counter;
static volatile int watched;
static pthread_barrier_t barrier;

static int inner(int number)
{
	watched += number;
	return number * 2;
}

static int outer(int number)
{
	int result = inner(number + 1);

	return result + 1;
}

static int calls(void)
{
	int sum = 0;

	for (int i = 0; i < 3; i++)
		sum += outer(i);
	printf("sum %d parent %d\n", sum, getppid() > 0);
	return sum;
}

static void *thread(void *argument)
{
	int *number = argument;

	(void)pthread_barrier_wait(&barrier);
	__atomic_add_fetch(&counter, *number, __ATOMIC_SEQ_CST);
	return argument;
}

static int threads(void)
{
	pthread_t ids[3];
	int numbers[3] = { 1, 2, 3 };

	(void)pthread_barrier_init(&barrier, NULL, 3);
	for (int i = 0; i < 3; i++)
		(void)pthread_create(&ids[i], NULL, thread, &numbers[i]);
	for (int i = 0; i < 3; i++)
		(void)pthread_join(ids[i], NULL);
	printf("counter %d\n", counter);
	return counter;
}

static int in_child(int number)
{
	return number + 40;
}

static int in_parent(int status)
{
	return WEXITSTATUS(status) + 1;
}

static int forks(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(in_child(2));
	(void)waitpid(pid, &status, 0);
	printf("child %d\n", in_parent(status));
	return 0;
}

static int execs(void)
{
	(void)fflush(stdout);
	execl("/proc/self/exe", "debuggee", "calls", NULL);
	return 99;
}

static void handler(int signo)
{
	counter += signo;
}

static int signals(void)
{
	struct sigaction action = { .sa_handler = handler };
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigaction(SIGUSR1, &action, NULL);
	(void)raise(SIGUSR1);
	(void)raise(SIGUSR1);
	(void)signal(SIGUSR2, SIG_IGN);
	(void)raise(SIGUSR2);
	printf("counter %d\n", counter);
	return 0;
}

static int crashes(void)
{
	*(volatile int *)(uintptr_t)counter = 1;
	return 0;
}

/* Reads standard input to its end. */
static int reads(void)
{
	char bytes[64];
	ssize_t n;

	(void)write(1, "ready\n", 6);
	while ((n = read(0, bytes, sizeof(bytes))) > 0)
		counter += (int)n;
	printf("read %d\n", counter);
	return 0;
}

/* Sends a signal to itself by an alarm, while it waits. */
static int interrupted(void)
{
	struct sigaction action = { .sa_handler = handler };
	char byte;
	int ends[2];
	ssize_t n;

	(void)sigaction(SIGALRM, &action, NULL);
	(void)pipe(ends);
	(void)ualarm(50000, 0);
	n = read(ends[0], &byte, 1);
	action.sa_flags = SA_RESTART;
	(void)sigaction(SIGALRM, &action, NULL);
	(void)signal(SIGCHLD, SIG_DFL);
	if (fork() == 0) {
		(void)usleep(50000);
		(void)write(ends[1], "x", 1);
		(void)usleep(50000);
		_exit(0);
	}
	n += read(ends[0], &byte, 1);
	(void)wait(NULL);
	printf("n %zd counter %d\n", n, counter);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} modes[] = {
	{ "calls", calls },	{ "threads", threads }, { "forks", forks }, { "execs", execs },
	{ "signals", signals }, { "crashes", crashes }, { "reads", reads }, { "interrupted", interrupted },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, argv[1]) == 0)
			return modes[i].run();
	return 98;
}
