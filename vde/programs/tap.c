/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tap.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/if_tun.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "wire/vnet.h"

/* Linux 6.2; older headers lack them. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* Why the device could not be opened, and what helps. */
static const struct open_remedy {
	int code;
	const char *text;
} open_remedies[] = {
	{ ENOENT, "the kernel module 'tun' is not loaded, or the container lacks the device" },
	{ ENODEV, "the kernel has no TUN/TAP driver: run 'modprobe tun' as root" },
	{ ENXIO, "the kernel has no TUN/TAP driver: run 'modprobe tun' as root" },
	{ EACCES, "the device has to be readable and writable: run 'chmod 666 " TAP_DEVICE
		  "' as root (the interfaces are protected by capabilities, not by this mode)" },
	{ EPERM, "the container's device rules forbid it" },
};

int tap_open_device(const char *path, struct error *error)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK), code = errno;

	if (fd >= 0)
		return fd;
	for (size_t i = 0; i < ARRAY_SIZE(open_remedies); i++)
		if (open_remedies[i].code == code)
			return error_set(error, code, "cannot open %s: %s; %s", path,
					 strerror(code), open_remedies[i].text);
	return error_set_errno(error, code, "cannot open %s", path);
}

bool tap_name_valid(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len >= IFNAMSIZ || str_equal(text, ".") || str_equal(text, ".."))
		return false;
	for (const char *at = text; *at; at++)
		if (*at == '/' || *at == ':' || isspace((unsigned char)*at))
			return false;
	return true;
}

static int tap_attach(int fd, const char *name, short flags, struct ifreq *ifr, struct error *error)
{
	*ifr = (struct ifreq){ .ifr_flags = flags };
	(void)str_copy(ifr->ifr_name, sizeof(ifr->ifr_name), name); /* its length was checked */
	if (ioctl(fd, TUNSETIFF, ifr) == 0)
		return 0;
	if (errno == EPERM)
		return error_set(error, EPERM,
				 "cannot make the interface '%s': it needs CAP_NET_ADMIN, or an "
				 "interface made for you with 'vde_tunctl -u USER -t %s'",
				 name, *name ? name : "NAME");
	if (errno == EBUSY)
		return error_set(error, EBUSY, "the interface '%s' is in use by another program",
				 name);
	if (errno == EINVAL)
		return error_set(error, EINVAL,
				 "cannot make the interface '%s': an interface of another kind has "
				 "that name, or it is no name for one",
				 name);
	return error_set_errno(error, errno, "cannot make the interface '%s'", name);
}

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
	struct ifreq ifr;
	auto_close int fd = tap_open_device(TAP_DEVICE, error);
	int r;

	if (fd < 0)
		return fd;
	(void)close(TAKE_FD(tap->fd)); /* the interface stays: it is persistent */
	r = tap_attach(fd, tap->name, IFF_TAP | IFF_NO_PI, &ifr, error);
	if (r < 0)
		return r;
	tap->fd = TAKE_FD(fd);
	tap->vnet = false;
	return 0;
}

int tap_open(const char *name, struct tap *ret, struct error *error)
{
	int header_len = sizeof(struct vnet_header), r;
	struct ifreq ifr;

	if (*name && !tap_name_valid(name))
		return error_set(error, EINVAL, "'%s' cannot be the name of an interface", name);
	*ret = (struct tap){ .fd = tap_open_device(TAP_DEVICE, error) };
	if (ret->fd < 0)
		return ret->fd;
	r = tap_attach(ret->fd, name, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, &ifr, error);
	if (r == 0) {
		(void)str_copy(ret->name, sizeof(ret->name), ifr.ifr_name);
		ret->vnet = true;
		ret->persistent = ioctl(ret->fd, TUNGETIFF, &ifr) == 0 && ifr.ifr_flags & IFF_PERSIST;
		if (ret->persistent)
			r = tap_go_plain(ret, error);
		else if (ioctl(ret->fd, TUNSETVNETHDRSZ, &header_len) < 0)
			r = error_set_errno(error, errno, "cannot set up the interface '%s'", name);
		else
			ret->uso = tap_offload(ret->fd);
	}
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
