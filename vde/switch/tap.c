/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vde/switch/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/tun.h"
#include "vde/switch/tap_io.h"
#include "wire/vde_ring.h"

/* An interface that stays is left as other programs expect it, who do not know offload headers. */
static void tap_close(struct vde_switch *sw, struct endpoint *ep)
{
	(void)sw;
	(void)ioctl(ep->data_fd, TUNSETOFFLOAD, 0);
	tap_endpoint_done(tap_of(ep));
}

static void tap_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct tap_endpoint *tap = object;

	(void)loop;
	(void)fd;
	if (tap_drain(tap->ep.sw, tap) && !(events & (EPOLLERR | EPOLLHUP)))
		return;
	log_warning("tap '%s' is gone: port %u closed", tap->ep.descr, tap->ep.port->number);
	endpoint_close(tap->ep.sw, &tap->ep);
}

static const struct loop_class tap_data_class = { "tap", tap_ready };

static int tap_unpack(struct vde_switch *sw, const struct endpoint *common,
		      struct takeover_message *m, struct endpoint **ret)
{
	struct tap_endpoint *tap;
	int r = tap_endpoint_unpack(common, m, &tap_class, &tap);

	if (r < 0)
		return r;
	r = loop_add(sw->loop, &tap_data_class, tap->ep.data_fd, EPOLLIN, tap, &tap->ep.data_ref);
	if (r < 0) {
		tap_endpoint_done(tap);
		free(tap);
		return r;
	}
	*ret = &tap->ep;
	return 0;
}

const struct endpoint_class tap_class = {
	.module = "tuntap",
	.transport = "tap",
	.write = tap_write,
	.flush = tap_flush,
	.close = tap_close,
	.pack = tap_endpoint_pack,
	.unpack = tap_unpack,
};

/* --- the device ------------------------------------------------------------------------------ */

static int tap_device(const char *name, char ret_name[IFNAMSIZ], struct error *error)
{
	auto_close int fd = tun_open_tap(name, IFF_VNET_HDR | IFF_MULTI_QUEUE, O_NONBLOCK, ret_name, error);
	int header_len = sizeof(struct vnet_header);

	if (fd < 0)
		return fd;
	if (ioctl(fd, TUNSETVNETHDRSZ, &header_len) < 0)
		return error_set_errno(error, errno, "tap '%s'", name);
	if (!tap_has_nowait(fd))
		return error_set(error, EOPNOTSUPP, "tap '%s': the kernel is too old (5.8 is needed)",
				 name);
	return TAKE_FD(fd);
}

/* Lets the kernel hand over as much as it can; what it hands over it also takes. */
static uint64_t tap_offload(int fd)
{
	static const uint64_t features[] = { VDE_RING_F_ALL, VDE_RING_F_ALL & ~(uint64_t)VDE_RING_F_USO,
					     VDE_RING_F_CSUM };

	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (ioctl(fd, TUNSETOFFLOAD, tap_offload_flags(features[i])) == 0)
			return features[i];
	return 0;
}

static struct tap_endpoint *tap_new(int id, int fd, const char *name)
{
	struct tap_endpoint *tap = calloc(1, sizeof(*tap));

	if (!tap)
		return NULL;
	tap->header_len = sizeof(struct vnet_header);
	tap->ep = (struct endpoint){ .class = &tap_class, .id = id, .data_fd = fd, .control_fd = -1,
				     .user = (uid_t)-1, .takes = tap_offload(fd) };
	(void)str_copy(tap->ep.descr, sizeof(tap->ep.descr), name);
	if (tap_endpoint_init(tap) == 0)
		return tap;
	free(tap);
	return NULL;
}

int tap_open(struct vde_switch *sw, const char *name, struct error *error)
{
	const struct port_client client = { .uid = 0 };
	char real_name[IFNAMSIZ];
	struct tap_endpoint *tap;
	struct port *port;
	int fd, r;

	r = port_acquire(sw, 0, false, &client, &port);
	if (r < 0)
		return error_set_errno(error, -r, "tap '%s': no port for it", name);
	fd = tap_device(name, real_name, error);
	if (fd < 0)
		return fd;
	tap = tap_new(endpoint_new_id(sw, fd), fd, real_name);
	r = tap ? loop_add(sw->loop, &tap_data_class, fd, EPOLLIN, tap, &tap->ep.data_ref) : -ENOMEM;
	if (r < 0) {
		if (tap)
			tap_endpoint_done(tap);
		free(tap);
		(void)close(fd);
		return error_set_errno(error, -r, "tap '%s'", name);
	}
	endpoint_attach(sw, port, &tap->ep);
	return 0;
}
