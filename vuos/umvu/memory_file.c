/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"

#define FIRST_FD 3 /* the standard ones may be closed, and are the program's */

/* A limit of the size of files is meant for others: it is lifted for a moment, or bounds the file. */
static int set_size(int fd, size_t unit, size_t least, size_t *size)
{
	struct rlimit old, lifted;
	int r;

	if (getrlimit(RLIMIT_FSIZE, &old) < 0)
		return -errno;
	lifted = old;
	lifted.rlim_cur = MAX(old.rlim_cur, MIN(old.rlim_max, (rlim_t)*size));
	if (lifted.rlim_cur < *size)
		*size = lifted.rlim_cur / unit * unit;
	if (*size < least)
		return -EFBIG;
	(void)setrlimit(RLIMIT_FSIZE, &lifted);
	r = ftruncate(fd, (off_t)*size) < 0 ? -errno : 0;
	(void)setrlimit(RLIMIT_FSIZE, &old);
	return r;
}

int memory_file_make(const char *name, size_t unit, size_t least, size_t *size, void **ret_base)
{
	auto_close int made = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int fd, r = made < 0 ? -errno : set_size(made, unit, least, size);

	if (r < 0)
		return r;
	fd = fcntl(made, F_DUPFD_CLOEXEC, FIRST_FD);
	if (fd < 0)
		return -errno;
	*ret_base = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*ret_base != MAP_FAILED)
		return fd;
	r = -errno;
	(void)close(fd);
	return r;
}
