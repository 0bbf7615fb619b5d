/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel cuts and completes what the program has not asked for (TUNSETOFFLOAD), so mostly a frame
 * is passed on as it comes, without its offload header or with it. Two kinds are cut here: what
 * was on its way when the program took its wish back, and what a program that knows super-frames
 * fetches with vde_recv(), which has no room for their header. The pieces of one frame are kept until
 * they are fetched (struct tap_rest).
 *
 * An interface that stays gets its plain frames back at the end, and at the beginning, should the one
 * before have had no time for it.
 */
#include "vde/plugins/tap_io.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "base/tun.h"
#include "vde/plug/offload.h"

/* A frame that is given out in pieces. */
struct tap_rest {
	pthread_mutex_t lock; /* of all that follows, and of reading into it */
	bool active;
	struct offload_frame of;
	struct offload_cut cut;
	uint8_t frame[VNET_FRAME_MAX + 1];
};

static struct tap *tap_of(VDECONN *conn)
{
	return PLUGIN_OF(conn, struct tap);
}

static struct tap_rest *tap_get_rest(struct tap *tap)
{
	return atomic_load_explicit(&tap->rest, memory_order_acquire);
}

/* --- opening ------------------------------------------------------------------------------ */

static const struct {
	uint64_t feature;
	unsigned flags;
} tap_flags[] = {
	{ VDE_FEATURE_CSUM, TUN_F_CSUM },
	{ VDE_FEATURE_TSO4, TUN_F_TSO4 | TUN_F_TSO_ECN },
	{ VDE_FEATURE_TSO6, TUN_F_TSO6 | TUN_F_TSO_ECN },
	{ VDE_FEATURE_USO, TUN_F_USO4 | TUN_F_USO6 },
};

static bool set_offload(int fd, uint64_t features)
{
	unsigned flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(tap_flags); i++)
		if (features & tap_flags[i].feature)
			flags |= tap_flags[i].flags;
	return ioctl(fd, TUNSETOFFLOAD, flags) == 0;
}

VDECONN *tap_connect(tap_opener *opener, const char *name)
{
	auto_free struct tap *tap = calloc(1, sizeof(*tap));
	int header_len = sizeof(struct vnet_header);
	struct error error = { 0 };

	if (!tap)
		return NULL;
	tap->fd = opener(name, &error);
	if (tap->fd < 0)
		return plugin_fail(&error);
	if (ioctl(tap->fd, TUNSETVNETHDRSZ, &header_len) < 0) {
		(void)error_set_errno(&error, errno, "cannot set up the interface '%s'", name);
		(void)close(tap->fd);
		return plugin_fail(&error);
	}
	(void)set_offload(tap->fd, 0);
	return plugin_conn(&TAKE_PTR(tap)->head);
}

/* Room for pieces; two threads may be here at once. */
static bool make_rest(struct tap *tap)
{
	struct tap_rest *made, *expected = NULL;

	if (tap_get_rest(tap))
		return true;
	made = malloc(sizeof(*made)); /* large: what is not used is not touched */
	if (!made)
		return false;
	made->active = false;
	(void)pthread_mutex_init(&made->lock, NULL);
	if (!atomic_compare_exchange_strong(&tap->rest, &expected, made))
		free(made);
	return true;
}

uint64_t tap_features(VDECONN *conn, uint64_t features)
{
	struct tap *tap = tap_of(conn);

	features &= VDE_RING_F_ALL;
	if (features && !make_rest(tap))
		features = 0;
	if (!set_offload(tap->fd, features)) {
		features &= ~(uint64_t)VDE_FEATURE_USO; /* Linux before 6.2 */
		if (!set_offload(tap->fd, features))
			features = 0;
	}
	atomic_store_explicit(&tap->features, features, memory_order_relaxed);
	return features;
}

/* --- reading ------------------------------------------------------------------------------ */

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/*
 * Reads one frame into BUF and its header into *ret_vnet. A read cuts a frame that is longer than
 * the buffer without a word, so a second one takes what would be lost, and the length is more than LEN.
 * -1 with errno.
 */
static ssize_t read_frame(const struct tap *tap, void *buf, size_t len, bool wait,
			  struct vnet_header *ret_vnet)
{
	char excess;
	struct iovec parts[] = { { ret_vnet, sizeof(*ret_vnet) }, { buf, len },
				 { &excess, sizeof(excess) } };
	ssize_t got = preadv2(tap->fd, parts, ARRAY_SIZE(parts), -1, wait ? 0 : RWF_NOWAIT);

	if (got < 0 && errno == EOPNOTSUPP && !wait) {
		errno = EAGAIN;
		if (is_readable(tap->fd))
			got = readv(tap->fd, parts, ARRAY_SIZE(parts));
	}
	if (got >= 0)
		return got < (ssize_t)sizeof(*ret_vnet) ? 0 : got - (ssize_t)sizeof(*ret_vnet);
	if (errno == EBADFD) /* the interface was deleted */
		errno = ENODEV;
	return -1;
}

static bool frame_fits(ssize_t got, size_t len)
{
	return got >= PLUGIN_FRAME_MIN && (size_t)got <= len;
}

static bool is_plain(const struct vnet_header *vnet)
{
	return !(vnet->flags & VNET_NEEDS_CSUM) && vnet->gso_type == VNET_GSO_NONE;
}

/* The LEN bytes in rest->frame are given out in pieces from now on, if they are a frame. */
static void rest_start(struct tap_rest *rest, ssize_t len, const struct vnet_header *vnet)
{
	rest->active = frame_fits(len, sizeof(rest->frame) - 1) &&
		       offload_check(&rest->of, rest->frame, (size_t)len, vnet) == 0;
	if (rest->active)
		offload_cut_start(&rest->cut, &rest->of);
}

/* The next piece, if one is left that fits: its length, or 0. */
static ssize_t rest_next(struct tap_rest *rest, void *buf, size_t len)
{
	while (rest->active) {
		ssize_t n = offload_cut_copy(&rest->cut, buf, len);

		if (n > 0)
			return n;
		rest->active = n < 0;
	}
	return 0;
}

static ssize_t recv_failed(void)
{
	if (errno == ENODEV)
		return 0;
	return errno == EAGAIN ? plugin_nothing() : -1;
}

/* vde_recv() of a program that takes super-frames. */
static ssize_t recv_cut(const struct tap *tap, struct tap_rest *rest, void *buf, size_t len)
{
	struct vnet_header vnet;
	ssize_t got = rest_next(rest, buf, len);

	if (got > 0)
		return got;
	got = read_frame(tap, rest->frame, sizeof(rest->frame) - 1, true, &vnet);
	if (got < 0)
		return recv_failed();
	rest_start(rest, got, &vnet);
	got = rest_next(rest, buf, len);
	return got > 0 ? got : plugin_nothing();
}

ssize_t tap_recv(VDECONN *conn, void *buf, size_t len, int flags)
{
	struct tap *tap = tap_of(conn);
	struct tap_rest *rest = tap_get_rest(tap);
	struct vnet_header vnet;
	ssize_t got;

	(void)flags;
	if (rest) {
		(void)pthread_mutex_lock(&rest->lock);
		got = recv_cut(tap, rest, buf, len);
		(void)pthread_mutex_unlock(&rest->lock);
		return got;
	}
	got = read_frame(tap, buf, len, true, &vnet);
	if (got < 0)
		return recv_failed();
	return frame_fits(got, len) ? got : plugin_nothing();
}

static void set_frame(struct vde_frame *frame, ssize_t len, const struct vnet_header *vnet)
{
	frame->len = (size_t)len;
	frame->flags = 0;
	frame->vnet = (struct vde_vnet){
		.flags = vnet->flags, .gso_type = vnet->gso_type, .hdr_len = vnet->hdr_len,
		.gso_size = vnet->gso_size, .csum_start = vnet->csum_start,
		.csum_offset = vnet->csum_offset,
	};
}

/* Whether the program takes the frame as it is: the kernel may have sent it before a change of mind. */
static bool is_wanted(const struct tap *tap, const struct vnet_header *vnet)
{
	static const uint64_t of_type[] = {
		[VNET_GSO_TCPV4] = VDE_FEATURE_TSO4,
		[VNET_GSO_TCPV6] = VDE_FEATURE_TSO6,
		[VNET_GSO_UDP_L4] = VDE_FEATURE_USO,
	};
	uint64_t features = atomic_load_explicit(&tap->features, memory_order_relaxed);
	unsigned type = vnet->gso_type & ~VNET_GSO_ECN;

	if (is_plain(vnet))
		return true;
	if (!(features & VDE_FEATURE_CSUM))
		return false;
	return type == VNET_GSO_NONE || (type < ARRAY_SIZE(of_type) && features & of_type[type]);
}

/* One frame or piece: 1, 0 when there is none, or a negative errno. */
static int batch_next(const struct tap *tap, struct tap_rest *rest, struct vde_frame *frame)
{
	static const struct vnet_header plain;
	struct vnet_header vnet;
	ssize_t got;

	for (;;) {
		got = rest ? rest_next(rest, frame->data, frame->len) : 0;
		if (got > 0) {
			set_frame(frame, got, &plain);
			return 1;
		}
		got = read_frame(tap, frame->data, frame->len, false, &vnet);
		if (got < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (!frame_fits(got, frame->len))
			continue;
		if (is_wanted(tap, &vnet)) {
			set_frame(frame, got, &vnet);
			return 1;
		}
		if (!rest)
			continue; /* nobody asked for that */
		memcpy(rest->frame, frame->data, (size_t)got);
		rest_start(rest, got, &vnet);
	}
}

int tap_recv_batch(VDECONN *conn, struct vde_frame *frames, unsigned count)
{
	struct tap *tap = tap_of(conn);
	struct tap_rest *rest = tap_get_rest(tap);
	unsigned done = 0;
	int r = 1;

	if (rest)
		(void)pthread_mutex_lock(&rest->lock);
	while (done < MIN(count, (unsigned)INT_MAX) && (r = batch_next(tap, rest, &frames[done])) > 0)
		done++;
	if (rest)
		(void)pthread_mutex_unlock(&rest->lock);
	if (r >= 0 || done > 0)
		return (int)done;
	errno = r == -ENODEV ? EPIPE : -r;
	return -1;
}

/* --- writing ------------------------------------------------------------------------------ */

/*
 * An interface that is down refuses frames (EIO; macvtap: ENETDOWN), and any refuses what it cannot
 * carry (EINVAL and others): they are lost, as on a cable that is not plugged in.
 */
static int write_frame(const struct tap *tap, const struct vnet_header *vnet, const void *data,
		       size_t len)
{
	struct iovec parts[] = { { (void *)(uintptr_t)vnet, sizeof(*vnet) },
				 { (void *)(uintptr_t)data, len } };
	ssize_t put;

	if (len < PLUGIN_FRAME_MIN)
		return 0;
	do
		put = writev(tap->fd, parts, ARRAY_SIZE(parts));
	while (put < 0 && errno == EINTR);
	return put < 0 && (errno == EBADFD || errno == ENODEV || errno == EBADF) ? -errno : 0;
}

ssize_t tap_send(VDECONN *conn, const void *buf, size_t len, int flags)
{
	static const struct vnet_header plain;

	(void)flags;
	return write_frame(tap_of(conn), &plain, buf, len) < 0 ? -1 : (ssize_t)len;
}

/* The kernel looks at the headers by itself: what contradicts them is lost. */
int tap_send_batch(VDECONN *conn, const struct vde_frame *frames, unsigned count)
{
	unsigned done;

	count = MIN(count, (unsigned)INT_MAX);
	for (done = 0; done < count; done++) {
		const struct vde_vnet *v = &frames[done].vnet;
		const struct vnet_header vnet = {
			.flags = v->flags & VNET_NEEDS_CSUM, .gso_type = v->gso_type,
			.hdr_len = v->hdr_len, .gso_size = v->gso_size, .csum_start = v->csum_start,
			.csum_offset = v->csum_offset,
		};
		int r = write_frame(tap_of(conn), &vnet, frames[done].data, frames[done].len);

		if (r < 0 && done == 0) {
			errno = -r;
			return -1;
		}
		if (r < 0)
			break;
	}
	return (int)done;
}

/* --- the rest ----------------------------------------------------------------------------- */

int tap_datafd(VDECONN *conn)
{
	return tap_of(conn)->fd;
}

int tap_ctlfd(VDECONN *conn)
{
	(void)conn;
	return -1;
}

int tap_close(VDECONN *conn)
{
	struct tap *tap = tap_of(conn);
	struct tap_rest *rest = tap_get_rest(tap);

	if (rest) {
		(void)set_offload(tap->fd, 0);
		(void)pthread_mutex_destroy(&rest->lock);
	}
	(void)close(tap->fd);
	free(rest);
	free(tap);
	return 0;
}
