/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What umvu does while its programs run. */
#pragma once

#include "base/error.h"
#include "options.h"

/*
 * Runs the program ARGV[0], and stays until it has ended, and with it the view as the settings want it.
 * Returns the status to exit with; negative: the program was not started.
 */
int supervise(const struct settings *s, char **argv, struct error *error);
