/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vde/plugins/vde_datagram.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "wire/ether.h"

#define SEND_PATIENCE 50 /* ms */
#define BATCH         64 /* datagrams that one system call moves */

static bool is_nonblocking(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

static bool is_gone(const struct vde_datagram *d)
{
	struct pollfd p = { .fd = d->ctl_fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* --- receiving ---------------------------------------------------------------------------- */

/* Waits until there is a frame (1) or the port is gone (0). */
static int wait_for_frame(const struct vde_datagram *d)
{
	struct pollfd p[] = { { .fd = d->data_fd, .events = POLLIN },
			      { .fd = d->ctl_fd, .events = POLLIN } };

	if (poll(p, ARRAY_SIZE(p), -1) < 0)
		return -errno;
	return p[0].revents ? 1 : 0;
}

/* The next frame that fits into BUF and is one; others are dropped. */
static ssize_t take_frame(int fd, void *buf, size_t len)
{
	ssize_t n;

	do
		n = recv(fd, buf, len, MSG_DONTWAIT | MSG_TRUNC);
	while (n >= 0 && (n < ETHER_HEADER_SIZE || (size_t)n > len));
	return n < 0 ? -errno : n;
}

ssize_t vde_datagram_recv(struct vde_datagram *d, void *buf, size_t len)
{
	for (;;) {
		ssize_t n = take_frame(d->data_fd, buf, len);
		int r;

		if (n != -EAGAIN)
			return n;
		if (is_nonblocking(d->data_fd))
			return -EAGAIN;
		r = wait_for_frame(d);
		if (r <= 0)
			return r;
	}
}

/*
 * One call's worth, at most BATCH: how many datagrams came. *ret_frames of them were frames that fit;
 * the buffers of the others are moved behind those.
 */
static int recv_some(int fd, struct vde_frame *frames, unsigned count, unsigned *ret_frames)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	int n;

	for (unsigned i = 0; i < count; i++) {
		iov[i] = (struct iovec){ frames[i].data, frames[i].len };
		msgs[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
	}
	n = recvmmsg(fd, msgs, count, MSG_DONTWAIT | MSG_TRUNC, NULL);
	*ret_frames = 0;
	for (int i = 0; i < n; i++) {
		struct vde_frame frame = { .data = frames[i].data, .len = msgs[i].msg_len };

		if (frame.len < ETHER_HEADER_SIZE || frame.len > frames[i].len)
			continue;
		frames[i] = frames[*ret_frames];
		frames[(*ret_frames)++] = frame;
	}
	return n < 0 ? -errno : n;
}

int vde_datagram_recv_batch(struct vde_datagram *d, struct vde_frame *frames, unsigned count)
{
	unsigned done = 0;

	while (done < count) {
		unsigned want = MIN(count - done, (unsigned)BATCH), got;
		int n = recv_some(d->data_fd, frames + done, want, &got);

		done += got;
		if (n < 0 && n != -EAGAIN && n != -EINTR && done == 0)
			return n;
		if (n < (int)want)
			break;
	}
	if (done == 0 && count > 0 && is_gone(d))
		return -EPIPE;
	return (int)done;
}

/* --- sending ------------------------------------------------------------------------------ */

/* The switch does not keep up: waits for it, not for long. The result of vde_send(). */
static ssize_t send_patiently(struct vde_datagram *d, const void *buf, size_t len)
{
	uint64_t deadline = clock_now() + SEND_PATIENCE * NS_PER_MSEC;

	if (is_nonblocking(d->data_fd))
		return -EAGAIN;
	while (!atomic_load_explicit(&d->choked, memory_order_relaxed)) {
		uint64_t now = clock_now();
		struct pollfd p = { .fd = d->data_fd, .events = POLLOUT };
		ssize_t n;

		if (now >= deadline)
			break;
		if (poll(&p, 1, (int)((deadline - now) / NS_PER_MSEC) + 1) < 0)
			return -errno;
		n = send(d->data_fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0 || errno != EAGAIN)
			return n < 0 ? -errno : n;
	}
	atomic_store_explicit(&d->choked, true, memory_order_relaxed);
	return (ssize_t)len;
}

static void sent(struct vde_datagram *d)
{
	if (atomic_load_explicit(&d->choked, memory_order_relaxed))
		atomic_store_explicit(&d->choked, false, memory_order_relaxed);
}

ssize_t vde_datagram_send(struct vde_datagram *d, const void *buf, size_t len)
{
	ssize_t n;

	if (len < ETHER_HEADER_SIZE)
		return (ssize_t)len;
	n = send(d->data_fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN)
		return send_patiently(d, buf, len);
	if (n < 0 && (errno == EMSGSIZE || errno == ENOBUFS))
		return (ssize_t)len; /* larger than the socket carries */
	if (n < 0)
		return -errno;
	sent(d);
	return n;
}

/* One call's worth of frames, at most BATCH: how many were taken, dropped ones included. */
static int send_some(int fd, const struct vde_frame *frames, unsigned count)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	unsigned n = 0;
	int r;

	if (frames[0].len < ETHER_HEADER_SIZE)
		return 1;
	while (n < count && frames[n].len >= ETHER_HEADER_SIZE) {
		iov[n] = (struct iovec){ frames[n].data, frames[n].len };
		msgs[n] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[n], .msg_iovlen = 1 } };
		n++;
	}
	r = sendmmsg(fd, msgs, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (r >= 0)
		return r;
	return errno == EMSGSIZE || errno == ENOBUFS ? 1 : -errno; /* the first: dropped */
}

int vde_datagram_send_batch(struct vde_datagram *d, const struct vde_frame *frames, unsigned count)
{
	unsigned done = 0;

	while (done < count) {
		int n = send_some(d->data_fd, frames + done, MIN(count - done, (unsigned)BATCH));

		if (n == -EINTR)
			continue;
		if (n < 0 && n != -EAGAIN && done == 0)
			return n;
		if (n <= 0)
			break;
		done += (unsigned)n;
		sent(d);
	}
	return (int)done;
}

void vde_datagram_done(struct vde_datagram *d)
{
	cleanup_close(&d->data_fd);
	cleanup_close(&d->ctl_fd);
	d->data_fd = d->ctl_fd = -1;
}
