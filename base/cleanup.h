/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ownership by scope: `auto_free char *name = ...;` frees at the end of the block, and
 * TAKE_PTR() or TAKE_FD() moves the thing out of the scope's hands on success.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

static inline void cleanup_free(void *location)
{
	free(*(void **)location);
}

/* Closes the descriptor unless it is -1; errno is kept. */
static inline void cleanup_close(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd); /* nothing useful can be done about a failed close here */
	errno = saved;
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file)
		(void)fclose(*file); /* writers check their own fflush() before this */
}

static inline void cleanup_closedir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

#define auto_free     CLEANUP(cleanup_free)
#define auto_close    CLEANUP(cleanup_close)
#define auto_fclose   CLEANUP(cleanup_fclose)
#define auto_closedir CLEANUP(cleanup_closedir)

#define TAKE_PTR(pointer)                      \
	({                                     \
		__typeof__(pointer) taken_ = (pointer); \
		(pointer) = NULL;              \
		taken_;                        \
	})

#define TAKE_FD(fd)                 \
	({                          \
		int taken_ = (fd);  \
		(fd) = -1;          \
		taken_;             \
	})
