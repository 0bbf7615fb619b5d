/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TAP device as the end of a relay. Super-frames are cut and joined here. */
#pragma once

#include "relay.h"
#include "tap.h"

/* Makes an end of TAP, whose descriptor it takes on success. TITLE is borrowed. -ENOMEM. */
int end_tap_new(struct tap *tap, const char *title, struct relay_end **ret);
