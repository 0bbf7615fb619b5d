/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * execs DIRECTORY COUNT: executes the files 0 to COUNT - 1 of a directory, each in a child with the
 * arguments "zero", "one two", and the environment A=1, and says what came of each: the error of
 * execve(2), or the status of what ran, and what it wrote. What it observes bare and under umvu has to
 * be the same (tests/integration/test_umvu_hostile.py).
 *
 * execs @show ...: writes its arguments and environment.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MAX = 2000, PATIENCE = 20 /* seconds */ };

extern char **environ;

static int show(char **argv)
{
	for (char **at = argv; *at; at++)
		(void)printf("(%s)", *at);
	for (char **at = environ; *at; at++)
		(void)printf("{%s}", *at);
	return 0;
}

static void child(const char *path, int output)
{
	static char zero[] = "zero", one[] = "one two", variable[] = "A=1";
	const struct rlimit none = { 0, 0 };
	char *argv[] = { zero, one, NULL }, *envp[] = { variable, NULL };
	int nowhere = open("/dev/null", O_RDWR);

	(void)dup2(nowhere, 0);
	(void)dup2(output, 1);
	(void)dup2(nowhere, 2);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)alarm(PATIENCE);
	execve(path, argv, envp);
	dprintf(output, "%s", strerrorname_np(errno));
	_exit(250);
}

/* Others may have the pipe for longer than the child lives: it is read without waiting for its end. */
static size_t read_output(int fd, char *text)
{
	ssize_t n = read(fd, text, OUTPUT_MAX);

	return n > 0 ? (size_t)n : 0;
}

static void run(const char *directory, int number)
{
	char path[4096], text[OUTPUT_MAX + 1];
	int ends[2], status;
	size_t len;
	pid_t pid;

	(void)snprintf(path, sizeof(path), "%s/%d", directory, number);
	if (pipe2(ends, O_CLOEXEC) < 0)
		exit(99);
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	pid = fork();
	if (pid == 0)
		child(path, ends[1]);
	(void)close(ends[1]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		exit(99);
	len = read_output(ends[0], text);
	(void)close(ends[0]);
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	text[len] = '\0';
	(void)printf("%d: %s%d %s\n", number, WIFSIGNALED(status) ? "signal " : "",
		     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), text);
}

int main(int argc, char **argv)
{
	if (argc < 3 || strncmp(argv[1], "@show", 5) == 0)
		return show(argv);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < atoi(argv[2]); i++)
		run(argv[1], i);
	return 0;
}
