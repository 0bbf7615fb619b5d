/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "handover.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <linux/if_tun.h>

#include "base/cleanup.h"
#include "tap.h"

struct handover {
	struct loop *loop; /* borrowed */
	VDECONN *conn;     /* owned */
	int tap_fd;        /* borrowed */
	loop_ref ref;
	handover_ended *ended;
	void *context;
};

/* An interface that was deleted shows it; one that is down does not. */
static bool interface_gone(int tap_fd)
{
	struct pollfd p = { .fd = tap_fd };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLHUP);
}

static void handover_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct handover *handover = object;

	(void)fd;
	(void)events; /* nobody speaks there: whatever it is, it is the end */
	loop_remove(loop, &handover->ref);
	handover->ended(handover->context, interface_gone(handover->tap_fd));
}

static const struct loop_class handover_class = { "handed over interface", handover_ready };

/* Offloads without headers would give the next reader super-frames that look like plain ones. */
static void restore_offload(int tap_fd)
{
	struct ifreq ifr = { 0 };

	if (ioctl(tap_fd, TUNGETIFF, &ifr) == 0 && ifr.ifr_flags & IFF_VNET_HDR)
		(void)tap_offload(tap_fd);
}

int handover_new(struct loop *loop, const char *vnl, const char *description,
		 struct vde_open_args *args, int tap_fd, handover_ended *ended, void *context,
		 struct handover **ret)
{
	auto_free struct handover *handover = calloc(1, sizeof(*handover));
	int r;

	if (!handover)
		return -ENOMEM;
	*handover = (struct handover){ .loop = loop, .tap_fd = tap_fd, .ended = ended,
				       .context = context };
	handover->conn = vde_open_tap((char *)(uintptr_t)vnl, (char *)(uintptr_t)description, args,
				      tap_fd);
	r = handover->conn ? loop_add(loop, &handover_class, vde_ctlfd(handover->conn), EPOLLIN,
				      handover, &handover->ref)
			   : -errno;
	if (r < 0) {
		if (handover->conn)
			(void)vde_close(handover->conn);
		restore_offload(tap_fd);
		return r;
	}
	*ret = TAKE_PTR(handover);
	return 0;
}

void handover_free(struct handover *handover)
{
	if (!handover)
		return;
	loop_remove(handover->loop, &handover->ref);
	(void)vde_close(handover->conn);
	free(handover);
}
