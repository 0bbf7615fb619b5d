/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notifier OUTPUT RESIDENT COMMAND...: runs a command and counts its system calls from outside, by
 * a seccomp filter that asks this process about each of them (SECCOMP_RET_USER_NOTIF). OUTPUT gets a line
 * "NUMBER COUNT" for each call's number, and for each call that a process of the program RESIDENT made from
 * an instruction that does not lie in the resident's text "missed NUMBER ADDRESS": nobody but the kernel
 * saw that one. Ends with the command's status. COMMAND is a path.
 *
 * The filter's descriptor is fetched from the child, whose next call waits for us: its number is the
 * lowest free one, which the child says before.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vuos/resident/arch/x86_64/layout.h"

enum { NUMBERS = 1024, TEXT_MAX = 1 << 20 };

static void fail(const char *what)
{
	perror(what);
	exit(99);
}

static int install(void)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF) };
	const struct sock_fprog program = { 1, code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail("no_new_privs");
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static _Noreturn void child(char **command, int tell)
{
	int next = dup(0);

	(void)close(next);
	if (write(tell, &next, sizeof(next)) != sizeof(next) || fcntl(next, F_GETFD) >= 0)
		_exit(99);
	if (install() != next)
		_exit(99);
	(void)fcntl(next, F_SETFD, FD_CLOEXEC);
	execv(command[0], command);
	_exit(127);
}

/* The child's descriptor, when it is there and of the right kind. */
static int fetch(pid_t pid, int number)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), fd;
	uint64_t none = 0;

	if (pidfd < 0)
		fail("pidfd_open");
	for (;;) {
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
		if (fd >= 0 && (ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &none) == 0 || errno == ENOENT))
			break;
		if (fd >= 0)
			(void)close(fd);
		if (fd < 0 && errno != EBADF) /* ESRCH: it has ended */
			fail("pidfd_getfd");
		(void)usleep(1000);
	}
	(void)close(pidfd);
	return fd;
}

static bool is_resident(uint32_t pid, const char *resident)
{
	char link[64], path[4096];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/%u/exe", pid);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return strcmp(path, resident) == 0;
}

static void serve(int fd, const char *resident, FILE *output)
{
	static unsigned long counts[NUMBERS];
	struct seccomp_notif call;
	struct seccomp_notif_resp answer;
	bool has_begun = false;

	for (;;) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };

		if (poll(&ready, 1, -1) < 0 || (ready.revents & POLLHUP && !(ready.revents & POLLIN)))
			break;
		memset(&call, 0, sizeof(call));
		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) {
			if (errno == ENOENT || errno == EINTR)
				continue; /* it was killed */
			break;
		}
		if (call.data.nr == SYS_execve && !has_begun) /* what was before it was ours */
			memset(counts, 0, sizeof(counts));
		has_begun |= call.data.nr == SYS_execve;
		counts[call.data.nr < NUMBERS ? call.data.nr : 0]++;
		if (call.data.instruction_pointer - RESIDENT_BASE > TEXT_MAX && is_resident(call.pid, resident))
			(void)fprintf(output, "missed %d %#llx\n", call.data.nr, call.data.instruction_pointer);
		memset(&answer, 0, sizeof(answer));
		answer.id = call.id;
		answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		(void)ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
	for (int i = 0; i < NUMBERS; i++)
		if (counts[i])
			(void)fprintf(output, "%d %lu\n", i, counts[i]);
}

int main(int argc, char **argv)
{
	int tell[2], number = -1, status = 0;
	FILE *output;
	pid_t pid;

	if (argc < 4 || pipe2(tell, O_CLOEXEC) < 0 || !(output = fopen(argv[1], "we")))
		return 99;
	pid = fork();
	if (pid == 0)
		child(argv + 3, tell[1]);
	if (pid < 0 || read(tell[0], &number, sizeof(number)) != sizeof(number))
		fail("fork");
	serve(fetch(pid, number), argv[2], output);
	if (fclose(output) || waitpid(pid, &status, 0) != pid)
		fail("wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
