/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "find.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define OVERFLOW_ID  65534 /* of those that the user namespace does not have */

/* The first file of that name in PATH that may be executed, else the first that is there. -ENOENT. */
static int search(const char *name, char found[PATH_MAX])
{
	const char *path = getenv("PATH");
	bool any = false;

	for (const char *at = path ? path : DEFAULT_PATH; at; at = *at ? at + 1 : NULL) {
		int len = (int)strcspn(at, ":");
		char file[PATH_MAX];
		int n = snprintf(file, sizeof(file), "%.*s%s%s", len, at, len ? "/" : "", name);
		struct stat st;

		at += len;
		if (n >= (int)sizeof(file) || stat(file, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (!any || access(file, X_OK) == 0)
			memcpy(found, file, (size_t)n + 1);
		any = true;
		if (access(file, X_OK) == 0)
			return 0;
	}
	return any ? 0 : -ENOENT;
}

/* Whether a file's ID is another than OURS, and one that the kernel would give. */
static bool is_other(uint32_t id, uint32_t ours)
{
	return id != ours && id != OVERFLOW_ID;
}

/* The kernel executes the resident, and gives it no privilege of the program's; as in exec_file.c there. */
static void note_privilege(const char *path, int fd, const struct stat *st)
{
	const mode_t group_bits = S_ISGID | S_IXGRP; /* the one alone means something else */
	bool user = st->st_mode & S_ISUID && is_other(st->st_uid, geteuid());
	bool group = (st->st_mode & group_bits) == group_bits && is_other(st->st_gid, getegid());
	struct statvfs fs;

	if ((!user && !group) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || fstatvfs(fd, &fs) < 0 ||
	    fs.f_flag & ST_NOSUID)
		return;
	log_warning("%s: runs without the privilege of its set-%s-ID bit, which only the kernel can give; if "
		    "it needs that, run it outside of umvu", path, user ? "user" : "group");
}

/* Why the file at PATH cannot be run, as far as it shows. */
static int examine(const char *path, struct error *error)
{
	unsigned char head[EI_NIDENT + 4] = { 0 };
	auto_close int fd = -1;
	struct stat st;

	if (stat(path, &st) < 0)
		return error_set_errno(error, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(error, EACCES, "%s: not a file that could be run", path);
	if (access(path, X_OK) < 0)
		return error_set_errno(error, errno, "%s", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(error, EACCES,
				 "%s: it may be executed but not read, and what cannot be read cannot be "
				 "loaded; let its owner make it readable", path);
	if (read(fd, head, sizeof(head)) < 2)
		return error_set(error, ENOEXEC, "%s: it is empty", path);
	if (memcmp(head, "#!", 2) == 0)
		return 0;
	if (memcmp(head, ELFMAG, SELFMAG) != 0)
		return error_set(error, ENOEXEC,
				 "%s: neither a program nor a script whose first line names its interpreter "
				 "(#!); a shell runs it as: umvu sh %s", path, path);
	if (head[EI_CLASS] == ELFCLASS32 || head[18] != EM_X86_64)
		return error_set(error, ENOEXEC,
				 "%s: a program for another processor or of 32 bits: only x86-64 programs "
				 "can run here", path);
	note_privilege(path, fd, &st);
	return 0;
}

int find_program(const char *name, char found[PATH_MAX], struct error *error)
{
	int r = 0;

	if (!*name)
		return error_set(error, ENOENT, "the program's name is empty");
	if (strchr(name, '/'))
		r = str_copy(found, PATH_MAX, name) < 0 ? -ENAMETOOLONG
		    : access(found, F_OK) < 0	       ? -errno
						       : 0;
	else
		r = search(name, found);
	if (r == -ENOENT)
		return error_set(error, ENOENT, "%s: there is no such program", name);
	return r < 0 ? error_set_errno(error, -r, "%s", name) : examine(found, error);
}
