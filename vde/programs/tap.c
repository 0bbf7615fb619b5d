/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/tun.h"
#include "wire/vnet.h"

bool tap_offload(int fd)
{
	unsigned wanted = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, ecn = wanted | TUN_F_TSO_ECN;

	if (ioctl(fd, TUNSETOFFLOAD, ecn | TUN_F_USO4 | TUN_F_USO6) == 0)
		return true;
	if (ioctl(fd, TUNSETOFFLOAD, ecn) < 0)
		(void)ioctl(fd, TUNSETOFFLOAD, wanted); /* without it, frames come cut already */
	return false;
}

static int tap_describe(struct tap *tap, struct error *error)
{
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };

	if (ioctl(tap->fd, SIOCGIFHWADDR, &ifr) < 0)
		return error_set_errno(error, errno, "cannot read the address of '%s'", tap->name);
	memcpy(tap->mac, ifr.ifr_hwaddr.sa_data, sizeof(tap->mac));
	(void)str_copy(ifr.ifr_name, sizeof(ifr.ifr_name), tap->name);
	if (fd >= 0 && ioctl(fd, SIOCGIFINDEX, &ifr) == 0)
		tap->index = ifr.ifr_ifindex;
	return 0;
}

/* A TAP that was there before: frames as its other users expect them. */
static int tap_go_plain(struct tap *tap, struct error *error)
{
	(void)close(tap->fd); /* the interface stays: it is persistent */
	tap->fd = tun_open_tap(tap->name, 0, O_NONBLOCK, NULL, error);
	tap->vnet = false;
	return MIN(tap->fd, 0);
}

static int tap_set_up(struct tap *tap, struct error *error)
{
	int header_len = sizeof(struct vnet_header);
	struct ifreq ifr;

	tap->persistent = ioctl(tap->fd, TUNGETIFF, &ifr) == 0 && ifr.ifr_flags & IFF_PERSIST;
	if (tap->persistent)
		return tap_go_plain(tap, error);
	if (ioctl(tap->fd, TUNSETVNETHDRSZ, &header_len) < 0)
		return error_set_errno(error, errno, "cannot set up the interface '%s'", tap->name);
	tap->uso = tap_offload(tap->fd);
	return 0;
}

int tap_open(const char *name, struct tap *ret, struct error *error)
{
	int r;

	*ret = (struct tap){ .vnet = true };
	ret->fd = tun_open_tap(name, IFF_VNET_HDR, O_NONBLOCK, ret->name, error);
	if (ret->fd < 0)
		return ret->fd;
	r = tap_set_up(ret, error);
	if (r == 0)
		r = tap_describe(ret, error);
	if (r < 0 && ret->fd >= 0)
		(void)close(TAKE_FD(ret->fd));
	return r;
}

void tap_set_carrier(int fd, bool on)
{
	int carrier = on;

	(void)ioctl(fd, TUNSETCARRIER, &carrier); /* a hint for the namespace, nothing depends on it */
}
