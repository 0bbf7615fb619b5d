/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that a program has not opened: numbers that are taken inside for other ends have to behave
 * as those that nobody uses, and nothing that a program closes may harm it.
 */
#include "conformance.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* Where they are under umvu; bare it is as good as any other place. */
enum { FIRST = 1024, END = 1032, USUAL_LIMIT = 1024, SMALL_LIMIT = 32 };

static rlim_t soft_limit(void)
{
	struct rlimit limit;

	NEED(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	return limit.rlim_cur;
}

static void set_soft_limit(rlim_t soft)
{
	struct rlimit limit;

	NEED(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = soft;
	NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0 && soft_limit() == soft);
}

/* Whether everything that looks at FD says that it is not open. */
static bool is_nowhere(int fd)
{
	struct epoll_event event = { 0 };
	struct stat status;
	int poller = epoll_create1(EPOLL_CLOEXEC), fine = 0;
	char byte;

	fine += close(fd) == -1 && errno == EBADF;
	fine += fcntl(fd, F_GETFD) == -1 && errno == EBADF;
	fine += fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 && errno == EBADF;
	fine += fcntl(fd, F_DUPFD, 0) == -1 && errno == EBADF;
	fine += dup(fd) == -1 && errno == EBADF;
	fine += dup2(fd, 0) == -1 && errno == EBADF;
	fine += dup2(fd, fd) == -1 && errno == EBADF;
	fine += dup2(0, fd) == -1 && errno == EBADF;
	fine += dup3(0, fd, O_CLOEXEC) == -1 && errno == EBADF;
	fine += read(fd, &byte, 1) == -1 && errno == EBADF;
	fine += fstat(fd, &status) == -1 && errno == EBADF;
	fine += fstatat(fd, "", &status, AT_EMPTY_PATH) == -1 && errno == EBADF;
	fine += openat(fd, "x", O_RDONLY) == -1 && errno == EBADF;
	fine += fchdir(fd) == -1 && errno == EBADF;
	fine += epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == -1 && errno == EBADF;
	fine += mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EBADF;
	fine += syscall(SYS_execveat, fd, "", NULL, NULL, AT_EMPTY_PATH) == -1 && errno == EBADF;
	NEED(close(poller) == 0);
	return fine == 17;
}

CASE(descriptors_not_open, "nowhere=8 first=ENOENT absolute=1 anonymous=1 dup=1")
{
	int nowhere = 0;
	struct stat status;

	set_soft_limit(USUAL_LIMIT);
	for (int fd = FIRST; fd < END; fd++)
		nowhere += is_nowhere(fd);
	say("nowhere=%d", nowhere);
	TRY("first", openat(AT_FDCWD, "none", O_RDONLY));
	/* What is not looked at may be any number. */
	say("absolute=%d", fstatat(FIRST, "/", &status, 0) == 0);
	say("anonymous=%d", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, FIRST, 0) != MAP_FAILED);
	say("dup=%d", fcntl(0, F_DUPFD, USUAL_LIMIT - 1) == USUAL_LIMIT - 1);
}

CASE(descriptors_all, "small=32 error=EMFILE usual=1024 error=EMFILE")
{
	static const int limits[] = { SMALL_LIMIT, USUAL_LIMIT };
	static const char *const names[] = { "small", "usual" };

	NEED(syscall(SYS_close_range, 3, ~0u, 0) == 0);
	for (int i = 0; i < 2; i++) {
		int last = -1, fd;

		set_soft_limit((rlim_t)limits[i]);
		while ((fd = dup(0)) >= 0)
			last = fd;
		say("%s=%d error=%s", names[i], last + 1, strerrorname_np(errno));
	}
}

static void exec_exit(const char *label, const char *status)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)execl(own_path, "x", "@exit", status, NULL);
		_exit(100);
	}
	say_status(label, wait_status(pid));
}

/* @limit: of descriptors. */
HELPER(limit)
{
	(void)argc;
	(void)argv;
	return (int)soft_limit();
}

CASE(descriptors_limit_kept, "end=exit:20 again=exit:21")
{
	pid_t pid;

	set_soft_limit(20);
	pid = fork();
	if (pid == 0) {
		(void)execl(own_path, "x", "@limit", NULL);
		_exit(100);
	}
	say_status("end", wait_status(pid));
	exec_exit("again", "21");
}

static long range(unsigned first, unsigned last, unsigned flags)
{
	return syscall(SYS_close_range, first, last, flags);
}

CASE(close_range_of_all, "all=0 unshare=0 marked=0 exec=exit:5 "
			 "only=0 order=EINVAL flags=EINVAL far=0 exec=exit:6")
{
	TRY("all", range(3, ~0u, 0));
	TRY("unshare", range(3, ~0u, CLOSE_RANGE_UNSHARE));
	TRY("marked", range(3, ~0u, CLOSE_RANGE_CLOEXEC));
	exec_exit("exec", "5");
	TRY("only", range(FIRST, END - 1, 0));
	TRY("order", range(END, FIRST, 0));
	TRY("flags", range(FIRST, FIRST, 0x80));
	TRY("far", range(END, ~0u, 0));
	exec_exit("exec", "6");
}

/* What lies around is closed, and nothing else. */
CASE(close_range_parts, "below=0 above=0 kept=1 unshared=1")
{
	int below, above;
	pid_t pid;

	NEED(dup2(0, 100) == 100 && dup2(0, 99) == 99);
	NEED(range(100, END + 100, 0) == 0);
	below = fcntl(100, F_GETFD) >= 0;
	above = fcntl(101, F_GETFD) >= 0;
	say("below=%d above=%d kept=%d", below, above, fcntl(99, F_GETFD) >= 0);
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		(void)range(3, ~0u, CLOSE_RANGE_UNSHARE);
		_exit(0);
	}
	(void)wait_status(pid);
	say("unshared=%d", fcntl(99, F_GETFD) >= 0);
}

/* A daemon of the old school: each number is closed. */
CASE(descriptors_closed_one_by_one, "end=exit:0 exec=exit:9")
{
	pid_t pid = fork();

	if (pid == 0) {
		for (int fd = 0; fd < 2000; fd++)
			(void)close(fd);
		(void)execl(own_path, "x", "@exit", "0", NULL);
		_exit(100);
	}
	say_status("end", wait_status(pid));
	exec_exit("exec", "9");
}

/* How many entries a listing has, whose buffer takes ROOM bytes, and whether each is a descriptor of ours. */
static void list(const char *label, const char *path, long call, size_t room)
{
	char *buffer = at_end(room);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0, open_ones = 0;
	long len;

	while ((len = syscall(call, fd, buffer, room)) > 0)
		for (long at = 0; at < len; at += *(uint16_t *)(void *)(buffer + at + 16)) {
			const char *name = buffer + at + (call == SYS_getdents64 ? 19 : 18);

			count++;
			open_ones += name[0] != '.' && fcntl(atoi(name), F_GETFD) >= 0;
		}
	say("%s=%d,%d,%ld", label, count, open_ones, len);
	NEED(close(fd) == 0);
}

static int count_entries(const char *path)
{
	DIR *directory = opendir(path);
	int count = 0;

	NEED(directory);
	while (readdir(directory))
		count++;
	NEED(closedir(directory) == 0);
	return count;
}

/* A process that has copied ours, or runs PROGRAM, is listed as we are. */
static void list_other(const char *label, const char *program)
{
	char path[64], command[32] = "";
	pid_t pid = fork();

	if (pid == 0) {
		(void)range(16, ~0u, 0);
		if (program)
			(void)execl(program, program, "60", NULL);
		(void)pause();
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	while (program && strcmp(command, "sleep\n") != 0)
		read_file(path, command, sizeof(command));
	wait_asleep(pid);
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	say("%s=%d", label, count_entries(path) - 1);
	NEED(kill(pid, SIGKILL) == 0);
	(void)wait_status(pid);
}

CASE(descriptors_listed, "fd=23,21,0 one=23,21,0 old=23,21,0 info=23,21,0 other=17 program=17")
{
	char path[64];

	set_soft_limit(USUAL_LIMIT);
	NEED(range(3, ~0u, 0) == 0);
	for (int fd = 3; fd < 20; fd++)
		NEED(dup2(0, fd) == fd || fd == 3);
	list("fd", "/proc/self/fd", SYS_getdents64, 4096);
	list("one", "/proc/self/fd", SYS_getdents64, 24);
	list("old", "/proc/thread-self/fd", SYS_getdents, 32);
	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/fdinfo", (int)getpid());
	list("info", path, SYS_getdents64, 100);
	list_other("other", NULL);
	list_other("program", "/bin/sleep");
}

/* exec needs none, and gives what is closed by it. */
static void exec_with_all_open(const char *label, const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		while (fcntl(0, F_DUPFD_CLOEXEC, 0) >= 0)
			;
		(void)execl(path, "x", "@limit", NULL);
		say("%s=%s", label, strerrorname_np(errno));
		_exit(100);
	}
	say_status(label, wait_status(pid));
}

CASE(exec_with_all_descriptors_open, "limit=exit:64 script=exit:64 missing=ENOENT missing=exit:100 after=64")
{
	write_file("script", "#!./x @limit\n", 0700);
	NEED(symlink(own_path, "x") == 0);
	set_soft_limit(64);
	exec_with_all_open("limit", own_path);
	exec_with_all_open("script", "./script");
	exec_with_all_open("missing", "./missing");
	say("after=%d", (int)soft_limit());
}
