/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control directory and the plugs that come through it; datasock.c tells the protocol. */
#pragma once

#include "vde/switch/switch.h"

/* Works out modes, makes the directory and listens on DIR/ctl. Errors name cause and remedy. */
int datasock_open(struct vde_switch *sw, struct error *error);

/* Closes pending connections, removes ctl and the directory if it is empty. */
void datasock_close(struct vde_switch *sw);

/* Raises the soft limit of descriptors to the hard one. */
void datasock_raise_limits(void);
