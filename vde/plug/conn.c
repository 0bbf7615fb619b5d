/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The calls of libvdeplug.h on connections: negative errno becomes -1 and errno here. A connection
 * is the plug-in's; the data calls go straight through its table.
 */
#include <libvdeplug.h>

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "vde/plug/batch.h"
#include "vde/plug/loader.h"
#include "vde/plug/strerror.h"

/* What tools read to tell which interface this library has (the number of vdeplug4). */
extern const uint64_t __vde_version_tag;
PUBLIC const uint64_t __vde_version_tag = 4;

/*
 * Programs, by the words with which they open, that hand any positive result of vde_recv to their
 * guests as a frame, though 1 only says that there is nothing to deliver.
 */
static const char *const frames_only[] = { "QEMU" };

static bool wants_frames_only(const char *descr)
{
	for (size_t i = 0; descr && i < ARRAY_SIZE(frames_only); i++)
		if (strcmp(descr, frames_only[i]) == 0)
			return true;
	return false;
}

/* The caller's user name, or the number of one without a name. */
static const char *user_name(char *text, size_t size)
{
	char buffer[1024];
	struct passwd entry, *found = NULL;

	if (getpwuid_r(getuid(), &entry, buffer, sizeof(buffer), &found) == 0 && found)
		(void)snprintf(text, size, "%s", found->pw_name);
	else
		(void)snprintf(text, size, "%u", (unsigned)getuid());
	return text;
}

/* Says who this is behind the caller's words; what does not fit is cut. */
static void describe(const char *descr, char text[MAXDESCR])
{
	const char *ssh = secure_getenv("SSH_CLIENT");
	char user[64];
	int len = snprintf(text, MAXDESCR, "%s user=%s pid=%ld", descr ? descr : "",
			   user_name(user, sizeof(user)), (long)getpid());

	if (ssh && len > 0 && len < MAXDESCR)
		(void)snprintf(text + len, (size_t)(MAXDESCR - len), " SSH=%.*s",
			       (int)strcspn(ssh, " "), ssh);
}

static int conn_open(const char *vnl, const char *descr, int interface_version,
		     struct vde_open_args *args, const int *tap, VDECONN **ret)
{
	__attribute__((cleanup(locator_done))) struct locator l = { 0 };
	char text[MAXDESCR];
	struct plug_request request = {
		text, interface_version, args, wants_frames_only(descr), tap,
	};
	int r = locator_resolve(vnl, &l, plug_error());

	if (r < 0)
		return r;
	describe(descr, text);
	r = plug_load(&l, &request, ret, plug_error());
	if (r < 0 && !plug_error()->code)
		error_set_errno(plug_error(), -r, "'%s' cannot be opened", l.text);
	return r;
}

static VDECONN *open_or_errno(const char *vnl, const char *descr, int interface_version,
			      struct vde_open_args *args, const int *tap)
{
	VDECONN *conn = NULL;
	int r;

	*plug_error() = (struct error){ 0 };
	r = conn_open(vnl, descr, interface_version, args, tap, &conn);
	if (r < 0) {
		errno = -r;
		return NULL;
	}
	*plug_error() = (struct error){ 0 }; /* a plug-in may have failed before another did it */
	return conn;
}

PUBLIC VDECONN *vde_open_real(char *vnl, char *descr, int interface_version,
			      struct vde_open_args *args)
{
	return open_or_errno(vnl, descr, interface_version, args, NULL);
}

PUBLIC VDECONN *vde_open_tap(char *vnl, char *descr, struct vde_open_args *args, int tap_fd)
{
	return open_or_errno(vnl, descr, LIBVDEPLUG_INTERFACE_VERSION, args, &tap_fd);
}

PUBLIC ssize_t vde_recv(VDECONN *conn, void *buf, size_t len, int flags)
{
	ssize_t n;

	if (!conn) {
		errno = EBADF;
		return -1;
	}
	n = conn->module->vde_recv(conn, buf, len, flags);
	if (n == 1 && container_of(conn->module, struct plug_module, ops)->frames_only) {
		errno = EAGAIN;
		return -1;
	}
	return n;
}

PUBLIC ssize_t vde_send(VDECONN *conn, const void *buf, size_t len, int flags)
{
	if (!conn) {
		errno = EBADF;
		return -1;
	}
	return conn->module->vde_send(conn, buf, len, flags);
}

PUBLIC int vde_datafd(VDECONN *conn)
{
	if (!conn) {
		errno = EBADF;
		return -1;
	}
	return conn->module->vde_datafd(conn);
}

PUBLIC int vde_ctlfd(VDECONN *conn)
{
	if (!conn) {
		errno = EBADF;
		return -1;
	}
	return conn->module->vde_ctlfd(conn);
}

/* --- batches ------------------------------------------------------------------------------- */

static int posix_result(int r)
{
	if (r >= 0)
		return r;
	errno = -r;
	return -1;
}

PUBLIC uint64_t vde_features(VDECONN *conn, uint64_t features)
{
	return conn ? batch_features(conn, features) : 0;
}

PUBLIC int vde_recv_batch(VDECONN *conn, struct vde_frame *frames, unsigned count)
{
	return posix_result(conn ? batch_recv(conn, frames, count) : -EBADF);
}

PUBLIC int vde_send_batch(VDECONN *conn, const struct vde_frame *frames, unsigned count)
{
	return posix_result(conn ? batch_send(conn, frames, count) : -EBADF);
}

PUBLIC int vde_rx_get(VDECONN *conn, struct vde_frame *frames, unsigned count)
{
	return posix_result(conn ? batch_rx_get(conn, frames, count) : -EBADF);
}

PUBLIC void vde_rx_put(VDECONN *conn, unsigned count)
{
	if (conn)
		batch_rx_put(conn, count);
}

PUBLIC int vde_tx_get(VDECONN *conn, struct vde_frame *frames, unsigned count, size_t len)
{
	return posix_result(conn ? batch_tx_get(conn, frames, count, len) : -EBADF);
}

PUBLIC int vde_tx_commit(VDECONN *conn, const struct vde_frame *frames, unsigned count)
{
	return posix_result(conn ? batch_tx_commit(conn, frames, count) : -EBADF);
}

PUBLIC int vde_busy_poll(VDECONN *conn, unsigned usec)
{
	return posix_result(conn ? batch_busy_poll(conn, usec) : -EBADF);
}

PUBLIC int vde_close(VDECONN *conn)
{
	if (!conn) {
		errno = EBADF;
		return -1;
	}
	return plug_unload(conn);
}
