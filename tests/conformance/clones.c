/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flags of clone3(2), one after the other; those that clone(2) has, too, are in processes.c. */
#include "conformance.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/utsname.h>

static pid_t clone3(struct clone_args args)
{
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* A child that runs the function, and says what it is told to. */
static void say_child(const char *label, struct clone_args args, void (*run)(void))
{
	pid_t pid;

	args.exit_signal = SIGCHLD;
	pid = clone3(args);
	if (pid == 0) {
		run();
		_exit(0);
	}
	if (pid < 0)
		say("%s=%s", label, strerrorname_np(errno));
	else
		say_status(label, wait_status(pid));
}

static void do_nothing(void)
{
}

static const char *disposition(int signo)
{
	struct sigaction seen;

	NEED(sigaction(signo, NULL, &seen) == 0);
	return seen.sa_handler == SIG_DFL ? "default" : seen.sa_handler == SIG_IGN ? "ignored" : "handler";
}

static void on_signal(int signo)
{
	say("[%s]", signal_name(signo));
}

/*
 * With shared memory, as posix_spawn(3) of newer C libraries has it. The child goes on in this very frame,
 * so the call is made here, and the parent finds only that changed which the child was to change.
 */
static __attribute__((noinline)) pid_t spawn_like(struct clone_args *args, void (*run)(void))
{
	long pid = SYS_clone3;

	__asm__ volatile("syscall"
			 : "+a"(pid)
			 : "D"(args), "S"(sizeof(*args))
			 : "rcx", "r11", "memory");
	if (pid == 0) {
		run();
		_exit(0);
	}
	return (pid_t)pid;
}

static void say_dispositions(void)
{
	say("child: usr1=%s segv=%s hup=%s trap=%s", disposition(SIGUSR1), disposition(SIGSEGV),
	    disposition(SIGHUP), disposition(SIGTRAP));
}

static void fault_after_reset(void)
{
	*(volatile char *)nowhere() = 1;
}

static void handle_anew(void)
{
	handle(SIGUSR1, on_signal, 0);
	NEED(raise(SIGUSR1) == 0);
}

CASE(clone3_clear_handlers_vfork, "child: usr1=default segv=default hup=ignored trap=ignored end=exit:0 "
				  "fault=SIGSEGV [SIGUSR1] anew=exit:0 "
				  "own: usr1=handler segv=handler [SIGUSR1]")
{
	struct clone_args args = { .flags = CLONE_VM | CLONE_VFORK | CLONE_CLEAR_SIGHAND,
				   .exit_signal = SIGCHLD };

	handle(SIGUSR1, on_signal, 0);
	handle(SIGSEGV, on_signal, 0);
	handle(SIGHUP, SIG_IGN, 0);
	handle(SIGTRAP, SIG_IGN, 0);
	say_status("end", wait_status(spawn_like(&args, say_dispositions)));
	say_status("fault", wait_status(spawn_like(&args, fault_after_reset)));
	say_status("anew", wait_status(spawn_like(&args, handle_anew)));
	say("own: usr1=%s segv=%s", disposition(SIGUSR1), disposition(SIGSEGV));
	NEED(raise(SIGUSR1) == 0);
}

CASE(clone3_vfork_alone, "end=exit:0")
{
	say_child("end", (struct clone_args){ .flags = CLONE_VFORK }, do_nothing);
}

static void pause_for_good(void)
{
	for (;;)
		(void)pause();
}

CASE(clone3_pidfd, "pid=1 cloexec=1 before=0 kill=0 after=1 waitid=0 status=SIGTERM")
{
	int fd = -1;
	struct clone_args args = { .flags = CLONE_PIDFD, .pidfd = (uintptr_t)&fd, .exit_signal = SIGCHLD };
	pid_t pid = clone3(args);
	struct pollfd poller;
	siginfo_t info;

	if (pid == 0)
		pause_for_good();
	poller = (struct pollfd){ .fd = fd, .events = POLLIN };
	say("pid=%d cloexec=%d", pid > 0, fcntl(fd, F_GETFD));
	TRY("before", poll(&poller, 1, 0));
	TRY("kill", syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
	TRY("after", poll(&poller, 1, 5000));
	TRY("waitid", waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	say("status=%s", signal_name(info.si_status));
}

CASE(clone3_parent, "sibling=exit:0 own=1")
{
	int *made = shared(sizeof(*made));
	pid_t self = getpid(), pid = fork();

	if (pid == 0) {
		pid = clone3((struct clone_args){ .flags = CLONE_PARENT });
		if (pid == 0)
			_exit(getppid() == self ? 0 : 1);
		*made = pid;
		_exit(0);
	}
	NEED(wait_status(pid) == 0);
	{
		int status;

		NEED(waitpid(*made, &status, __WALL) == *made);
		say_status("sibling", status);
	}
	say("own=%d", getpid() == self);
}

static void set_priority(void)
{
	NEED(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 7)) == 0);
}

/* Children share the priority of their input and output, or have a copy. */
CASE(clone3_io, "copy=exit:0 own=1 share=exit:0 own=7")
{
	long priority;

	NEED(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 1)) == 0);
	say_child("copy", (struct clone_args){ 0 }, set_priority);
	priority = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
	say("own=%ld", IOPRIO_PRIO_DATA(priority));
	say_child("share", (struct clone_args){ .flags = CLONE_IO }, set_priority);
	priority = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
	say("own=%ld", IOPRIO_PRIO_DATA(priority));
}

CASE(clone3_flag_errors, "untraced=exit:0 ptrace=exit:0 sysvsem=exit:0 detached=EINVAL high=EINVAL "
			 "signal=EINVAL cgroup=EBADF set_tid=EINVAL set_tid_size=EINVAL stack=EINVAL "
			 "newns_fs=EINVAL "
			 "newuser_fs=EINVAL thread=EINVAL thread_parent=EINVAL")
{
	pid_t tid = 1;

	say_child("untraced", (struct clone_args){ .flags = CLONE_UNTRACED }, do_nothing);
	say_child("ptrace", (struct clone_args){ .flags = CLONE_PTRACE }, do_nothing);
	say_child("sysvsem", (struct clone_args){ .flags = CLONE_SYSVSEM }, do_nothing);
	say_child("detached", (struct clone_args){ .flags = CLONE_DETACHED }, do_nothing);
	say_child("high", (struct clone_args){ .flags = 1ull << 60 }, do_nothing);
	TRY("signal", clone3((struct clone_args){ .exit_signal = 1000 }));
	say_child("cgroup", (struct clone_args){ .flags = CLONE_INTO_CGROUP, .cgroup = 999 }, do_nothing);
	say_child("set_tid", (struct clone_args){ .set_tid = (uintptr_t)&tid }, do_nothing);
	say_child("set_tid_size", (struct clone_args){ .set_tid = (uintptr_t)&tid, .set_tid_size = 99 },
		  do_nothing);
	say_child("stack", (struct clone_args){ .stack_size = PAGE }, do_nothing);
	say_child("newns_fs", (struct clone_args){ .flags = CLONE_NEWNS | CLONE_FS }, do_nothing);
	say_child("newuser_fs", (struct clone_args){ .flags = CLONE_NEWUSER | CLONE_FS }, do_nothing);
	say_child("thread", (struct clone_args){ .flags = CLONE_THREAD }, do_nothing);
	TRY("thread_parent", clone3((struct clone_args){ .flags = CLONE_PARENT | CLONE_THREAD }));
}

/* Arguments of a kernel newer than ours: it takes them when what it does not know is 0. */
CASE(clone3_longer_arguments, "zero=exit:3 set=E2BIG page=E2BIG edge=EFAULT short=EINVAL")
{
	struct {
		struct clone_args known;
		uint64_t more[4];
	} args = { .known.exit_signal = SIGCHLD };
	char before[PATH_MAX] = "", after[PATH_MAX] = "";
	pid_t pid;

	NEED(readlink("/proc/self/exe", before, sizeof(before) - 1) > 0);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(readlink("/proc/self/exe", after, sizeof(after) - 1) > 0 &&
		      strcmp(before, after) == 0 ? 3 : 4);
	NEED(pid > 0);
	say_status("zero", wait_status(pid));
	args.more[3] = 1ull << 63;
	TRY("set", syscall(SYS_clone3, &args, sizeof(args)));
	TRY("page", syscall(SYS_clone3, &args, PAGE + 1));
	args.more[3] = 0;
	TRY("edge", syscall(SYS_clone3, memcpy(at_end(sizeof(args)), &args, sizeof(args)), sizeof(args) + 8));
	TRY("short", syscall(SYS_clone3, &args, (size_t)CLONE_ARGS_SIZE_VER0 - 1));
}

static void say_first(void)
{
	say("pid=%d", getpid());
}

static void say_host(void)
{
	struct utsname names;

	NEED(sethostname("inside", 6) == 0 && uname(&names) == 0);
	say("host=%s", names.nodename);
}

static void say_links(void)
{
	char text[4096];

	NEED(read_file("/proc/self/net/dev", text, sizeof(text)) > 0);
	say("eth=%d lo=%d", strstr(text, "eth") != NULL, strstr(text, "lo:") != NULL);
}

/* New namespaces, one of each kind. */
CASE_AS_ROOT(clone3_namespaces, "pid=1 pid=exit:0 host=inside uts=exit:0 eth=0 lo=1 net=exit:0 ipc=exit:0 "
				"mount=exit:0 cgroup=exit:0 all=exit:0 same=1")
{
	const uint64_t all = CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS |
			     CLONE_NEWCGROUP | CLONE_NEWUSER;
	struct utsname before, after;

	NEED(uname(&before) == 0);
	say_child("pid", (struct clone_args){ .flags = CLONE_NEWPID }, say_first);
	say_child("uts", (struct clone_args){ .flags = CLONE_NEWUTS }, say_host);
	say_child("net", (struct clone_args){ .flags = CLONE_NEWNET }, say_links);
	say_child("ipc", (struct clone_args){ .flags = CLONE_NEWIPC }, do_nothing);
	say_child("mount", (struct clone_args){ .flags = CLONE_NEWNS }, do_nothing);
	say_child("cgroup", (struct clone_args){ .flags = CLONE_NEWCGROUP }, do_nothing);
	say_child("all", (struct clone_args){ .flags = all }, do_nothing);
	NEED(uname(&after) == 0);
	say("same=%d", strcmp(before.nodename, after.nodename) == 0);
}

/* What is executed in the first process of a new namespace is a program as others are. */
static void exec_inside(void)
{
	(void)execl(own_path, "x", "@exit", "5", NULL);
}

CASE_AS_ROOT(clone3_exec_in_namespaces, "end=exit:5 tid=7 chosen=exit:0")
{
	pid_t tids[] = { 1, 0 };
	int status = 0;
	pid_t pid;

	say_child("end", (struct clone_args){ .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUSER },
		  exec_inside);
	pid = clone3((struct clone_args){ .flags = CLONE_NEWPID, .exit_signal = SIGCHLD,
					  .set_tid = (uintptr_t)tids, .set_tid_size = 1 });
	if (pid == 0) {
		pid_t chosen = 7;

		pid = clone3((struct clone_args){ .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&chosen,
						  .set_tid_size = 1 });
		if (pid == 0)
			_exit(getpid());
		NEED(pid == 7 && waitpid(7, &status, 0) == 7);
		say("tid=%d", WEXITSTATUS(status));
		_exit(0);
	}
	NEED(pid > 0);
	say_status("chosen", wait_status(pid));
}
