/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tap://NAME: a TAP interface, made when there is none; "" lets the kernel name it. */
#include "vde/plugins/tap_io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include <net/if.h>
#include <linux/if_tun.h>

#include "base/cleanup.h"

#define TUN_DEVICE "/dev/net/tun"
#define TAP_FLAGS  (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)

static int explain_device(int code, struct error *error)
{
	switch (code) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return error_set(error, code,
				 TUN_DEVICE " is missing; load the module (modprobe tun), "
					    "or give the container that device");
	case EACCES:
	case EPERM:
		return error_set(error, code,
				 "no permission to open " TUN_DEVICE "; it usually has "
				 "mode 0666");
	default:
		return error_set_errno(error, code, "cannot open " TUN_DEVICE);
	}
}

static int explain_interface(int code, const char *name, struct error *error)
{
	switch (code) {
	case EPERM:
		return error_set(
			error, code,
			"making or using the interface '%s' takes "
			"CAP_NET_ADMIN; or let root make it for you: ip tuntap add dev %s mode "
			"tap user %u",
			name, *name ? name : "NAME", (unsigned)geteuid());
	case EBUSY:
		return error_set(error, code,
				 "the interface '%s' is in use by another program; end "
				 "that, or name another interface",
				 name);
	case EINVAL:
		return error_set(error, code,
				 "'%s' exists and is no TAP interface, or cannot be an "
				 "interface's name",
				 name);
	default:
		return error_set_errno(error, code, "cannot make the interface '%s'", name);
	}
}

/* Makes FD the other end of the interface. One with several queues wants to be asked so. */
static int attach(int fd, const char *name)
{
	static const short flags[] = { TAP_FLAGS, TAP_FLAGS | IFF_MULTI_QUEUE };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct ifreq request = { .ifr_flags = flags[i] };
		int r;

		(void)str_copy(request.ifr_name, sizeof(request.ifr_name), name);
		r = ioctl(fd, TUNSETIFF, &request) < 0 ? -errno : 0;
		if (r != -EINVAL)
			return r;
	}
	return -EINVAL;
}

static int open_tap(const char *name, struct error *error)
{
	auto_close int fd = -1;
	int r;

	if (strlen(name) >= IFNAMSIZ)
		return error_set(error, ENAMETOOLONG,
				 "'%s' is too long for an interface's name (%d "
				 "characters at most)",
				 name, IFNAMSIZ - 1);
	fd = open(TUN_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return explain_device(errno, error);
	r = attach(fd, name);
	return r < 0 ? explain_interface(-r, name, error) : TAKE_FD(fd);
}

TAP_PLUGIN(open_tap);
