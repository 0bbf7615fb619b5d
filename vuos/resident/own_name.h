/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file's own name: the one that /proc has for it. */
#pragma once

#include "vuos/resident/base.h"

/*
 * Opens PATH with FLAGS if that also says its own name, which NAME (PATH_MAX bytes) gets; else an error,
 * which means nothing more than that.
 */
long own_name_open(const char *path, uint64_t flags, char *name);
/* The name of what FD is open on, from /proc; PATH where there is none. */
void own_name_ask(long fd, const char *path, char *name);
