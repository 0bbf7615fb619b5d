/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. A TAP gives and takes one frame in each system call, behind an offload header
 * (wire/vnet.h): up to 64 KiB of one stream. So what counts is how large the frames are.
 *
 * In: frames are read one behind the other into memory that all TAPs share, since a batch is forwarded
 * before the next is read. A batch is small enough to be in the processor's cache when it is written.
 * Out: what the interface takes is passed on as it is; the frames of plugs that cut their streams are
 * joined again (software GRO), which costs less than the kernel's way of each segment.
 *
 * The open file description of a plug's TAP is also the plug's, who may change its flags at any time:
 * RWF_NOWAIT makes each call independent of them. What the kernel does not take at once is lost, as on a
 * wire: nothing is queued here, and an interface that is down takes nothing.
 */
#include "vde/switch/tap_io.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/tun.h"
#include "vde/switch/forward.h"
#include "vde/switch/takeover_message.h"

#define BATCHES_A_TURN 8
#define BATCH_BYTES    (256 * 1024)            /* a batch ends when it has so many */
#define READ_SIZE      (VNET_FRAME_MAX + 1)    /* so that a larger frame shows */
#define BUFFER_SIZE    (BATCH_BYTES + READ_SIZE + 64)
#define PIECES_MAX     (OFFLOAD_JOIN_MAX + 2) /* offload header, headers, payloads */
#define HEADER_MAX     12 /* of virtio 1: the header and the number of buffers, which is not used */

struct tap_buffers {
	uint8_t *memory; /* owned mapping of BUFFER_SIZE bytes */
	struct offload_frame frames[FORWARD_BATCH]; /* of tap_flush() */
};

/* What stands before a frame. */
struct tap_header {
	struct vnet_header vnet;
	uint16_t num_buffers;
};
_Static_assert(sizeof(struct tap_header) == HEADER_MAX, "virtio 1.2, 5.1.6");

int tap_buffers_new(struct vde_switch *sw)
{
	struct tap_buffers *buffers = calloc(1, sizeof(*buffers));
	void *memory;

	if (!buffers)
		return -ENOMEM;
	memory = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) {
		free(buffers);
		return -ENOMEM;
	}
	buffers->memory = memory;
	sw->tap_buffers = buffers;
	return 0;
}

void tap_buffers_free(struct vde_switch *sw)
{
	if (!sw->tap_buffers)
		return;
	(void)munmap(sw->tap_buffers->memory, BUFFER_SIZE);
	free(sw->tap_buffers);
	sw->tap_buffers = NULL;
}

unsigned tap_offload_flags(uint64_t features)
{
	unsigned flags = 0;

	if (!(features & VDE_RING_F_CSUM))
		return 0;
	if (features & VDE_RING_F_TSO4)
		flags |= TUN_F_TSO4 | TUN_F_TSO_ECN;
	if (features & VDE_RING_F_TSO6)
		flags |= TUN_F_TSO6 | TUN_F_TSO_ECN;
	if (features & VDE_RING_F_USO)
		flags |= TUN_F_USO4 | TUN_F_USO6;
	return flags | TUN_F_CSUM;
}

/* A write of less than a header is refused as such, unless it is refused for its flag. */
bool tap_has_nowait(int fd)
{
	struct iovec iov = { .iov_base = (char[]){ 0 }, .iov_len = 1 };

	return pwritev2(fd, &iov, 1, -1, RWF_NOWAIT) >= 0 || errno != EOPNOTSUPP;
}

/* --- output ------------------------------------------------------------------------------ */

static enum drop_reason drop_reason_of(int code)
{
	switch (code) {
	case EAGAIN:
		return DROP_QUEUE_FULL;
	case ENOMEM:
	case ENOBUFS:
		return DROP_NO_BUFFER;
	default: /* EIO: the interface is down; EINVAL: it takes no such frame */
		return DROP_REFUSED;
	}
}

/* Writes one frame behind its header: 0, or an errno value. */
static int tap_put(const struct tap_endpoint *tap, const struct vnet_header *vnet,
		   const struct iovec *pieces, unsigned count)
{
	struct tap_header header = { .vnet = *vnet };
	struct iovec iov[PIECES_MAX];

	if (count >= PIECES_MAX)
		return EMSGSIZE;
	iov[0] = (struct iovec){ &header, tap->header_len };
	memcpy(iov + 1, pieces, count * sizeof(*pieces));
	return pwritev2(tap->ep.data_fd, iov, (int)count + 1, -1, RWF_NOWAIT) < 0 ? errno : 0;
}

/* Frames that are made for the endpoint: pieces of a super-frame, BPDUs, what plug-ins changed. */
int tap_write(struct endpoint *ep, struct mmsghdr *msgs, unsigned count)
{
	static const struct vnet_header plain;

	for (unsigned i = 0; i < count; i++) {
		const struct msghdr *msg = &msgs[i].msg_hdr;
		int code = tap_put(tap_of(ep), &plain, msg->msg_iov, (unsigned)msg->msg_iovlen);

		if (code)
			return i > 0 ? (int)i : -code;
	}
	return (int)count;
}

static void tap_emit(void *context, const struct offload_out *out)
{
	struct tap_endpoint *tap = context;
	int code = tap_put(tap, &out->vnet, out->iov, out->count);

	if (code)
		endpoint_count_drop(&tap->ep, drop_reason_of(code));
	else
		endpoint_count_out(&tap->ep, out->segments, out->wire_bytes, out->segments > 1);
}

/* A frame as the interface takes it. */
static void tap_pass(struct tap_endpoint *tap, const struct frame *frame, bool tagged)
{
	struct iovec iov[FORWARD_PIECES];
	struct vnet_header vnet = forward_vnet(frame, tagged);
	unsigned len, count = forward_pieces(frame, tagged, iov, &len);
	int code = tap_put(tap, &vnet, iov, count);

	if (code)
		endpoint_count_drop(&tap->ep, drop_reason_of(code));
	else
		endpoint_count_out(&tap->ep, frame->segments, frame->wire_bytes, frame->segments > 1);
}

/*
 * Gives a frame to those that are joined; false: it is none. A plain frame was only looked at as far
 * as its addresses; if it lies in a ring, and its sender changed that part since, it is not joined.
 */
static bool tap_join(struct tap_endpoint *tap, const struct frame *frame, bool tagged,
		     struct offload_frame *room)
{
	const struct offload_frame *of = frame->work;

	if (!of) {
		if (offload_check(room, frame->body - frame->head_len, frame->len, NULL) < 0 ||
		    room->head_len < frame->head_len ||
		    memcmp(offload_head(room), frame->head, frame->head_len) != 0)
			return false;
		of = room;
	}
	offload_join_add(tap->join, of, forward_change(frame, tagged));
	return true;
}

void tap_flush(struct vde_switch *sw, struct endpoint *ep)
{
	struct tap_endpoint *tap = tap_of(ep);
	bool join = tap->join && ep->num_pending > 1;

	for (unsigned i = 0; i < ep->num_pending; i++) {
		bool tagged;
		const struct frame *frame = forward_share(sw->forward, ep, i, &tagged);

		if (join && tap_join(tap, frame, tagged, &sw->tap_buffers->frames[i]))
			continue;
		if (join)
			offload_join_flush(tap->join); /* it must not overtake its own stream */
		tap_pass(tap, frame, tagged);
	}
	if (join)
		offload_join_flush(tap->join);
}

/* --- input ------------------------------------------------------------------------------- */

/* One frame to AT, which has READ_SIZE bytes: its length; 0: there is none; negative errno. */
static ssize_t tap_read(const struct tap_endpoint *tap, uint8_t *at, struct vnet_header *ret_vnet)
{
	struct tap_header header;
	struct iovec iov[] = { { &header, tap->header_len }, { at, READ_SIZE } };
	ssize_t n;

	do
		n = preadv2(tap->ep.data_fd, iov, ARRAY_SIZE(iov), -1, RWF_NOWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n <= (ssize_t)tap->header_len) /* the owner has changed what stands before frames */
		return -EBADMSG;
	*ret_vnet = header.vnet;
	return n - (ssize_t)tap->header_len;
}

static void tap_drop_in(struct tap_endpoint *tap, enum drop_reason reason)
{
	tap->ep.counters.drops[reason]++;
	tap->ep.port->counters.drops[reason]++;
}

enum tap_state {
	TAP_MORE,  /* perhaps */
	TAP_EMPTY,
	TAP_GONE,
};

/* Takes one batch. Frames that are dropped are part of it: they cost time, too. */
static enum tap_state tap_read_batch(struct vde_switch *sw, struct tap_endpoint *tap)
{
	enum tap_state state = TAP_MORE;
	uint8_t *memory = sw->tap_buffers->memory;
	unsigned count = 0;
	size_t used = 0;

	for (unsigned i = 0; i < FORWARD_BATCH && used < BATCH_BYTES; i++) {
		struct vnet_header vnet;
		ssize_t len = tap_read(tap, memory + used, &vnet);

		if (len <= 0) {
			state = len < 0 ? TAP_GONE : TAP_EMPTY;
			break;
		}
		if (forward_put(sw->forward, count, memory + used, (uint32_t)len, &vnet) < 0) {
			tap_drop_in(tap, DROP_OFFLOAD);
			continue;
		}
		count++;
		used = (used + (size_t)len + 63) & ~(size_t)63;
	}
	if (count)
		forward_frames(sw, &tap->ep, count);
	return state;
}

bool tap_drain(struct vde_switch *sw, struct tap_endpoint *tap)
{
	enum tap_state state = TAP_MORE;

	for (int i = 0; i < BATCHES_A_TURN && state == TAP_MORE && !tap->ep.gone; i++)
		state = tap_read_batch(sw, tap);
	return state != TAP_GONE;
}

/* --- both ---------------------------------------------------------------------------------- */

int tap_endpoint_init(struct tap_endpoint *tap)
{
	tap->ep.max_in = VNET_FRAME_MAX;
	tap->ep.max_out = VNET_FRAME_MAX;
	tap->ep.data_events = EPOLLIN;
	if (!(tap->ep.takes & (VDE_RING_F_TSO4 | VDE_RING_F_TSO6)))
		return 0;
	return offload_join_new(tap->ep.takes, tap_emit, tap, &tap->join);
}

void tap_endpoint_done(struct tap_endpoint *tap)
{
	offload_join_free(TAKE_PTR(tap->join));
}

/* The features that the interface was told of are what it takes, too (ep.takes). */
static const struct takeover_field tap_fields[] = {
	TAKEOVER_FIELD(struct tap_endpoint, header_len),
};

void tap_endpoint_pack(const struct endpoint *ep, struct takeover_message *m)
{
	takeover_put_fields(m, ITEM_CLASS, container_of(ep, struct tap_endpoint, ep), tap_fields,
			    ARRAY_SIZE(tap_fields));
}

int tap_endpoint_unpack(const struct endpoint *common, const struct takeover_message *m,
			const struct endpoint_class *class, struct tap_endpoint **ret)
{
	auto_free struct tap_endpoint *tap = calloc(1, sizeof(*tap));
	int r;

	if (!tap)
		return -ENOMEM;
	if (takeover_get_fields(m, ITEM_CLASS, tap, tap_fields, ARRAY_SIZE(tap_fields)) < 0 ||
	    (tap->header_len != 10 && tap->header_len != 12))
		return -EBADMSG;
	if (common->takes & ~(uint64_t)VDE_RING_F_ALL)
		return -EPROTONOSUPPORT;
	tap->ep = *common;
	tap->ep.class = class;
	r = tap_endpoint_init(tap);
	if (r == 0)
		*ret = TAKE_PTR(tap);
	return r;
}
