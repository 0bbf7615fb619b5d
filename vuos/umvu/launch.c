/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "find.h"
#include "handover.h"
#include "reserve.h"

#define RESIDENT "virtualsquare/umvu-resident"

/* Beside our own directory, or where it was installed to. */
static int find_resident(char found[PATH_MAX], struct error *error)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash) {
		*slash = '\0';
		if (snprintf(found, PATH_MAX, "%s/../libexec/" RESIDENT, self) < PATH_MAX &&
		    access(found, X_OK) == 0)
			return 0;
	}
	if (snprintf(found, PATH_MAX, "%s/" RESIDENT, VS_LIBEXECDIR) < PATH_MAX && access(found, X_OK) == 0)
		return 0;
	return error_set(error, ENOENT, "%s is missing: umvu is not installed completely", found);
}

/* The trace's file at its reserved place. */
static int make_trace(struct launcher *l, struct error *error)
{
	int r = trace_open(&l->trace, &l->settings->trace, error);

	if (r < 0 || l->trace.fd < 0)
		return r;
	if (reserve_more(&l->reserved, RESERVED_TRACE, l->trace.fd) &&
	    reserve_more(&l->reserved, RESERVED_BOARD, l->trace.board_fd))
		return 0;
	return error_set(error, EMFILE, "there is no room for the trace's descriptors: raise the limit of open "
					"files (ulimit -n)");
}

/* The first lines of a child, which has its parent's memory until it has executed something. */
static _Noreturn void become(const struct launcher *l, char **argv, pid_t parent, volatile int *failed)
{
	if (l->settings->orphans == ORPHANS_KILL) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(STATUS_REFUSED); /* it was killed before */
	}
	if (l->ignores_children)
		(void)signal(SIGCHLD, SIG_IGN);
	(void)sigprocmask(SIG_SETMASK, &l->mask, NULL);
	*failed = -confine_apply(&l->confinement);
	if (!*failed)
		(void)execv(l->resident, argv);
	*failed = *failed ? *failed : errno;
	_exit(STATUS_REFUSED);
}

/* vfork(2): this process is small, but even its page tables take longer to copy than all else here. */
static pid_t start(const struct launcher *l, char **argv, struct error *error)
{
	volatile int failed = 0;
	pid_t parent = getpid(), pid = vfork();

	if (pid == 0)
		become(l, argv, parent, &failed);
	if (pid < 0)
		return error_set_errno(error, errno, "cannot start a process");
	if (!failed)
		return pid;
	(void)waitpid(pid, NULL, 0);
	return error_set_errno(error, failed, l->confinement.any ? "the confinement, or %s" : "%s",
			       l->resident);
}

int launcher_init(struct launcher *l, const struct settings *s, struct error *error)
{
	char resident[PATH_MAX];
	struct sigaction action;
	sigset_t all;
	int r = find_resident(resident, error);

	l->confinement = (struct confinement){ .ruleset = -1 };
	if (r < 0)
		return r;
	if (!realpath(resident, l->resident))
		return error_set_errno(error, errno, "%s", resident);
	l->settings = s;
	r = reserve(l->resident, &l->reserved, error);
	if (r == 0 && s->messages.file)
		launcher_share(l, RESERVED_LOG, s->messages_fd);
	if (r == 0)
		r = make_trace(l, error);
	if (r == 0)
		r = confine_prepare(&l->confinement, s, l->resident, error);
	if (r < 0)
		return r;
	l->ignores_children = sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &l->mask);
	return 0;
}

void launcher_free(struct launcher *l)
{
	confine_done(&l->confinement);
}

void launcher_share(struct launcher *l, enum reserved kind, int fd)
{
	(void)reserve_more(&l->reserved, kind, fd); /* else they do without */
}

pid_t launcher_start(const struct launcher *l, char **argv, struct error *error)
{
	const struct settings *s = l->settings;
	char path[PATH_MAX], variable[PATH_MAX + 16];
	struct handover handover = {
		.base = { .trap = (uint32_t)s->trap, .patching = s->patching, .descriptor = -1,
			  .loader = -1, .is_restricted = handover_is_restricted(),
			  .tells_counters = s->counters },
		.path = path, .trace = l->trace.fd >= 0 ? &l->trace.how : NULL, .mask = &l->mask,
		.resident = l->resident, .reserved = l->reserved,
	};
	auto_close int state = -1;
	int r = find_program(argv[0], path, error);

	if (r < 0)
		return r;
	state = handover_make(&handover, error);
	if (state < 0)
		return state;
	(void)snprintf(variable, sizeof(variable), "%d:%s", state, path);
	if (setenv("_VU", variable, 1) < 0)
		return error_set_errno(error, errno, "umvu");
	return start(l, argv, error);
}
