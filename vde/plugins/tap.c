/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tap://NAME: a TAP interface, made when there is none; "" lets the kernel name it. */
#include "vde/plugins/tap_io.h"

#include "base/tun.h"

/* Whether a call waits is the program's to say (vde_datafd). */
static int open_tap(const char *name, struct error *error)
{
	return tun_open_tap(name, IFF_VNET_HDR | IFF_MULTI_QUEUE, 0, NULL, error);
}

TAP_PLUGIN(open_tap);
