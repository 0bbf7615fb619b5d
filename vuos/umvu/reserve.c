/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * They lie above what this process and its limit of descriptors allow (vuos/resident/reserved.c), so the
 * limit is lifted for a moment. Who may not do that gets them below the hard limit.
 */
#include "reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"

#define TRIES     64 /* places, if a parent of ours has left something open there */
#define LIMIT_MIN 64 /* what a program may need itself */

static bool is_free(unsigned first)
{
	for (unsigned i = 0; i < RESERVED_ROOM; i++)
		if (fcntl((int)(first + i), F_GETFD) >= 0)
			return false;
	return true;
}

/* The soft limit becomes END or more: what is root's may need the hard one to be lifted, too. */
static bool lift(const struct rlimit *old, rlim_t end)
{
	struct rlimit lifted = { MAX(old->rlim_cur, end), MAX(old->rlim_max, end) };

	return setrlimit(RLIMIT_NOFILE, &lifted) == 0;
}

/* The first number of a free place; 0: there is none. */
static unsigned find_place(const struct rlimit *limit)
{
	unsigned first = RESERVED_FIRST;

	for (int i = 0; i < TRIES && !is_free(first); i++)
		first += RESERVED_ROOM;
	if (lift(limit, first + RESERVED_ROOM))
		return is_free(first) ? first : 0;
	if (limit->rlim_max < LIMIT_MIN)
		return 0;
	first = (unsigned)limit->rlim_max - RESERVED_ROOM;
	return is_free(first) && lift(limit, limit->rlim_max) ? first : 0;
}

static bool place(const struct exec_reserved *reserved, enum reserved kind, int fd)
{
	return dup3(fd, (int)(reserved->first + kind), 0) >= 0;
}

bool reserve_more(struct exec_reserved *reserved, enum reserved kind, int fd)
{
	struct rlimit limit;
	bool done;

	if (!reserved->present || getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    !lift(&limit, reserved->first + RESERVED_ROOM))
		return false;
	done = place(reserved, kind, fd);
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (done)
		reserved->present |= 1u << kind;
	return done;
}

/* What is stderr; only a file is held open (vuos/resident/report.c). */
static void reserve_log(struct exec_reserved *reserved)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) < 0)
		return;
	reserved->log_major = major(st.st_dev);
	reserved->log_minor = minor(st.st_dev);
	reserved->log_inode = st.st_ino;
	if (S_ISREG(st.st_mode) && place(reserved, RESERVED_LOG, STDERR_FILENO))
		reserved->present |= 1u << RESERVED_LOG;
}

int reserve(const char *resident, struct exec_reserved *ret, struct error *error)
{
	auto_close int fd = open(resident, O_PATH | O_CLOEXEC);
	struct rlimit limit;

	*ret = (struct exec_reserved){ 0 };
	if (fd < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return error_set_errno(error, errno, "%s", resident);
	ret->first = find_place(&limit);
	if (ret->first && place(ret, RESERVED_RESIDENT, fd)) {
		ret->present = 1u << RESERVED_RESIDENT;
		reserve_log(ret);
	}
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return 0;
}
