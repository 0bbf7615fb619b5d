/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that are to be executed: what execve(2) finds wrong with them, before anything is lost. */
#pragma once

#include "vuos/resident/context.h"
#include "vuos/resident/script.h"

/* Of Linux 6.14: says whether a file would be executed. */
#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif

#define EXEC_HEAD SCRIPT_HEAD

/* A file as execveat(2) is told. */
struct exec_name {
	int directory;
	const char *path;
	uint32_t flags; /* AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW */
};

/*
 * Opens a regular file that may be executed (for reading, closed by exec). OWN_NAME (PATH_MAX bytes) gets
 * the file's own name if that is known, else ""; NULL: it is not wanted.
 */
long exec_open(const struct exec_name *name, char *own_name);

/* The begin of the file at FD, filled up with zeros. Its length. */
long exec_read_head(long fd, char head[EXEC_HEAD + 1]);

/*
 * Whether the program at FD, of which HEAD has LEN bytes, can be loaded: 0, and its dynamic loader is open
 * at *RET (-1: it has none). NAME is for messages.
 */
long exec_look_at_program(long fd, const char *head, size_t len, const char *name, long *ret);
