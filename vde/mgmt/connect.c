/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "connect.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/io.h"

static bool is_socket(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* What to do about it; NULL: that is for whoever knows the system. */
static const char *remedy(int code, const char *path)
{
	switch (code) {
	case ENOENT:
		return "a switch makes it when it is started with the option -M";
	case ECONNREFUSED:
		return is_socket(path) ? "what made it has ended: start the switch again, with -M"
				       : "it is no socket; the console's is what the switch was given "
					 "with -M";
	case EACCES:
		return "its owner decides who may, with --mgmtmode and --mgmtgroup of vde_switch";
	default:
		return NULL;
	}
}

int mgmt_connect(const char *path, struct error *error)
{
	int fd = io_connect_unix(path, SOCK_STREAM);
	const char *hint = remedy(-fd, path);

	if (fd >= 0)
		return fd;
	return error_set(error, -fd, "cannot connect to '%s': %s%s%s", path, strerror(-fd),
			 hint ? "; " : "", hint ? hint : "");
}
