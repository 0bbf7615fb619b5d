/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /etc/resolv.conf is a name built into the C library, so another one is shown by a mount.
 *
 * If the name leads to a file, that file (behind all links) is what is mounted upon. If it does not
 * exist, or is a link to nowhere, there is nothing to mount on and nobody but root could make it: then /etc
 * itself becomes a small tmpfs with our resolv.conf in it, and a link for everything else to the real
 * directory, which stays reachable at /etc/.vdens.
 *
 * A text of our own is put on a tmpfs as well, mounted over /etc just as long as it takes to
 * bind its file elsewhere: no name in /tmp is needed, and nothing is left behind.
 */
#include "vdens.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/mount.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/strbuf.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define REAL_ETC    ".vdens"

int resolv_text(const char *addresses, char **ret, struct error *error)
{
	auto_strbuf struct strbuf text = { 0 };
	auto_free char *copy = strdup(addresses);
	char *rest = copy, *word;

	while (copy && (word = strsep(&rest, ", "))) {
		char bare[INET6_ADDRSTRLEN];
		struct in6_addr ignored;

		if (!*word)
			continue;
		/* A link-local address may name its interface behind a `%`. */
		(void)snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(word, "%"), word);
		if (inet_pton(strchr(word, ':') ? AF_INET6 : AF_INET, bare, &ignored) != 1)
			return error_set_caret(error, EINVAL, addresses, (size_t)(word - copy),
					       "'%s' is not an IP address", word);
		strbuf_printf(&text, "nameserver %s\n", word);
	}
	if (!text.len && copy)
		return error_set(error, EINVAL, "'%s' has no IP address", addresses);
	*ret = strbuf_steal(&text);
	return *ret ? 0 : error_set_errno(error, ENOMEM, "resolver addresses");
}

static const char *fd_path(int fd, char text[64])
{
	(void)snprintf(text, 64, "/proc/self/fd/%d", fd);
	return text;
}

static int mount_failed(const char *what, struct error *error)
{
	return error_set_errno(error, errno, "cannot show the new " RESOLV_CONF ": %s", what);
}

static int bind_fd(int from, int to, struct error *error)
{
	char source[64], target[64];

	if (mount(fd_path(from, source), fd_path(to, target), NULL, MS_BIND, NULL) < 0)
		return mount_failed("mount", error);
	return 0;
}

/* Covers /etc by an empty tmpfs. */
static int cover_etc(struct error *error)
{
	if (mount("tmpfs", "/etc", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0)
		return mount_failed("mount of a tmpfs on /etc", error);
	return 0;
}

/* Makes the file in the tmpfs that is /etc, and returns a descriptor of it. */
static int make_file(const char *text, struct error *error)
{
	auto_close int fd = open(RESOLV_CONF, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int r;

	if (fd < 0)
		return mount_failed("file", error);
	(void)fchmod(fd, 0644); /* whatever the umask is */
	r = text ? io_write_all(fd, text, strlen(text)) : 0;
	if (r < 0)
		return error_set_errno(error, -r, "cannot write the new " RESOLV_CONF);
	return TAKE_FD(fd);
}

/* Shows TEXT at the file TARGET is open on. */
static int show_text(const char *text, int target, struct error *error)
{
	auto_close int file = -1;
	int r = cover_etc(error);

	if (r < 0)
		return r;
	file = make_file(text, error);
	r = file < 0 ? file : bind_fd(file, target, error);
	(void)close(TAKE_FD(file)); /* an open file would keep the cover in use */
	if (umount2("/etc", MNT_DETACH) < 0 && r == 0)
		r = mount_failed("unmount", error);
	return r;
}

/* In the tmpfs that is /etc: a link for each name of the real directory. */
static int link_names(int cover, DIR *real, struct error *error)
{
	const struct dirent *entry;
	char target[NAME_MAX + sizeof(REAL_ETC "/")];

	while ((entry = readdir(real))) {
		if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, "..") ||
		    str_equal(entry->d_name, REAL_ETC) || str_equal(entry->d_name, "resolv.conf"))
			continue;
		(void)snprintf(target, sizeof(target), REAL_ETC "/%s", entry->d_name);
		if (symlinkat(target, cover, entry->d_name) < 0)
			return mount_failed(entry->d_name, error);
	}
	return 0;
}

/* Shows the real directory, a detached mount ETC, inside of the tmpfs that covers it. */
static int show_real_etc(int etc, struct error *error)
{
	auto_close int cover = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_closedir DIR *real = NULL;

	if (cover < 0 || mkdirat(cover, REAL_ETC, 0755) < 0)
		return mount_failed("/etc/" REAL_ETC, error);
	if (syscall(SYS_move_mount, etc, "", cover, REAL_ETC, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return mount_failed("mount of the real /etc", error);
	real = opendir("/etc/" REAL_ETC);
	if (!real)
		return mount_failed("/etc/" REAL_ETC, error);
	return link_names(cover, real, error);
}

/* There is nothing to mount on: makes an /etc that has a resolv.conf, TEXT or what FILE is open on. */
static int replace_etc(const char *text, int file, struct error *error)
{
	/* Taken before it is covered: a bind mount made later would have the cover on top. */
	auto_close int etc = (int)syscall(SYS_open_tree, AT_FDCWD, "/etc",
					  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	auto_close int made = -1;
	int r;

	if (etc < 0)
		return mount_failed("/etc cannot be mounted elsewhere (before Linux 5.2?)", error);
	r = cover_etc(error);
	if (r < 0)
		return r;
	made = make_file(text, error);
	if (made < 0)
		return made;
	r = text ? 0 : bind_fd(file, made, error);
	return r < 0 ? r : show_real_etc(etc, error);
}

int resolv_apply(const struct space_plan *plan, struct error *error)
{
	auto_close int file = -1, target = -1;
	const char *text = plan->resolvtext;

	if (!text && !plan->resolvconf)
		return 0;
	if (!text) {
		file = open(plan->resolvconf, O_PATH | O_CLOEXEC);
		if (file < 0)
			return error_set_errno(error, errno, "cannot open '%s'", plan->resolvconf);
	}
	target = open(RESOLV_CONF, O_PATH | O_CLOEXEC);
	if (target < 0)
		return replace_etc(text, file, error);
	return text ? show_text(text, target, error) : bind_fd(file, target, error);
}
