/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Getting a port of a switch through its control socket. */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "wire/vde_control.h"

/* What is asked of the switch. */
struct vde_wish {
	const char *dir;       /* its directory; "": the default switch */
	const char *port_word; /* the port as it stands in the locator; NULL: not given there */
	uint32_t port;         /* 0: the first free one */
	bool management;       /* port 0 instead */
	mode_t mode;           /* of the data socket */
	gid_t group;           /* of the data socket; (gid_t)-1: none given */
	const char *descr;
};

struct vde_port {
	int data_fd; /* connected datagram socket: one frame in each datagram */
	int ctl_fd;  /* silent; end of file when the port is gone */
};

/*
 * Asks for a port. Blocks until the switch has answered, at most 10 s. The caller owns both
 * descriptors of *ret. ERROR gets a sentence for every failure.
 */
int vde_port_open(const struct vde_wish *wish, struct vde_port *ret, struct error *error);
