/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vde/programs/plug_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/spawn.h"

#define END_PATIENCE  2000 /* ms for it to see the end of its input */
#define TERM_PATIENCE 2000 /* ms for it to obey SIGTERM */
#define SIGNAL_STATUS 128  /* what shells add to the number of a signal */

/* What our caller has ignored is ignored there, too; SIGPIPE is what we ignore ourselves. */
static int spawn_on(char *const argv[], int input, int output, pid_t *ret)
{
	const struct spawn_fd fds[] = { { input, STDIN_FILENO }, { output, STDOUT_FILENO } };
	sigset_t pipe_signal;
	struct spawn_plan plan = { .argv = argv, .fds = fds, .num_fds = ARRAY_SIZE(fds),
				   .defaults = &pipe_signal };

	(void)sigemptyset(&pipe_signal);
	(void)sigaddset(&pipe_signal, SIGPIPE);
	return spawn_program(&plan, ret);
}

/* A pipe whose ends are no standard descriptors, even when those are closed. */
static int safe_pipe(int *ret_read, int *ret_write)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		int fd = fcntl(ends[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		int code = errno;

		(void)close(ends[i]);
		if (fd < 0) {
			(void)close(ends[!i]);
			return -code;
		}
		ends[i] = fd;
	}
	*ret_read = ends[0];
	*ret_write = ends[1];
	return 0;
}

int plug_command_start(struct plug_command *command, char *const argv[], struct error *error)
{
	auto_close int in_read = -1, in_write = -1, out_read = -1, out_write = -1;
	int r = safe_pipe(&in_read, &in_write);

	if (r == 0)
		r = safe_pipe(&out_read, &out_write);
	if (r < 0)
		return error_set_errno(error, -r, "pipe");
	r = spawn_on(argv, out_read, in_write, &command->pid);
	if (r < 0)
		return error_set_errno(error, -r, "cannot execute '%s'", argv[0]);
	command->in_fd = TAKE_FD(in_read);
	command->out_fd = TAKE_FD(out_write);
	command->pid_fd = (int)syscall(SYS_pidfd_open, command->pid, 0);
	return 0;
}

/* Waits at most PATIENCE ms; true when it has ended. */
static bool has_ended(const struct plug_command *command, int patience)
{
	struct pollfd p = { .fd = command->pid_fd, .events = POLLIN };

	return poll(&p, 1, patience) > 0;
}

int plug_command_end(struct plug_command *command, bool at_once)
{
	int status = 0;

	if (command->pid == 0)
		return 0;
	cleanup_close(&command->out_fd);
	command->out_fd = -1;
	cleanup_close(&command->in_fd);
	command->in_fd = -1;
	if (!has_ended(command, at_once ? 0 : END_PATIENCE)) {
		(void)kill(command->pid, SIGTERM);
		if (!has_ended(command, TERM_PATIENCE))
			(void)kill(command->pid, SIGKILL);
	}
	while (waitpid(command->pid, &status, 0) < 0 && errno == EINTR)
		;
	cleanup_close(&command->pid_fd);
	*command = (struct plug_command)PLUG_COMMAND_INIT;
	return WIFSIGNALED(status) ? SIGNAL_STATUS + WTERMSIG(status) : WEXITSTATUS(status);
}
