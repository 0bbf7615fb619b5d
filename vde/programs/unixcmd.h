/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What unixcmd and vdecmd have in common: everything but their names and defaults. */
#pragma once

struct unixcmd_program {
	const char *name;
	const char *synopsis;
	const char *rc_files[3]; /* looked for in this order, NULL-terminated */
};

/* Runs the program; returns its exit status. */
int unixcmd_main(const struct unixcmd_program *program, int argc, char **argv);
