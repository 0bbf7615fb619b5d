/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The directory of a netnode and the names in it: `ctl`, a data socket `fdN` for each client, and
 * for a moment the clients' own `.PID-N`.
 *
 * A node keeps a flock(2) on its directory as long as it lives, however it dies. A directory that
 * has a `ctl` which nobody answers, no lock, and nothing but such names was left by a crash: it is
 * taken over. Everything else that is in the way is left alone and reported.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

struct node_dir {
	int fd;     /* owned, holds the lock; -1: none */
	char *path; /* owned, absolute */
};

#define NODE_DIR_NONE { .fd = -1 }

/* Bytes of a directory's path so that the path of any name in it fits a socket address. */
#define NODE_DIR_PATH_MAX 90

/*
 * Makes or takes over the directory PATH, with exactly MODE and the group GID ((gid_t)-1: as it
 * comes). On failure there is a sentence in ERROR: EADDRINUSE when a node lives there, EEXIST for
 * anything else that is in the way.
 */
int node_dir_make(struct node_dir *d, const char *path, mode_t mode, gid_t gid,
		  struct error *error);

/* Removes the names and the directory, and lets go of it. Does nothing for NODE_DIR_NONE. */
void node_dir_done(struct node_dir *d);

/* The path of the user's default node: owned by the caller; NULL when memory is short. */
char *node_dir_default(void);

/* True for the names that a node and its clients make. */
bool node_dir_own_name(const char *name);
