/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A child that asked to be traced, and whose parent has ended (ptrace(2)). */
#include "conformance.h"

#include <sys/ptrace.h>

/* Its parent ends before: there is no tracer any more, and it goes on. */
CASE(trace_me_orphan, "said=1 end=0")
{
	int pipes[2];
	char byte = 0;
	pid_t pid;

	NEED(pipe(pipes) == 0);
	pid = fork();
	if (pid == 0) {
		pid_t parent = getpid();

		if (fork() > 0) {
			NEED(read(pipes[0], &byte, 1) == 1);
			_exit(0);
		}
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			NEED(write(pipes[1], &byte, 1) == 1);
		while (getppid() == parent)
			;
		(void)write(pipes[1], &byte, 1);
		(void)execl(own_path, own_path, "@exit", "7", NULL);
		_exit(98);
	}
	(void)alarm(10);
	(void)wait_status(pid);
	(void)close(pipes[1]);
	say("said=%zd", read(pipes[0], &byte, 1));
	say("end=%zd", read(pipes[0], &byte, 1)); /* when the program has ended */
}
