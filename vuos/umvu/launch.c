/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
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

int launch(const struct settings *s, char **argv, struct error *error)
{
	char path[PATH_MAX], resident[PATH_MAX], real[PATH_MAX], trace[PATH_MAX], variable[16];
	struct handover handover = {
		.base = { .trap = (uint32_t)s->trap, .patching = s->patching,
			  .tracing = !s->trace ? 0 : s->json ? 2 : 1, .descriptor = -1 },
		.path = path, .trace = s->trace ? trace : NULL, .resident = real,
	};
	int r = find_program(argv[0], path, error);

	if (r == 0)
		r = find_resident(resident, error);
	if (r == 0)
		r = make_trace(s->trace, trace, error);
	if (r < 0)
		return r;
	if (!realpath(resident, real))
		return error_set_errno(error, errno, "%s", resident);
	r = reserve(real, &handover.reserved, error);
	if (r == 0)
		r = handover_make(&handover, error);
	if (r < 0)
		return r;
	(void)snprintf(variable, sizeof(variable), "%d", r);
	if (setenv("_VU", variable, 1) < 0)
		return error_set_errno(error, errno, "umvu");
	(void)execv(real, argv);
	return error_set_errno(error, errno, "%s", real);
}
