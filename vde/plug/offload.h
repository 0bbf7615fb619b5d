/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames that leave work to whoever carries them (wire/vnet.h): looked at once when they come in
 * from a stranger, then passed on as they are, or cut, completed or joined for those who need it.
 *
 *	offload_check()  copies the headers, and says what the frame is; all others work on that copy
 *	offload_takes()  whether a port takes it as it is:  offload_gather() has its pieces
 *	offload_cut_*()  for all other ports: frames for the wire, each {own headers, payload}
 *	offload_join_*() the reverse, for one destination and one batch
 *
 * Payload stays where it is, in a ring that its sender may still write to: whoever changes it
 * harms his own frame only. Headers are parsed, changed and sent from private memory.
 *
 * Costs, x86-64 in 2024, caches warm. Nothing here allocates but offload_join_new().
 *	offload_check()  plain: a copy of 128 bytes, 8 ns. Otherwise 25 to 40 ns, whatever the length.
 *	cut              a segment of 1448 bytes: 50 ns, most of it the pass over its payload for the
 *	                 checksum; paid once for all ports. With a copy: 75 ns.
 *	complete         a pass over the payload: 65 ns for 1448 bytes, 1.5 us for 64 KiB.
 *	join             a frame: 25 ns, and 35 for a pass over 1448 bytes if its checksum has to be
 *	                 verified; payload is not copied. What is no candidate: 20 ns.
 */
#pragma once

#include <sys/uio.h>

#include "wire/segment.h"
#include "wire/transport.h"
#include "wire/vde_ring.h"
#include "wire/vnet.h"

#define OFFLOAD_HEAD_MAX   SEGMENT_HEADERS_MAX /* bytes of all headers of a frame with work left */
#define OFFLOAD_HEAD_PLAIN 128 /* bytes of a plain frame that are copied, if it has them */
#define OFFLOAD_ROOM       8   /* for two more tags */
#define OFFLOAD_PIECES     4   /* of a gathered frame at most */

enum offload_kind {
	OFFLOAD_PLAIN = 0, /* complete */
	OFFLOAD_CSUM,      /* one TCP or UDP packet, its checksum is to be completed */
	OFFLOAD_TSO4,      /* super-frames */
	OFFLOAD_TSO6,
	OFFLOAD_USO,       /* over IPv4 or IPv6 */
};

/* One frame of a batch. Plain data without pointers to itself: it may be copied. */
struct offload_frame {
	enum offload_kind kind;
	uint32_t len;          /* bytes of the frame: head_len + rest_len */
	uint32_t segments;     /* frames on the wire: 1 unless it is a super-frame */
	uint32_t wire_bytes;   /* of all of them, headers included */
	uint32_t wire_max;     /* bytes of the largest */
	struct vnet_header vnet; /* made anew; zero for a plain frame */
	struct transport_layout layout; /* of all but plain frames; from the frame's start */
	const uint8_t *rest;   /* borrowed: what follows the head; may change at any time */
	uint32_t rest_len;
	uint16_t head_at;      /* the frame begins at room[head_at] */
	uint16_t head_len;     /* private bytes; at least all headers of all but plain frames */
	uint8_t room[OFFLOAD_ROOM + OFFLOAD_HEAD_MAX];
};

/* The private copy of the frame's begin: head_len bytes, for whoever looks into frames. */
static inline uint8_t *offload_head(struct offload_frame *of)
{
	return of->room + of->head_at;
}

/*
 * Looks at the frame of LEN bytes at FRAME, which came with VNET (already copied; NULL: plain).
 * FRAME is borrowed as long as *of is used, and may change all the time: its headers are read once.
 *
 * Nothing that VNET says is believed but the kind and gso_size: the rest is found by parsing, and
 * lengths, IPv4 checksum and pseudo header's sum are written into the private head. A super-frame
 * whose payload fits one segment becomes OFFLOAD_CSUM. A checksum inside something that is no TCP
 * or UDP over IP (three tags, MPLS) is completed at once, per VNET.
 *
 * -EBADMSG: drop it, it contradicts its header (too short or long, gso_size below 48, ...).
 * -EPROTONOSUPPORT: drop it, GSO of a kind that was not agreed on (UFO, tunnels).
 */
int offload_check(struct offload_frame *of, const void *frame, size_t len,
		  const struct vnet_header *vnet);

/* --- tags ---------------------------------------------------------------------------------- */

enum offload_change {
	OFFLOAD_KEEP = 0,
	OFFLOAD_PUSH, /* `tag` goes between the addresses and the type */
	OFFLOAD_POP,  /* the outermost tag goes */
};

/* What happens to the tag on the way out of a port. */
struct offload_tag {
	enum offload_change change;
	struct ether_tag tag;
};

/* Bytes that the change adds to each frame on the wire. */
static inline int offload_tag_delta(const struct offload_tag *tag)
{
	static const int deltas[] = { 0, ETHER_TAG_SIZE, -ETHER_TAG_SIZE };

	return deltas[tag->change];
}

/*
 * Changes the frame itself (its private head): lengths, layout, csum_start and hdr_len move by 4.
 * push: at most twice per frame. pop: only a frame that has a tag (18 bytes or more).
 */
void offload_push_tag(struct offload_frame *of, const struct ether_tag *tag);
void offload_pop_tag(struct offload_frame *of);

/* --- a frame as it is ---------------------------------------------------------------------- */

/*
 * Whether who accepts FEATURES (VDE_RING_F_..., the same bits as VDE_FEATURE_...) takes the frame
 * as it is after TAG's change; false: cut it. A super-frame that would have three tags is cut.
 */
bool offload_takes(const struct offload_frame *of, uint64_t features,
		   const struct offload_tag *tag);

/* The header to send before the frame after TAG's change. */
struct vnet_header offload_vnet(const struct offload_frame *of, const struct offload_tag *tag);

/* The pieces of the frame after TAG's change, which are borrowed from OF and TAG; how many. */
unsigned offload_gather(const struct offload_frame *of, const struct offload_tag *tag,
			struct iovec iov[OFFLOAD_PIECES]);

/*
 * Completes the checksum of an OFFLOAD_CSUM frame in the private head, which makes it a plain one.
 * Nothing to do for a plain frame; super-frames are left alone.
 */
void offload_complete(struct offload_frame *of);

/*
 * For captures: the head of any frame, super-frames included, with its checksum completed, as a
 * copy at TO. Returns its length (head_len); what follows is of->rest.
 */
size_t offload_complete_head(const struct offload_frame *of, uint8_t to[OFFLOAD_HEAD_MAX]);

/* --- cutting ------------------------------------------------------------------------------- */

/* One complete frame for the wire. */
struct offload_piece {
	uint32_t len;         /* head_len + rest_len */
	uint32_t head_len;
	const uint8_t *rest;  /* borrowed from the frame that was cut */
	uint32_t rest_len;
	uint8_t head[OFFLOAD_HEAD_MAX];
};

struct offload_cut {
	const struct offload_frame *of; /* borrowed */
	struct segment_plan plan;
	uint32_t index; /* of the next piece */
};

/* Any kind of frame: of->segments pieces will come. */
void offload_cut_start(struct offload_cut *cut, const struct offload_frame *of);

/* The next piece; false when there is no more. */
bool offload_cut_next(struct offload_cut *cut, struct offload_piece *ret);

/* Up to COUNT next pieces; returns how many, 0 when there is no more. */
unsigned offload_cut_fill(struct offload_cut *cut, struct offload_piece *pieces, unsigned count);

/*
 * The next piece as one block at TO (copy and checksum in one pass): its length; 0 when there is no
 * more; -EMSGSIZE when it has more than ROOM bytes (it is skipped).
 */
ssize_t offload_cut_copy(struct offload_cut *cut, void *to, size_t room);

/* As offload_gather(). The tag's change needs no new checksum: pieces are shared by all ports. */
unsigned offload_piece_gather(const struct offload_piece *piece, const struct offload_tag *tag,
			      struct iovec iov[OFFLOAD_PIECES]);

/* --- joining ------------------------------------------------------------------------------- */

#define OFFLOAD_JOIN_SLOTS 8  /* streams that are held at a time; one more: the oldest goes out */
#define OFFLOAD_JOIN_MAX   64 /* segments in one super-frame */

/* A frame that leaves, super or not, after the tag's change. All is borrowed for the call. */
struct offload_out {
	struct vnet_header vnet;
	const struct iovec *iov;
	unsigned count;
	size_t len;          /* of all pieces */
	unsigned segments;   /* frames on the wire */
	size_t wire_bytes;   /* of all of them */
};

typedef void offload_emit(void *context, const struct offload_out *out);

/* One per destination; about 16 KiB. */
struct offload_join;

/* FEATURES: which super-frames may be made (VDE_RING_F_TSO4, ...; without CSUM none). -ENOMEM. */
int offload_join_new(uint64_t features, offload_emit *emit, void *context,
		     struct offload_join **ret);
void offload_join_free(struct offload_join *join);

/*
 * Takes a frame that goes to the destination with TAG's change: holds it, or emits it, after what
 * it must not overtake (order is kept within a stream). *of, and what it borrows, stays valid
 * until offload_join_flush(). The frame is one that the destination takes (offload_takes()).
 *
 * Joined are TCP and UDP packets with right (then verified) or unfinished checksums that cutting
 * would give again.
 */
void offload_join_add(struct offload_join *join, const struct offload_frame *of,
		      const struct offload_tag *tag);

/* Emits all that is held: at the end of the batch. */
void offload_join_flush(struct offload_join *join);
