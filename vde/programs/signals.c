/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signals.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Keeps what is known of the signal: who sent it tells what to do about it. */
static void send_to_main_thread(int number, siginfo_t *info, void *context)
{
	int saved = errno;
	pid_t pid = getpid();

	(void)context;
	(void)syscall(SYS_rt_tgsigqueueinfo, pid, pid, number, info); /* fails only on overflow */
	errno = saved;
}

int signals_watch(struct loop *loop, const int *list, size_t count,
		  void (*handler)(struct loop *loop, void *object, const siginfo_t *info),
		  void *object)
{
	struct sigaction action = { .sa_sigaction = send_to_main_thread,
				    .sa_flags = SA_SIGINFO | SA_RESTART };
	sigset_t set;
	int r;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < count; i++)
		(void)sigaddset(&set, list[i]);
	r = loop_signals(loop, &set, handler, object);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		(void)sigaction(list[i], &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	return 0;
}
