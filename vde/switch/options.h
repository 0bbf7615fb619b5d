/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of vde_switch. */
#pragma once

#include "vde/switch/switch.h"

/* Defaults, then ARGV. Returns 0, or -1 when the program has to end now with *ret_status. */
int options_parse(struct switch_settings *settings, int argc, char **argv, int *ret_status);
