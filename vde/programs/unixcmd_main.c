/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unixcmd: one command to a local socket, by an automaton or the management protocol. */
#include "unixcmd.h"

#include <stddef.h>

static const struct unixcmd_program unixcmd = {
	.name = "unixcmd",
	.synopsis = "[OPTION]... COMMAND [ARGUMENT]...",
	.rc_files = { VS_SYSCONFDIR "/unixcmd", VS_SYSCONFDIR "/vde2/unixcmd", NULL },
};

int main(int argc, char **argv)
{
	return unixcmd_main(&unixcmd, argc, argv);
}
