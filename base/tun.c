/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tun.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cleanup.h"

#define NO_DRIVER "the kernel has no TUN/TAP driver: run 'modprobe tun' as root"

/* Why the device could not be opened, and what helps. */
static const struct device_remedy {
	int code;
	const char *text;
} device_remedies[] = {
	{ ENOENT, "the kernel module 'tun' is not loaded ('modprobe tun' as root), or the container "
		  "lacks the device" },
	{ ENODEV, NO_DRIVER },
	{ ENXIO, NO_DRIVER },
	{ EACCES, "the device has to be readable and writable: run 'chmod 666 " TUN_DEVICE
		  "' as root (the interfaces are protected by capabilities, not by this mode)" },
	{ EPERM, "the container's device rules forbid it" },
};

bool tun_name_valid(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len >= IFNAMSIZ || str_equal(text, ".") || str_equal(text, ".."))
		return false;
	for (const char *at = text; *at; at++)
		if (*at == '/' || *at == ':' || isspace((unsigned char)*at))
			return false;
	return true;
}

int tun_open_device(const char *path, int open_flags, struct error *error)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | open_flags), code = errno;

	if (fd >= 0)
		return fd;
	for (size_t i = 0; i < ARRAY_SIZE(device_remedies); i++)
		if (device_remedies[i].code == code)
			return error_set(error, code, "cannot open %s: %s; %s", path, strerror(code),
					 device_remedies[i].text);
	return error_set_errno(error, code, "cannot open %s", path);
}

static int attach_once(int fd, const char *name, unsigned flags, struct ifreq *ret)
{
	*ret = (struct ifreq){ .ifr_flags = (short)flags };
	if (str_copy(ret->ifr_name, sizeof(ret->ifr_name), name) < 0)
		return -ENAMETOOLONG;
	return ioctl(fd, TUNSETIFF, ret) < 0 ? -errno : 0;
}

int tun_attach(int fd, const char *name, unsigned flags, char ret_name[IFNAMSIZ])
{
	struct ifreq ifr;
	int r = attach_once(fd, name, flags & ~IFF_MULTI_QUEUE, &ifr);

	/* The kernel tells apart how many queues an interface may have, and wants to be asked the same. */
	if (r == -EINVAL && flags & IFF_MULTI_QUEUE)
		r = attach_once(fd, name, flags, &ifr);
	if (r == 0 && ret_name)
		(void)str_copy(ret_name, IFNAMSIZ, ifr.ifr_name);
	return r;
}

static int explain_attach(int code, const char *name, struct error *error)
{
	switch (code) {
	case EPERM:
		return error_set(error, code,
				 "cannot make or join the interface '%s': it needs CAP_NET_ADMIN, or "
				 "an interface that root makes for you: ip tuntap add dev %s mode tap "
				 "user %u", name, *name ? name : "NAME", (unsigned)geteuid());
	case EBUSY:
		return error_set(error, code, "the interface '%s' is in use by another program; end "
				 "that, or name another interface", name);
	case EINVAL:
		return error_set(error, code, "cannot make the interface '%s': one of another kind has "
				 "that name, or it is no name for one", name);
	default:
		return error_set_errno(error, code, "cannot make the interface '%s'", name);
	}
}

static int check_name(const char *name, struct error *error)
{
	if (strlen(name) >= IFNAMSIZ)
		return error_set(error, ENAMETOOLONG, "'%s' is too long for the name of an interface "
				 "(%d bytes at most)", name, IFNAMSIZ - 1);
	if (*name && !tun_name_valid(name))
		return error_set(error, EINVAL, "'%s' cannot be the name of an interface", name);
	return 0;
}

int tun_open_tap(const char *name, unsigned flags, int open_flags, char ret_name[IFNAMSIZ],
		 struct error *error)
{
	auto_close int fd = -1;
	int r = check_name(name, error);

	if (r < 0)
		return r;
	fd = tun_open_device(TUN_DEVICE, open_flags, error);
	if (fd < 0)
		return fd;
	r = tun_attach(fd, name, IFF_TAP | IFF_NO_PI | flags, ret_name);
	return r < 0 ? explain_attach(-r, name, error) : TAKE_FD(fd);
}
