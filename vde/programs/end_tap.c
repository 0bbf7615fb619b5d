/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * With headers (tap->vnet) the kernel hands over up to 64 KiB of a TCP or UDP stream in one read(2),
 * and takes as much in one writev(2). That, and not the copying, is what the speed comes from.
 *
 * A network that takes super-frames gets them as they are; for others they are cut. What comes from
 * a network as a super-frame is written as it is; other frames of one turn are joined.
 *
 * An interface that is down refuses frames (EIO): they are dropped, as a cable in an unpowered card
 * drops them.
 */
#include "end_tap.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vde/plug/offload.h"

#define BATCH_FRAMES 64
#define BATCH_BYTES  (2 * VNET_FRAME_MAX)

/* Frames that may still be joined, kept until the end of the turn. */
struct batch {
	unsigned frames;
	size_t bytes;
	struct offload_frame frame[BATCH_FRAMES];
	uint8_t data[BATCH_BYTES];
};

struct end_tap {
	struct relay_end end;
	int fd;
	bool vnet;
	uint64_t passes;        /* features of the frames that need not be cut */
	struct segment segment; /* of what is in `frame` */
	uint8_t frame[VNET_FRAME_MAX];
	struct offload_join *join; /* owned; NULL without vnet */
	struct batch batch;
};

static void end_tap_emit(void *context, const struct offload_out *out)
{
	struct end_tap *tap = context;
	struct vnet_header header = out->vnet;
	struct iovec parts[1 + OFFLOAD_JOIN_MAX + OFFLOAD_PIECES];

	parts[0] = (struct iovec){ &header, sizeof(header) };
	memcpy(parts + 1, out->iov, out->count * sizeof(*parts));
	if (writev(tap->fd, parts, (int)out->count + 1) < 0)
		tap->end.counters.dropped += out->segments;
}

static void end_tap_flush_batch(struct end_tap *tap)
{
	offload_join_flush(tap->join);
	tap->batch.frames = 0;
	tap->batch.bytes = 0;
}

/* As it is, behind what came before it. */
static void end_tap_write(struct end_tap *tap, const struct relay_frame *frame)
{
	struct vnet_header header = frame->vnet;
	struct iovec parts[] = { { &header, sizeof(header) },
				 { (void *)(uintptr_t)frame->data, frame->len } };

	end_tap_flush_batch(tap);
	if (writev(tap->fd, parts, ARRAY_SIZE(parts)) < 0)
		tap->end.counters.dropped += relay_frame_segments(frame);
}

/* A copy is looked at and kept: the frame itself may be in memory that others write to. */
static void end_tap_join(struct end_tap *tap, const struct relay_frame *frame)
{
	static const struct offload_tag keep = { OFFLOAD_KEEP };
	struct batch *batch = &tap->batch;
	uint8_t *data;

	if (frame->len > VNET_FRAME_MAX) {
		tap->end.counters.dropped++;
		return;
	}
	if (batch->frames == BATCH_FRAMES || frame->len > sizeof(batch->data) - batch->bytes)
		end_tap_flush_batch(tap);
	data = batch->data + batch->bytes;
	memcpy(data, frame->data, frame->len);
	if (offload_check(&batch->frame[batch->frames], data, frame->len, &frame->vnet) < 0) {
		tap->end.counters.dropped++;
		return;
	}
	batch->bytes += frame->len;
	offload_join_add(tap->join, &batch->frame[batch->frames++], &keep);
}

static int end_tap_send(struct relay_end *end, const struct relay_frame *frame)
{
	struct end_tap *tap = container_of(end, struct end_tap, end);

	if (tap->vnet && frame->vnet.gso_type != VNET_GSO_NONE)
		end_tap_write(tap, frame);
	else if (tap->vnet)
		end_tap_join(tap, frame);
	else if (write(tap->fd, frame->data, frame->len) < 0)
		end->counters.dropped++;
	return 0;
}

static int end_tap_flush(struct relay_end *end)
{
	struct end_tap *tap = container_of(end, struct end_tap, end);

	if (tap->vnet)
		end_tap_flush_batch(tap);
	return 0;
}

/* Reads one frame, super or not, into tap->frame: its length, 0 when there is none now. */
static ssize_t end_tap_read(struct end_tap *tap, struct vnet_header *vnet)
{
	struct iovec parts[] = { { vnet, sizeof(*vnet) }, { tap->frame, sizeof(tap->frame) } };
	ssize_t len = tap->vnet ? readv(tap->fd, parts, ARRAY_SIZE(parts))
				: read(tap->fd, tap->frame, sizeof(tap->frame));

	if (len < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!tap->vnet)
		return len;
	return len <= (ssize_t)sizeof(*vnet) ? -EBADMSG : len - (ssize_t)sizeof(*vnet);
}

/* The features that a frame with this header needs. */
static uint64_t needed_features(const struct vnet_header *vnet)
{
	switch (vnet->gso_type & ~VNET_GSO_ECN) {
	case VNET_GSO_NONE:
		return vnet->flags & VNET_NEEDS_CSUM ? VDE_RING_F_CSUM : 0;
	case VNET_GSO_TCPV4:
		return VDE_RING_F_CSUM | VDE_RING_F_TSO4;
	case VNET_GSO_TCPV6:
		return VDE_RING_F_CSUM | VDE_RING_F_TSO6;
	case VNET_GSO_UDP_L4:
		return VDE_RING_F_CSUM | VDE_RING_F_USO;
	default:
		return UINT64_MAX;
	}
}

static int end_tap_next(struct relay_end *end, struct relay_frame *ret)
{
	struct end_tap *tap = container_of(end, struct end_tap, end);
	struct vnet_header vnet = { 0 };
	ssize_t len;

	ret->vnet = (struct vnet_header){ 0 };
	while (!segment_next(&tap->segment, &ret->data, &ret->len)) {
		len = end_tap_read(tap, &vnet);
		if (len <= 0)
			return (int)len;
		if (!(needed_features(&vnet) & ~tap->passes)) {
			vnet.flags &= VNET_NEEDS_CSUM;
			*ret = (struct relay_frame){ tap->frame, (size_t)len, vnet };
			return 1;
		}
		if (segment_start(&tap->segment, &vnet, tap->frame, (size_t)len) < 0) {
			segment_clear(&tap->segment);
			end->counters.dropped++;
		}
	}
	end->more = segment_left(&tap->segment) > 0;
	return 1;
}

static void end_tap_offer(struct relay_end *end, uint64_t features)
{
	container_of(end, struct end_tap, end)->passes = features;
}

static void end_tap_free(struct relay_end *end)
{
	struct end_tap *tap = container_of(end, struct end_tap, end);

	(void)close(tap->fd);
	offload_join_free(tap->join);
	free(tap);
}

static const struct relay_end_class end_tap_class = {
	.name = "TAP",
	.next = end_tap_next,
	.offer = end_tap_offer,
	.send = end_tap_send,
	.flush = end_tap_flush,
	.free = end_tap_free,
};

int end_tap_new(struct tap *tap, const char *title, struct relay_end **ret)
{
	uint64_t features = VDE_RING_F_CSUM | VDE_RING_F_TSO4 | VDE_RING_F_TSO6 |
			    (tap->uso ? VDE_RING_F_USO : 0);
	struct end_tap *made = malloc(sizeof(*made)); /* large: what is not used is not touched */
	int r;

	if (!made)
		return -ENOMEM;
	made->join = NULL;
	if (tap->vnet) {
		r = offload_join_new(features, end_tap_emit, made, &made->join);
		if (r < 0) {
			free(made);
			return r;
		}
	}
	segment_clear(&made->segment);
	made->batch.frames = 0;
	made->batch.bytes = 0;
	made->vnet = tap->vnet;
	made->passes = 0;
	made->fd = TAKE_FD(tap->fd);
	made->end = (struct relay_end){
		.class = &end_tap_class,
		.title = title,
		.in_fd = made->fd,
		.out_fd = made->fd,
		.gone_fd = -1,
		.takes = tap->vnet ? features : 0,
	};
	*ret = &made->end;
	return 0;
}
