/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "find.h"

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

/* The trace's file, emptied, by a name that stays right when the program goes elsewhere; "": none. */
static int make_trace(const char *name, char path[PATH_MAX], struct error *error)
{
	auto_close int fd = -1;

	path[0] = '\0';
	if (!name)
		return 0;
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || !realpath(name, path))
		return error_set(error, EACCES, "cannot write the trace to '%s': %s", name, strerror(errno));
	return 0;
}

/*
 * Which signals of faults this process ignores, and which it blocks, as bits: the kernel does not do
 * that for the resident, which has to know.
 */
static void find_fault_signals(uint64_t *ignored, uint64_t *blocked)
{
	static const int signals[] = { SIGSYS, SIGSEGV, SIGBUS, SIGILL, SIGTRAP };
	sigset_t mask;

	*ignored = *blocked = 0;
	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		uint64_t bit = UINT64_C(1) << (signals[i] - 1);
		struct sigaction action;

		if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			*ignored |= bit;
		if (sigismember(&mask, signals[i]) > 0)
			*blocked |= bit;
	}
}

int launch(const struct settings *s, char **argv, struct error *error)
{
	char path[PATH_MAX], resident[PATH_MAX], real[PATH_MAX], trace[PATH_MAX];
	auto_free char *state = NULL;
	uint64_t ignored, blocked;
	int r = find_program(argv[0], path, error);

	if (r == 0)
		r = find_resident(resident, error);
	if (r == 0)
		r = make_trace(s->trace, trace, error);
	if (r < 0)
		return r;
	if (!realpath(resident, real))
		return error_set_errno(error, errno, "%s", resident);
	find_fault_signals(&ignored, &blocked);
	/* exec.h of the resident; there is no descriptor */
	if (asprintf(&state, "%x,%x,%jx,%jx,0,%x,%zx,%s,%s", (unsigned)s->trap, s->patching, (uintmax_t)ignored,
		     (uintmax_t)blocked, !s->trace ? 0 : s->json ? 2 : 1, strlen(trace), trace, path) < 0)
		return error_set_errno(error, ENOMEM, "umvu");
	if (setenv("_VU", state, 1) < 0)
		return error_set_errno(error, errno, "umvu");
	(void)execv(real, argv);
	return error_set_errno(error, errno, "%s", real);
}
