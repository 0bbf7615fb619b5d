/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /proc/PID/exe of a process in the view names the resident for the kernel. Calls that follow that link get
 * the program's file instead, and readlink its path.
 *
 * The link has many names (/proc/self/./exe, thread-self, task/TID, "exe" beside a descriptor or in the
 * working directory, another mount of proc), but all end in "exe", so no other path costs more than a look
 * at its end. The usual names of our own are known as they are; of all others the directory is opened, to
 * see whether it is a process's whose executable is the resident. Each process has its program's file open as
 * a reserved descriptor: so "exe" becomes "fd/N", which for the kernel is the same kind of link.
 *
 * Where there are no reserved descriptors, the program is what the process was started with, and another's
 * is what lies where that says that its code begins (the resident has told the kernel: start.c).
 *
 * A symbolic link of another name that leads to such a link is not seen by calls that follow it.
 */
#include "vuos/resident/identity.h"

#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>

#include "vuos/resident/calls.h"
#include "vuos/resident/debug.h"
#include "vuos/resident/dispatch.h"
#include "vuos/resident/reserved.h"

#define DIRECTORY_FLAGS  (O_PATH | O_DIRECTORY | O_CLOEXEC)
#define STATFS_WORDS     15
#define STAT_START_CODE  26 /* which of the words in /proc/PID/stat */
#define STAT_FIRST       3  /* the first behind the command's name, which may have blanks */
#define CHUNK            4096
#define DESCRIPTOR_NAME_MAX (int)sizeof("fd/2147483647")

static const char link_name[] = "exe";

/* --- the usual names of our own ----------------------------------------------------------------- */

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

/* --- any process -------------------------------------------------------------------------------- */

static bool is_of_proc(long fd)
{
	uint64_t status[STATFS_WORDS] = { 0 };

	return NATIVE(__NR_fstatfs, fd, status) == 0 && status[0] == PROC_SUPER_MAGIC;
}

static long read_text(long directory, const char *name, char *text, size_t size)
{
	long fd = NATIVE(__NR_openat, directory, name, O_RDONLY | O_CLOEXEC, 0), n;

	if (fd < 0)
		return fd;
	n = NATIVE(__NR_read, fd, text, size - 1);
	(void)NATIVE(__NR_close, fd);
	text[MAX(n, 0)] = '\0';
	return n;
}

/* Whether the process of DIRECTORY runs the resident. */
static bool is_in_view(long directory)
{
	long self = reserved_get(RESERVED_RESIDENT);
	long base = self < 0 ? AT_FDCWD : self;
	const char *name = self < 0 ? process.self : "";
	struct statx theirs, ours;

	if (NATIVE(__NR_statx, directory, link_name, 0, STATX_INO, &theirs) < 0 ||
	    NATIVE(__NR_statx, base, name, AT_EMPTY_PATH, STATX_INO, &ours) < 0)
		return false;
	return theirs.stx_ino == ours.stx_ino && theirs.stx_dev_major == ours.stx_dev_major &&
	       theirs.stx_dev_minor == ours.stx_dev_minor;
}

/* Where its code begins; 0: that cannot be told. */
static uint64_t start_of_code(long directory)
{
	char text[1024];
	const char *at = text, *name_end = NULL;
	int word = STAT_FIRST;

	if (read_text(directory, "stat", text, sizeof(text)) <= 0)
		return 0;
	for (; *at; at++)
		if (*at == ')')
			name_end = at;
	if (!name_end || name_end[1] != ' ')
		return 0;
	for (at = name_end + 2; *at && word < STAT_START_CODE; at++)
		word += *at == ' ';
	return text_take_number(&at, 10);
}

/* The file in a LINE of /proc/PID/maps, if that has ADDRESS; NULL. */
static const char *file_of_line(const char *line, uint64_t address)
{
	uint64_t begin = text_take_number(&line, 16), end;

	if (*line++ != '-')
		return NULL;
	end = text_take_number(&line, 16);
	if (address < begin || address >= end)
		return NULL;
	while (*line && *line != '/')
		line++;
	return *line ? line : NULL;
}

/* One line after another, each of which fits: a path, and numbers before it. */
static bool find_file(long fd, uint64_t address, char *path)
{
	char text[PATH_MAX + CHUNK];
	size_t len = 0;
	long n;

	while ((n = NATIVE(__NR_read, fd, text + len, sizeof(text) - 1 - len)) > 0) {
		char *line = text, *end;

		len += (size_t)n;
		text[len] = '\0';
		for (end = line; *end; end++) {
			const char *file;

			if (*end != '\n')
				continue;
			*end = '\0';
			file = file_of_line(line, address);
			if (file && text_len(file) < PATH_MAX) {
				(void)text_put(path, file);
				return true;
			}
			line = end + 1;
		}
		len = (size_t)(end - line);
		memmove(text, line, len);
	}
	return false;
}

/* What the process of DIRECTORY, which is in the view, executes. */
static bool program_of(long directory, char *path)
{
	uint64_t code = start_of_code(directory);
	long fd = code ? NATIVE(__NR_openat, directory, "maps", O_RDONLY | O_CLOEXEC, 0) : -1;
	bool found;

	if (fd < 0)
		return false;
	found = find_file(fd, code, path);
	(void)NATIVE(__NR_close, fd);
	return found;
}

/* --- paths ------------------------------------------------------------------------------------------ */

/* Where the last part of PATH, of LEN bytes, begins, if it is the link's name; NULL. */
static char *link_in(char *path, long len)
{
	const long name = sizeof(link_name) - 1;
	char *at = path + len - name;

	if (len < name || memcmp(at, link_name, (size_t)name) != 0)
		return NULL;
	return len == name || at[-1] == '/' ? at : NULL;
}

/* The link's NAME in the path becomes that of the program's descriptor. False: there is no such. */
static bool name_descriptor(struct context *c, char *name)
{
	long kept = reserved_get(RESERVED_PROGRAM);

	if (kept < 0 || name + DESCRIPTOR_NAME_MAX > c->path + sizeof(c->path))
		return false;
	(void)text_put_number(text_put(name, "fd/"), (uint64_t)kept, 10);
	return true;
}

/* Another process may be between exec and its begin, or of a view without reserved descriptors. */
static bool replace_other(struct context *c, long directory, char *name)
{
	char descriptor[DESCRIPTOR_NAME_MAX];
	struct statx status;
	bool found = false;
	long fd;

	*name = '\0';
	fd = NATIVE(__NR_openat, directory, c->path[0] ? c->path : ".", DIRECTORY_FLAGS, 0);
	*name = link_name[0];
	if (fd < 0)
		return false;
	if (is_of_proc(fd) && is_in_view(fd)) {
		if (name_descriptor(c, name)) {
			(void)text_put(descriptor, name);
			found = NATIVE(__NR_statx, fd, descriptor, 0, STATX_INO, &status) == 0;
		}
		if (!found)
			found = program_of(fd, c->path);
	}
	(void)NATIVE(__NR_close, fd);
	return found;
}

/*
 * If the path of LEN bytes in the context, beside DIRECTORY, is the link of a process in the view, it becomes
 * a path of what that executes.
 */
static bool replace(struct context *c, long directory, long len)
{
	char *name = link_in(c->path, len);

	if (!name)
		return false;
	if (!is_own_exe(c->path))
		return replace_other(c, directory, name);
	if (!name_descriptor(c, name))
		(void)text_put(c->path, process.program);
	return true;
}

/* The same for the path that is at AT in the program. */
static bool replace_at(struct context *c, long directory, uint64_t at)
{
	long len = copy_string(c->path, (const char *)at, sizeof(c->path));

	return len > 0 && replace(c, directory, len);
}

long identity_path(struct context *c, int directory, uint64_t at)
{
	long len = copy_string(c->path, (const char *)at, sizeof(c->path));

	if (len == 0)
		return -ENOENT;
	return len > 0 && replace(c, directory, len) ? (long)text_len(c->path) : len;
}

/* --- the calls ------------------------------------------------------------------------------------- */

/* The flags that decide whether a link is followed; they may be in memory. */
static uint64_t flags_of(const struct call *call, const struct call_path *path)
{
	uint64_t flags = CALL_ARG(call, path->flags);

	if (path->flags_in_memory && copy_in(&flags, flags, sizeof(flags)) < 0)
		return 0;
	return flags;
}

static bool follows(const struct call *call, const struct call_path *path)
{
	switch (path->follow) {
	case CALL_FOLLOW_FOLLOW:
		return true;
	case CALL_FOLLOW_FOLLOW_UNLESS:
		return !(flags_of(call, path) & path->follow_mask);
	case CALL_FOLLOW_FOLLOW_IF:
		return flags_of(call, path) & path->follow_mask;
	default:
		return false;
	}
}

static int directory_of(const struct call *call, const struct call_path *path)
{
	return path->at < 0 ? AT_FDCWD : (int)CALL_ARG(call, path->at);
}

/* Of calls with several paths, the first is what is there already. */
long call_path(struct context *c, struct call *call)
{
	const struct call_path *path = &call_paths[call_entries[call->raw[0]].first_path];

	if (follows(call, path) && replace_at(c, directory_of(call, path), CALL_ARG(call, path->argument))) {
		CALL_ARG(call, path->argument) = (uint64_t)c->path;
		DEBUG(c, 'p', "a program's file: ", c->path);
	}
	return native_call(call->raw);
}

/* What the link was replaced by, which may be a link itself, into the program's buffer. */
static long say_path(struct context *c, int directory, uint64_t buffer, int32_t size)
{
	char text[PATH_MAX];
	long n = NATIVE(__NR_readlinkat, directory, c->path, text, sizeof(text));
	size_t len = n > 0 ? (size_t)n : text_len(c->path);

	if (size <= 0)
		return -EINVAL;
	len = MIN(len, (size_t)size);
	return copy_out(buffer, n > 0 ? text : c->path, len) < 0 ? -EFAULT : (long)len;
}

long call_readlink(struct context *c, struct call *call)
{
	if (replace_at(c, AT_FDCWD, CALL_ARG(call, 0)))
		return say_path(c, AT_FDCWD, CALL_ARG(call, 1), (int32_t)CALL_ARG(call, 2));
	return native_call(call->raw);
}

long call_readlinkat(struct context *c, struct call *call)
{
	int directory = (int)CALL_ARG(call, 0);

	if (replace_at(c, directory, CALL_ARG(call, 1)))
		return say_path(c, directory, CALL_ARG(call, 2), (int32_t)CALL_ARG(call, 3));
	return native_call(call->raw);
}
