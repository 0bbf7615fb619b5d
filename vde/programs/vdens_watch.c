/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the terminal sends (^C), it sends to its whole foreground process group: the command has it
 * already when it is in our group, and is not told twice. Shells with job control make a group of their own.
 */
#include "vdens.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "signals.h"

static const int watched[] = { SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2 };

/*
 * The command has stopped while it had the terminal: a shell that suspends itself, say. Whoever
 * started us waits for us, so we have to stop, too. Later the terminal is given back to the command's
 * group, if it is ours to give by then. A command in our own group was stopped by the terminal, which
 * stopped us as well.
 */
static void watch_stopped(const struct watch *watch)
{
	auto_close int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
	pid_t group = getpgid(watch->pid), foreground;

	if (terminal < 0 || group == getpgrp())
		return;
	foreground = tcgetpgrp(terminal);
	if (foreground != group && foreground != getpgrp())
		return;
	(void)kill(getpid(), SIGSTOP);
	if (foreground == group && tcgetpgrp(terminal) == getpgrp())
		(void)tcsetpgrp(terminal, group);
	(void)kill(watch->pid, SIGCONT);
}

static void watch_child(struct watch *watch, struct loop *loop)
{
	int status;

	while (waitpid(watch->pid, &status, WNOHANG | WUNTRACED) == watch->pid) {
		if (!WIFSTOPPED(status)) {
			watch->wait_status = status;
			loop_stop(loop, 0);
			return;
		}
		watch_stopped(watch);
	}
}

static void watch_signal(struct loop *loop, void *object, const siginfo_t *info)
{
	struct watch *watch = object;

	if (info->si_signo == SIGCHLD) {
		watch_child(watch, loop);
		return;
	}
	if (info->si_code == SI_KERNEL && getpgid(watch->pid) == getpgrp())
		return;
	(void)kill(watch->pid, info->si_signo); /* not reaped yet, so the number is still its own */
}

int watch_start(struct watch *watch, struct loop *loop, struct error *error)
{
	int r = signals_watch(loop, watched, ARRAY_SIZE(watched), watch_signal, watch);

	if (r < 0)
		return error_set_errno(error, -r, "cannot watch signals");
	watch_child(watch, loop); /* it may have ended before its signal was watched */
	return 0;
}

void watch_end_alike(const struct watch *watch)
{
	const struct rlimit no_core = { 0, 0 };
	int number;
	sigset_t set;

	if (WIFEXITED(watch->wait_status))
		_exit(WEXITSTATUS(watch->wait_status));
	number = WTERMSIG(watch->wait_status);
	(void)setrlimit(RLIMIT_CORE, &no_core); /* the command's core is the one of interest */
	(void)signal(number, SIG_DFL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, number);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)kill(getpid(), number);
	_exit(128 + number); /* a signal that did not end us: what a shell would say */
}
