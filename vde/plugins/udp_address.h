/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of a udp:// locator: `[SOURCE:]PORT->DESTINATION:PORT`. */
#pragma once

#include "base/error.h"

#define UDP_HOST_SIZE 256
#define UDP_PORT_SIZE 32

/* Words as they are given to the resolver. An empty host is the wildcard address. */
struct udp_end {
	char host[UDP_HOST_SIZE];
	char port[UDP_PORT_SIZE];
};

/*
 * A host may stand in brackets, `[::1]:6000`; without them it ends at the last colon. Only the
 * source may lack a host. -EINVAL with a caret under the place.
 */
int udp_address_parse(const char *text, struct udp_end *source, struct udp_end *destination,
		      struct error *error);
