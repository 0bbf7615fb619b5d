/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What /proc/self/exe says is asked for by few programs, and has to be known for each. The kernel makes
 * the files of a process in /proc when somebody asks for one of them, which takes longer than all that exec
 * needs otherwise. But an absolute name without symbolic links and without dots is what /proc says: and
 * openat2(2) opens a file by such names only, if it is told so. Most directories that are symbolic links
 * are /bin and its like, directly below the root: those are followed here.
 */
#include "vuos/resident/own_name.h"

#include <linux/fcntl.h>
#include <linux/openat2.h>

/* By a name that is the file's own already. */
static long open_without_links(const char *path, uint64_t flags)
{
	const struct open_how how = { .flags = flags, .resolve = RESOLVE_NO_SYMLINKS };

	if (path[0] != '/')
		return -ELOOP;
	for (const char *at = path; *at; at++)
		if (at[0] == '/' && (at[1] == '/' || at[1] == '.' || !at[1]))
			return -ELOOP;
	return NATIVE(__NR_openat2, AT_FDCWD, path, &how, sizeof(how));
}

/* NAME becomes PATH with its first directory, a symbolic link, replaced by what that says. */
static bool follow_first(const char *path, char *name)
{
	size_t len = 1;
	long n;

	while (path[len] && path[len] != '/')
		len++;
	if (path[len] != '/')
		return false;
	memcpy(name, path, len);
	name[len] = '\0';
	n = NATIVE(__NR_readlink, name, name + 1, PATH_MAX - 1);
	if (n <= 0 || (size_t)n + text_len(path + len) + 2 > PATH_MAX)
		return false;
	(void)text_put(name + 1 + n, path + len);
	name[0] = '/';
	if (name[1] == '/')
		memmove(name, name + 1, text_len(name + 1) + 1);
	return true;
}

long own_name_open(const char *path, uint64_t flags, char *name)
{
	long fd = open_without_links(path, flags);

	if (fd >= 0)
		(void)text_put(name, path);
	else if (fd == -ELOOP && path[0] == '/' && follow_first(path, name))
		fd = open_without_links(name, flags);
	if (fd < 0)
		name[0] = '\0';
	return fd;
}

void own_name_ask(long fd, const char *path, char *name)
{
	char link[64];
	long n;

	(void)text_put_number(text_put(link, "/proc/self/fd/"), (uint64_t)fd, 10);
	n = NATIVE(__NR_readlink, link, name, PATH_MAX - 1);
	if (n > 0)
		name[n] = '\0';
	else
		(void)text_put(name, path);
}
