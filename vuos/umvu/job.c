/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. The shell that has started us waits for us, not for the program. When the program stops,
 * we stop by the same signal, so that it sees a stopped job. Most programs stay in our process group, to
 * which the shell sends SIGCONT. A shell in the view has a group of its own, which has the terminal when it
 * suspends itself: then we are woken alone, have to give it the terminal, and wake its group.
 *
 * All signals are blocked here. So SIGCONT is pending when we have been woken; it is not when the kernel
 * did not stop us, as in a process group without a shell (an orphaned one).
 */
#include "job.h"

#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "processes.h"

#define GRACE 10000000 /* ns */

/* True: we did stop, and go on. */
static bool stop_by(int signo)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, signo);
	if (signo != SIGSTOP)
		(void)signal(signo, SIG_DFL);
	(void)raise(signo);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL); /* here we stop */
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return sigpending(&set) == 0 && sigismember(&set, SIGCONT) > 0;
}

static bool is_stopped(pid_t program)
{
	struct process_row row;
	char state;

	return process_read(program, &row, &state) == 0 && state == 'T';
}

/* Who stops a program only to let it go on at once would not wake us. */
static bool stays_stopped(pid_t program)
{
	const struct timespec while_it_may = { .tv_nsec = GRACE };

	return is_stopped(program) && nanosleep(&while_it_may, NULL) == 0 && is_stopped(program);
}

void job_stop(pid_t program, int signo)
{
	pid_t group = getpgid(program), own = getpgrp();
	auto_close int terminal = -1;

	if (!stays_stopped(program))
		return;
	if (group == own) {
		(void)stop_by(signo);
		return;
	}
	terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (terminal < 0 || tcgetpgrp(terminal) != group || !stop_by(signo))
		return;
	if (tcgetpgrp(terminal) == own)
		(void)tcsetpgrp(terminal, group);
	(void)kill(-group, SIGCONT);
}

void job_continue(pid_t program)
{
	if (is_stopped(program))
		(void)kill(program, SIGCONT);
}
