/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes: fork, vfork, posix_spawn, and clone with the flags that make processes. */
#include "conformance.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define STACK_SIZE (64 << 10)

static volatile int *number;
static int descriptor;

static void *new_stack(void)
{
	return (char *)mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) +
	       STACK_SIZE;
}

CASE(fork_basics, "child=0 parent=1 pid=1 end=exit:7 memory=1")
{
	volatile int own = 1;
	pid_t self = getpid(), pid = fork();

	if (pid == 0) {
		say("child=%d parent=%d pid=%d", pid, getppid() == self, getpid() == gettid());
		own = 2;
		_exit(7);
	}
	say_status("end", wait_status(pid));
	say("memory=%d", own);
}

static void at_fork(int signo)
{
	say("[%s]", signal_name(signo));
}

CASE(fork_keeps_signals, "[SIGUSR1] blocked=1 pending=0 ignored=1 end=exit:0 [SIGUSR2]")
{
	pid_t pid;
	struct sigaction seen;

	handle(SIGUSR1, at_fork, 0);
	handle(SIGUSR2, at_fork, 0);
	handle(SIGHUP, SIG_IGN, 0);
	block(SIGUSR2);
	NEED(raise(SIGUSR2) == 0);
	pid = fork();
	if (pid == 0) {
		(void)raise(SIGUSR1);
		NEED(sigaction(SIGHUP, NULL, &seen) == 0);
		say("blocked=%d pending=%d ignored=%d", is_blocked(SIGUSR2), is_pending(SIGUSR2),
		    seen.sa_handler == SIG_IGN);
		_exit(0);
	}
	say_status("end", wait_status(pid));
	unblock(SIGUSR2);
}

CASE(fork_keeps_fault_mask, "blocked=1 pending=0 parent=1 end=exit:0")
{
	pid_t pid;

	block(SIGSEGV);
	NEED(raise(SIGSEGV) == 0);
	pid = fork();
	if (pid == 0) {
		say("blocked=%d pending=%d", is_blocked(SIGSEGV), is_pending(SIGSEGV));
		_exit(0);
	}
	pid = wait_status(pid);
	say("parent=%d", is_pending(SIGSEGV));
	say_status("end", pid);
}

static void fork_in_handler(int signo)
{
	pid_t pid = fork();

	(void)signo;
	if (pid == 0)
		return; /* the child goes on behind raise */
	say_status("child", wait_status(pid));
}

CASE(fork_in_handler, "first=1 child=exit:3 second=1")
{
	pid_t self = getpid();

	handle(SIGUSR1, fork_in_handler, 0);
	NEED(raise(SIGUSR1) == 0);
	if (getpid() != self) {
		say("first=%d", !is_blocked(SIGUSR1));
		_exit(3);
	}
	say("second=1");
}

CASE(fork_many, "sum=200 left=ECHILD")
{
	int sum = 0, status;

	for (int i = 0; i < 200; i++)
		if (fork() == 0)
			_exit(1);
	while (wait(&status) > 0)
		sum += WEXITSTATUS(status);
	say("sum=%d", sum);
	TRY("left", wait(NULL));
}

CASE(fork_deep, "depth=30")
{
	int depth = 0, status = 0;
	pid_t pid;

	while (depth < 30 && (pid = fork()) == 0)
		depth++;
	if (depth == 30)
		_exit(30);
	NEED(waitpid(pid, &status, 0) == pid);
	if (depth)
		_exit(WEXITSTATUS(status));
	say("depth=%d", WEXITSTATUS(status));
}

/* --- vfork --------------------------------------------------------------------------------------- */

static __attribute__((noinline)) pid_t vfork_and(int status)
{
	pid_t pid = vfork();

	if (pid == 0) {
		*number += 1;
		_exit(status);
	}
	return pid;
}

CASE(vfork_shares_and_waits, "number=5 ends=exit:0 ends=exit:1 ends=exit:2 ends=exit:3 ends=exit:4")
{
	static volatile int own;
	pid_t pids[5];

	number = &own;
	for (int i = 0; i < 5; i++)
		pids[i] = vfork_and(i);
	say("number=%d", own);
	for (int i = 0; i < 5; i++)
		say_status("ends", wait_status(pids[i]));
}

static __attribute__((noinline)) pid_t vfork_exec(const char *path, char **argv)
{
	pid_t pid = vfork();

	if (pid == 0) {
		(void)execv(path, argv);
		*number = errno;
		_exit(100);
	}
	return pid;
}

CASE(vfork_exec, "end=exit:5 missing=exit:100 errno=ENOENT again=exit:6")
{
	static volatile int own;
	char *argv[] = { (char *)"conformance", (char *)"@exit", (char *)"5", NULL };

	number = &own;
	say_status("end", wait_status(vfork_exec(own_path, argv)));
	say_status("missing", wait_status(vfork_exec("/nowhere", argv)));
	say("errno=%s", strerrorname_np(own));
	argv[2] = (char *)"6";
	say_status("again", wait_status(vfork_exec(own_path, argv)));
}

static __attribute__((noinline)) pid_t vfork_signals(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		handle(SIGUSR1, SIG_DFL, 0);
		block(SIGUSR2);
		(void)raise(SIGUSR1);
		_exit(0);
	}
	return pid;
}

CASE(vfork_has_own_handlers, "end=SIGUSR1 [SIGUSR1] blocked=0")
{
	handle(SIGUSR1, at_fork, 0);
	say_status("end", wait_status(vfork_signals()));
	NEED(raise(SIGUSR1) == 0);
	say("blocked=%d", is_blocked(SIGUSR2));
}

static __attribute__((noinline)) pid_t vfork_fault(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		*(volatile char *)nowhere() = 1;
		_exit(0);
	}
	return pid;
}

CASE(vfork_dies_of_fault, "end=SIGSEGV after=EFAULT again=SIGSEGV")
{
	say_status("end", wait_status(vfork_fault()));
	TRY("after", syscall(SYS_rt_sigaction, SIGUSR1, nowhere(), NULL, 8));
	say_status("again", wait_status(vfork_fault()));
}

static __attribute__((noinline)) pid_t vfork_fork(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		int status;
		pid_t inner = fork();

		if (inner == 0)
			_exit(9);
		(void)waitpid(inner, &status, 0);
		_exit(WEXITSTATUS(status) + 1);
	}
	return pid;
}

CASE(vfork_forks, "end=exit:10")
{
	say_status("end", wait_status(vfork_fork()));
}

/* --- posix_spawn ----------------------------------------------------------------------------------- */

/* @signals: what of the signals is ignored and blocked, as letters. */
HELPER(signals)
{
	char text[200] = "";
	struct sigaction seen;

	(void)argv;
	for (int signo = 1; signo <= SIGRTMAX; signo++) {
		if (signo == SIGKILL || signo == SIGSTOP || sigaction(signo, NULL, &seen) < 0)
			continue;
		if (seen.sa_handler != SIG_DFL)
			(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), " %c%s",
				       seen.sa_handler == SIG_IGN ? '-' : '?', signal_name(signo));
		if (is_blocked(signo))
			(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), " +%s",
				       signal_name(signo));
	}
	(void)printf("%s%s\n", argc > 2 ? argv[2] : "", text);
	return 0;
}

/* What a program prints, said as one word. */
static void spawn_say(const posix_spawnattr_t *attributes, char **argv)
{
	posix_spawn_file_actions_t actions;
	char text[4096];
	pid_t pid;
	int error;

	NEED(posix_spawn_file_actions_init(&actions) == 0);
	NEED(posix_spawn_file_actions_addopen(&actions, 1, "output", O_WRONLY | O_CREAT | O_TRUNC, 0600) == 0);
	error = posix_spawn(&pid, own_path, &actions, attributes, argv, environ);
	if (error) {
		say("spawn=%s", strerrorname_np(error));
		return;
	}
	say_status("end", wait_status(pid));
	(void)read_file("output", text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	say("{%s}", text);
}

CASE(spawn_plain, "end=exit:0 {}")
{
	char *argv[] = { (char *)"conformance", (char *)"@signals", NULL };

	spawn_say(NULL, argv);
}

CASE(spawn_attributes, "end=exit:0 { -SIGHUP +SIGSEGV +SIGUSR2}")
{
	char *argv[] = { (char *)"conformance", (char *)"@signals", NULL };
	sigset_t mask = set_of(SIGUSR2, SIGSEGV, 0), defaults = set_of(SIGTERM, 0);
	posix_spawnattr_t attributes;

	handle(SIGTERM, SIG_IGN, 0);
	handle(SIGHUP, SIG_IGN, 0);
	handle(SIGUSR1, at_fork, 0);
	NEED(posix_spawnattr_init(&attributes) == 0);
	NEED(posix_spawnattr_setsigmask(&attributes, &mask) == 0);
	NEED(posix_spawnattr_setsigdefault(&attributes, &defaults) == 0);
	NEED(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) == 0);
	spawn_say(&attributes, argv);
}

CASE(spawn_missing, "spawn=ENOENT children=ECHILD")
{
	char *argv[] = { (char *)"x", NULL };
	pid_t pid;

	say("spawn=%s", strerrorname_np(posix_spawn(&pid, "/nowhere", NULL, NULL, argv, environ)));
	TRY("children", waitpid(-1, NULL, WNOHANG));
}

CASE(spawn_many, "fine=100")
{
	char *argv[] = { (char *)"conformance", (char *)"@exit", (char *)"0", NULL };
	int fine = 0;

	for (int i = 0; i < 100; i++) {
		pid_t pid;

		NEED(posix_spawn(&pid, own_path, NULL, NULL, argv, environ) == 0);
		fine += wait_status(pid) == 0;
	}
	say("fine=%d", fine);
}

CASE(signals_over_exec, "end=exit:0 {x -SIGHUP -SIGTRAP -SIGSEGV +SIGUSR2 -SIGTERM -SIGSYS +SIGSYS}")
{
	char *argv[] = { (char *)"conformance", (char *)"@signals", (char *)"x", NULL };

	handle(SIGHUP, SIG_IGN, 0);
	handle(SIGTERM, SIG_IGN, 0);
	handle(SIGTRAP, SIG_IGN, 0);
	handle(SIGSEGV, SIG_IGN, 0);
	handle(SIGSYS, SIG_IGN, 0);
	handle(SIGUSR1, at_fork, 0);
	handle(SIGBUS, at_fork, 0);
	block(SIGUSR2);
	block(SIGSYS);
	spawn_say(NULL, argv);
}

/* @pending: which signals wait at the start. */
HELPER(pending)
{
	(void)argc;
	(void)argv;
	(void)printf("usr1=%d segv=%d\n", is_pending(SIGUSR1), is_pending(SIGSEGV));
	return 0;
}

static void exec_with_pending(void)
{
	block(SIGUSR1);
	block(SIGSEGV);
	NEED(raise(SIGUSR1) == 0 && raise(SIGSEGV) == 0);
	NEED(freopen("output", "w", stdout));
	(void)execl(own_path, "conformance", "@pending", NULL);
}

CASE(pending_over_exec, "end=exit:0 usr1=1 segv=1")
{
	char text[100];

	say_end("end", exec_with_pending);
	(void)read_file("output", text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	say("%s", text);
}

/* --- clone ------------------------------------------------------------------------------------------ */

static int add_one(void *argument)
{
	(void)argument;
	*number += 1;
	return 3;
}

CASE(clone_vm, "end=exit:3 number=2 end=exit:3")
{
	static volatile int own;
	int status;
	pid_t pid;

	number = &own;
	pid = clone(add_one, new_stack(), CLONE_VM | SIGCHLD, NULL);
	say_status("end", wait_status(pid));
	pid = clone(add_one, new_stack(), CLONE_VM | CLONE_VFORK | CLONE_SIGHAND | SIGCHLD, NULL);
	say("number=%d", own);
	NEED(waitpid(pid, &status, 0) == pid);
	say_status("end", status);
}

static int open_something(void *argument)
{
	(void)argument;
	descriptor = open("/dev/null", O_RDONLY);
	return chdir("/") == 0 ? 0 : 1;
}

CASE(clone_files_and_fs, "end=exit:0 fd=1 cwd=/ end=exit:0 fd=EBADF cwd=here")
{
	char here[4096], cwd[4096];
	pid_t pid;

	NEED(getcwd(here, sizeof(here)));
	pid = clone(open_something, new_stack(), CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, NULL);
	say_status("end", wait_status(pid));
	say("fd=%d cwd=%s", fcntl(descriptor, F_GETFD) >= 0, getcwd(cwd, sizeof(cwd)));
	NEED(close(descriptor) == 0 && chdir(here) == 0);
	pid = clone(open_something, new_stack(), CLONE_VM | SIGCHLD, NULL);
	say_status("end", wait_status(pid));
	TRY("fd", fcntl(descriptor, F_GETFD));
	say("cwd=%s", strcmp(getcwd(cwd, sizeof(cwd)), here) == 0 ? "here" : "elsewhere");
}

CASE(clone_files_without_vm, "end=exit:0 fd=1")
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, NULL, NULL, 0);

	if (pid == 0) {
		NEED(dup2(0, 77) == 77);
		_exit(0);
	}
	say_status("end", wait_status(pid));
	say("fd=%d", fcntl(77, F_GETFD) == 0);
}

CASE(clone_settid, "parent=1 child=1 end=exit:0")
{
	pid_t *ids = shared(PAGE), pid;

	pid = (pid_t)syscall(SYS_clone,
			     CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, 0,
			     &ids[0], &ids[1], 0);
	if (pid == 0) {
		say("parent=%d child=%d", ids[0] == gettid(), ids[1] == gettid());
		_exit(0);
	}
	say_status("end", wait_status(pid));
}

CASE(clone_own_stack, "inside=1 end=exit:0")
{
	/* Without CLONE_VM, and with a stack. */
	static char *stack;
	static int (*const run)(void *) = open_something;
	pid_t pid;

	stack = new_stack();
	pid = clone(run, stack, SIGCHLD, NULL);
	say("inside=%d", pid > 0);
	say_status("end", wait_status(pid));
}

CASE(clone_pidfd, "pid=1 poll=0 poll=1 waitid=0 status=7")
{
	int fd = -1, gate[2];
	struct pollfd one;
	siginfo_t info;
	pid_t pid;
	char byte;

	NEED(pipe(gate) == 0);
	pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &fd, NULL, 0);
	if (pid == 0) {
		(void)read(gate[0], &byte, 1);
		_exit(7);
	}
	one = (struct pollfd){ fd, POLLIN, 0 };
	say("pid=%d poll=%d", pid > 0 && fd >= 0, poll(&one, 1, 0));
	NEED(write(gate[1], "x", 1) == 1);
	say("poll=%d", poll(&one, 1, -1));
	TRY("waitid", waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
	say("status=%d", info.si_status);
}

static pid_t clone3(struct clone_args *args, size_t size)
{
	return (pid_t)syscall(SYS_clone3, args, size);
}

CASE(clone3_sizes, "v0=exit:4 v1=exit:4 v2=exit:4 larger=exit:4")
{
	static const char *const names[] = { "v0", "v1", "v2", "larger" };
	static const size_t sizes[] = { CLONE_ARGS_SIZE_VER0, CLONE_ARGS_SIZE_VER1, CLONE_ARGS_SIZE_VER2, 256 };

	for (int i = 0; i < 4; i++) {
		char room[256] = { 0 };
		pid_t pid;

		((struct clone_args *)(void *)room)->exit_signal = SIGCHLD;
		pid = clone3((void *)room, sizes[i]);
		if (pid == 0)
			_exit(4);
		NEED(pid > 0);
		say_status(names[i], wait_status(pid));
	}
}

CASE(clone3_clear_sighand, "usr1=default segv=default hup=ignored trap=ignored end=SIGSEGV [SIGUSR1]")
{
	struct clone_args args = { .flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD };
	struct sigaction seen;
	pid_t pid;

	handle(SIGUSR1, at_fork, 0);
	handle(SIGSEGV, at_fork, 0);
	handle(SIGHUP, SIG_IGN, 0);
	handle(SIGTRAP, SIG_IGN, 0);
	pid = clone3(&args, sizeof(args));
	if (pid == 0) {
		static const struct {
			const char *name;
			int signo;
		} signals[] = {
			{ "usr1", SIGUSR1 }, { "segv", SIGSEGV }, { "hup", SIGHUP }, { "trap", SIGTRAP }
		};

		for (int i = 0; i < 4; i++) {
			NEED(sigaction(signals[i].signo, NULL, &seen) == 0);
			say("%s=%s", signals[i].name, seen.sa_handler == SIG_DFL   ? "default"
						     : seen.sa_handler == SIG_IGN ? "ignored"
										  : "handler");
		}
		*(volatile char *)nowhere() = 1;
	}
	say_status("end", wait_status(pid));
	NEED(raise(SIGUSR1) == 0);
}

CASE(clone_ignores_high_flags, "end=exit:0 [SIGUSR1]")
{
	/* clone(2) takes only the low half: CLONE_CLEAR_SIGHAND is clone3's. */
	pid_t pid = 0;

	handle(SIGUSR1, at_fork, 0);
	pid = (pid_t)syscall(SYS_clone, CLONE_CLEAR_SIGHAND | SIGCHLD, 0, NULL, NULL, 0);
	if (pid == 0) {
		struct sigaction seen;

		NEED(sigaction(SIGUSR1, NULL, &seen) == 0);
		_exit(seen.sa_handler == at_fork ? 0 : 1);
	}
	say_status("end", wait_status(pid));
	NEED(raise(SIGUSR1) == 0);
}

CASE(clone_parent, "sibling=1 end=exit:0")
{
	int *pid_there = shared(PAGE);
	pid_t self = getpid(), pid = fork();

	if (pid == 0) {
		pid = (pid_t)syscall(SYS_clone, CLONE_PARENT, 0, NULL, NULL, 0);
		if (pid == 0) {
			say("sibling=%d", getppid() == self);
			_exit(0);
		}
		*pid_there = pid;
		_exit(0);
	}
	(void)wait_status(pid);
	while (waitpid(*pid_there, &pid, __WALL) < 0)
		NEED(errno == EINTR);
	say_status("end", pid);
}

CASE(clone_exit_signal, "none=exit:0 usual=ECHILD usr1=exit:0 [SIGUSR1]")
{
	pid_t pid = (pid_t)syscall(SYS_clone, 0, 0, NULL, NULL, 0);
	int status;

	if (pid == 0)
		_exit(0);
	while (waitpid(pid, &status, __WALL) < 0)
		NEED(errno == EINTR);
	say_status("none", status);
	TRY("usual", waitpid(pid, &status, 0));
	handle(SIGUSR1, at_fork, 0);
	block(SIGUSR1);
	pid = (pid_t)syscall(SYS_clone, SIGUSR1, 0, NULL, NULL, 0);
	if (pid == 0)
		_exit(0);
	while (waitpid(pid, &status, __WALL) < 0)
		NEED(errno == EINTR);
	say_status("usr1", status);
	unblock(SIGUSR1);
}

CASE(death_signal, "end=SIGTERM")
{
	int fds[2];
	int *status = shared(PAGE);
	pid_t pid;
	char byte;

	NEED(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		pid = fork();
		if (pid == 0) {
			NEED(prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && write(fds[1], "x", 1) == 1);
			for (;;)
				(void)pause();
		}
		*status = pid;
		(void)read(fds[0], &byte, 1);
		_exit(0);
	}
	(void)wait_status(pid);
	say_status("end", wait_status(*status));
}

CASE(wait_forms, "none=ECHILD nohang=0 nowait=0 twice=exit:3 gone=ECHILD bad=EINVAL rusage=1")
{
	struct rusage usage = { 0 };
	siginfo_t info;
	int status, fds[2];
	pid_t pid;
	char byte;

	TRY("none", wait(&status));
	NEED(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		(void)read(fds[0], &byte, 1);
		_exit(3);
	}
	TRY("nohang", waitpid(pid, &status, WNOHANG));
	NEED(write(fds[1], "x", 1) == 1);
	TRY("nowait", waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	NEED(wait4(pid, &status, 0, &usage) == pid);
	say_status("twice", status);
	TRY("gone", waitpid(pid, &status, 0));
	TRY("bad", waitpid(-1, &status, 0x1234));
	say("rusage=%d", usage.ru_maxrss > 0);
}

static const char *exe_base(const char *path, char *text)
{
	ssize_t len = readlink(path, text, 4095);
	char *slash;

	if (len < 0)
		return strerrorname_np(errno);
	text[len] = '\0';
	slash = strrchr(text, '/');
	return slash ? slash + 1 : text;
}

CASE(exe_of_self, "self=conformance thread=conformance pid=conformance task=conformance end=exit:0")
{
	char path[100], text[4096];
	pid_t pid = fork();

	if (pid == 0) { /* also in a child, whose number is another one */
		say("self=%s", exe_base("/proc/self/exe", text));
		say("thread=%s", exe_base("/proc/thread-self/exe", text));
		(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)getpid());
		say("pid=%s", exe_base(path, text));
		(void)snprintf(path, sizeof(path), "/proc/self/task/%d/exe", (int)gettid());
		say("task=%s", exe_base(path, text));
		_exit(0);
	}
	say_status("end", wait_status(pid));
}

CASE(exe_of_others, "child=conformance parent=conformance end=exit:0")
{
	char path[100], text[4096];
	pid_t self = getpid(), pid = fork();

	if (pid == 0) {
		wait_asleep(self);
		(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)self);
		say("parent=%s", exe_base(path, text));
		_exit(0);
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	say("child=%s", exe_base(path, text));
	say_status("end", wait_status(pid));
}

CASE(exe_spelled_otherwise,
     "dot=conformance slashes=conformance cwd=conformance at=conformance link=conformance")
{
	char text[4096], here[4096];
	int fd = open("/proc/self", O_RDONLY | O_DIRECTORY);

	NEED(getcwd(here, sizeof(here)) && symlink("/proc/self/exe", "link") == 0);
	say("dot=%s", exe_base("/proc/self/./exe", text));
	say("slashes=%s", exe_base("/proc//self/exe", text));
	NEED(chdir("/proc/self") == 0);
	say("cwd=%s", exe_base("exe", text));
	NEED(chdir(here) == 0);
	text[readlinkat(fd, "exe", text, 4095)] = '\0';
	say("at=%s", strrchr(text, '/') + 1);
	NEED(realpath("link", text));
	say("link=%s", strrchr(text, '/') + 1);
}

CASE(exe_as_file, "stat=1 lstat=1 open=1 access=0 statx=1 path=1")
{
	struct stat own, st;
	struct statx stx;
	int fd;

	NEED(stat(own_path, &own) == 0);
	say("stat=%d", stat("/proc/self/exe", &st) == 0 && st.st_ino == own.st_ino);
	say("lstat=%d", lstat("/proc/self/exe", &st) == 0 && S_ISLNK(st.st_mode));
	fd = open("/proc/self/exe", O_RDONLY);
	say("open=%d", fstat(fd, &st) == 0 && st.st_ino == own.st_ino);
	TRY("access", access("/proc/self/exe", X_OK));
	say("statx=%d",
	    statx(AT_FDCWD, "/proc/self/exe", 0, STATX_INO, &stx) == 0 && stx.stx_ino == own.st_ino);
	fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	say("path=%d", fstat(fd, &st) == 0 && st.st_ino == own.st_ino);
}

CASE_AS_ROOT(text_busy, "write=ETXTBSY") /* others may not write to the file at all */
{
	TRY("write", open("/proc/self/exe", O_WRONLY));
}
