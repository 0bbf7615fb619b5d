/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that wait, and a signal that comes meanwhile: with SA_RESTART they go on or say EINTR as signal(7) has
 * it, without it they say EINTR. Another process sends the signal when this one sleeps, and lets what is waited
 * for happen when the handler has run and this one sleeps again.
 */
#include "conformance.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

/* What both processes see. */
struct scene {
	volatile int handled;
	volatile int word;
	int signo, flags;
};
static struct scene *scene;
static int fds[2], descriptor;
static pid_t waited_for;

static void handler(int signo)
{
	(void)signo;
	scene->handled++;
}

/* prepare: before the other process is made. wait: the call. finish: in the other process. */
struct waiting {
	void (*prepare)(void);
	long (*wait)(void);
	void (*finish)(void);
};

static void poke(const struct waiting *w, pid_t target)
{
	wait_asleep(target);
	if (kill(target, scene->signo) < 0)
		_exit(1);
	if (!w->finish)
		_exit(0);
	if (scene->handled >= 0) /* a handler is there */
		wait_number(&scene->handled, 1);
	wait_asleep(target);
	w->finish();
	_exit(0);
}

static void interrupt(const struct waiting *w, int signo, int flags)
{
	pid_t self = getpid(), poker;
	struct waiting without = *w;
	long result;
	int error;

	scene = shared(sizeof(*scene));
	scene->signo = signo;
	handle(signo, handler, flags);
	if (w->prepare)
		w->prepare();
	if (!(flags & SA_RESTART))
		without.finish = NULL;
	poker = fork();
	NEED(poker >= 0);
	if (poker == 0)
		poke(&without, self);
	result = w->wait();
	error = errno;
	(void)kill(poker, SIGKILL);
	(void)wait_status(poker);
	if (waited_for)
		(void)kill(waited_for, SIGKILL);
	errno = error;
	say_result("result", result);
	say("handled=%d", scene->handled);
}

#define WAITING(id, ...)                                            \
	static const struct waiting waiting_##id = { __VA_ARGS__ }; \
	CASE(eintr_##id, "result=EINTR handled=1")                  \
	{                                                           \
		interrupt(&waiting_##id, SIGUSR1, 0);               \
	}

/* One that goes on, with its result then. */
#define RESTARTED(id, then, ...)                                    \
	WAITING(id, __VA_ARGS__)                                    \
	CASE(restart_##id, "result=" then " handled=1")             \
	{                                                           \
		interrupt(&waiting_##id, SIGUSR1, SA_RESTART);      \
	}

/* One that never goes on. */
#define NOT_RESTARTED(id, ...)                                      \
	WAITING(id, __VA_ARGS__)                                    \
	CASE(restart_##id, "result=EINTR handled=1")                \
	{                                                           \
		struct waiting w = waiting_##id;                    \
		w.finish = NULL;                                    \
		interrupt(&w, SIGUSR1, SA_RESTART);                 \
	}

static void prepare_pipe(void)
{
	NEED(pipe(fds) == 0);
}

static long wait_read(void)
{
	char text[10];

	return read(fds[0], text, sizeof(text));
}

static void finish_read(void)
{
	(void)write(fds[1], "abc", 3);
}
RESTARTED(read, "3", prepare_pipe, wait_read, finish_read)

static void prepare_full_pipe(void)
{
	char bytes[4096] = { 0 };

	NEED(pipe(fds) == 0 && fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
	while (write(fds[1], bytes, sizeof(bytes)) > 0)
		;
	NEED(fcntl(fds[1], F_SETFL, 0) == 0);
}

static long wait_write(void)
{
	return write(fds[1], "abc", 3);
}

static void finish_write(void)
{
	char bytes[65536];

	(void)read(fds[0], bytes, sizeof(bytes));
}
RESTARTED(write, "3", prepare_full_pipe, wait_write, finish_write)

static void prepare_sockets(void)
{
	NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
}

static long wait_recv(void)
{
	char text[10];

	return recv(fds[0], text, sizeof(text), 0);
}
RESTARTED(recv, "3", prepare_sockets, wait_recv, finish_read)

static long wait_recvmsg(void)
{
	char text[10];
	struct iovec vector = { text, sizeof(text) };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	return recvmsg(fds[0], &message, 0);
}
RESTARTED(recvmsg, "3", prepare_sockets, wait_recvmsg, finish_read)

static const struct sockaddr_un listening = { AF_UNIX, "socket" };

static void prepare_listen(void)
{
	descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
	NEED(bind(descriptor, (const void *)&listening, sizeof(listening)) == 0 && listen(descriptor, 5) == 0);
}

static long wait_accept(void)
{
	return accept(descriptor, NULL, NULL) < 0 ? -1 : 0;
}

static void finish_accept(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)connect(fd, (const void *)&listening, sizeof(listening));
	(void)pause();
}
RESTARTED(accept, "0", prepare_listen, wait_accept, finish_accept)

static void sleep_for_good(void)
{
	for (;;)
		(void)pause();
}

static void prepare_child(void)
{
	waited_for = start(sleep_for_good);
}

static void finish_child(void)
{
	(void)kill(waited_for, SIGKILL);
}

static long wait_wait4(void)
{
	return waitpid(waited_for, NULL, 0) == waited_for ? 0 : -1;
}
RESTARTED(wait4, "0", prepare_child, wait_wait4, finish_child)

static long wait_waitid(void)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)waited_for, &info, WEXITED);
}
RESTARTED(waitid, "0", prepare_child, wait_waitid, finish_child)

static void prepare_flock(void)
{
	static int other;

	write_file("lock", "", 0600);
	other = open("lock", O_RDONLY);
	descriptor = open("lock", O_RDONLY);
	NEED(flock(other, LOCK_EX) == 0);
	fds[0] = other;
}

static long wait_flock(void)
{
	return flock(descriptor, LOCK_EX);
}

static void finish_flock(void)
{
	(void)flock(fds[0], LOCK_UN);
}
RESTARTED(flock, "0", prepare_flock, wait_flock, finish_flock)

static void hold_lock(void)
{
	struct flock lock = { .l_type = F_WRLCK };

	if (fcntl(descriptor, F_SETLK, &lock) == 0)
		scene->word = 1;
	sleep_for_good();
}

static void prepare_lock(void)
{
	descriptor = open("lock", O_RDWR | O_CREAT, 0600);
	waited_for = start(hold_lock);
	wait_number(&scene->word, 1);
}

static long wait_lock(void)
{
	struct flock lock = { .l_type = F_WRLCK };

	return fcntl(descriptor, F_SETLKW, &lock);
}
RESTARTED(record_lock, "0", prepare_lock, wait_lock, finish_child)

static long wait_futex(void)
{
	return syscall(SYS_futex, &scene->word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void finish_futex(void)
{
	scene->word = 1;
	while (syscall(SYS_futex, &scene->word, FUTEX_WAKE, 1, NULL, NULL, 0) == 0)
		pause_shortly();
}
RESTARTED(futex, "0", NULL, wait_futex, finish_futex)

static void prepare_fifo(void)
{
	NEED(mkfifo("fifo", 0600) == 0);
}

static long wait_open(void)
{
	return open("fifo", O_RDONLY) < 0 ? -1 : 0;
}

static void finish_open(void)
{
	(void)open("fifo", O_WRONLY);
	(void)pause();
}
RESTARTED(open_fifo, "0", prepare_fifo, wait_open, finish_open)

static long wait_nanosleep(void)
{
	struct timespec time = { .tv_sec = 100 }, rest = { 0 };
	int r = nanosleep(&time, &rest);

	return r < 0 && rest.tv_sec > 50 && rest.tv_sec < 100 ? -1 : r + 100;
}
NOT_RESTARTED(nanosleep, NULL, wait_nanosleep, NULL)

static long wait_clock(void)
{
	struct timespec time = { .tv_sec = 100 };

	errno = clock_nanosleep(CLOCK_REALTIME, 0, &time, NULL);
	return errno ? -1 : 0;
}
NOT_RESTARTED(clock_nanosleep, NULL, wait_clock, NULL)

static long wait_poll(void)
{
	struct pollfd one = { fds[0], POLLIN, 0 };

	return poll(&one, 1, 100000);
}
NOT_RESTARTED(poll, prepare_pipe, wait_poll, NULL)

static long wait_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	return select(fds[0] + 1, &set, NULL, NULL, NULL);
}
NOT_RESTARTED(select, prepare_pipe, wait_select, NULL)

static long wait_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(0);

	NEED(epoll_ctl(fd, EPOLL_CTL_ADD, fds[0], &event) == 0);
	return epoll_wait(fd, &event, 1, -1);
}
NOT_RESTARTED(epoll_wait, prepare_pipe, wait_epoll, NULL)

static void prepare_semaphore(void)
{
	descriptor = semget(IPC_PRIVATE, 1, 0600);
	NEED(descriptor >= 0);
}

static long wait_semaphore(void)
{
	struct sembuf operation = { 0, -1, 0 };
	long r = semop(descriptor, &operation, 1);
	int error = errno;

	(void)semctl(descriptor, 0, IPC_RMID);
	errno = error;
	return r;
}
NOT_RESTARTED(semop, prepare_semaphore, wait_semaphore, NULL)

static void prepare_queue(void)
{
	descriptor = msgget(IPC_PRIVATE, 0600);
	NEED(descriptor >= 0);
}

static long wait_message(void)
{
	char message[100];
	long r = msgrcv(descriptor, message, sizeof(message) - sizeof(long), 0, 0);
	int error = errno;

	(void)msgctl(descriptor, IPC_RMID, NULL);
	errno = error;
	return r;
}
NOT_RESTARTED(msgrcv, prepare_queue, wait_message, NULL)

static long wait_pause(void)
{
	return pause();
}
NOT_RESTARTED(pause, NULL, wait_pause, NULL)

static long wait_sigsuspend(void)
{
	sigset_t none = set_of(SIGHUP, 0);

	return sigsuspend(&none);
}
NOT_RESTARTED(sigsuspend, NULL, wait_sigsuspend, NULL)

static long wait_sigtimedwait(void)
{
	sigset_t set = set_of(SIGUSR2, 0);

	return sigtimedwait(&set, NULL, &(struct timespec){ .tv_sec = 100 });
}
NOT_RESTARTED(sigtimedwait, NULL, wait_sigtimedwait, NULL)

static long wait_timed_recv(void)
{
	char text[10];
	struct timeval time = { .tv_sec = 100 };

	NEED(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) == 0);
	return recv(fds[0], text, sizeof(text), 0);
}
NOT_RESTARTED(recv_with_timeout, prepare_sockets, wait_timed_recv, NULL)

/* --- signals that are no reason to wake up ------------------------------------------------------- */

/* Sent while it is ignored or blocked, the signal is not noticed: the call goes on. */
static void undisturbed(const struct waiting *w, int signo, bool blocked)
{
	pid_t self = getpid(), poker;
	long result;
	int error;

	scene = shared(sizeof(*scene));
	scene->signo = signo;
	scene->handled = -1;
	handle(signo, blocked ? handler : SIG_IGN, 0);
	if (blocked)
		block(signo);
	if (w->prepare)
		w->prepare();
	poker = fork();
	if (poker == 0)
		poke(w, self);
	result = w->wait();
	error = errno;
	(void)kill(poker, SIGKILL);
	(void)wait_status(poker);
	errno = error;
	say_result("result", result);
	say("handled=%d pending=%d", scene->handled, is_pending(signo));
}

#define UNDISTURBED(name, signo)                                        \
	CASE(ignored_##name##_in_read, "result=3 handled=-1 pending=0") \
	{                                                               \
		undisturbed(&waiting_read, signo, false);               \
	}                                                               \
	CASE(blocked_##name##_in_read, "result=3 handled=-1 pending=1") \
	{                                                               \
		undisturbed(&waiting_read, signo, true);                \
	}

UNDISTURBED(usr1, SIGUSR1)
UNDISTURBED(rt, SIGRTMIN)
UNDISTURBED(segv, SIGSEGV)
UNDISTURBED(trap, SIGTRAP)
UNDISTURBED(sys, SIGSYS)
UNDISTURBED(bus, SIGBUS)

#define FAULT_SIGNAL(name, signo)                                   \
	CASE(eintr_read_by_##name, "result=EINTR handled=1")        \
	{                                                           \
		interrupt(&waiting_read, signo, 0);                 \
	}                                                           \
	CASE(restart_read_by_##name, "result=3 handled=1")          \
	{                                                           \
		interrupt(&waiting_read, signo, SA_RESTART);        \
	}

FAULT_SIGNAL(segv, SIGSEGV)
FAULT_SIGNAL(trap, SIGTRAP)
FAULT_SIGNAL(sys, SIGSYS)
FAULT_SIGNAL(ill, SIGILL)

static long wait_short_sleep(void)
{
	struct timespec time = { .tv_nsec = 300 * 1000 * 1000 }, begin, end;
	long r;

	NEED(clock_gettime(CLOCK_MONOTONIC, &begin) == 0);
	r = nanosleep(&time, NULL);
	NEED(clock_gettime(CLOCK_MONOTONIC, &end) == 0);
	end.tv_nsec += (end.tv_sec - begin.tv_sec) * 1000000000;
	return r == 0 ? end.tv_nsec - begin.tv_nsec >= 300 * 1000 * 1000 : r;
}

/* Stopped and continued: calls go on, also those that no handler lets go on. */
CASE(stop_in_nanosleep, "result=1")
{
	pid_t self = getpid(), poker = fork();

	if (poker == 0) {
		wait_asleep(self);
		(void)kill(self, SIGSTOP);
		(void)kill(self, SIGCONT);
		_exit(0);
	}
	TRY("result", wait_short_sleep());
	(void)wait_status(poker);
}

static void wait_stopped(pid_t pid)
{
	siginfo_t info;

	NEED(waitid(P_PID, (id_t)pid, &info, WSTOPPED) == 0);
}

#define STOPPED(id, text, prepare, wait_call, finish)                                    \
	static void stopped_##id(void)                                                   \
	{                                                                                \
		TRY("result", wait_call());                                              \
	}                                                                                \
	CASE(stop_in_##id, text)                                                         \
	{                                                                                \
		pid_t pid;                                                               \
		prepare();                                                               \
		pid = start(stopped_##id);                                               \
		wait_asleep(pid);                                                        \
		NEED(kill(pid, SIGSTOP) == 0);                                           \
		wait_stopped(pid);                                                       \
		NEED(kill(pid, SIGCONT) == 0);                                           \
		wait_asleep(pid);                                                        \
		finish();                                                                \
		say_status("end", wait_status(pid));                                     \
	}
STOPPED(read, "result=3 end=exit:0", prepare_pipe, wait_read, finish_read)
STOPPED(poll, "result=1 end=exit:0", prepare_pipe, wait_poll, finish_read)
STOPPED(recv, "result=3 end=exit:0", prepare_sockets, wait_recv, finish_read)
