/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * With headers (tap->vnet) the kernel hands over up to 64 KiB of a TCP stream in one read(2), which
 * is cut into frames for the network, and takes as much in one write(2), which is joined from the
 * frames of one turn. That, and not the copying, is what the speed comes from: a frame then costs
 * one system call at the network's side and a fraction of one here.
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
#include "wire/coalesce.h"
#include "wire/segment.h"

struct end_tap {
	struct relay_end end;
	int fd;
	bool vnet;
	struct segment segment; /* of what is in `frame` */
	uint8_t frame[VNET_FRAME_MAX];
	struct coalesce coalesce;
};

static void end_tap_write(void *context, const struct vnet_header *vnet, const uint8_t *frame,
			  size_t len)
{
	struct end_tap *tap = context;
	struct vnet_header header = *vnet;
	struct iovec parts[] = { { &header, sizeof(header) }, { (void *)(uintptr_t)frame, len } };

	if (writev(tap->fd, parts, ARRAY_SIZE(parts)) < 0)
		tap->end.counters.dropped++;
}

static int end_tap_send(struct relay_end *end, const struct relay_frame *frame)
{
	struct end_tap *tap = container_of(end, struct end_tap, end);

	if (tap->vnet)
		coalesce_add(&tap->coalesce, frame->data, frame->len);
	else if (write(tap->fd, frame->data, frame->len) < 0)
		end->counters.dropped++;
	return 0;
}

static int end_tap_flush(struct relay_end *end)
{
	struct end_tap *tap = container_of(end, struct end_tap, end);

	if (tap->vnet)
		coalesce_flush(&tap->coalesce);
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

static int end_tap_next(struct relay_end *end, struct relay_frame *ret)
{
	struct end_tap *tap = container_of(end, struct end_tap, end);
	struct vnet_header vnet = { 0 };
	ssize_t len;

	while (!segment_next(&tap->segment, &ret->data, &ret->len)) {
		len = end_tap_read(tap, &vnet);
		if (len <= 0)
			return (int)len;
		if (segment_start(&tap->segment, &vnet, tap->frame, (size_t)len) < 0) {
			segment_clear(&tap->segment);
			end->counters.dropped++;
		}
	}
	end->more = segment_left(&tap->segment) > 0;
	return 1;
}

static void end_tap_free(struct relay_end *end)
{
	struct end_tap *tap = container_of(end, struct end_tap, end);

	(void)close(tap->fd);
	free(tap);
}

static const struct relay_end_class end_tap_class = {
	.name = "TAP",
	.next = end_tap_next,
	.send = end_tap_send,
	.flush = end_tap_flush,
	.free = end_tap_free,
};

int end_tap_new(struct tap *tap, const char *title, struct relay_end **ret)
{
	struct end_tap *made = malloc(sizeof(*made)); /* large: what is not used is not touched */

	if (!made)
		return -ENOMEM;
	segment_clear(&made->segment);
	coalesce_init(&made->coalesce, end_tap_write, made);
	made->vnet = tap->vnet;
	made->fd = TAKE_FD(tap->fd);
	made->end = (struct relay_end){
		.class = &end_tap_class,
		.title = title,
		.in_fd = made->fd,
		.out_fd = made->fd,
		.gone_fd = -1,
	};
	*ret = &made->end;
	return 0;
}
