/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From umvu to the resident. */
#pragma once

#include "base/error.h"
#include "options.h"

/* Becomes the program ARGV[0]: only returns when that cannot be done. */
int launch(const struct settings *s, char **argv, struct error *error);
