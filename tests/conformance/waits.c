/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for signals: sigsuspend, sigwaitinfo, ppoll, pselect, epoll_pwait, timers. */
#include "conformance.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t count;

static void telling(int signo)
{
	say("[%s]", signal_name(signo));
}

static void tell_mask(int signo)
{
	say("[%s usr1=%d usr2=%d hup=%d]", signal_name(signo), is_blocked(SIGUSR1), is_blocked(SIGUSR2),
	    is_blocked(SIGHUP));
}

static void counting(int signo)
{
	(void)signo;
	count++;
}

static void block_two(void)
{
	block(SIGUSR1);
	block(SIGUSR2);
}

CASE(sigsuspend_one, "[SIGUSR1] suspend=EINTR usr1=1 pending=1,0")
{
	sigset_t set = set_of(SIGUSR2, 0);

	handle(SIGUSR1, telling, 0);
	handle(SIGUSR2, telling, 0);
	block_two();
	NEED(raise(SIGUSR1) == 0 && raise(SIGUSR2) == 0);
	TRY("suspend", sigsuspend(&set));
	say("usr1=%d pending=%d,%d", is_blocked(SIGUSR1), is_pending(SIGUSR2), is_pending(SIGUSR1));
}

/* Both are delivered before it returns. */
CASE(sigsuspend_two, "[SIGUSR2] [SIGUSR1] suspend=EINTR pending=0,0")
{
	sigset_t none = set_of(0);

	handle(SIGUSR1, telling, 0);
	handle(SIGUSR2, telling, 0);
	block_two();
	NEED(raise(SIGUSR1) == 0 && raise(SIGUSR2) == 0);
	TRY("suspend", sigsuspend(&none));
	say("pending=%d,%d", is_pending(SIGUSR1), is_pending(SIGUSR2));
}

/* The handler runs with the mask that was waited with. */
CASE(sigsuspend_mask_in_handler, "[SIGUSR1 usr1=1 usr2=0 hup=1] usr2=1 hup=0")
{
	sigset_t set = set_of(SIGHUP, 0);

	handle(SIGUSR1, tell_mask, 0);
	block_two();
	NEED(raise(SIGUSR1) == 0);
	NEED(sigsuspend(&set) < 0);
	say("usr2=%d hup=%d", is_blocked(SIGUSR2), is_blocked(SIGHUP));
}

CASE(ppoll_mask_in_handler, "[SIGUSR1 usr1=1 usr2=0 hup=1] ppoll=EINTR usr2=1 hup=0")
{
	sigset_t set = set_of(SIGHUP, 0);

	handle(SIGUSR1, tell_mask, 0);
	block_two();
	NEED(raise(SIGUSR1) == 0);
	TRY("ppoll", ppoll(NULL, 0, NULL, &set));
	say("usr2=%d hup=%d", is_blocked(SIGUSR2), is_blocked(SIGHUP));
}

CASE(ppoll_ready_first, "ppoll=1 count=0 pending=1")
{
	struct pollfd one = { -1, POLLIN, 0 };
	sigset_t none = set_of(0);
	int fds[2];

	NEED(pipe(fds) == 0 && write(fds[1], "x", 1) == 1);
	one.fd = fds[0];
	handle(SIGUSR1, counting, 0);
	block(SIGUSR1);
	NEED(raise(SIGUSR1) == 0);
	TRY("ppoll", ppoll(&one, 1, NULL, &none));
	say("count=%d pending=%d", count, is_pending(SIGUSR1));
}

CASE(pselect_pending, "[SIGUSR1] pselect=EINTR usr1=1")
{
	sigset_t none = set_of(0);

	handle(SIGUSR1, telling, SA_RESTART);
	block(SIGUSR1);
	NEED(raise(SIGUSR1) == 0);
	TRY("pselect", pselect(0, NULL, NULL, NULL, NULL, &none));
	say("usr1=%d", is_blocked(SIGUSR1));
}

CASE(epoll_pwait_pending, "[SIGUSR1] wait=EINTR usr1=1 timeout=0")
{
	sigset_t none = set_of(0), all;
	struct epoll_event event;
	int fd = epoll_create1(0);

	(void)sigfillset(&all);
	handle(SIGUSR1, telling, SA_RESTART);
	block(SIGUSR1);
	NEED(raise(SIGUSR1) == 0);
	TRY("wait", epoll_pwait(fd, &event, 1, -1, &none));
	say("usr1=%d", is_blocked(SIGUSR1));
	TRY("timeout", epoll_pwait(fd, &event, 1, 1, &all));
}

/* A mask with everything blocked, faults' signals too, while it waits: and they still work behind it. */
static void ppoll_and_fault(void)
{
	sigset_t all;
	struct timespec time = { .tv_nsec = 1000000 };

	(void)sigfillset(&all);
	handle(SIGSEGV, SIG_DFL, 0);
	say("ppoll=%d", ppoll(NULL, 0, &time, &all));
	say("getppid=%d", getppid() > 1);
	*(volatile char *)nowhere() = 1;
}

CASE(ppoll_everything_blocked, "ppoll=0 getppid=1 end=SIGSEGV")
{
	say_end("end", ppoll_and_fault);
}

CASE(sigwaitinfo_order, "SIGUSR1 SIGUSR2 SIGRT1 none=EAGAIN")
{
	sigset_t set = set_of(SIGUSR1, SIGUSR2, SIGRTMIN + 1, 0);

	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	NEED(raise(SIGRTMIN + 1) == 0 && raise(SIGUSR2) == 0 && raise(SIGUSR1) == 0);
	for (int i = 0; i < 3; i++)
		say("%s", signal_name(sigwaitinfo(&set, NULL)));
	TRY("none", sigtimedwait(&set, NULL, &(struct timespec){ .tv_nsec = 1000 }));
}

CASE(sigtimedwait_other_signal, "[SIGUSR2] wait=EINTR")
{
	sigset_t set = set_of(SIGUSR1, 0);
	pid_t self = getpid(), pid;

	handle(SIGUSR2, telling, SA_RESTART);
	block(SIGUSR1);
	pid = fork();
	if (pid == 0) {
		wait_asleep(self);
		_exit(kill(self, SIGUSR2));
	}
	TRY("wait", sigwaitinfo(&set, NULL));
	(void)wait_status(pid);
}

CASE(signalfd_queue, "[SIGRT0 1] [SIGRT0 2] [SIGRT1 3] empty=EAGAIN")
{
	sigset_t set = set_of(SIGRTMIN, SIGRTMIN + 1, 0);
	struct signalfd_siginfo info;
	int fd;

	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	NEED(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 3 }) == 0);
	NEED(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 1 }) == 0);
	NEED(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 2 }) == 0);
	for (int i = 0; i < 3; i++) {
		NEED(read(fd, &info, sizeof(info)) == sizeof(info));
		say("[%s %d]", signal_name((int)info.ssi_signo), info.ssi_int);
	}
	TRY("empty", read(fd, &info, sizeof(info)));
}

CASE(alarm_ends_pause, "[SIGALRM] pause=EINTR")
{
	struct itimerval when = { .it_value.tv_usec = 20000 };

	handle(SIGALRM, telling, 0);
	NEED(setitimer(ITIMER_REAL, &when, NULL) == 0);
	TRY("pause", pause());
}

CASE(virtual_timer, "end=SIGVTALRM prof=SIGPROF")
{
	static const int timers[] = { ITIMER_VIRTUAL, ITIMER_PROF };

	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct itimerval when = { .it_value.tv_usec = 1000 };

			(void)setitimer(timers[i], &when, NULL);
			for (;;)
				__asm__ volatile("" : : : "memory");
		}
		say_status(i ? "prof" : "end", wait_status(pid));
	}
}

CASE(sigsuspend_ping_pong, "rounds=300 other=exit:0")
{
	sigset_t none = set_of(0);
	pid_t self = getpid(), pid;
	int rounds = 0;

	handle(SIGUSR1, counting, 0);
	block(SIGUSR1);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 300; i++) {
			(void)kill(self, SIGUSR1);
			(void)sigsuspend(&none);
		}
		_exit(count == 300 ? 0 : 1);
	}
	for (; rounds < 300; rounds++) {
		(void)sigsuspend(&none);
		(void)kill(pid, SIGUSR1);
	}
	say("rounds=%d", count);
	say_status("other", wait_status(pid));
}

/* A signal that is blocked does not run its handler until it is unblocked, however many come. */
CASE(critical_section, "violations=0 seen=1")
{
	static volatile sig_atomic_t before, violations;
	struct itimerval when = { { 0, 200 }, { 0, 200 } }, off = { 0 };

	handle(SIGALRM, counting, SA_RESTART);
	NEED(setitimer(ITIMER_REAL, &when, NULL) == 0);
	for (int i = 0; i < 3000; i++) {
		block(SIGALRM);
		before = count;
		(void)getppid();
		(void)raise(SIGALRM);
		violations += count != before;
		unblock(SIGALRM);
	}
	NEED(setitimer(ITIMER_REAL, &off, NULL) == 0);
	say("violations=%d seen=%d", violations, count >= 3000);
}

CASE(timer_queue, "signals=20 overrun=0")
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec when = { .it_value.tv_nsec = 1000000 };
	timer_t timers[20];

	handle(SIGRTMIN, counting, 0);
	for (int i = 0; i < 20; i++)
		NEED(timer_create(CLOCK_MONOTONIC, &event, &timers[i]) == 0 &&
		     timer_settime(timers[i], 0, &when, NULL) == 0);
	wait_number(&count, 20);
	say("signals=%d overrun=%d", count, timer_getoverrun(timers[0]));
}
