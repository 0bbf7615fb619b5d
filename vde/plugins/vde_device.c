/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The switch decides whether it takes an interface, and until it has said so the interface is not
 * touched. Then the kernel is told which super-frames it may hand over; frames that it gave to the
 * switch before that are plain ones, which is right in any case.
 */
#include "vde/plugins/vde_device.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "base/tun.h"
#include "vde/plug/ring_port.h"

static const char *const default_dirs[] = { VS_RUNDIR "/vde.ctl", "/tmp/vde.ctl" };

/* --- the interface ---------------------------------------------------------------------- */

static const struct {
	uint64_t feature;
	unsigned flags;
} tap_flags[] = {
	{ VDE_RING_F_CSUM, TUN_F_CSUM },
	{ VDE_RING_F_TSO4, TUN_F_TSO4 | TUN_F_TSO_ECN },
	{ VDE_RING_F_TSO6, TUN_F_TSO6 | TUN_F_TSO_ECN },
	{ VDE_RING_F_USO, TUN_F_USO4 | TUN_F_USO6 },
};

static bool set_offload(int tap_fd, uint64_t features)
{
	unsigned flags = 0;

	for (size_t i = 0; features & VDE_RING_F_CSUM && i < ARRAY_SIZE(tap_flags); i++)
		if (features & tap_flags[i].feature)
			flags |= tap_flags[i].flags;
	return ioctl(tap_fd, TUNSETOFFLOAD, flags) == 0;
}

/* What the kernel takes for that interface, of all there is. It stays as complete as it was. */
static uint64_t probe_features(int tap_fd)
{
	static const uint64_t wanted[] = { VDE_RING_F_ALL, VDE_RING_F_ALL & ~(uint64_t)VDE_RING_F_USO };

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (set_offload(tap_fd, wanted[i]))
			return set_offload(tap_fd, 0) ? wanted[i] : 0;
	return 0;
}

/* --- the switch -------------------------------------------------------------------------- */

/* There is nobody who could take it, for whatever reason: others may still be asked for frames. */
static bool means_unsupported(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED || r == -EPROTOTYPE || r == -EPROTONOSUPPORT;
}

/* The control socket. */
static int offer(const char *dir, const struct vde_ring_message_parts *hello, int tap_fd,
		 struct error *error)
{
	struct vde_ring_message_parts welcome;
	char path[PATH_MAX];
	int r = snprintf(path, sizeof(path), "%s/%s", dir, VDE_RING_SOCKET), control_fd;

	if (r >= (int)sizeof(path))
		return error_set_errno(error, ENAMETOOLONG, "'%s'", dir);
	r = ring_port_hand_over(path, hello, tap_fd, &control_fd, &welcome, error);
	if (r < 0)
		return r;
	/* Without, all frames are plain. */
	(void)set_offload(tap_fd, welcome.required & hello->offered);
	return control_fd;
}

/* The first default switch that is there: one without rings is there, too. */
static int offer_default(const struct vde_ring_message_parts *hello, int tap_fd, struct error *error)
{
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(default_dirs); i++) {
		struct error e = { 0 };
		char path[PATH_MAX];

		r = offer(default_dirs[i], hello, tap_fd, &e);
		if (r >= 0)
			return r;
		*error = e;
		(void)snprintf(path, sizeof(path), "%s/ctl", default_dirs[i]);
		if (!means_unsupported(r) || access(path, F_OK) == 0)
			return r;
	}
	return r;
}

int vde_device_open(const struct vde_wish *wish, int tap_fd, struct error *error)
{
	struct vde_ring_message_parts hello = {
		.message = VDE_RING_HELLO, .major = VDE_RING_MAJOR, .kind = VDE_RING_KIND_DEVICE,
		.port = wish->port, .management = wish->management,
	};
	int r;

	if (wish->port_word && wish->port_word[strspn(wish->port_word, "0123456789")] != '\0')
		return error_set(error, EOPNOTSUPP, "the port '%s' is a socket of its own",
				 wish->port_word);
	(void)str_copy(hello.description, sizeof(hello.description), wish->descr); /* may cut */
	hello.offered = probe_features(tap_fd);
	r = *wish->dir ? offer(wish->dir, &hello, tap_fd, error)
		       : offer_default(&hello, tap_fd, error);
	if (!means_unsupported(r))
		return r;
	error->code = EOPNOTSUPP;
	return -EOPNOTSUPP;
}
