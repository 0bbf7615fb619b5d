/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of offload.h share. */
#pragma once

#include "vde/plug/offload.h"

/*
 * Makes *of a super-frame without its rest (rest is NULL): the headers are those at HEAD as LAYOUT
 * says, the payload has PAYLOAD_LEN bytes, GSO_SIZE in a segment.
 */
void offload_super(struct offload_frame *of, const uint8_t *head,
		   const struct transport_layout *layout, uint32_t payload_len, uint16_t gso_size);
