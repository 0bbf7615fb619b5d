/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A switch without sockets: ports have endpoints whose output is kept in memory, and that take a
 * stated number of frames before they "would block".
 */
#pragma once

#include "test.h"

#include "vde/switch/endpoint.h"
#include "vde/switch/forward.h"

#define FAKE_FRAMES 512

struct fake {
	struct endpoint *ep;
	unsigned count; /* frames that were taken */
	struct {
		size_t len;
		uint8_t data[64]; /* the first bytes */
	} frames[FAKE_FRAMES];
	int resumed; /* how often a hold has ended */
	int takes;   /* frames it takes before it blocks; -1: any number */
	int refuse;  /* errno it answers with, once; 0: none */
};

/* SW is zero or has settings of the test's; a loop and tables are made. */
void fake_switch_init(struct vde_switch *sw);

/* An endpoint on PORT (0: any) in memory. Ends with the switch. */
void fake_attach(struct vde_switch *sw, unsigned port, struct fake *fake);

/* Sends one frame of LEN bytes from FAKE: HEADER_LEN bytes of HEADER, then zeros. */
void fake_send(struct vde_switch *sw, struct fake *fake, const void *header, size_t header_len,
	       size_t len);
