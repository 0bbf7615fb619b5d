/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The header in front of a frame that leaves work to whoever carries it: a checksum to complete,
 * a super-frame to cut (virtio 1.2, section 5.1.6). TAP devices with IFF_VNET_HDR use it. A super-frame
 * is up to 64 KiB of one TCP stream, or many UDP datagrams of one flow, behind one set of headers.
 */
#pragma once

#include "wire/cursor.h"

enum vnet_flag {
	VNET_NEEDS_CSUM = 1, /* checksum from csum_start on is to be stored at + csum_offset */
};

enum vnet_gso {
	VNET_GSO_NONE = 0,
	VNET_GSO_TCPV4 = 1,
	VNET_GSO_UDP = 3, /* IP fragments of one datagram (UFO): refused */
	VNET_GSO_TCPV6 = 4,
	VNET_GSO_UDP_L4 = 5, /* one datagram per segment (USO), over IPv4 or IPv6 */
	VNET_GSO_ECN = 0x80, /* or'd: CWR belongs to the first segment only */
};

/* Fields in host byte order, as a TAP has them unless told otherwise. */
struct vnet_header {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;     /* bytes of all headers of a super-frame */
	uint16_t gso_size;    /* bytes of payload in a segment */
	uint16_t csum_start;  /* offset in the frame */
	uint16_t csum_offset; /* of the checksum field, from csum_start */
} __attribute__((packed));
_Static_assert(sizeof(struct vnet_header) == 10, "virtio 1.2, legacy header without num_buffers");

/* Smaller segments are an attack on the receiver, not a stream: they are neither cut nor joined. */
#define VNET_GSO_SIZE_MIN 48

/* Largest frame with a header: a full IP packet, an Ethernet header and two tags. */
#define VNET_FRAME_MAX (65535 + 14 + 8)
