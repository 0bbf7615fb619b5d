/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TAP interfaces of the kernel as endpoints (-t). */
#pragma once

#include "vde/switch/endpoint.h"

extern const struct endpoint_class tap_class;

/* Attaches the interface NAME (made if need be) to a free port. Errors name cause and remedy. */
int tap_open(struct vde_switch *sw, const char *name, struct error *error);
