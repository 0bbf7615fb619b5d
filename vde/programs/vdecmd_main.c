/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vdecmd: one command to the management socket of a switch. */
#include "unixcmd.h"

#include <stddef.h>

static const struct unixcmd_program vdecmd = {
	.name = "vdecmd",
	.synopsis = "[OPTION]... COMMAND [ARGUMENT]...",
	.rc_files = { VS_SYSCONFDIR "/vde2/vdecmd", NULL },
};

int main(int argc, char **argv)
{
	return unixcmd_main(&vdecmd, argc, argv);
}
