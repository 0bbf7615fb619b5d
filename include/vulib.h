/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls of a view of VUOS, which are system calls with negative numbers: outside, and for what there is not,
 * they fail with ENOSYS. Results are as usual: -1 with errno when a call failed.
 */
#ifndef VULIB_H
#define VULIB_H

#include <stddef.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifndef __THROW
#define __THROW
#endif

#ifdef __cplusplus
extern "C" {
#endif

extern long int syscall(long int number, ...) __THROW;

#define __NR_vu_insmod -1L
#define __NR_vu_rmmod  -2L
#define __NR_vu_lsmod  -3L
#define __NR_vuctl     -4L
#define __NR_msocket   -5L

#define VUCTL_GETINFO          1
#define VUCTL_SETNAME          2
#define VUCTL_GET_DEBUGTAGS    3
#define VUCTL_ADD_DEBUGTAGS    4
#define VUCTL_DEL_DEBUGTAGS    5
#define VUCTL_GET_DEBUGTAGNAME 6
#define VUCTL_SET_DEBUGCOLOR   7
#define VUCTL_GET_PROCESSES    64 /* only this implementation has it */

#define SOCK_DEFAULT 0
#ifndef S_IFSTACK
#define S_IFSTACK 0160000
#endif

struct vu_info {
	struct utsname uname;
	char vu_serverid[65]; /* the supervisor's number */
	char vu_name[65];     /* of the view; "": it has none */
};

static inline int vu_insmod(const char *module, int permanent)
{
	return (int)syscall(__NR_vu_insmod, module, (long)permanent);
}

static inline int vu_rmmod(const char *module)
{
	return (int)syscall(__NR_vu_rmmod, module);
}

/* The size that the list needs; it is written when BUF is not NULL, cut to LEN. */
static inline int vu_lsmod(char *buf, size_t len)
{
	return (int)syscall(__NR_vu_lsmod, buf, len);
}

static inline int vu_getinfo(struct vu_info *info)
{
	return (int)syscall(__NR_vuctl, (long)VUCTL_GETINFO, info);
}

/* 0 in a view. */
static inline int vu_check(void)
{
	return vu_getinfo((struct vu_info *)0);
}

static inline int vu_setname(const char *name)
{
	return (int)syscall(__NR_vuctl, (long)VUCTL_SETNAME, name);
}

/* LOCAL: of the calling thread, and what it starts; else of the whole view. */
static inline int vu_get_debugtags(char *buf, size_t len, int local)
{
	return (int)syscall(__NR_vuctl, (long)VUCTL_GET_DEBUGTAGS, buf, len, (long)local);
}

static inline int vu_add_debugtags(const char *tags, int local)
{
	return (int)syscall(__NR_vuctl, (long)VUCTL_ADD_DEBUGTAGS, tags, (long)local);
}

static inline int vu_del_debugtags(const char *tags, int local)
{
	return (int)syscall(__NR_vuctl, (long)VUCTL_DEL_DEBUGTAGS, tags, (long)local);
}

static inline int vu_get_debugtagname(char tag, char *buf, size_t len)
{
	return (int)syscall(__NR_vuctl, (long)VUCTL_GET_DEBUGTAGNAME, (long)tag, buf, len);
}

static inline int vu_set_debugcolor(const char *spec)
{
	return (int)syscall(__NR_vuctl, (long)VUCTL_SET_DEBUGCOLOR, spec);
}

/* Lines `PID PARENT START PROGRAM` as vu_lsmod() gives its own. */
static inline int vu_get_processes(char *buf, size_t len)
{
	return (int)syscall(__NR_vuctl, (long)VUCTL_GET_PROCESSES, buf, len);
}

static inline int msocket(const char *path, int domain, int type, int protocol)
{
	return (int)syscall(__NR_msocket, path, (long)domain, (long)type, (long)protocol);
}

#ifdef __cplusplus
}
#endif

#endif
