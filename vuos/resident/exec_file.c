/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel executes the resident, so what it would say of the program has to be said here: whether the
 * file exists, is a regular one, may be executed, is open for writing, and is a program whose dynamic loader
 * is one. What only the kernel can do (read a file that nobody may read, give the privilege of a set-user-ID
 * program) is said in the log.
 *
 * Permission is asked for as access(2) does, and whether the file is open for writing is known by a lease,
 * which the kernel refuses then. It gives leases to the file's owner and to root only: who executes
 * another's file is not told that it is busy. Linux 6.14 and later can be asked for all that at once
 * (AT_EXECVE_CHECK), with what security modules say of it; which takes as long as twenty other calls, so it
 * is done only for those who may be restricted by one.
 */
#include "vuos/resident/exec_file.h"

#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/stat.h>

#include "vuos/resident/elf.h"
#include "vuos/resident/own_name.h"

#define X_OK           1
#define OPEN_FLAGS     (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define HEADERS_CHUNK  16u
#define STATFS_WORDS   15
#define STATFS_FLAGS   10
#define FLAG_NOSUID    2
#define OVERFLOW_ID    65534u
#define ANYONE_MAY_RUN 0010u /* of the group's bits: without, S_ISGID means something else */

/* /proc/self/fd/FD */
static void descriptor_name(char name[32], long fd)
{
	(void)text_put_number(text_put(name, "/proc/self/fd/"), (uint64_t)fd, 10);
}

/* With the effective ids, as exec asks; kernels before 5.8 only know to ask with the real ones. */
static long may_execute(const struct exec_name *name)
{
	long r = NATIVE(__NR_faccessat2, name->directory, name->path, X_OK, name->flags | AT_EACCESS);
	char link[32];

	if (r != -ENOSYS && r != -EPERM)
		return r;
	if (name->path[0])
		return NATIVE(__NR_faccessat, name->directory, name->path, X_OK);
	descriptor_name(link, name->directory);
	return NATIVE(__NR_faccessat, AT_FDCWD, link, X_OK);
}

/* The file at FD once more, for reading; where it is open for that already, /proc is not needed. */
static long open_again(int fd)
{
	long flags = NATIVE(__NR_fcntl, fd, F_GETFL);
	char link[32];

	if (flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) == O_RDONLY)
		return NATIVE(__NR_fcntl, fd, F_DUPFD_CLOEXEC, 0);
	descriptor_name(link, fd);
	return NATIVE(__NR_openat, AT_FDCWD, link, OPEN_FLAGS, 0);
}

/* Somebody who opens it for writing meanwhile waits for us, and a signal that nobody minds is sent. */
static bool is_busy(long fd)
{
	long r;

	(void)NATIVE(__NR_fcntl, fd, F_SETSIG, SIGURG);
	r = NATIVE(__NR_fcntl, fd, F_SETLEASE, F_RDLCK);
	if (r == 0)
		(void)NATIVE(__NR_fcntl, fd, F_SETLEASE, F_UNLCK);
	return r == -EAGAIN;
}

/* Whether the kernel would execute it; -ENOSYS: it cannot tell. */
static long ask_kernel(const struct exec_name *name)
{
	const char *const argv[] = { "", NULL };
	long r = NATIVE(__NR_execveat, name->directory, name->path, argv, argv + 1,
			name->flags | AT_EXECVE_CHECK);

	return r == -EINVAL ? -ENOSYS : r;
}

/* The same for what is open at FD, by NAME, in any case. */
static long check_open_file(long fd, const struct exec_name *name)
{
	const struct exec_name open_file = { (int)fd, "", AT_EMPTY_PATH };
	long r = process.is_restricted ? ask_kernel(&open_file) : -ENOSYS;

	if (r != -ENOSYS)
		return r;
	r = may_execute(name);
	return r == 0 && is_busy(fd) ? -ETXTBSY : r;
}

/* It cannot be read, but that is all. */
static bool is_unreadable(const struct exec_name *name)
{
	long r = ask_kernel(name);

	return (r == -ENOSYS ? may_execute(name) : r) == 0;
}

/* Whether the kernel gives privileges of files at all: not by all mounts, and not to everybody. */
static bool gives_privilege(long fd)
{
	uint64_t status[STATFS_WORDS] = { 0 };

	if (NATIVE(__NR_fstatfs, fd, status) < 0 || status[STATFS_FLAGS] & FLAG_NOSUID)
		return false;
	/* With the filter as trap it is set in any case, by us. */
	return process.trap != TRAP_DISPATCH || NATIVE(__NR_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}

/* Whether a file's ID is another than OURS, and one that the user namespace has. */
static bool is_other(uint32_t id, long ours)
{
	return id != (uint32_t)ours && id != OVERFLOW_ID;
}

/* Set-user-ID and set-group-ID, where they would change anything. */
static void note_privilege(long fd, const struct statx *status, const char *path)
{
	bool user = status->stx_mode & S_ISUID && is_other(status->stx_uid, NATIVE(__NR_geteuid));
	bool group = status->stx_mode & S_ISGID && status->stx_mode & ANYONE_MAY_RUN &&
		     is_other(status->stx_gid, NATIVE(__NR_getegid));

	if ((!user && !group) || !gives_privilege(fd))
		return;
	complain(path, ": runs without the privilege of its set-", user ? "user" : "group",
		 "-ID bit, which only the kernel can give; if it needs that, run it outside of umvu", NULL);
}

static long check_status(const struct exec_name *name, struct statx *status)
{
	long r = NATIVE(__NR_statx, name->directory, name->path, name->flags,
			STATX_TYPE | STATX_MODE | STATX_UID | STATX_GID, status);

	if (r < 0)
		return r;
	if (S_ISLNK(status->stx_mode))
		return -ELOOP;
	/* To open anything else might wait, or wind a tape. */
	return S_ISREG(status->stx_mode) ? 0 : -EACCES;
}

static long open_for_reading(const struct exec_name *name, char *own_name)
{
	long fd = -ELOOP;

	if (own_name) {
		own_name[0] = '\0';
		if (name->directory == AT_FDCWD && !name->flags)
			fd = own_name_open(name->path, OPEN_FLAGS, own_name);
	}
	if (fd >= 0)
		return fd;
	return name->path[0] ? NATIVE(__NR_openat, name->directory, name->path, OPEN_FLAGS, 0)
			     : open_again(name->directory);
}

long exec_open(const struct exec_name *name, char *own_name)
{
	struct statx status;
	long fd, r = check_status(name, &status);

	if (r < 0)
		return r;
	fd = open_for_reading(name, own_name);
	if (fd == -EACCES && is_unreadable(name))
		complain(name->path, ": may be executed but not read, and what cannot be read cannot be "
			 "loaded; let its owner make it readable, or run it outside of umvu", NULL);
	if (fd < 0)
		return fd;
	r = check_open_file(fd, name);
	if (r < 0) {
		(void)NATIVE(__NR_close, fd);
		return r;
	}
	if (status.stx_mode & (S_ISUID | S_ISGID))
		note_privilege(fd, &status, name->path);
	return fd;
}

long exec_read_head(long fd, char head[EXEC_HEAD + 1])
{
	memset(head, 0, EXEC_HEAD + 1);
	return NATIVE(__NR_pread64, fd, head, EXEC_HEAD, 0);
}

/* The header that names the dynamic loader, which may be any. 1: there is one. */
static long find_loader(long fd, const Elf64_Ehdr *elf, const char *shown, Elf64_Phdr *ret)
{
	Elf64_Phdr headers[HEADERS_CHUNK];
	bool is_found = false;

	for (unsigned i = 0; i < elf->e_phnum; i += HEADERS_CHUNK) {
		unsigned num = MIN(elf->e_phnum - i, HEADERS_CHUNK);
		long len = (long)(num * sizeof(*headers));
		const Elf64_Phdr *found;

		if (NATIVE(__NR_pread64, fd, headers, len, elf->e_phoff + i * sizeof(*headers)) != len)
			return -ENOEXEC;
		if (elf->e_type == ET_EXEC &&
		    elf_touches(headers, num, RESIDENT_BASE, (uint64_t)resident_end)) {
			complain(shown, ": its place in memory is that of umvu's own part; run it outside of "
				 "umvu", NULL);
			return -ENOEXEC;
		}
		found = is_found ? NULL : elf_find_loader(headers, num);
		if (found) {
			*ret = *found;
			is_found = true;
		}
	}
	return is_found;
}

/* The name of the dynamic loader; 1: there is one. */
static long read_loader_name(long fd, const Elf64_Phdr *named, char name[ELF_NAME_MAX])
{
	long n;

	if (named->p_filesz < 2 || named->p_filesz > ELF_NAME_MAX)
		return -ENOEXEC;
	n = NATIVE(__NR_pread64, fd, name, named->p_filesz, named->p_offset);
	if (n != (long)named->p_filesz)
		return n < 0 ? n : -EIO;
	return elf_is_loader_name(name, named->p_filesz) ? 1 : -ENOEXEC;
}

/* Of what type it is shows only later. */
static long open_loader(const char *name, long *ret)
{
	Elf64_Ehdr elf;
	Elf64_Phdr unused;
	long n;

	if (!*name)
		return -EACCES; /* the working directory */
	*ret = exec_open(&(struct exec_name){ AT_FDCWD, name, 0 }, NULL);
	if (*ret < 0)
		return *ret;
	n = NATIVE(__NR_pread64, *ret, &elf, sizeof(elf), 0);
	if (n != (long)sizeof(elf))
		return n < 0 ? n : -EIO;
	return elf_is_native(&elf) && find_loader(*ret, &elf, name, &unused) >= 0 ? 0 : -ELIBBAD;
}

/* Of 32 bits: shells would take it for a script without its first line. */
static void note_kind(const char *head, size_t len, const char *name)
{
	const Elf64_Ehdr *elf = (const Elf64_Ehdr *)(const void *)head;

	if (len < sizeof(*elf) || memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0)
		return;
	if (elf->e_ident[EI_CLASS] == ELFCLASS32 && (elf->e_machine == EM_386 || elf->e_machine == EM_X86_64))
		complain(name, ": a program of 32 bits; only those of 64 bits can run here. Run it outside of "
			 "umvu", NULL);
}

long exec_look_at_program(long fd, const char *head, size_t len, const char *name, long *ret)
{
	char loader[ELF_NAME_MAX];
	Elf64_Phdr named = { 0 };
	long r;

	*ret = -1;
	if (!elf_is_program(head, len)) {
		note_kind(head, len, name);
		return -ENOEXEC;
	}
	r = find_loader(fd, (const Elf64_Ehdr *)(const void *)head, name, &named);
	if (r == 1)
		r = read_loader_name(fd, &named, loader);
	if (r == 1)
		r = open_loader(loader, ret);
	if (r < 0 && *ret >= 0) {
		(void)NATIVE(__NR_close, *ret);
		*ret = -1;
	}
	return r;
}
