/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vde/plugins/node_dir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "vde/plugins/plugin.h"
#include "wire/vde_control.h"
#include "wire/vde_ring.h"

#define CONTROL_NAME   "ctl"
#define MAKE_TRIES     5
#define SECOND_LOOK_MS 20
#define PASSWD_BUFFER  4096
#define USER_NAME_SIZE 64

static const char *skip_digits(const char *text)
{
	const char *at = text;

	while (isdigit((unsigned char)*at))
		at++;
	return at > text ? at : NULL;
}

bool node_dir_own_name(const char *name)
{
	const char *rest = NULL;

	if (str_equal(name, CONTROL_NAME) || str_equal(name, VDE_RING_SOCKET))
		return true;
	if (str_starts(name, "fd")) {
		rest = skip_digits(name + 2);
	} else if (name[0] == '.') {
		rest = skip_digits(name + 1);
		rest = rest && *rest == '-' ? skip_digits(rest + 1) : NULL;
	}
	return rest && *rest == '\0';
}

static bool is_socket(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode);
}

/* Calls VISIT for each name until it gives other than 0, which is returned. */
static int dir_walk(int dir, int (*visit)(int dir, const char *name, void *context), void *context)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_closedir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!stream) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	while (r == 0 && (entry = readdir(stream)) != NULL)
		if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
			r = visit(dir, entry->d_name, context);
	return r;
}

static int visit_foreign(int dir, const char *name, void *context)
{
	(void)context;
	return node_dir_own_name(name) && is_socket(dir, name) ? 0 : 1;
}

static int visit_remove(int dir, const char *name, void *context)
{
	(void)context;
	if (node_dir_own_name(name) && is_socket(dir, name))
		(void)unlinkat(dir, name, 0); /* what stays is seen by rmdir(2) */
	return 0;
}

/*
 * A request that is refused at once. Nodes of vdeplug4 4.0.1 spin for ever over a connection that
 * ends without one, so a look at a control socket has to be followed by it.
 */
static void send_vain_request(int fd, const char *control)
{
	struct vde_control request = { .address = { .sun_family = AF_UNIX } };
	uint8_t bytes[VDE_CONTROL_MAX];
	size_t len;

	/* Below a socket there is nothing. */
	(void)snprintf(request.address.sun_path, sizeof(request.address.sun_path), "%s/0", control);
	len = vde_control_build(&request, bytes);
	(void)send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool control_refuses(const char *control)
{
	int fd = io_connect_unix(control, SOCK_STREAM | SOCK_NONBLOCK);

	if (fd >= 0) {
		send_vain_request(fd, control);
		(void)close(fd);
	}
	return fd == -ECONNREFUSED;
}

/* Nobody answers at the control socket of the directory PATH, and nobody is about to. */
static bool control_abandoned(const char *path)
{
	char control[NODE_DIR_PATH_MAX + sizeof("/" CONTROL_NAME)];

	(void)snprintf(control, sizeof(control), "%s/" CONTROL_NAME, path);
	if (!control_refuses(control))
		return false;
	(void)poll(NULL, 0, SECOND_LOOK_MS);
	return control_refuses(control);
}

static int in_the_way(struct error *error, const char *path, const char *what)
{
	return error_set(error, EEXIST, "'%s' %s; remove it, or name another path", path, what);
}

static int lives_already(struct error *error, const char *path)
{
	return error_set(error, EADDRINUSE,
			 "a network node runs at '%s' already; join it with "
			 "vde://%s, or name another path",
			 path, path);
}

/* Whether the existing, locked directory was left by a crash; empties it. */
static int dir_take_over(const struct node_dir *d, struct error *error)
{
	struct stat st;

	if (fstat(d->fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid())
		return error_set(error, EEXIST, "'%s' belongs to user %u; name another path",
				 d->path, (unsigned)st.st_uid);
	if (!is_socket(d->fd, CONTROL_NAME))
		return in_the_way(error, d->path, "exists and is not the directory of a node");
	if (!control_abandoned(d->path))
		return lives_already(error, d->path);
	if (dir_walk(d->fd, visit_foreign, NULL))
		return in_the_way(error, d->path, "holds other things than a node's sockets");
	return dir_walk(d->fd, visit_remove, NULL);
}

/* True when the locked directory is still the one that has the name. */
static bool dir_still_named(const struct node_dir *d)
{
	struct stat by_fd, by_name;

	return fstat(d->fd, &by_fd) == 0 && lstat(d->path, &by_name) == 0 &&
	       by_fd.st_dev == by_name.st_dev && by_fd.st_ino == by_name.st_ino;
}

/* Opens and locks d->path. -ESTALE: the name vanished meanwhile, begin again. */
static int dir_lock(struct node_dir *d, bool fresh, struct error *error)
{
	d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d->fd < 0)
		switch (errno) {
		case ENOENT:
			return -ESTALE;
		case ENOTDIR:
		case ELOOP:
			return in_the_way(error, d->path, "exists and is not a directory");
		case EACCES:
			return in_the_way(error, d->path,
					  "exists and cannot be opened (whose is it?)");
		default:
			return error_set_errno(error, errno, "cannot open '%s'", d->path);
		}
	/* Who looked at a directory that was just made lets go of it at once. */
	if (flock(d->fd, fresh ? LOCK_EX : LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? lives_already(error, d->path)
			       : error_set_errno(error, errno, "cannot lock '%s'", d->path);
	return dir_still_named(d) ? 0 : -ESTALE;
}

static int dir_try(struct node_dir *d, struct error *error)
{
	bool fresh = mkdir(d->path, 0700) == 0;
	int r;

	if (!fresh && errno != EEXIST)
		return error_set_errno(error, errno, "cannot make the directory '%s'", d->path);
	r = dir_lock(d, fresh, error);
	if (r == 0 && !fresh)
		r = dir_take_over(d, error);
	if (r < 0 && fresh)
		(void)rmdir(d->path);
	if (r < 0 && d->fd >= 0) {
		(void)close(d->fd);
		d->fd = -1;
	}
	return r;
}

int node_dir_make(struct node_dir *d, const char *path, mode_t mode, gid_t gid, struct error *error)
{
	int r = -ESTALE;

	d->path = plugin_absolute_path(path);
	if (!d->path)
		return error_set_errno(error, errno,
				       "cannot find the directory that '%s' is to be "
				       "made in",
				       path);
	if (strlen(d->path) > NODE_DIR_PATH_MAX)
		return error_set(error, ENAMETOOLONG,
				 "'%s' is too long for sockets in it (%d bytes "
				 "at most); name a shorter path",
				 d->path, NODE_DIR_PATH_MAX);
	for (int i = 0; r == -ESTALE && i < MAKE_TRIES; i++)
		r = dir_try(d, error);
	if (r < 0)
		return r;
	/* The group first: a change of group may take the set-group-id bit away. */
	if (gid != (gid_t)-1 && fchown(d->fd, (uid_t)-1, gid) < 0)
		return error_set_errno(error, errno,
				       "cannot give '%s' to group %u (you have to be "
				       "a member of it)",
				       d->path, (unsigned)gid);
	if (fchmod(d->fd, mode) < 0)
		return error_set_errno(error, errno, "cannot set the mode of '%s'", d->path);
	return 0;
}

void node_dir_done(struct node_dir *d)
{
	if (d->fd >= 0) {
		(void)dir_walk(d->fd, visit_remove, NULL);
		if (dir_still_named(d))
			(void)rmdir(d->path); /* stays when somebody put other things in it */
		(void)close(d->fd);
		d->fd = -1;
	}
	free(TAKE_PTR(d->path));
}

/* $XDG_RUNTIME_DIR when it is a directory of this user's own. */
static const char *runtime_dir(void)
{
	const char *dir = secure_getenv("XDG_RUNTIME_DIR");
	struct stat st;

	if (!dir || dir[0] != '/' || stat(dir, &st) < 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != geteuid())
		return "/tmp";
	return dir;
}

static void user_name(char name[USER_NAME_SIZE])
{
	char buffer[PASSWD_BUFFER];
	struct passwd entry, *found = NULL;

	if (getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) != 0 || !found ||
	    strchr(found->pw_name, '/') || str_copy(name, USER_NAME_SIZE, found->pw_name) < 0)
		(void)snprintf(name, USER_NAME_SIZE, "u%u", (unsigned)geteuid());
}

char *node_dir_default(void)
{
	char name[USER_NAME_SIZE];
	char *path;

	user_name(name);
	return asprintf(&path, "%s/vdenode_%s", runtime_dir(), name) < 0 ? NULL : path;
}
