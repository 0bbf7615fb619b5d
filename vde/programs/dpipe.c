/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dpipe: runs a chain of commands, neighbours joined by pipes in both directions.
 *
 * The chain is one process group, led by dpipe, which waits for all of it and passes on the status
 * of the last command. With -n it does not wait: it becomes the last command, and when there are pid
 * files to remove a small process stays behind to do that.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/daemon.h"
#include "base/io.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/option.h"
#include "vde/programs/dpipe_chain.h"

#define PROGRAM        "dpipe"
#define STATUS_USAGE   255
#define STATUS_NO_EXEC 127
#define STATUS_SIGNAL  128 /* what shells add to the number of a signal */
#define ENV_IN         "ALTERNATE_STDIN"
#define ENV_OUT        "ALTERNATE_STDOUT"

extern char **environ;

struct settings {
	struct daemon daemon;
	const char *pgrp_file;
	bool no_wrapper;
	bool no_clean; /* and leave the files */
};

#define FIELD(name) .offset = offsetof(struct settings, name)

static const struct option_row rows[] = {
	{ 'p', "pidfile", .kind = OPTION_STRING, .complete = COMPLETE_FILE, .arg = "FILE",
	  FIELD(daemon.pid_file), .help = "write the process id to FILE, which is removed at the end" },
	{ 'P', "pgrpfile", .kind = OPTION_STRING, .complete = COMPLETE_FILE, .arg = "FILE",
	  FIELD(pgrp_file), .help = "write the process group, as a negative number for kill(1), to "
				    "FILE, which is removed at the end" },
	{ 'd', "daemon", .kind = OPTION_FLAG, FIELD(daemon.detach), .help = "run in the background" },
	{ 'n', "nowrapproc", .kind = OPTION_FLAG, FIELD(no_wrapper),
	  .help = "become the last command instead of waiting for the chain" },
	{ 'N', "nowrapnoclean", .kind = OPTION_FLAG, FIELD(no_clean),
	  .help = "like -n, and leave the files of -p and -P behind" },
	{ 0, "ready-fd", .kind = OPTION_INT, .arg = "N", FIELD(daemon.ready_fd), .min = 0,
	  .max = 1 << 20, .help = "write a newline to descriptor N once all commands run" },
	{ 'h', "help", .kind = OPTION_HELP, .help = "print this help" },
	{ 0, "version", .kind = OPTION_VERSION, .help = "print the version" },
};

static const struct option_program program = {
	.name = PROGRAM,
	.synopsis = "[OPTIONS] COMMAND [ARGUMENT...] = COMMAND [ARGUMENT...] [= COMMAND...]\n"
		    "[OPTIONS] COMMAND... =} FILTER... }= COMMAND...\n"
		    "[OPTIONS] COMMAND... ={ FILTER... {= COMMAND...",
	.summary = "Run commands whose standard input and output are joined crosswise: what each "
		   "writes the other reads.",
	.epilogue = "A command with two neighbours talks to the left one on its standard descriptors, "
		    "and to the right one on those that ALTERNATE_STDIN and ALTERNATE_STDOUT name. "
		    "A filter sees one direction only.",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.style = OPTION_STOP | OPTION_HELP_STDERR,
	.help_status = STATUS_USAGE,
	.usage_status = STATUS_USAGE,
	.operands = COMPLETE_COMMAND,
};

/* --- pipes ---------------------------------------------------------------------------- */

/* The chain's pipes, and where commands find them. */
struct plumbing {
	const struct chain *chain; /* borrowed */
	int *fds;                  /* owned: read and write end of each pipe, in turn */
	int alternate_in, alternate_out;
};

static void plumbing_done(struct plumbing *p)
{
	for (size_t i = 0; p->fds && i < 2 * p->chain->num_pipes; i++)
		cleanup_close(&p->fds[i]);
	free(p->fds);
	p->fds = NULL;
}

static int first_free_fd(int from)
{
	while (fcntl(from, F_GETFD) >= 0)
		from++;
	return from;
}

/* Moves FD out of the way of the numbers that commands use. */
static int move_fd(int fd, int lowest)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, lowest);
	int r = moved < 0 ? -errno : moved;

	(void)close(fd);
	return r;
}

static int plumbing_init(struct plumbing *p, const struct chain *chain)
{
	size_t count = 2 * chain->num_pipes;

	*p = (struct plumbing){ .chain = chain, .fds = calloc(count, sizeof(*p->fds)) };
	if (!p->fds)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		p->fds[i] = -1;
	p->alternate_in = first_free_fd(STDERR_FILENO + 1);
	p->alternate_out = first_free_fd(p->alternate_in + 1);
	for (size_t i = 0; i < count; i += 2) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) < 0)
			return -errno;
		p->fds[i] = move_fd(ends[0], p->alternate_out + 1);
		p->fds[i + 1] = move_fd(ends[1], p->alternate_out + 1);
		if (p->fds[i] < 0 || p->fds[i + 1] < 0)
			return MIN(p->fds[i], p->fds[i + 1]);
	}
	return 0;
}

/* What happens to one descriptor of one command. */
typedef int plumb_function(void *context, int from, int to);

/* Calls CONNECT for each pipe end of COMMAND, with the number it gets there. */
static int plumb(const struct plumbing *p, size_t command, plumb_function *connect, void *context)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->chain->num_pipes; i++) {
		const struct chain_pipe *pipe = &p->chain->pipes[i];

		if (pipe->to == command)
			r = connect(context, p->fds[2 * i],
				    pipe->to_right ? p->alternate_in : STDIN_FILENO);
		if (r == 0 && pipe->from == command)
			r = connect(context, p->fds[2 * i + 1],
				    pipe->from_right ? p->alternate_out : STDOUT_FILENO);
	}
	return r;
}

static int plumb_in_child(void *context, int from, int to)
{
	return -posix_spawn_file_actions_adddup2(context, from, to);
}

static int plumb_here(void *context, int from, int to)
{
	(void)context;
	return dup2(from, to) < 0 ? -errno : 0;
}

/* --- the chain ------------------------------------------------------------------------ */

struct dpipe {
	const struct settings *settings;
	struct chain chain;
	struct plumbing plumbing;
	sigset_t old_mask;
	struct loop *loop;
	pid_t *pids; /* owned; 0: ended, or never started */
	size_t running;
	int status; /* of the last command */
	bool stopping;
	bool pgrp_written; /* the file is ours to remove */
	int tty; /* the terminal that was taken over; -1: none */
	pid_t tty_group;
};

/* Tells a command that has two neighbours where the right one is. */
static void set_alternate(const struct plumbing *p, bool has_right)
{
	char text[16];

	(void)unsetenv(ENV_IN);
	(void)unsetenv(ENV_OUT);
	if (!has_right)
		return;
	(void)snprintf(text, sizeof(text), "%d", p->alternate_in);
	(void)setenv(ENV_IN, text, 1);
	(void)snprintf(text, sizeof(text), "%d", p->alternate_out);
	(void)setenv(ENV_OUT, text, 1);
}

static int spawn_with(struct dpipe *d, size_t i, posix_spawn_file_actions_t *actions,
		      posix_spawnattr_t *attributes)
{
	char **argv = d->chain.commands[i].argv;
	int r = plumb(&d->plumbing, i, plumb_in_child, actions);

	if (r == 0 && d->settings->daemon.detach)
		r = -posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_RDWR, 0);
	if (r == 0)
		r = -posix_spawnattr_setsigmask(attributes, &d->old_mask);
	if (r == 0)
		r = -posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK);
	set_alternate(&d->plumbing, d->chain.commands[i].has_right);
	if (r == 0)
		r = -posix_spawnp(&d->pids[i], argv[0], actions, attributes, argv, environ);
	return r;
}

/* Starts command I; what cannot be executed counts as ended with status 127. */
static void dpipe_spawn(struct dpipe *d, size_t i)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r = -ENOMEM;

	if (posix_spawn_file_actions_init(&actions) == 0) {
		if (posix_spawnattr_init(&attributes) == 0) {
			r = spawn_with(d, i, &actions, &attributes);
			(void)posix_spawnattr_destroy(&attributes);
		}
		(void)posix_spawn_file_actions_destroy(&actions);
	}
	if (r == 0) {
		d->running++;
		return;
	}
	d->pids[i] = 0;
	log_error_errno(r, "cannot execute '%s'", d->chain.commands[i].argv[0]);
	if (i == d->chain.num_commands - 1)
		d->status = STATUS_NO_EXEC;
}

/* Becomes the last command. Returns the status of a failure. */
static int dpipe_exec_last(struct dpipe *d)
{
	const struct chain_command *command = &d->chain.commands[d->chain.num_commands - 1];
	int r = plumb(&d->plumbing, d->chain.num_commands - 1, plumb_here, NULL);

	if (r == 0) {
		set_alternate(&d->plumbing, false);
		(void)execvp(command->argv[0], command->argv);
		r = -errno;
	}
	log_error_errno(r, "cannot execute '%s'", command->argv[0]);
	return STATUS_NO_EXEC;
}

/* --- waiting -------------------------------------------------------------------------- */

static void dpipe_collect(struct dpipe *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < d->chain.num_commands; i++) {
			if (d->pids[i] != pid)
				continue;
			d->pids[i] = 0;
			d->running--;
			if (i == d->chain.num_commands - 1)
				d->status = WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status)
								: WEXITSTATUS(status);
		}
}

static void dpipe_kill(const struct dpipe *d, int number)
{
	for (size_t i = 0; i < d->chain.num_commands; i++)
		if (d->pids[i])
			(void)kill(d->pids[i], number);
}

/* The first signal asks the whole group to end, another one insists. */
static void dpipe_stop(struct dpipe *d)
{
	if (d->stopping)
		dpipe_kill(d, SIGKILL);
	else
		(void)kill(0, SIGTERM);
	d->stopping = true;
}

static void on_signal(struct loop *loop, void *object, const siginfo_t *info)
{
	struct dpipe *d = object;

	if (info->si_signo == SIGCHLD)
		dpipe_collect(d);
	else if (info->si_pid != getpid()) /* we are in the group, too */
		dpipe_stop(d);
	if (d->running == 0)
		loop_stop(loop, EXIT_SUCCESS);
}

/* Before any command runs: its end has to reach the loop. */
static int dpipe_watch(struct dpipe *d)
{
	sigset_t set;
	int r = loop_new(&d->loop);

	if (r < 0)
		return r;
	loop_end_signals(&set);
	(void)sigaddset(&set, SIGCHLD);
	return loop_signals(d->loop, &set, on_signal, d);
}

static int dpipe_wait(struct dpipe *d)
{
	int r = d->running ? loop_run(d->loop) : 0;

	return r < 0 ? EXIT_FAILURE : d->status;
}

/* --- group, terminal, files ----------------------------------------------------------- */

/*
 * Leads a group of its own. In a script that runs in the foreground that would cut the chain off the
 * terminal and its interrupt key, so the terminal goes along.
 */
static int dpipe_lead_group(struct dpipe *d)
{
	pid_t old = getpgrp();
	sigset_t set, saved;

	d->tty = -1;
	if (old == getpid())
		return 0;
	if (setpgid(0, 0) < 0)
		return -errno;
	if (d->settings->no_wrapper)
		return 0; /* nobody could give it back */
	d->tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (d->tty < 0 || tcgetpgrp(d->tty) != old) {
		cleanup_close(&d->tty);
		d->tty = -1;
		return 0;
	}
	d->tty_group = old;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &set, &saved);
	(void)tcsetpgrp(d->tty, getpid()); /* without it only the interrupt key is missing */
	(void)sigprocmask(SIG_SETMASK, &saved, NULL);
	return 0;
}

static void dpipe_return_terminal(struct dpipe *d)
{
	sigset_t set;

	if (d->tty < 0)
		return;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)tcsetpgrp(d->tty, d->tty_group);
	(void)close(TAKE_FD(d->tty));
}

static int write_pgrp_file(struct dpipe *d, struct error *error)
{
	const char *path = d->settings->pgrp_file;
	auto_close int fd = -1;
	char text[32];
	int len, r;

	if (!path)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_set_errno(error, errno, "cannot create the process group file '%s'", path);
	d->pgrp_written = true;
	len = snprintf(text, sizeof(text), "-%ld\n", (long)getpgrp());
	r = io_write_all(fd, text, (size_t)len);
	return r < 0 ? error_set_errno(error, -r, "cannot write '%s'", path) : 0;
}

static void remove_files(const struct dpipe *d)
{
	if (d->pgrp_written)
		(void)unlink(d->settings->pgrp_file);
	if (d->settings->daemon.pid_path)
		(void)unlink(d->settings->daemon.pid_path);
}

/*
 * Removes the files when PARENT, which has become the last command, has ended. All signals are
 * blocked: the group's SIGTERM is not for it. Does not return.
 */
static void cleaner_run(struct dpipe *d, pid_t parent)
{
	int pid_fd = (int)syscall(SYS_pidfd_open, parent, 0);
	struct pollfd p = { .fd = pid_fd, .events = POLLIN };
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		(void)dup2(null_fd, fd);
	plumbing_done(&d->plumbing);
	while (pid_fd >= 0 && poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	remove_files(d);
	_exit(EXIT_SUCCESS);
}

static void dpipe_leave_cleaner(struct dpipe *d)
{
	const struct settings *settings = d->settings;
	pid_t parent = getpid();
	sigset_t all;

	if (settings->no_clean || (!d->pgrp_written && !settings->daemon.pid_path))
		return;
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	if (fork() == 0)
		cleaner_run(d, parent);
	(void)sigprocmask(SIG_SETMASK, &d->old_mask, NULL);
}

/* --- main ----------------------------------------------------------------------------- */

static int dpipe_start(struct dpipe *d, struct settings *settings, struct error *error)
{
	size_t count = d->chain.num_commands - (settings->no_wrapper ? 1 : 0);
	int r;

	d->pids = calloc(d->chain.num_commands, sizeof(*d->pids));
	r = d->pids ? plumbing_init(&d->plumbing, &d->chain) : -ENOMEM;
	if (r == 0)
		r = dpipe_lead_group(d);
	(void)sigprocmask(SIG_BLOCK, NULL, &d->old_mask);
	if (r == 0 && !settings->no_wrapper)
		r = dpipe_watch(d);
	if (r < 0)
		return error_set_errno(error, -r, "cannot start the chain");
	r = write_pgrp_file(d, error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		dpipe_spawn(d, i);
	r = daemon_ready(&settings->daemon, error);
	if (r < 0)
		dpipe_kill(d, SIGTERM);
	return r;
}

static int dpipe_run(struct dpipe *d, struct settings *settings)
{
	struct error error = { 0 };

	if (daemon_begin(&settings->daemon, &error) < 0 || dpipe_start(d, settings, &error) < 0) {
		log_error("%s", error_text(&error));
		return EXIT_FAILURE;
	}
	if (settings->no_wrapper) {
		dpipe_leave_cleaner(d);
		return dpipe_exec_last(d);
	}
	plumbing_done(&d->plumbing); /* only the commands keep the pipes open */
	return dpipe_wait(d);
}

static void dpipe_done(struct dpipe *d)
{
	dpipe_return_terminal(d);
	if (!d->settings->no_clean)
		remove_files(d);
	loop_free(d->loop);
	plumbing_done(&d->plumbing);
	chain_done(&d->chain);
	free(d->pids);
	free(d->settings->daemon.pid_path);
}

int main(int argc, char **argv)
{
	struct settings settings = { .daemon = DAEMON_INIT };
	struct dpipe d = { .settings = &settings, .tty = -1 };
	struct error error = { 0 };
	int status, first;

	log_set_program(PROGRAM);
	first = option_parse(&program, argc, argv, &settings, &status);
	if (first < 0)
		return status;
	settings.no_wrapper |= settings.no_clean;
	if (chain_parse(argv + first, &d.chain, &error) < 0)
		return option_usage_error(&program, "%s", error_text(&error));
	status = dpipe_run(&d, &settings);
	dpipe_done(&d);
	return status;
}
