/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads: their beginning and end, signals to one of many, cancellation, and what the kernel does when one
 * ends. */
#include "conformance.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <semaphore.h>
#include <time.h>

#define STACK_SIZE (64 << 10)

static volatile int count, started;
static int fds[2];

static void *add_one(void *argument)
{
	__atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
	return argument;
}

static void counting(int signo)
{
	(void)signo;
	__atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
}

CASE(threads_short, "count=2000 joined=2000")
{
	int joined = 0;

	for (long i = 0; i < 2000; i++) {
		pthread_t thread;
		void *result = NULL;

		NEED(pthread_create(&thread, NULL, add_one, (void *)i) == 0);
		joined += pthread_join(thread, &result) == 0 && (long)result == i;
	}
	say("count=%d joined=%d", count, joined);
}

CASE(threads_at_once, "count=100 joined=100")
{
	pthread_t threads[100];
	int joined = 0;

	for (int i = 0; i < 100; i++)
		NEED(pthread_create(&threads[i], NULL, add_one, NULL) == 0);
	for (int i = 0; i < 100; i++)
		joined += pthread_join(threads[i], NULL) == 0;
	say("count=%d joined=%d", count, joined);
}

CASE(threads_detached, "count=300")
{
	pthread_attr_t attributes;
	pthread_t thread;

	NEED(pthread_attr_init(&attributes) == 0);
	NEED(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
	for (int i = 0; i < 300; i++)
		while (pthread_create(&thread, &attributes, add_one, NULL) != 0)
			pause_shortly();
	wait_number(&count, 300);
	say("count=%d", count);
}

/* Memory that threads take has to come back: else this ends with EAGAIN or a map that is full of it. */
CASE(threads_leave_nothing, "mappings=same")
{
	static char text[1 << 20];
	size_t before = 0, after = 0, len;

	for (int round = 0; round < 2; round++) {
		size_t lines = 0;

		for (int i = 0; i < 200; i++) {
			pthread_t thread;

			NEED(pthread_create(&thread, NULL, add_one, NULL) == 0 &&
			     pthread_join(thread, NULL) == 0);
		}
		{
			FILE *file = fopen("/proc/self/maps", "re");

			len = fread(text, 1, sizeof(text), file);
			NEED(fclose(file) == 0);
		}
		for (size_t i = 0; i < len; i++)
			lines += text[i] == '\n';
		*(round ? &after : &before) = lines;
	}
	say("mappings=%s", after <= before + 2 ? "same" : "more");
}

static void *spin(void *argument)
{
	started = 1;
	for (;;)
		(void)getppid();
	return argument;
}

static void *sleep_for_good(void *argument)
{
	started = 1;
	for (;;)
		(void)pause();
	return argument;
}

static void *exit_group(void *argument)
{
	exit((int)(long)argument);
}

static void main_exits(void)
{
	pthread_t thread;

	NEED(pthread_create(&thread, NULL, spin, NULL) == 0);
	wait_number(&started, 1);
	_exit(5);
}

static void thread_exits(void)
{
	pthread_t thread;

	NEED(pthread_create(&thread, NULL, spin, NULL) == 0);
	NEED(pthread_create(&thread, NULL, exit_group, (void *)6) == 0);
	for (;;)
		(void)pause();
}

static void *end_later(void *argument)
{
	for (int i = 0; i < 20; i++)
		pause_shortly();
	say("later");
	return argument;
}

static void main_ends_first(void)
{
	pthread_t thread;

	NEED(pthread_create(&thread, NULL, end_later, NULL) == 0);
	pthread_exit(NULL);
}

CASE(threads_and_exit, "main=exit:5 thread=exit:6 later first=exit:0")
{
	say_end("main", main_exits);
	say_end("thread", thread_exits);
	say_end("first", main_ends_first);
}

static void *fault(void *argument)
{
	*(volatile char *)nowhere() = 1;
	return argument;
}

static void thread_faults(void)
{
	pthread_t thread;

	NEED(pthread_create(&thread, NULL, spin, NULL) == 0);
	NEED(pthread_create(&thread, NULL, fault, NULL) == 0);
	for (;;)
		(void)pause();
}

static void *kill_process(void *argument)
{
	(void)kill(getpid(), SIGTERM);
	return argument;
}

static void thread_kills(void)
{
	pthread_t thread;

	block(SIGTERM);
	unblock(SIGTERM);
	NEED(pthread_create(&thread, NULL, kill_process, NULL) == 0);
	for (;;)
		(void)pause();
}

CASE(threads_and_death, "fault=SIGSEGV kill=SIGTERM")
{
	say_end("fault", thread_faults);
	say_end("kill", thread_kills);
}

/* --- signals ------------------------------------------------------------------------------------------ */

static volatile pid_t target, hit;

static void note_thread(int signo)
{
	(void)signo;
	hit = gettid();
	count++;
}

static void *be_target(void *argument)
{
	sigset_t none = set_of(0), set = set_of(SIGUSR1, 0);

	NEED(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	target = gettid();
	started = 1;
	while (count < 100) {
		(void)sigsuspend(&none);
		started = 1;
	}
	return argument;
}

CASE(signal_to_thread, "count=100 right=100")
{
	pthread_t thread;
	int right = 0;

	handle(SIGUSR1, note_thread, 0);
	NEED(pthread_create(&thread, NULL, be_target, NULL) == 0);
	for (int i = 0; i < 100; i++) {
		wait_number(&started, 1);
		started = 0;
		NEED(pthread_kill(thread, SIGUSR1) == 0);
		wait_number(&count, i + 1);
		right += hit == target;
	}
	NEED(pthread_join(thread, NULL) == 0);
	say("count=%d right=%d", count, right);
}

/* To the process: a thread that has it unblocked gets it. */
CASE(signal_to_process, "count=1 right=1 pending=0")
{
	pthread_t thread;

	handle(SIGUSR2, note_thread, 0);
	NEED(pthread_create(&thread, NULL, sleep_for_good, NULL) == 0);
	wait_number(&started, 1);
	block(SIGUSR2);
	NEED(kill(getpid(), SIGUSR2) == 0);
	wait_number(&count, 1);
	say("count=%d right=%d pending=%d", count, hit != getpid(), is_pending(SIGUSR2));
}

CASE(fault_signal_to_process, "count=1 right=1 pending=0")
{
	pthread_t thread;

	handle(SIGSEGV, note_thread, 0);
	NEED(pthread_create(&thread, NULL, sleep_for_good, NULL) == 0);
	wait_number(&started, 1);
	block(SIGSEGV);
	NEED(kill(getpid(), SIGSEGV) == 0);
	for (int i = 0; i < 200 && count == 0; i++)
		pause_shortly();
	say("count=%d right=%d pending=%d", count, hit != getpid(), is_pending(SIGSEGV));
}

static siginfo_t told;

static void tell_info(int signo, siginfo_t *info, void *context)
{
	told = *info;
	note_thread(signo);
}

CASE(fault_signal_value, "count=1 right=1 code=-1 value=77 pid=1")
{
	pthread_t thread;

	handle_info(SIGBUS, tell_info, 0);
	NEED(pthread_create(&thread, NULL, sleep_for_good, NULL) == 0);
	wait_number(&started, 1);
	block(SIGBUS);
	NEED(sigqueue(getpid(), SIGBUS, (union sigval){ .sival_int = 77 }) == 0);
	wait_number(&count, 1);
	say("count=%d right=%d code=%d value=%d pid=%d", count, hit != getpid(), told.si_code,
	    told.si_value.sival_int, told.si_pid == getpid());
}

static void *wait_for_fault(void *argument)
{
	sigset_t set = set_of(SIGSEGV, SIGSYS, 0);

	target = gettid();
	started = 1;
	hit = sigwaitinfo(&set, &told);
	return argument;
}

/* All threads block it; the one that waits for it gets it. */
CASE(fault_signal_waited, "SIGSEGV code=0 SIGSYS code=0 pending=0")
{
	static const int signals[] = { SIGSEGV, SIGSYS };

	block(SIGSEGV);
	block(SIGSYS);
	for (int i = 0; i < 2; i++) {
		pthread_t thread;

		started = 0;
		NEED(pthread_create(&thread, NULL, wait_for_fault, NULL) == 0);
		wait_number(&started, 1);
		wait_asleep(target);
		NEED(kill(getpid(), signals[i]) == 0 && pthread_join(thread, NULL) == 0);
		say("%s code=%d", signal_name(hit), told.si_code);
	}
	say("pending=%d", is_pending(SIGSEGV) || is_pending(SIGSYS));
}

static void *unblock_later(void *argument)
{
	say("other=%d", is_pending(SIGILL));
	unblock(SIGILL);
	say("count=%d own=%d", count, hit == gettid());
	return argument;
}

/* Pending for all, until one unblocks it. */
CASE(fault_signal_kept, "pending=1 other=1 count=1 own=1 after=0 child=0 end=exit:0")
{
	pthread_t thread;
	pid_t pid;

	handle(SIGILL, note_thread, 0);
	block(SIGILL);
	NEED(kill(getpid(), SIGILL) == 0 && kill(getpid(), SIGILL) == 0);
	say("pending=%d", is_pending(SIGILL));
	NEED(pthread_create(&thread, NULL, unblock_later, NULL) == 0 && pthread_join(thread, NULL) == 0);
	say("after=%d", is_pending(SIGILL));
	NEED(kill(getpid(), SIGILL) == 0);
	pid = fork();
	if (pid == 0) {
		say("child=%d", is_pending(SIGILL));
		_exit(0);
	}
	say_status("end", wait_status(pid));
}

static int signal_fd, epoll_fd;

static void *read_signal(void *argument)
{
	struct signalfd_siginfo info;

	target = gettid();
	started = 1;
	if (argument)
		say("ready=%d", epoll_wait(epoll_fd, &(struct epoll_event){ 0 }, 1, -1));
	say("read=%d", read(signal_fd, &info, sizeof(info)) == sizeof(info));
	say("%s code=%d", signal_name((int)info.ssi_signo), info.ssi_code);
	return NULL;
}

static void send_to_reader(int signo, bool by_epoll)
{
	pthread_t thread;

	started = 0;
	NEED(pthread_create(&thread, NULL, read_signal, by_epoll ? &epoll_fd : NULL) == 0);
	wait_number(&started, 1);
	wait_asleep(target);
	NEED(kill(getpid(), signo) == 0 && pthread_join(thread, NULL) == 0);
}

/* A thread sleeps on the descriptor when the signal comes. */
CASE(fault_signal_descriptor, "read=1 SIGTERM code=0 read=1 SIGSEGV code=0 ready=1 read=1 SIGSYS code=0 "
			      "ready=1 read=1 SIGUSR1 code=0 poll=1 select=1 ppoll=1 none=0")
{
	sigset_t set = set_of(SIGTERM, SIGSEGV, SIGSYS, SIGUSR1, 0);
	struct pollfd poller;
	fd_set readers;

	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	signal_fd = signalfd(-1, &set, 0);
	epoll_fd = epoll_create1(0);
	NEED(signal_fd >= 0 && epoll_fd >= 0);
	NEED(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, signal_fd, &(struct epoll_event){ .events = EPOLLIN }) == 0);
	send_to_reader(SIGTERM, false);
	send_to_reader(SIGSEGV, false);
	send_to_reader(SIGSYS, true);
	send_to_reader(SIGUSR1, true);
	NEED(raise(SIGSEGV) == 0);
	poller = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
	say("poll=%d", poll(&poller, 1, 0));
	FD_ZERO(&readers);
	FD_SET(signal_fd, &readers);
	say("select=%d", select(signal_fd + 1, &readers, NULL, NULL, &(struct timeval){ 0 }));
	say("ppoll=%d", ppoll(&poller, 1, &(struct timespec){ 0 }, NULL));
	NEED(read(signal_fd, &(struct signalfd_siginfo){ 0 }, sizeof(struct signalfd_siginfo)) > 0);
	say("none=%d", poll(&poller, 1, 0));
}

static void *look_at_mask(void *argument)
{
	stack_t stack;

	say("usr1=%d segv=%d usr2=%d", is_blocked(SIGUSR1), is_blocked(SIGSEGV), is_blocked(SIGUSR2));
	NEED(sigaltstack(NULL, &stack) == 0);
	say("altstack=%d", stack.ss_flags);
	say("pending=%d", is_pending(SIGUSR1));
	return argument;
}

CASE(thread_inherits_mask, "usr1=1 segv=1 usr2=0 altstack=2 pending=0 own=1")
{
	pthread_t thread;
	stack_t stack = { .ss_sp = at_end(16384), .ss_size = 16384 };

	block(SIGUSR1);
	block(SIGSEGV);
	NEED(sigaltstack(&stack, NULL) == 0 && pthread_kill(pthread_self(), SIGUSR1) == 0);
	NEED(pthread_create(&thread, NULL, look_at_mask, NULL) == 0 && pthread_join(thread, NULL) == 0);
	say("own=%d", is_pending(SIGUSR1));
}

static void *set_handler(void *argument)
{
	handle(SIGUSR1, counting, 0);
	handle(SIGSEGV, counting, 0);
	return argument;
}

CASE(threads_share_handlers, "count=2")
{
	pthread_t thread;

	NEED(pthread_create(&thread, NULL, set_handler, NULL) == 0 && pthread_join(thread, NULL) == 0);
	NEED(raise(SIGUSR1) == 0 && raise(SIGSEGV) == 0);
	say("count=%d", count);
}

/* --- cancellation --------------------------------------------------------------------------------------- */

static void clean_up(void *label)
{
	say("[%s]", (const char *)label);
}

static void *read_for_good(void *argument)
{
	char byte;

	pthread_cleanup_push(clean_up, (void *)"clean");
	started = gettid();
	(void)read(fds[0], &byte, 1);
	pthread_cleanup_pop(0);
	return argument;
}

static void *spin_cancelled(void *argument)
{
	NEED(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL) == 0);
	pthread_cleanup_push(clean_up, (void *)"async");
	started = gettid();
	for (;;)
		(void)getppid();
	pthread_cleanup_pop(0);
	return argument;
}

CASE(cancel_threads, "[clean] cancelled=1 [async] cancelled=1")
{
	for (int i = 0; i < 2; i++) {
		pthread_t thread;
		void *result = NULL;

		started = 0;
		NEED(pipe(fds) == 0);
		NEED(pthread_create(&thread, NULL, i ? spin_cancelled : read_for_good, NULL) == 0);
		while (!started)
			pause_shortly();
		if (!i)
			wait_asleep(started);
		NEED(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0);
		say("cancelled=%d", result == PTHREAD_CANCELED);
	}
}

CASE(cancel_many, "cancelled=200")
{
	int cancelled = 0;

	NEED(pipe(fds) == 0);
	for (int i = 0; i < 200; i++) {
		pthread_t thread;
		void *result = NULL;

		NEED(pthread_create(&thread, NULL, sleep_for_good, NULL) == 0);
		NEED(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0);
		cancelled += result == PTHREAD_CANCELED;
	}
	say("cancelled=%d", cancelled);
}

/* --- what the kernel does at the end -----------------------------------------------------------------------
 */

static pthread_mutex_t mutex;

static void *lock_and_end(void *argument)
{
	NEED(pthread_mutex_lock(&mutex) == 0);
	return argument;
}

CASE(robust_mutex, "lock=EOWNERDEAD consistent=0 unlock=0 again=0")
{
	pthread_mutexattr_t attributes;
	pthread_t thread;

	NEED(pthread_mutexattr_init(&attributes) == 0);
	NEED(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
	NEED(pthread_mutex_init(&mutex, &attributes) == 0);
	NEED(pthread_create(&thread, NULL, lock_and_end, NULL) == 0 && pthread_join(thread, NULL) == 0);
	say("lock=%s", strerrorname_np(pthread_mutex_lock(&mutex)));
	say("consistent=%d", pthread_mutex_consistent(&mutex));
	say("unlock=%d", pthread_mutex_unlock(&mutex));
	say("again=%d", pthread_mutex_lock(&mutex));
}

static int clear_tid(void *argument)
{
	*(volatile int *)argument = 1;
	return 0;
}

CASE(raw_thread, "tid=1 done=1 cleared=1")
{
	static volatile int done, tid = -1, parent;
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int pid = clone(clear_tid, stack + STACK_SIZE,
			CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
				CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
			(void *)&done, &parent, NULL, &tid);

	NEED(pid > 0);
	while (tid)
		(void)syscall(SYS_futex, &tid, FUTEX_WAIT, tid, NULL, NULL, 0);
	say("tid=%d done=%d cleared=%d", parent == pid, done, tid == 0);
}

static void *fork_in_thread(void *argument)
{
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;

		NEED(getpid() == gettid());
		NEED(pthread_create(&thread, NULL, add_one, NULL) == 0 && pthread_join(thread, NULL) == 0);
		_exit(count);
	}
	say_status("child", wait_status(pid));
	return argument;
}

CASE(fork_in_threads, "child=exit:1 child=exit:1 child=exit:1")
{
	for (int i = 0; i < 3; i++) {
		pthread_t thread;

		NEED(pthread_create(&thread, NULL, fork_in_thread, NULL) == 0 &&
		     pthread_join(thread, NULL) == 0);
	}
}

/* A child of a thread ends by returning from that thread. */
static void *fork_and_return(void *argument)
{
	pid_t pid = fork();

	*(pid_t *)argument = pid;
	return NULL;
}

CASE(fork_in_thread_ends, "end=exit:0")
{
	pthread_t thread;
	pid_t pid = 0;

	NEED(pthread_create(&thread, NULL, fork_and_return, &pid) == 0 && pthread_join(thread, NULL) == 0);
	say_status("end", wait_status(pid));
}

static void *set_ids(void *argument)
{
	return setuid(getuid()) == 0 ? NULL : argument;
}

CASE(setuid_reaches_all, "result=0 threads=1")
{
	pthread_t sleeper, spinner, setter;
	void *result = &sleeper;

	NEED(pthread_create(&sleeper, NULL, sleep_for_good, NULL) == 0);
	NEED(pthread_create(&spinner, NULL, spin, NULL) == 0);
	wait_number(&started, 1);
	TRY("result", setgid(getgid()));
	NEED(pthread_create(&setter, NULL, set_ids, &result) == 0 && pthread_join(setter, &result) == 0);
	say("threads=%d", result == NULL);
}

static sem_t one, two;

static void *answer(void *argument)
{
	for (int i = 0; i < 2000; i++)
		NEED(sem_wait(&one) == 0 && sem_post(&two) == 0);
	return argument;
}

CASE(semaphore_ping_pong, "rounds=2000")
{
	pthread_t thread;
	int rounds = 0;

	NEED(sem_init(&one, 0, 0) == 0 && sem_init(&two, 0, 0) == 0);
	NEED(pthread_create(&thread, NULL, answer, NULL) == 0);
	for (; rounds < 2000; rounds++)
		NEED(sem_post(&one) == 0 && sem_wait(&two) == 0);
	NEED(pthread_join(thread, NULL) == 0);
	say("rounds=%d", rounds);
}
