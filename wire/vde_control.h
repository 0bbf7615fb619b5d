/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The request a plug sends on a switch's control socket, and the reply. Fields are in host byte
 * order (both ends are on one host).
 *
 *	version 3: magic 4, version 4, type 4, address 110, description (rest, no NUL)
 *	version 1: magic 4, type 4, MAC 6, address 110, description (rest)
 *
 * The type's low byte is the request, the bits above it the wanted port. A version 1 request is
 * known by a second word of 0 or 1, where version 3 has its version. The reply is the raw
 * 110-byte address of the switch's data socket; a refusal is end of file.
 */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "wire/cursor.h"

#define VDE_CONTROL_MAGIC        UINT32_C(0xfeedface)
#define VDE_CONTROL_VERSION      3
#define VDE_CONTROL_ADDRESS_SIZE 110
#define VDE_CONTROL_HEADER_V3    122
#define VDE_CONTROL_HEADER_V1    124
#define VDE_CONTROL_DESCR_SIZE   128 /* with its NUL */
#define VDE_CONTROL_MAX          256 /* bytes a switch reads */
#define VDE_CONTROL_PORT_MAX     0xffffff

_Static_assert(sizeof(struct sockaddr_un) == VDE_CONTROL_ADDRESS_SIZE, "sockaddr_un on the wire");

enum vde_control_type {
	VDE_CONTROL_NEW_PORT = 0,
	VDE_CONTROL_NEW_PORT_0 = 1,
};

struct vde_control {
	uint32_t version; /* 1 or 3 */
	uint8_t type;     /* enum vde_control_type, other values possible */
	uint32_t port;    /* wanted port, 0: any */
	struct sockaddr_un address; /* the path is NUL-terminated */
	char description[VDE_CONTROL_DESCR_SIZE];
};

enum vde_control_verdict {
	VDE_CONTROL_OK,
	VDE_CONTROL_BAD_MAGIC,   /* "version 0" */
	VDE_CONTROL_BAD_VERSION, /* ret->version tells which */
	VDE_CONTROL_SHORT,       /* more bytes could make it whole */
	VDE_CONTROL_BAD_ADDRESS, /* not AF_UNIX, empty, or not terminated */
};

/*
 * Parses LEN bytes. *ret is filled for VDE_CONTROL_OK, and its version for VDE_CONTROL_BAD_VERSION.
 * Control characters of the description become '?', and one that is too long is cut.
 */
enum vde_control_verdict vde_control_parse(const void *data, size_t len, struct vde_control *ret);

/* Builds a version 3 request; returns its length. */
size_t vde_control_build(const struct vde_control *request, uint8_t out[VDE_CONTROL_MAX]);
