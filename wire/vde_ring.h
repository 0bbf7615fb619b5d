/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a plug and a switch agree on rings: one message each way on DIR/ring, an AF_UNIX socket of type
 * SOCK_SEQPACKET beside the old `ctl`. Fields are in host byte order (both ends are on one host), of
 * fixed width, without pointers.
 *
 *	plug    HELLO   header, then items (type, length, value)
 *	switch  WELCOME header, then items, with three descriptors (SCM_RIGHTS): the memory, the
 *	        doorbell that the plug rings (write end of a pipe), the doorbell it hears (read end)
 *	        or REFUSAL: an errno value and a sentence, no descriptors
 *
 * After that nobody speaks on the socket: its end is the end of the port.
 *
 * TAKEOVER instead of HELLO comes from another vde_switch, which wants to go on in this one's place; what
 * follows then is theirs alone (vde/switch/takeover.h).
 *
 * The memory (memfd, sealed against shrinking and growing) is
 *
 *	VDE_RING_SHARED_TO_SWITCH   struct ring_shared of the plug's output
 *	VDE_RING_SHARED_TO_PLUG     struct ring_shared of the plug's input
 *	offsets told in WELCOME     data of both, powers of two, page aligned
 *
 * A record of type RING_FRAME is a struct vde_ring_frame and the frame behind it. Unknown types are
 * skipped. An item that is unknown is skipped, too, unless its type has VDE_RING_CRITICAL: then the
 * request is refused with EPROTONOSUPPORT.
 */
#pragma once

#include "base/strbuf.h"
#include "wire/cursor.h"
#include "wire/vnet.h"

#define VDE_RING_SOCKET  "ring"
#define VDE_RING_MAGIC   UINT32_C(0x52454456) /* "VDER" */
#define VDE_RING_MAJOR   1
#define VDE_RING_MAX     4096 /* bytes of a message at most */
#define VDE_RING_PATIENCE_MS 2000 /* for an answer; a request that takes longer is closed */

#define VDE_RING_SHARED_TO_SWITCH 0
#define VDE_RING_SHARED_TO_PLUG   1024
#define VDE_RING_DATA             4096 /* the first offset of data */
#define VDE_RING_DEFAULT_SIZE     (1u << 20)

enum vde_ring_message {
	VDE_RING_HELLO = 1,
	VDE_RING_WELCOME = 2,
	VDE_RING_REFUSAL = 3,
	VDE_RING_TAKEOVER = 4,
};

struct vde_ring_header {
	uint32_t magic;
	uint32_t size;     /* bytes of the whole message */
	uint16_t major;    /* another one is refused with EPROTONOSUPPORT */
	uint16_t message;  /* enum vde_ring_message */
	uint32_t error;    /* REFUSAL: errno value */
	uint64_t required; /* HELLO: features without which the plug goes; WELCOME: accepted */
	uint64_t offered;  /* HELLO: features it can do; WELCOME: what the switch can do */
};
_Static_assert(sizeof(struct vde_ring_header) == 32, "ring message header");

/*
 * Features. What the plug offers is what it takes; it may change that later by a notice. What it
 * sends is bound by what the switch has accepted. Without any, frames are complete and at most
 * max_frame long.
 */
enum vde_ring_feature {
	VDE_RING_F_CSUM = 1 << 0,  /* frames whose checksum is to be completed (VNET_NEEDS_CSUM) */
	VDE_RING_F_TSO4 = 1 << 1,  /* TCP super-frames */
	VDE_RING_F_TSO6 = 1 << 2,
	VDE_RING_F_USO = 1 << 3,   /* UDP super-frames (GSO_UDP_L4) */
};
#define VDE_RING_F_ALL (VDE_RING_F_CSUM | VDE_RING_F_TSO4 | VDE_RING_F_TSO6 | VDE_RING_F_USO)

#define VDE_RING_CRITICAL 0x8000

/* Items: 16 bits of type, 16 bits of length, the value, padding to a multiple of 4. */
enum vde_ring_item {
	VDE_RING_END = 0,
	VDE_RING_PORT = 1,        /* uint32: wanted (0: any), or given */
	VDE_RING_MANAGEMENT = 2,  /* empty: port 0 is meant */
	VDE_RING_GROUP = 3,       /* uint32: gid of the data socket, as in the old protocol */
	VDE_RING_MODE = 4,        /* uint32: permissions */
	VDE_RING_DESCRIPTION = 5, /* text, no NUL, at most 127 bytes */
	VDE_RING_MAX_FRAME = 6,   /* uint32: bytes of the largest frame taken (not super-frames) */
	VDE_RING_SIZES = 7,       /* two uint32: bytes to the switch, to the plug; wanted or given */
	VDE_RING_OFFSETS = 8,     /* two uint64: where the data of each is in the memory */
	VDE_RING_QUEUE_PAIRS = 9, /* uint16: 1 */
	VDE_RING_KIND = 10,       /* uint16: enum vde_ring_kind */
	VDE_RING_SESSION = 11,    /* 16 bytes and uint64: id and epoch, for re-attaching */
	VDE_RING_TEXT = 12,       /* REFUSAL: a sentence, no NUL */
	VDE_RING_TAKEOVER_VERSION = 64, /* TAKEOVER: uint32, of what follows */
};

enum vde_ring_kind {
	VDE_RING_KIND_RING = 0,
	VDE_RING_KIND_DEVICE = 1, /* the message carries the plug's TAP */
};

#define VDE_RING_SESSION_SIZE 16
#define VDE_RING_TEXT_SIZE    256 /* with a NUL */

struct vde_ring_message_parts {
	enum vde_ring_message message;
	uint16_t major;
	uint32_t error;
	uint64_t required;
	uint64_t offered;
	uint32_t port;
	bool management;
	bool has_group, has_mode;
	uint32_t group, mode;
	char description[128];
	uint32_t max_frame;      /* 0: not said */
	uint32_t sizes[2];       /* to the switch, to the plug; 0: not said */
	uint64_t offsets[2];
	uint16_t queue_pairs;    /* 0: not said */
	uint16_t kind;           /* enum vde_ring_kind, other values possible */
	bool has_session;
	_Alignas(uint64_t) uint8_t session[VDE_RING_SESSION_SIZE]; /* and epoch: one item */
	uint64_t epoch;
	char text[VDE_RING_TEXT_SIZE];
	uint32_t takeover_version; /* 0: not said */
};

/*
 * Parses a message of LEN bytes. -EBADMSG: malformed; -EPROTONOSUPPORT: another major version, or an
 * unknown critical item (*ret has what came before). Control characters in texts become '?'.
 */
int vde_ring_parse(const void *data, size_t len, struct vde_ring_message_parts *ret);

/* Appends the message to OUT: the header, and an item for each field that is said. */
void vde_ring_build(const struct vde_ring_message_parts *parts, struct strbuf *out);

/*
 * A record of type RING_NOTICE from the plug. Kinds that are unknown are skipped.
 */
enum vde_ring_notice_kind {
	VDE_RING_NOTICE_FEATURES = 1, /* value: from now on the plug takes these */
};

struct vde_ring_notice {
	uint32_t kind;
	uint32_t reserved; /* 0 */
	uint64_t value;
};
_Static_assert(sizeof(struct vde_ring_notice) == 16, "notice record");

/* What stands before a frame in a record. The numbers are virtio's, in host byte order. */
struct vde_ring_frame {
	struct vnet_header vnet; /* 10 bytes */
	uint16_t num_buffers;    /* of virtio 1: always 1 or 0 */
	uint32_t reserved;       /* 0 */
};
_Static_assert(sizeof(struct vde_ring_frame) == 16, "frame record");
