/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Getting a port of a switch: with rings through its socket `ring`, else through its control socket. */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "vde/plug/ring_port.h"
#include "wire/vde_control.h"

enum vde_ring_wish {
	VDE_RING_IF_ANY = 0, /* if the switch has rings */
	VDE_RING_NO,
	VDE_RING_YES, /* nothing else */
};

/* What is asked of the switch. */
struct vde_wish {
	const char *dir;       /* its directory; "": the default switch */
	const char *port_word; /* the port as it stands in the locator; NULL: not given there */
	uint32_t port;         /* 0: the first free one */
	bool management;       /* port 0 instead */
	mode_t mode;           /* of the data socket */
	gid_t group;           /* of the data socket; (gid_t)-1: none given */
	const char *descr;
	enum vde_ring_wish ring;
};

struct vde_port {
	bool has_ring;
	struct ring_port ring; /* if so */
	int data_fd; /* else: connected datagram socket, one frame in each datagram */
	int ctl_fd;  /* and: silent; end of file when the port is gone */
};

/*
 * Asks for a port. Blocks until the switch has answered, at most 10 s; 2 s for rings. The caller owns
 * what *ret has. ERROR gets a sentence for every failure.
 */
int vde_port_open(const struct vde_wish *wish, struct vde_port *ret, struct error *error);
