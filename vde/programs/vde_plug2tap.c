/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vde_plug2tap: joins a network to a TAP interface of the host. */
#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "end_tap.h"
#include "plug_program.h"

static int open_tap(const char *name, struct relay_end **ret, struct error *error)
{
	struct tap tap;
	int r = tap_open(name, &tap, error);

	if (r < 0)
		return r;
	r = end_tap_new(&tap, name, ret);
	if (r < 0) {
		(void)close(TAKE_FD(tap.fd));
		return error_set_errno(error, -r, "interface '%s'", name);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct plug_program program = {
		.name = "vde_plug2tap",
		.operand = "TAP",
		.summary = "Plugs the TAP interface of that name, made if need be, into a network.",
		.open_end = open_tap,
		.is_tap = true,
	};

	return plug_program_main(&program, argc, argv);
}
