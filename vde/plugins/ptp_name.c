/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vde/plugins/ptp.h"

#include <errno.h>

#include "base/cleanup.h"

/* Removes a socket file that nobody answers. */
static int remove_stale(const char *path, int type)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	if (!plugin_abandoned(path, type))
		return -EADDRINUSE;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int ptp_name_bind(struct ptp_name *name, int fd, int type, const char *path, mode_t mode)
{
	auto_free char *copy = strdup(path);
	struct stat st;
	int r;

	if (!copy)
		return -ENOMEM;
	r = plugin_bind(fd, path, mode);
	if (r == -EADDRINUSE) {
		r = remove_stale(path, type);
		if (r == 0)
			r = plugin_bind(fd, path, mode);
	}
	if (r < 0)
		return r;
	if (lstat(path, &st) < 0)
		return -errno;
	*name = (struct ptp_name){ .path = TAKE_PTR(copy), .dev = st.st_dev, .ino = st.st_ino };
	return 0;
}

void ptp_name_remove(struct ptp_name *name)
{
	struct stat st;

	if (name->path && lstat(name->path, &st) == 0 && st.st_dev == name->dev &&
	    st.st_ino == name->ino)
		(void)unlink(name->path);
	free(name->path);
	*name = (struct ptp_name){ 0 };
}
