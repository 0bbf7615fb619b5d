/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs that plug an interface of the host into a network: vde_plug2tap, vde_pcapplug. They
 * differ in the interface only.
 */
#pragma once

#include "relay.h"

struct plug_program {
	const char *name;
	const char *operand; /* placeholder of the interface's name */
	const char *summary;
	int (*open_end)(const char *name, struct relay_end **ret, struct error *error);
	bool is_tap; /* the end's in_fd may be handed over to the network (handover.h) */
};

/* main() of such a program. */
int plug_program_main(const struct plug_program *program, int argc, char **argv);
