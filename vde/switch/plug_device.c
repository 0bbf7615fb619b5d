/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plugs that hand their TAP over (wire/vde_ring.h, kind DEVICE): the switch reads and writes it by
 * itself, and the plug's process sleeps.
 *
 * What comes from a stranger is believed to be a TAP only when the kernel says so, and the kernel is
 * asked in a way that cannot wait for anybody: statx(2) from memory, before any ioctl(2). Reading and
 * writing never block, whatever the plug does to the description that it shares with us (tap_io.c).
 * What it can do is to spoil its own frames.
 *
 * Writing to a TAP runs the receiving side of its network stack, packet filters included, in our thread.
 * So devices are taken of the switch's own user and of root only, unless told otherwise.
 *
 * The control socket stays: its end is the end of the port, and the end of the interface is its end.
 */
#include "vde/switch/plug_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <linux/if_tun.h>
#include <net/if.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "vde/plug/ring_port.h"
#include "vde/switch/control.h"
#include "vde/switch/plug_ring.h"
#include "vde/switch/tap_io.h"

#define FEATURES  VDE_RING_F_ALL
#define MISC_MAJOR 10
#define TUN_MINOR  200

/* --- the plug goes, or its interface ------------------------------------------------------- */

static void device_close(struct vde_switch *sw, struct endpoint *ep)
{
	(void)sw;
	tap_endpoint_done(tap_of(ep));
}

static void device_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct tap_endpoint *tap = object;

	(void)loop;
	(void)fd;
	if (tap_drain(tap->ep.sw, tap) && !(events & (EPOLLERR | EPOLLHUP)))
		return;
	log_info("port %u: the interface of '%s' is gone", tap->ep.port->number, tap->ep.descr);
	endpoint_close(tap->ep.sw, &tap->ep);
}

static const struct loop_class device_data_class = { "device", device_ready };

static void device_control(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct tap_endpoint *tap = object;

	(void)loop;
	(void)events;
	if (io_connection_ended(fd))
		endpoint_close(tap->ep.sw, &tap->ep);
}

static const struct loop_class device_control_class = { "device control", device_control };

/* --- whether it is taken --------------------------------------------------------------------- */

static int refuse(struct error *error, const char *why)
{
	return error_set(error, EOPNOTSUPP, "%s", why);
}

static int check_user(const struct vde_switch *sw, int control_fd, struct error *error)
{
	gid_t groups[CONTROL_MAX_GROUPS];
	struct port_client client;
	int r;

	if (sw->settings.device_ports == DEVICE_PORTS_NONE)
		return refuse(error, "the switch takes no interfaces (--device-ports none)");
	if (sw->settings.device_ports == DEVICE_PORTS_ANY)
		return 0;
	r = control_credentials(control_fd, &client, groups);
	if (r < 0)
		return error_set_errno(error, -r, "the switch cannot tell who you are");
	if (client.uid != geteuid() && client.uid != 0)
		return refuse(error, "the switch takes interfaces of its own user only "
				     "(--device-ports any takes all)");
	return 0;
}

/* From what the kernel remembers: a file system of the plug's could let us wait for its answer. */
static bool is_tun_device(int fd)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
	       S_ISCHR(st.stx_mode) && st.stx_rdev_major == MISC_MAJOR &&
	       st.stx_rdev_minor == TUN_MINOR;
}

/*
 * The bit of IFF_NO_PI also says that there is no filter (IFF_NOFILTER), so it is always set, or nearly:
 * an owner who wants packet information before his frames gets nonsense, but nobody else does.
 */
static int check_device(int fd, unsigned *ret_header_len, struct error *error)
{
	struct ifreq ifr = { 0 };
	int header_len;

	if (fd < 0)
		return refuse(error, "exactly one descriptor has to come with the request");
	if (!is_tun_device(fd) || ioctl(fd, TUNGETIFF, &ifr) < 0)
		return refuse(error, "the descriptor is no attached TAP interface");
	if ((ifr.ifr_flags & (IFF_TUN | IFF_TAP)) != IFF_TAP)
		return refuse(error, "the interface is no TAP, it carries no Ethernet frames");
	if (!(ifr.ifr_flags & IFF_NO_PI) || !(ifr.ifr_flags & IFF_VNET_HDR))
		return refuse(error, "the TAP has to be attached with IFF_NO_PI and IFF_VNET_HDR");
	if (ioctl(fd, TUNGETVNETHDRSZ, &header_len) < 0 || (header_len != 10 && header_len != 12))
		return refuse(error, "the TAP's offload header has to have 10 or 12 bytes");
	if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDWR)
		return refuse(error, "the descriptor cannot be read and written");
	if (!tap_has_nowait(fd))
		return refuse(error, "the kernel cannot read a TAP without blocking");
	*ret_header_len = (unsigned)header_len;
	return 0;
}

/* --- joining --------------------------------------------------------------------------------- */

static struct tap_endpoint *device_new(const struct vde_ring_message_parts *hello, int id,
				       int control_fd, int device_fd, unsigned header_len, uid_t uid)
{
	struct tap_endpoint *tap = calloc(1, sizeof(*tap));

	if (!tap)
		return NULL;
	tap->header_len = header_len;
	tap->ep = (struct endpoint){
		.class = &plug_device_class, .id = id, .data_fd = device_fd,
		.control_fd = control_fd, .user = uid, .takes = hello->offered & FEATURES,
	};
	(void)str_copy(tap->ep.descr, sizeof(tap->ep.descr), hello->description);
	if (tap_endpoint_init(tap) == 0)
		return tap;
	free(tap);
	return NULL;
}

static void device_free(struct tap_endpoint *tap)
{
	tap_endpoint_done(tap);
	free(tap);
}

static int device_watch(struct vde_switch *sw, struct tap_endpoint *tap)
{
	struct endpoint *ep = &tap->ep;
	int r = loop_add(sw->loop, &device_data_class, ep->data_fd, EPOLLIN, tap, &ep->data_ref);

	if (r == 0)
		r = loop_add(sw->loop, &device_control_class, ep->control_fd, EPOLLIN, tap,
			     &ep->control_ref);
	if (r < 0)
		loop_remove(sw->loop, &ep->data_ref);
	return r;
}

static int device_unpack(struct vde_switch *sw, const struct endpoint *common,
			 struct takeover_message *m, struct endpoint **ret)
{
	struct tap_endpoint *tap;
	int r = common->control_fd < 0 ? -EBADMSG
				       : tap_endpoint_unpack(common, m, &plug_device_class, &tap);

	if (r < 0)
		return r;
	r = device_watch(sw, tap);
	if (r < 0) {
		device_free(tap);
		return r;
	}
	*ret = &tap->ep;
	return 0;
}

const struct endpoint_class plug_device_class = {
	.module = "unix prog",
	.transport = "device",
	.write = tap_write,
	.flush = tap_flush,
	.close = device_close,
	.pack = tap_endpoint_pack,
	.unpack = device_unpack,
};

static int device_welcome(const struct port *port, int control_fd)
{
	struct vde_ring_message_parts welcome = {
		.required = FEATURES, .offered = FEATURES, .port = port->number,
		.max_frame = VNET_FRAME_MAX,
	};

	return ring_port_welcome_device(&welcome, control_fd);
}

static int device_start(struct vde_switch *sw, struct tap_endpoint *tap, struct port *port,
			struct error *error)
{
	int r = device_watch(sw, tap);

	if (r < 0)
		return error_set_errno(error, -r, "the switch");
	r = device_welcome(port, tap->ep.control_fd);
	if (r < 0) {
		loop_remove(sw->loop, &tap->ep.data_ref);
		loop_remove(sw->loop, &tap->ep.control_ref);
		return error_set_errno(error, -r, "the plug does not listen");
	}
	endpoint_attach(sw, port, &tap->ep);
	return 0;
}

int plug_device_join(struct vde_switch *sw, int *control_fd,
		     const struct vde_ring_message_parts *hello, int *device_fd,
		     struct error *error)
{
	struct tap_endpoint *tap;
	unsigned header_len;
	struct port *port;
	uid_t uid;
	int r;

	if (hello->required & ~(uint64_t)FEATURES)
		return error_set(error, EPROTONOSUPPORT, "the switch lacks a feature that is required");
	r = check_user(sw, *control_fd, error);
	if (r == 0)
		r = check_device(*device_fd, &header_len, error);
	if (r == 0)
		r = plug_ring_acquire(sw, *control_fd, hello, &port, &uid, error);
	if (r < 0)
		return r;
	tap = device_new(hello, endpoint_new_id(sw, *control_fd), *control_fd, *device_fd, header_len,
			 uid);
	if (!tap)
		return error_set_errno(error, ENOMEM, "the switch");
	r = device_start(sw, tap, port, error);
	if (r < 0) {
		device_free(tap);
		return r;
	}
	*control_fd = *device_fd = -1;
	return 0;
}
