/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection to a VDE network as the end of a relay. */
#pragma once

#include <libvdeplug.h>

#include "relay.h"

/*
 * Makes an end of CONN, which it closes when it is freed; on failure (-ENOMEM) CONN stays the
 * caller's. TITLE is borrowed. The connection's socket becomes non-blocking.
 */
int end_vde_new(VDECONN *conn, const char *title, struct relay_end **ret);
