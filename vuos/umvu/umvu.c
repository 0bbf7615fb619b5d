/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * umvu: runs a program with each of its system calls passing through the resident (vuos/resident), which
 * is what is executed in the program's place. This process stays as the supervisor of the view (supervisor.c).
 */
#include <errno.h>

#include "base/log.h"
#include "include/vulib.h"
#include "check.h"
#include "options.h"
#include "supervisor.h"

/* Views do not nest: the resident has one place in memory. */
static int check_outside(const char *program, struct error *error)
{
	if (vu_check() < 0)
		return 0;
	return error_set(error, EBUSY, "this is the inside of a view, which holds no other: "
				       "run %s by itself, or outside of umvu", program);
}

int main(int argc, char **argv)
{
	struct settings s = SETTINGS_INIT;
	struct error error = { 0 };
	int status, first, r;

	log_set_program("umvu");
	first = option_parse(&umvu_options, argc, argv, &s, &status);
	if (first < 0)
		return status;
	status = settings_check(&s, (unsigned)(argc - first));
	if (status)
		return status;
	if (s.check)
		return check_machine(s.json);
	r = messages_begin(&s.messages, &error);
	if (r >= 0)
		s.messages_fd = r;
	if (r >= 0)
		r = check_outside(argv[first], &error);
	if (r == 0)
		r = check_trap(&s, &error);
	if (r == 0)
		r = supervise(&s, argv + first, &error);
	if (r >= 0)
		return r;
	log_error("%s", error_text(&error));
	if (r == -ECANCELED)
		return STATUS_USAGE;
	return r == -ENOENT ? STATUS_NOT_FOUND : STATUS_REFUSED;
}
