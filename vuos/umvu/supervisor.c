/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. The supervisor starts the program as its child, in its own process group, so that
 * terminal, session and job control are the program's as if it had been started without us, and then keeps
 * out of the way: it holds no descriptor of the program's but the one for messages, and no directory.
 *
 * Signals. What the terminal sends comes to the whole process group, so the program has it already. What
 * somebody outside the view sends to the supervisor is meant for the program, and is passed on; what a process
 * of the view sends (kill(0, ...)) is not. job.c has what stops and goes on.
 *
 * All descendants are ours to wait for (PR_SET_CHILD_SUBREAPER), whatever becomes of their parents: the view
 * has ended when there are no children any more.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/loop.h"
#include "channel.h"
#include "job.h"
#include "launch.h"
#include "processes.h"
#include "rc.h"
#include "trace_report.h"
#include "view.h"

#define STATUS_SIGNAL 128 /* plus its number */

struct supervisor {
	const struct settings *settings;
	struct loop *loop;
	struct view view;
	struct trace_view trace;
	struct channel channel;
	pid_t root; /* the program, or one before it; 0: it has ended */
	bool is_rc;
	int rc_signal; /* that has killed the one before it; 0: none */
	int status; /* of the program */
	bool leads; /* the session */
};

static int status_of(int wait_status)
{
	return WIFSIGNALED(wait_status) ? STATUS_SIGNAL + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* --- ending ---------------------------------------------------------------------------------------- */

/* Sends a signal to all processes of the view: how many it could be sent to. */
static size_t signal_all(int signo)
{
	auto_free struct process_row *rows = NULL;
	ssize_t count = processes_below(getpid(), &rows);
	size_t sent = 0;

	for (ssize_t i = 0; i < count; i++)
		sent += kill(rows[i].pid, signo) == 0;
	return sent;
}

/* A child of one that was killed is ours, and gets its own signal, unless it may not be killed by us. */
static void kill_all(void)
{
	while (signal_all(SIGKILL) && waitpid(-1, NULL, __WALL) > 0)
		;
}

static void root_ended(struct supervisor *sup, int wait_status)
{
	sup->status = status_of(wait_status);
	sup->root = 0;
	if (sup->is_rc) {
		sup->rc_signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
		loop_stop(sup->loop, 0);
		return;
	}
	if (sup->settings->orphans == ORPHANS_KILL)
		kill_all();
	if (sup->settings->orphans != ORPHANS_WAIT)
		loop_stop(sup->loop, 0);
}

static void children_changed(struct supervisor *sup)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | __WALL)) > 0) {
		if (pid != sup->root)
			continue;
		if (WIFSTOPPED(status))
			job_stop(pid, WSTOPSIG(status));
		else
			root_ended(sup, status);
	}
	if (pid < 0 && errno == ECHILD)
		loop_stop(sup->loop, 0);
}

/* --- signals --------------------------------------------------------------------------------------- */

/* What the kernel sends for a terminal. */
static bool is_of_terminal(int signo)
{
	static const int signals[] = { SIGINT, SIGQUIT, SIGHUP, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH };
	size_t i = 0;

	while (i < ARRAY_SIZE(signals) && signals[i] != signo)
		i++;
	return i < ARRAY_SIZE(signals);
}

/* Whether the program has to get it from us: nobody has sent it there, and it is not from the view itself. */
static bool is_to_be_passed_on(const struct supervisor *sup, const siginfo_t *info)
{
	if (info->si_code <= 0)
		return !process_is_below(info->si_pid, getpid());
	if (info->si_signo == SIGHUP && sup->leads)
		return true; /* the terminal has gone, which only the leader of the session is told */
	return !is_of_terminal(info->si_signo);
}

/* The program has gone, and others are being waited for. */
static void signal_rest(struct supervisor *sup, int signo, bool passed_on)
{
	if (passed_on)
		(void)signal_all(signo);
	else if (signo == SIGINT || signo == SIGQUIT || signo == SIGHUP)
		loop_stop(sup->loop, 0); /* those of the terminal's job have it; the others go on without us */
}

static void signal_came(struct loop *loop, void *object, const siginfo_t *info)
{
	struct supervisor *sup = object;
	bool pass_on;

	(void)loop;
	children_changed(sup); /* first of all: a signal is not for a program that has ended */
	if (info->si_signo == SIGCHLD)
		return;
	pass_on = is_to_be_passed_on(sup, info);
	if (!sup->root)
		signal_rest(sup, info->si_signo, pass_on);
	else if (info->si_signo == SIGCONT)
		job_continue(sup->root);
	else if (pass_on)
		(void)kill(sup->root, info->si_signo);
}

/* --- running --------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Closes all descriptors from FIRST on but those of KEPT. */
static void close_others(unsigned first, int *kept, size_t count)
{
	qsort(kept, count, sizeof(*kept), by_number);
	for (size_t i = 0; i < count; i++) {
		if (kept[i] < (int)first)
			continue;
		if ((unsigned)kept[i] > first)
			(void)close_range(first, (unsigned)kept[i] - 1, 0);
		first = (unsigned)kept[i] + 1;
	}
	(void)close_range(first, ~0u, 0);
}

/* What the program closes shall be closed: a pipe's other end would wait for us. */
static void let_go(const struct supervisor *sup)
{
	int kept[] = { sup->view.segment.fd, sup->channel.ours, sup->channel.theirs,
		       sup->trace.fd, sup->settings->messages_fd }; /* -1: there is none */
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fd != STDERR_FILENO || fcntl(fd, F_GETFD) < 0)
			(void)dup2(null, fd);
	close_others(STDERR_FILENO + 1, kept, ARRAY_SIZE(kept));
	(void)chdir("/");
}

static int watch(struct supervisor *sup)
{
	sigset_t all;
	int r = loop_new(&sup->loop);

	(void)sigfillset(&all);
	if (r == 0)
		r = loop_signals(sup->loop, &all, signal_came, sup);
	if (r == 0)
		r = channel_watch(&sup->channel, sup->loop);
	if (r < 0)
		return r;
	children_changed(sup); /* one that ended before is not told again */
	return loop_run(sup->loop);
}

/* Runs one of the files before the program. -ECANCELED: it was killed, and nothing more is to be done. */
static int run_rc(struct supervisor *sup, const struct launcher *launcher, char *path, struct error *error)
{
	char *argv[] = { path, NULL };
	int r = launcher_start(launcher, argv, error);

	if (r < 0)
		return r;
	sup->root = r;
	sup->is_rc = true;
	r = watch(sup);
	loop_free(sup->loop);
	sup->loop = NULL;
	sup->is_rc = false;
	if (r >= 0 && sup->rc_signal)
		r = error_set(error, ECANCELED, "%s was killed by signal %d", path, sup->rc_signal);
	return MIN(r, 0);
}

/* Those of the system and of the user do not keep the program from running when they cannot. */
static int run_rc_files(struct supervisor *sup, const struct launcher *launcher, struct error *error)
{
	const struct settings *s = sup->settings;
	struct rc_files files;

	rc_find(s, &files);
	for (unsigned i = 0; i < files.count; i++) {
		int r = run_rc(sup, launcher, files.paths[i], error);

		if (r == -ECANCELED || (r < 0 && s->rc_file))
			return r;
		if (r < 0)
			log_warning("%s", error_text(error));
	}
	*error = (struct error){ 0 };
	return 0;
}

/* The program, which has what all programs of the view share. */
static int start_with(struct supervisor *sup, struct launcher *launcher, char **argv, struct error *error)
{
	int r;

	sup->trace = launcher->trace;
	launcher_share(launcher, RESERVED_SEGMENT, sup->view.segment.fd);
	launcher_share(launcher, RESERVED_CHANNEL, sup->channel.theirs);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	r = run_rc_files(sup, launcher, error);
	if (r == 0)
		r = launcher_start(launcher, argv, error);
	if (r > 0)
		sup->root = r;
	return r;
}

static int start_program(struct supervisor *sup, char **argv, struct error *error)
{
	struct launcher launcher;
	int r = launcher_init(&launcher, sup->settings, error);

	if (r == 0)
		r = start_with(sup, &launcher, argv, error);
	launcher_free(&launcher);
	return r;
}

/* As long as the program, and with it the view, runs. */
static void stay(struct supervisor *sup)
{
	int r, status;

	(void)prctl(PR_SET_DUMPABLE, 0); /* a program of the view has no business in here */
	let_go(sup);
	r = watch(sup);
	if (r < 0) {
		log_error_errno(r, "cannot serve the view");
		(void)waitpid(sup->root, &status, 0);
		sup->status = status_of(status);
	}
	trace_finish(&sup->trace);
	(void)prctl(PR_SET_DUMPABLE, 1);
}

int supervise(const struct settings *s, char **argv, struct error *error)
{
	struct supervisor sup = { .settings = s, .leads = getsid(0) == getpid(), .channel = { -1, -1 } };
	int r = view_init(&sup.view, s->name, s->messages_fd, error);

	if (r < 0)
		return r;
	(void)view_set_tags(&sup.view, &s->debug_tags); /* there is room for it yet */
	r = channel_init(&sup.channel, segment_slots(&sup.view.segment), view_serve, &sup.view, error);
	if (r == 0)
		r = start_program(&sup, argv, error);
	if (r > 0)
		stay(&sup);
	loop_free(sup.loop);
	channel_free(&sup.channel);
	view_free(&sup.view);
	return r < 0 ? r : sup.status;
}
