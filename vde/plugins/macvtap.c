/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* macvtap://IF: an existing macvtap interface, through its device /dev/tapINDEX. */
#include "vde/plugins/tap_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/tun.h"

#define PATH_SIZE 128

/* The device's number, MAJOR:MINOR in the kernel's text; "" for what is no macvtap interface. */
static void device_number(const char *name, unsigned index, char *text, size_t size)
{
	char path[PATH_SIZE];
	auto_fclose FILE *file = NULL;

	text[0] = '\0';
	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/tap%u/dev", name, index);
	file = fopen(path, "re");
	if (file && fgets(text, (int)size, file))
		text[strcspn(text, "\n")] = '\0';
}

static int explain(int code, const char *name, unsigned index, struct error *error)
{
	char number[32];
	char *minor;

	device_number(name, index, number, sizeof(number));
	if (!*number)
		return error_set(error, EINVAL,
				 "'%s' is not a macvtap interface; make one: ip link add "
				 "link IF name NAME type macvtap mode bridge",
				 name);
	if (code == EACCES || code == EPERM)
		return error_set(error, code,
				 "no permission to open /dev/tap%u of '%s'; let root give "
				 "it to you (chown)",
				 index, name);
	if (code == EBUSY)
		return error_set(error, code, "the interface '%s' is in use by another program",
				 name);
	minor = strchr(number, ':');
	if (code != ENOENT || !minor)
		return error_set_errno(error, code, "cannot use /dev/tap%u of '%s'", index, name);
	*minor++ = '\0';
	return error_set(error, code,
			 "the device /dev/tap%u of '%s' is missing here; make it: mknod "
			 "/dev/tap%u c %s %s",
			 index, name, index, number, minor);
}

static int open_macvtap(const char *name, struct error *error)
{
	char path[PATH_SIZE];
	auto_close int fd = -1;
	unsigned index = strlen(name) < IFNAMSIZ && *name ? if_nametoindex(name) : 0;
	int r;

	if (!index)
		return error_set(
			error, ENODEV,
			"there is no interface '%s'; macvtap://IF takes a macvtap "
			"interface (ip link add link IF name NAME type macvtap mode bridge)",
			name);
	(void)snprintf(path, sizeof(path), "/dev/tap%u", index);
	fd = open(path, O_RDWR | O_CLOEXEC);
	/* The device is one interface's: the request's name does not count. */
	r = fd < 0 ? -errno : tun_attach(fd, name, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, NULL);
	return r < 0 ? explain(-r, name, index, error) : TAKE_FD(fd);
}

TAP_PLUGIN(open_macvtap);
