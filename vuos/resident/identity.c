/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /proc/self/exe and its other spellings (/proc/PID/exe, thread-self, task/TID) name the resident for
 * the kernel. Calls with such a path get the program's file instead, and readlink its path.
 */
#include "vuos/resident/identity.h"

#include <linux/fcntl.h>

#include "vuos/resident/dispatch.h"

/* Behind a number that is our process's, or (THREAD) any of its threads'; NULL: it is something else. */
static const char *skip_own_number(const char *at, bool thread)
{
	const char *begin = at;
	uint64_t number = text_take_number(&at, 10);

	if (at == begin || (!thread && number != (uint64_t)NATIVE(__NR_getpid)))
		return NULL;
	return at;
}

/* Behind "self", "thread-self" or our number in /proc. */
static const char *skip_process(const char *at)
{
	if (text_begins(at, "self/"))
		return at + text_len("self");
	if (text_begins(at, "thread-self/"))
		return at + text_len("thread-self");
	return skip_own_number(at, false);
}

static bool is_own_exe(const char *path)
{
	const char *at = text_begins(path, "/proc/") ? skip_process(path + text_len("/proc/")) : NULL;

	if (at && text_begins(at, "/task/"))
		at = skip_own_number(at + text_len("/task/"), true);
	return at && text_equal(at, "/exe");
}

long identity_path(struct context *c, int directory, uint64_t at)
{
	long len = copy_string(c->path, (const char *)at, sizeof(c->path));

	(void)directory;
	if (len == 0)
		return -ENOENT;
	if (len > 0 && is_own_exe(c->path)) {
		(void)text_put(c->path, process.program);
		len = (long)text_len(c->path);
	}
	return len;
}

/* Where a call has its path, and what keeps it from following a symbolic link at the end. */
static const struct {
	long number;
	uint8_t path, flags; /* arguments; flags 0: it always follows */
	uint32_t nofollow;
} path_calls[] = {
	{ __NR_open, 0, 1, O_NOFOLLOW },
	{ __NR_stat, 0, 0, 0 },
	{ __NR_access, 0, 0, 0 },
	{ __NR_openat, 1, 2, O_NOFOLLOW },
	{ __NR_newfstatat, 1, 3, AT_SYMLINK_NOFOLLOW },
	{ __NR_statx, 1, 2, AT_SYMLINK_NOFOLLOW },
	{ __NR_faccessat, 1, 0, 0 },
	{ __NR_faccessat2, 1, 3, AT_SYMLINK_NOFOLLOW },
};

/* The program's file instead of ours, if the call names it and would follow the link there. */
static void replace_path(struct context *c, struct call *call, size_t row)
{
	unsigned path = path_calls[row].path, flags = path_calls[row].flags;
	char begin[sizeof("/proc/") - 1];

	/* Nearly all paths are something else: the kernel reads them where they are. */
	if (copy_in(begin, CALL_ARG(call, path), sizeof(begin)) < 0 ||
	    memcmp(begin, "/proc/", sizeof(begin)) != 0 ||
	    (flags && CALL_ARG(call, flags) & path_calls[row].nofollow))
		return;
	if (copy_string(c->path, (const char *)CALL_ARG(call, path), sizeof(c->path)) > 0 &&
	    is_own_exe(c->path))
		CALL_ARG(call, path) = (uint64_t)process.program;
}

long call_path(struct context *c, struct call *call)
{
	for (size_t i = 0; i < ARRAY_SIZE(path_calls); i++)
		if (path_calls[i].number == (long)call->raw[0])
			replace_path(c, call, i);
	return native_call(call->raw);
}

/* The path of the program into the program's buffer. */
static long say_program(uint64_t buffer, int64_t size)
{
	size_t len = text_len(process.program);

	if (size <= 0)
		return -EINVAL;
	len = MIN(len, (size_t)size);
	return copy_out(buffer, process.program, len) < 0 ? -EFAULT : (long)len;
}

static bool names_us(struct context *c, uint64_t path)
{
	return copy_string(c->path, (const char *)path, sizeof(c->path)) > 0 && is_own_exe(c->path);
}

long call_readlink(struct context *c, struct call *call)
{
	if (names_us(c, CALL_ARG(call, 0)))
		return say_program(CALL_ARG(call, 1), (int32_t)CALL_ARG(call, 2));
	return native_call(call->raw);
}

long call_readlinkat(struct context *c, struct call *call)
{
	if (names_us(c, CALL_ARG(call, 1)))
		return say_program(CALL_ARG(call, 2), (int32_t)CALL_ARG(call, 3));
	return native_call(call->raw);
}
