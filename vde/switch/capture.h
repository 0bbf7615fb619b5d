/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live captures of a port or the whole switch as pcap-ng; capture.c tells how. */
#pragma once

#include "vde/switch/port.h"

struct frame;

int capture_new(struct vde_switch *sw);
void capture_free(struct vde_switch *sw);

/* True while some capture wants frames of PORT: asked before capture_frame(). */
bool capture_wants(const struct vde_switch *sw, const struct port *port);

enum capture_direction {
	CAPTURE_IN,  /* the switch received it on PORT, as it came */
	CAPTURE_OUT, /* it leaves on PORT; shown before the output tag change */
};

void capture_frame(struct vde_switch *sw, const struct port *port,
		   enum capture_direction direction, const uint8_t *data, size_t len);
