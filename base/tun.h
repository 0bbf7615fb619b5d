/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making and joining TUN and TAP interfaces (Linux, Documentation/networking/tuntap.rst). */
#pragma once

#include <net/if.h>

#include <linux/if_tun.h>

#include "base/error.h"

/* Linux 6.2; older headers lack them. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define TUN_DEVICE "/dev/net/tun"

/* Whether TEXT can be the name of an interface: 1 to 15 bytes, no slash, colon or blank. */
bool tun_name_valid(const char *text);

/*
 * Opens the clone device PATH, close-on-exec, with OPEN_FLAGS (O_NONBLOCK or 0) besides. Returns a
 * descriptor that the caller owns; a negative errno, and the error says what to do.
 */
int tun_open_device(const char *path, int open_flags, struct error *error);

/*
 * Makes FD the other end of the interface NAME, which is made if it does not exist; of "", or of a name with
 * %d, the kernel makes a new one. FLAGS: IFF_TAP or IFF_TUN, IFF_NO_PI, IFF_VNET_HDR; with IFF_MULTI_QUEUE
 * an interface that has several queues is joined, too (a new one has one queue). *ret_name, unless it is
 * NULL, gets the name. 0 or a negative errno: -EPERM; -EBUSY, another program has it; -EINVAL, it is of
 * another kind; -ENAMETOOLONG; -ENOTTY, FD is no such device.
 */
int tun_attach(int fd, const char *name, unsigned flags, char ret_name[IFNAMSIZ]);

/*
 * Opens TUN_DEVICE and attaches it to the TAP interface NAME, whose frames come without packet
 * information; FLAGS, OPEN_FLAGS and *ret_name as above. The interface is in the caller's network namespace,
 * and stays down if it was. Returns a descriptor that the caller owns; what tun_attach() gives,
 * -ENAMETOOLONG, -EINVAL or what open(2) says, and the error names cause and remedy.
 */
int tun_open_tap(const char *name, unsigned flags, int open_flags, char ret_name[IFNAMSIZ],
		 struct error *error);
