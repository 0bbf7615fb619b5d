/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command's processes are ended together: it leads a process group. Not so where there is a
 * controlling terminal: a group in the background may not read from it, and commands such as ssh
 * ask for passwords there. Then the command stays in the program's group, and is signalled alone;
 * its own children see their pipes close, and the terminal's signals reach all of them.
 */
#include "vde/plugins/cmd_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/spawn.h"

#define PIPE_SIZE    (1 << 20) /* wanted, bytes */
#define TERM_WAIT_MS 1000

static bool has_terminal(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

/* Descriptors 0 to 2 would be overwritten while the child's are put in place. */
static int above_standard(int *fd)
{
	int moved;

	if (*fd > STDERR_FILENO)
		return 0;
	moved = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (moved < 0)
		return -errno;
	(void)close(*fd);
	*fd = moved;
	return 0;
}

static int make_pipe(int *reader, int *writer)
{
	int ends[2];
	int r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*reader = ends[0];
	*writer = ends[1];
	(void)fcntl(ends[0], F_SETPIPE_SZ, PIPE_SIZE); /* a wish */
	r = above_standard(reader);
	return r < 0 ? r : above_standard(writer);
}

static int spawn(struct cmd_child *child, char **words, int input, int output)
{
	const struct spawn_fd fds[] = { { input, STDIN_FILENO }, { output, STDOUT_FILENO } };
	sigset_t usual;
	struct spawn_plan plan = { .argv = words, .fds = fds, .num_fds = ARRAY_SIZE(fds),
				   .defaults = &usual, .own_group = child->group };
	int r;

	(void)sigemptyset(&usual);
	(void)sigaddset(&usual, SIGPIPE); /* which programs that hold networks tend to ignore */
	(void)sigaddset(&usual, SIGTERM);
	(void)sigaddset(&usual, SIGCHLD);
	r = spawn_program(&plan, &child->pid);
	if (r < 0)
		child->pid = 0;
	return r;
}

int cmd_child_start(struct cmd_child *child, char **words, struct error *error)
{
	auto_close int output = -1;
	int r = make_pipe(&child->to_reader, &child->to);

	if (r == 0)
		r = make_pipe(&child->from, &output);
	if (r < 0)
		return error_set_errno(error, -r, "no pipes can be made for '%s'", words[0]);
	child->group = !has_terminal();
	r = spawn(child, words, child->to_reader, output);
	if (r < 0)
		return error_set_errno(error, -r, "the command '%s' cannot be run", words[0]);
	/* Flags of the open pipe ends of this process: the command has the other ends. */
	r = io_set_nonblock(child->to, true);
	return r < 0 ? r : io_set_nonblock(child->from, true);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* The command's state, without collecting it. */
enum life {
	LIFE_RUNS,
	LIFE_ENDED,   /* its number is kept for us */
	LIFE_UNKNOWN, /* the program collected it: the number may be somebody else's */
};

static enum life life_of(pid_t pid)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return LIFE_UNKNOWN;
	return info.si_pid ? LIFE_ENDED : LIFE_RUNS;
}

static void send_signal(const struct cmd_child *child, int number)
{
	(void)kill(child->group ? -child->pid : child->pid, number);
}

/* Waits for the end until it is time for SIGKILL. */
static void wait_for_end(pid_t pid)
{
	auto_close int pidfd = pidfd_open(pid, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	(void)poll(&p, 1, TERM_WAIT_MS);
}

void cmd_child_stop(struct cmd_child *child)
{
	close_fd(&child->to);
	close_fd(&child->to_reader);
	close_fd(&child->from);
	if (child->pid == 0)
		return;
	if (life_of(child->pid) == LIFE_RUNS) {
		send_signal(child, SIGTERM);
		wait_for_end(child->pid);
	}
	if (life_of(child->pid) != LIFE_UNKNOWN) {
		send_signal(child, SIGKILL); /* who ignored SIGTERM, in a group also its children */
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	child->pid = 0;
}
