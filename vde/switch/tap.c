/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vde/switch/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <linux/if_tun.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "vde/switch/endpoint.h"
#include "vde/switch/forward.h"

#define BATCHES_A_TURN 4

/* A TAP takes one frame a call. An interface that is down refuses (EIO). */
static int tap_write(struct endpoint *ep, struct mmsghdr *msgs, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct msghdr *msg = &msgs[i].msg_hdr;

		if (writev(ep->data_fd, msg->msg_iov, (int)msg->msg_iovlen) >= 0)
			continue;
		if (i > 0)
			return (int)i;
		return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 0 : -errno;
	}
	return (int)count;
}

static void tap_close(struct vde_switch *sw, struct endpoint *ep)
{
	(void)sw;
	(void)ep;
}

static unsigned tap_read_batch(struct vde_switch *sw, struct endpoint *ep, bool *ret_lost)
{
	uint32_t len[FORWARD_BATCH];
	unsigned count = 0;

	while (count < FORWARD_BATCH) {
		ssize_t n = io_read(ep->data_fd, forward_buffer(sw->forward, count),
				    (size_t)sw->settings.max_frame + 1);

		if (n <= 0) {
			*ret_lost = n != -EAGAIN;
			break;
		}
		len[count++] = (uint32_t)n;
	}
	if (count)
		forward_batch(sw, ep, len, count);
	return count;
}

static void tap_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct endpoint *ep = object;
	bool lost = false;

	(void)loop;
	(void)fd;
	if (events & EPOLLOUT)
		endpoint_flush_queue(ep->sw, ep);
	for (int i = 0; i < BATCHES_A_TURN; i++)
		if (tap_read_batch(ep->sw, ep, &lost) < FORWARD_BATCH)
			break;
	if (lost) {
		log_warning("tap '%s' is gone: port %u closed", ep->descr, ep->port->number);
		endpoint_close(ep->sw, ep);
	}
}

static const struct loop_class tap_data_class = { "tap", tap_ready };

static int tap_unpack(struct vde_switch *sw, const struct endpoint *common,
		      struct takeover_message *m, struct endpoint **ret)
{
	auto_free struct endpoint *ep = malloc(sizeof(*ep));
	int r;

	(void)m;
	if (!ep)
		return -ENOMEM;
	*ep = *common;
	ep->class = &tap_class;
	r = loop_add(sw->loop, &tap_data_class, ep->data_fd, EPOLLIN, ep, &ep->data_ref);
	if (r == 0)
		*ret = TAKE_PTR(ep);
	return r;
}

const struct endpoint_class tap_class = {
	.module = "tuntap",
	.transport = "tap",
	.write = tap_write,
	.close = tap_close,
	.unpack = tap_unpack,
};

static int tap_device(const char *name, char ret_name[IFNAMSIZ], struct error *error)
{
	auto_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	if (fd < 0)
		return error_set_errno(error, errno, "tap '%s': cannot open /dev/net/tun (usually "
				       "mode 0666; root may have to run 'modprobe tun')", name);
	if (str_copy(ifr.ifr_name, sizeof(ifr.ifr_name), name) < 0)
		return error_set(error, EINVAL, "tap '%s': an interface name has at most %d bytes",
				 name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		if (errno == EPERM)
			return error_set(error, EPERM,
					 "tap '%s': not permitted; root makes it for you with "
					 "'vde_tunctl -u USER -t %s'", name, name);
		if (errno == EINVAL)
			return error_set(error, EINVAL, "tap '%s': there is an interface of this name, "
					 "and it is no TAP", name);
		return error_set_errno(error, errno, "tap '%s'", name);
	}
	(void)str_copy(ret_name, IFNAMSIZ, ifr.ifr_name);
	return TAKE_FD(fd);
}

int tap_open(struct vde_switch *sw, const char *name, struct error *error)
{
	const struct port_client client = { .uid = 0 };
	char real_name[IFNAMSIZ];
	struct endpoint *ep;
	struct port *port;
	int fd, r;

	r = port_acquire(sw, 0, false, &client, &port);
	if (r < 0)
		return error_set_errno(error, -r, "tap '%s': no port for it", name);
	fd = tap_device(name, real_name, error);
	if (fd < 0)
		return fd;
	ep = calloc(1, sizeof(*ep));
	if (ep) {
		*ep = (struct endpoint){ .class = &tap_class, .id = endpoint_new_id(sw, fd), .data_fd = fd,
					 .control_fd = -1, .data_events = EPOLLIN,
					 .user = (uid_t)-1 };
		(void)str_copy(ep->descr, sizeof(ep->descr), real_name);
	}
	r = ep ? loop_add(sw->loop, &tap_data_class, fd, EPOLLIN, ep, &ep->data_ref) : -ENOMEM;
	if (r < 0) {
		free(ep);
		(void)close(fd);
		return error_set_errno(error, -r, "tap '%s'", name);
	}
	ep->sw = sw;
	endpoint_attach(sw, port, ep);
	return 0;
}
