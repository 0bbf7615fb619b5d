/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by ptp.c (states, frames) and ptp_name.c (the meeting point). ptp.c has the theory. */
#pragma once

#include <sys/stat.h>

#include "vde/plugins/plugin.h"

/* The name in the file system that this end made; zero: none. */
struct ptp_name {
	char *path; /* owned */
	dev_t dev;
	ino_t ino;
};

/*
 * Binds the socket FD to PATH with exactly MODE, and remembers that in *NAME. A socket file of TYPE
 * that nobody answers is replaced. -EADDRINUSE when somebody does, -ENOTSOCK when PATH is no
 * socket.
 */
int ptp_name_bind(struct ptp_name *name, int fd, int type, const char *path, mode_t mode);

/* Removes the name, unless it is somebody else's by now. */
void ptp_name_remove(struct ptp_name *name);
