/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What plug-ins share: turning failures into the loader's terms, sending that waits a little but
 * never hangs, and the blocking rule of vde_recv.
 *
 * A vde_recv that finds nothing blocks, as the original's do, unless the program set O_NONBLOCK on
 * vde_datafd(); the flag is looked up only then. A vde_send that finds one full destination waits
 * PLUGIN_WAIT_MS at most, and not again until that destination has taken a frame.
 */
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <libvdeplug_mod.h>

#include "base/error.h"
#include "wire/vnet.h"

#define PLUGIN_WAIT_MS   50
#define PLUGIN_FRAME_MAX VDE_ETHBUFSIZE /* bytes of a frame; a larger one is dropped, never cut */
#define PLUGIN_FRAME_MIN 14
#define PLUGIN_SNDBUF    (1 << 20) /* wanted socket buffer, bytes; the kernel may give less */

/* What a connection begins with: struct vdeconn without its open end, to be a member. */
struct plugin_head {
	void *handle; /* the loader fills both */
	struct vdeplug_module *module;
};
_Static_assert(sizeof(struct plugin_head) == sizeof(struct vdeconn), "struct vdeconn");

static inline VDECONN *plugin_conn(struct plugin_head *head)
{
	return (VDECONN *)head;
}

/* The connection of TYPE, whose first member is `struct plugin_head head`. */
#define PLUGIN_OF(conn, type) container_of((struct plugin_head *)(conn), type, head)

/* Tells the loader why an open failed, and gives what the open then returns. */
VDECONN *plugin_fail(const struct error *e);

/* What vde_recv returns when there is nothing to deliver. */
ssize_t plugin_nothing(void);

/* What vde_recv or vde_send returns for a negative errno R: -1 with errno. */
ssize_t plugin_failed(int r);

/* True when the program asked for a vde_recv that does not block. Keeps errno. */
bool plugin_nonblock(int datafd);

/*
 * Blocks until FD is readable. 0, or -EINTR after a signal. The way vde_recv waits: no lock may be
 * held meanwhile.
 */
int plugin_wait_readable(int fd);

/* True when the other end of the socket FD is closed. */
bool plugin_hung_up(int fd);

/* The permissions a program asks for; DEFAULT when it asks for none. */
mode_t plugin_mode(const struct vde_open_args *args, int interface_version, mode_t fallback);

/* The option ring=yes (the default) or no; TEXT: its value, NULL when it is not given. */
int plugin_ring_option(const char *text, bool *ret, struct error *error);

/* One destination of frames. Zero is a fresh one. */
struct plugin_out {
	bool stalled; /* it was waited for in vain, and took nothing since */
};

/*
 * Sends one datagram on the socket FD. When it is full and WAIT, waits for it as described above.
 * Returns 0; -EAGAIN when the frame has to be dropped; another negative errno.
 */
int plugin_send(int fd, const struct iovec *parts, size_t num_parts, struct plugin_out *out,
		bool wait);

/* What a call of the host asks for: frames[done] is the next buffer. */
struct plugin_sink {
	struct vde_frame *frames; /* borrowed */
	unsigned count, done;
};

static inline bool plugin_sink_full(const struct plugin_sink *sink)
{
	return sink->done == sink->count;
}

/* The frame of LEN bytes that is in the next buffer counts; VNET: its offload header, NULL: none. */
void plugin_sink_done(struct plugin_sink *sink, size_t len, const struct vnet_header *vnet);

/*
 * Gives the host a frame of LEN bytes in pieces, the first of which may be in the host's buffer
 * already. A frame that is longer than the buffer is dropped. The sink is not full.
 */
void plugin_sink_put(struct plugin_sink *sink, const struct iovec *parts, unsigned num_parts,
		     size_t len, const struct vnet_header *vnet);

/*
 * An advisory lock on the directory that holds PATH, for the moment in which a name left by a crash
 * is replaced: of two programs that do that at once one wins. Returns a descriptor to close, or a
 * negative errno. Somebody who keeps the lock is waited for 200 ms, then ignored.
 */
int plugin_lock_parent(const char *path);

/*
 * True when PATH is the name of a socket of TYPE that nobody listens at, and nobody is about to: a
 * second look 20 ms later says the same.
 */
bool plugin_abandoned(const char *path, int type);

/*
 * PATH with the directory it is in resolved, so that it means the same after chdir(2) and to other
 * programs. The last part need not exist. Owned by the caller; NULL with errno.
 */
char *plugin_absolute_path(const char *path);

/*
 * Binds FD to PATH with exactly MODE; nobody can use the name before it has that. 0 or a negative
 * errno.
 */
int plugin_bind(int fd, const char *path, mode_t mode);
