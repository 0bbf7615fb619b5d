/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first reserved descriptors of a view (vuos/resident/reserved.h), from which all others come. */
#pragma once

#include "base/error.h"
#include "vuos/resident/exec_state.h"

/*
 * The file RESIDENT at its reserved place; more can be put beside it by reserve_more(). Where there is no
 * room for reserved descriptors there are none, which is no error.
 */
int reserve(const char *resident, struct exec_reserved *ret, struct error *error);

/* FD for KIND, too; FD stays open. False: there is no room. */
bool reserve_more(struct exec_reserved *reserved, enum reserved kind, int fd);
