/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the program is, where the kernel would say that it is the resident. */
#pragma once

#include "vuos/resident/context.h"

/*
 * The path at AT of the program into the context's `path`: what a call with it and DIRECTORY means.
 * Names of the program's own file in /proc become its path. Its length, -EFAULT, -ENAMETOOLONG, -ENOENT.
 */
long identity_path(struct context *c, int directory, uint64_t at);
