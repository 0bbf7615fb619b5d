/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. The control directory has two doors. A plug that connects to DIR/ring and
 * says HELLO (wire/vde_ring.h) gets a pair of rings in shared memory (plug_ring.c), or hands over its
 * TAP (plug_device.c); one that connects to DIR/ctl and sends the old request (wire/vde_control.h)
 * gets a datagram socket (plug_dgram.c).
 * Either way the connection stays, and its end is the end of the port. Both sockets have the same
 * owner, group and mode, set before anybody can connect.
 *
 * A stranger can only hurt itself: whoever has connected and not sent a valid request within
 * REQUEST_TIMEOUT is closed; above --max-pending, and when descriptors run out, the oldest of them
 * goes; when there is none, a reserved descriptor lets the new connection be taken and closed.
 */
#include "vde/switch/control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "vde/plug/ring_port.h"
#include "vde/switch/plug_device.h"
#include "vde/switch/plug_dgram.h"
#include "vde/switch/plug_ring.h"
#include "vde/switch/port.h"
#include "vde/switch/takeover.h"
#include "vde/switch/takeover_message.h"
#include "wire/vde_control.h"

#define LISTEN_BACKLOG  1024
#define ACCEPTS_A_TURN  64
#define REQUEST_TIMEOUT (5 * NS_PER_SEC)
#define CONTROL_NAME    "ctl"
#define DATA_NAME_MAX   "/16383.99999" /* the longest name of a data socket */

struct pending;

/* The two ways in. */
struct door_kind {
	const char *name; /* of the socket in the directory */
	int type;
	/* Reads what came and judges it: true when nothing more is to be waited for. */
	bool (*read)(struct pending *p);
};

struct door {
	const struct door_kind *kind;
	struct control *control;
	int listen_fd;
	char *path; /* owned */
	loop_ref ref;
	bool inherited; /* the service manager's socket: its name stays when we go */
};

/* A connection without a valid request yet. */
struct pending {
	struct pending *next, *prev;
	struct control *control;
	const struct door_kind *kind;
	int fd;
	loop_ref ref;
	uint64_t due;
	bool takes_over; /* another switch, which has been told what it needs to begin */
	size_t len;
	uint8_t bytes[VDE_CONTROL_MAX];
};

#define NUM_DOORS 2

struct control {
	struct vde_switch *sw;
	struct door doors[NUM_DOORS];
	int reserve_fd; /* given up for a moment when descriptors run out */
	gid_t gid;      /* of the sockets; (gid_t)-1: leave it */
	bool made_dir;
	struct pending pending; /* ring, oldest first */
	int num_pending;
	struct loop_timer timer; /* of the oldest */
	struct log_limit complaints;
};

void control_raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* then fewer ports fit: they are refused */
}

gid_t control_gid(const struct vde_switch *sw)
{
	return sw->control->gid;
}

int control_credentials(int fd, struct port_client *client, gid_t groups[CONTROL_MAX_GROUPS])
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	*client = (struct port_client){ .uid = cred.uid, .gid = cred.gid, .groups = groups };
	len = CONTROL_MAX_GROUPS * sizeof(gid_t);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
		client->num_groups = len / sizeof(gid_t);
	return 0;
}

/* --- connections without a request ------------------------------------------------------- */

static void pending_arm(struct control *control)
{
	if (control->num_pending)
		(void)loop_timer_set(control->sw->loop, &control->timer,
				     control->pending.next->due);
	else
		loop_timer_cancel(control->sw->loop, &control->timer);
}

static void pending_close(struct pending *p)
{
	struct control *control = p->control;

	loop_remove(control->sw->loop, &p->ref);
	p->next->prev = p->prev;
	p->prev->next = p->next;
	control->num_pending--;
	if (p->fd >= 0)
		(void)close(p->fd);
	loop_defer_free(control->sw->loop, free, p);
	pending_arm(control);
}

static void pending_expire(struct loop *loop, struct loop_timer *timer)
{
	struct control *control = container_of(timer, struct control, timer);

	while (control->num_pending && control->pending.next->due <= loop_now(loop))
		pending_close(control->pending.next);
	pending_arm(control);
}

static void complain(struct control *control, const char *what, unsigned detail)
{
	if (log_limit_pass(&control->complaints, loop_now(control->sw->loop)))
		log_warning("control socket: %s%u: closed", what, detail);
}

static void complain_refused(struct control *control, int r, uint32_t port, const char *who)
{
	if (log_limit_pass(&control->complaints, loop_now(control->sw->loop)))
		log_message_errno(LOG_LEVEL_INFO, r, "port %u refused to '%s'", port, who);
}

/* --- requests of the old protocol -------------------------------------------------------- */

static void old_join(struct pending *p, const struct vde_control *request)
{
	int r;

	loop_remove(p->control->sw->loop, &p->ref); /* its descriptor gets another place in the loop */
	r = plug_dgram_join(p->control->sw, &p->fd, request);
	if (r < 0)
		complain_refused(p->control, r, request->port, request->description);
}

static bool old_judge(struct pending *p, bool at_end)
{
	struct vde_control request;

	switch (vde_control_parse(p->bytes, p->len, &request)) {
	case VDE_CONTROL_OK:
		old_join(p, &request);
		break;
	case VDE_CONTROL_BAD_MAGIC:
		complain(p->control, "request for a port with version ", 0);
		break;
	case VDE_CONTROL_BAD_VERSION:
		complain(p->control, "request for a port with version ", request.version);
		break;
	case VDE_CONTROL_BAD_ADDRESS:
		complain(p->control, "request without a usable socket address, version ",
			 VDE_CONTROL_VERSION);
		break;
	case VDE_CONTROL_SHORT:
		return at_end || p->len >= sizeof(p->bytes); /* or the rest may come */
	}
	return true;
}

static bool old_read(struct pending *p)
{
	ssize_t n = io_read(p->fd, p->bytes + p->len, sizeof(p->bytes) - p->len);

	if (n == -EAGAIN)
		return false;
	if (n > 0)
		p->len += (size_t)n;
	return old_judge(p, n <= 0);
}

/* --- requests for rings -------------------------------------------------------------------- */

static void ring_join(struct pending *p, const struct vde_ring_message_parts *hello, int *device_fd)
{
	struct error error = { 0 };
	int r;

	loop_remove(p->control->sw->loop, &p->ref);
	if (hello->kind == VDE_RING_KIND_DEVICE)
		r = plug_device_join(p->control->sw, &p->fd, hello, device_fd, &error);
	else
		r = plug_ring_join(p->control->sw, &p->fd, hello, device_fd, &error);
	if (r == 0)
		return;
	ring_port_refuse(p->fd, -r, error_text(&error));
	complain_refused(p->control, r, hello->port, hello->description);
}

/*
 * Another switch wants to go on in our place: at its first request it is told how to begin, at the
 * second it gets everything, and this process ends; or it does not, and nothing has happened.
 */
static bool takeover_read(struct pending *p, const struct vde_ring_message_parts *request)
{
	struct vde_switch *sw = p->control->sw;
	struct error error = { 0 };
	int r;

	if (p->takes_over) {
		takeover_hand_over(sw, p->fd);
		return true;
	}
	r = takeover_offer(sw, p->fd, request->takeover_version, &error);
	p->takes_over = r == 0;
	if (r < 0)
		ring_port_refuse(p->fd, -r, error_text(&error));
	return r < 0;
}

static bool ring_read(struct pending *p)
{
	struct vde_ring_message_parts hello = { 0 };
	auto_close int device_fd = -1;
	int r = ring_port_receive(p->fd, &hello, &device_fd);

	if (r == -EAGAIN)
		return false;
	if (r == 0 && hello.message == VDE_RING_TAKEOVER)
		return takeover_read(p, &hello);
	if (r == 0 && (hello.message != VDE_RING_HELLO || p->takes_over))
		r = -EBADMSG;
	if (r == 0)
		ring_join(p, &hello, &device_fd);
	else if (r == -EPROTONOSUPPORT)
		ring_port_refuse(p->fd, EPROTONOSUPPORT,
				 "the switch does not know this version of the ring protocol");
	else if (r != -EPIPE)
		complain(p->control, "malformed request for rings, error ", (unsigned)-r);
	return true;
}

static const struct door_kind door_kinds[NUM_DOORS] = {
	{ CONTROL_NAME, SOCK_STREAM, old_read },
	{ VDE_RING_SOCKET, SOCK_SEQPACKET, ring_read },
};

/* --- the doors ------------------------------------------------------------------------------- */

static void pending_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct pending *p = object;

	(void)loop;
	(void)fd;
	(void)events;
	if (p->kind->read(p))
		pending_close(p);
}

static const struct loop_class pending_class = { "control request", pending_ready };

static int pending_add(struct door *door, int fd)
{
	struct control *control = door->control;
	struct pending *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct pending){ .control = control, .kind = door->kind, .fd = fd,
			       .due = loop_now(control->sw->loop) + REQUEST_TIMEOUT };
	r = loop_add(control->sw->loop, &pending_class, fd, EPOLLIN, p, &p->ref);
	if (r < 0) {
		free(p);
		return r;
	}
	p->prev = control->pending.prev;
	p->next = &control->pending;
	p->prev->next = p;
	control->pending.prev = p;
	if (++control->num_pending > control->sw->settings.max_pending)
		pending_close(control->pending.next);
	pending_arm(control);
	return 0;
}

void control_out_of_descriptors(struct vde_switch *sw, int listen_fd)
{
	struct control *control = sw->control;
	int fd;

	if (control->num_pending) {
		pending_close(control->pending.next);
		return;
	}
	if (control->reserve_fd < 0)
		return;
	(void)close(control->reserve_fd);
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		(void)close(fd);
	control->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	complain(control, "no descriptors left, connection refused, ports ", sw->num_ports);
}

static void door_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct door *door = object;

	(void)loop;
	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		auto_close int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client < 0 && (errno == EMFILE || errno == ENFILE))
			control_out_of_descriptors(door->control->sw, fd);
		if (client < 0)
			return;
		if (pending_add(door, client) == 0)
			(void)TAKE_FD(client);
	}
}

static const struct loop_class door_class = { "control socket", door_ready };

static int door_listen(struct door *door, struct error *error)
{
	const struct vde_switch *sw = door->control->sw;
	int fd = door->listen_fd;

	if (fd < 0)
		fd = io_listen_unix(door->path, door->kind->type, sw->settings.mode,
				    door->control->gid, LISTEN_BACKLOG);
	if (fd == -EADDRINUSE)
		return error_set(error, EADDRINUSE,
				 "Could not bind to '%s': another switch answers there; "
				 "stop it or choose another directory with -s", door->path);
	if (fd < 0)
		return error_set_errno(error, -fd, "Could not bind to '%s'", door->path);
	door->listen_fd = fd;
	return 0;
}

static void door_close(struct door *door)
{
	if (!door->control)
		return;
	loop_remove(door->control->sw->loop, &door->ref);
	if (door->listen_fd >= 0) {
		(void)close(door->listen_fd);
		if (!door->inherited)
			(void)unlink(door->path);
	}
	free(door->path);
}

/* --- the directory --------------------------------------------------------------------------- */

/* A directory is searched by whoever may read or write in it. */
static mode_t with_search(mode_t mode)
{
	return mode | (mode & 0444) >> 2 | (mode & 0222) >> 1;
}

/* What only one of the two modes was given for follows from it. */
static void derive_modes(struct switch_settings *settings)
{
	if (settings->mode_given && !settings->dir_mode_given)
		settings->dir_mode = 02000 | with_search(settings->mode & 0777);
	else if (settings->dir_mode_given && !settings->mode_given)
		settings->mode = settings->dir_mode & 0666;
}

static bool control_inherited(const struct control *control)
{
	for (int i = 0; i < NUM_DOORS; i++)
		if (control->doors[i].inherited)
			return true;
	return false;
}

/* Permissions and group of the directory; one that a service manager keeps is left as it is. */
static int control_set_dir(const struct control *control, struct error *error)
{
	const struct vde_switch *sw = control->sw;

	if (control_inherited(control))
		return 0;
	if (control->gid != (gid_t)-1 && chown(sw->dir, (uid_t)-1, control->gid) < 0)
		return error_set_errno(error, errno,
				       "cannot give '%s' to the group %s (you must be a member of it)",
				       sw->dir, sw->settings.group);
	if (chmod(sw->dir, sw->settings.dir_mode) < 0)
		return error_set_errno(error, errno, "cannot set the permissions of '%s'", sw->dir);
	return 0;
}

/* Not a file, and not a directory that all share, as /tmp: its permissions are going to change. */
static bool is_private_dir(const char *dir)
{
	struct stat st;

	return stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && !(st.st_mode & S_ISVTX);
}

static int control_make_dir(struct control *control, const char *dir, struct error *error)
{
	struct vde_switch *sw = control->sw;

	if (mkdir(dir, 0700) == 0)
		control->made_dir = true;
	else if (errno == ENOENT)
		return error_set_errno(error, ENOENT, "cannot make the control directory '%s' (the one "
				       "that it is to be in has to exist)", dir);
	else if (errno != EEXIST)
		return error_set_errno(error, errno, "cannot make the control directory '%s' (choose "
				       "another with -s)", dir);
	else if (!is_private_dir(dir))
		return error_set(error, ENOTDIR, "'%s' is not a directory that a switch can have for "
				 "itself; choose another with -s", dir);
	sw->dir = realpath(dir, NULL);
	if (!sw->dir)
		return error_set_errno(error, errno, "control directory '%s'", dir);
	if (strlen(sw->dir) + strlen(DATA_NAME_MAX) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return error_set(error, ENAMETOOLONG,
				 "control directory '%s': the path is too long for the names of sockets "
				 "in it; choose one of at most %zu bytes with -s", sw->dir,
				 sizeof(((struct sockaddr_un *)0)->sun_path) - 1 - strlen(DATA_NAME_MAX));
	for (int i = 0; i < NUM_DOORS; i++) {
		struct door *door = &control->doors[i];

		if (asprintf(&door->path, "%s/%s", sw->dir, door->kind->name) < 0) {
			door->path = NULL;
			return error_set_errno(error, ENOMEM, "control socket");
		}
		door->listen_fd = daemon_inherited_socket(door->path);
		door->inherited = door->listen_fd >= 0;
	}
	return control_set_dir(control, error);
}


/* PORT.FD of a switch, or .PID-N of a client. */
static bool is_data_name(const char *name)
{
	static const char digits[] = "0123456789";
	size_t dot = name[0] == '.' ? 1 : 0, first = strspn(name + dot, digits);
	const char *rest = name + dot + first;

	return first && rest[0] == (dot ? '-' : '.') && rest[1] &&
	       rest[1 + strspn(rest + 1, digits)] == '\0';
}

/*
 * Removes the data sockets that a switch, or clients, left here when they were killed: nobody is
 * behind them. They would keep the directory from being removed at the end.
 */
static void control_sweep(const struct control *control)
{
	auto_closedir DIR *dir = opendir(control->sw->dir);
	const struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir)) != NULL) {
		char path[PATH_MAX];
		auto_close int fd = -1;
		int len = snprintf(path, sizeof(path), "%s/%s", control->sw->dir, entry->d_name);

		if (len >= (int)sizeof(path) || !is_data_name(entry->d_name))
			continue;
		fd = io_connect_unix(path, SOCK_DGRAM);
		if (fd == -ECONNREFUSED && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
			(void)unlink(path); /* if it cannot be, it stays, as it did before */
	}
}

static struct control *control_create(struct vde_switch *sw)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	*control = (struct control){ .sw = sw, .gid = (gid_t)-1, .timer.fire = pending_expire };
	for (int i = 0; i < NUM_DOORS; i++)
		control->doors[i] = (struct door){ .kind = &door_kinds[i], .control = control,
						   .listen_fd = -1 };
	control->pending.next = control->pending.prev = &control->pending;
	control->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return control;
}

int control_open(struct vde_switch *sw, struct error *error)
{
	struct control *control = sw->control = control_create(sw);
	int r;

	if (!control)
		return error_set_errno(error, ENOMEM, "control socket");
	if (sw->settings.group && parse_group(sw->settings.group, &control->gid) < 0)
		return error_set(error, ENOENT, "no group '%s'", sw->settings.group);
	derive_modes(&sw->settings);
	r = control_make_dir(control, sw->settings.dir, error);
	/* ctl last: who finds it finds the rings, too, and need not be content with less. */
	for (int i = NUM_DOORS - 1; r == 0 && i >= 0; i--)
		r = door_listen(&control->doors[i], error);
	if (r < 0)
		return r;
	control_sweep(control);
	for (int i = 0; r == 0 && i < NUM_DOORS; i++)
		r = loop_add(sw->loop, &door_class, control->doors[i].listen_fd, EPOLLIN,
			     &control->doors[i], &control->doors[i].ref);
	return r < 0 ? error_set_errno(error, -r, "control socket") : 0;
}

void control_close(struct vde_switch *sw)
{
	struct control *control = sw->control;
	bool ours;

	if (!control)
		return;
	while (control->num_pending)
		pending_close(control->pending.next);
	loop_timer_cancel(sw->loop, &control->timer);
	ours = !control_inherited(control) &&
	       (control->made_dir || control->doors[0].listen_fd >= 0);
	for (int i = 0; i < NUM_DOORS; i++)
		door_close(&control->doors[i]);
	if (ours)
		(void)rmdir(sw->dir); /* others' files may be in it: then it stays */
	if (control->reserve_fd >= 0)
		(void)close(control->reserve_fd);
	free(control);
	sw->control = NULL;
}

/* --- takeover ------------------------------------------------------------------------------ */

int control_pack(const struct vde_switch *sw, const struct takeover_link *link)
{
	auto_takeover_message struct takeover_message m = { 0 };
	const struct control *control = sw->control;
	int r = 0;

	for (int i = 0; r == 0 && i < NUM_DOORS; i++) {
		takeover_begin(&m, TAKEOVER_DOOR);
		takeover_put_text(&m, ITEM_NAME, control->doors[i].kind->name);
		takeover_put_number(&m, ITEM_FLAG, control->doors[i].inherited);
		takeover_put_fd(&m, control->doors[i].listen_fd);
		r = takeover_send(link, &m);
	}
	for (const struct pending *p = control->pending.next; r == 0 && p != &control->pending;
	     p = p->next) {
		if (p->fd < 0 || p->takes_over)
			continue;
		takeover_begin(&m, TAKEOVER_PENDING);
		takeover_put_text(&m, ITEM_NAME, p->kind->name);
		takeover_put(&m, ITEM_BYTES_IN, p->bytes, p->len);
		takeover_put_fd(&m, p->fd);
		r = takeover_send(link, &m);
	}
	return r;
}

int control_adopt(struct vde_switch *sw, gid_t gid, bool made_dir)
{
	sw->control = control_create(sw);
	if (!sw->control)
		return -ENOMEM;
	sw->control->gid = gid;
	sw->control->made_dir = made_dir;
	for (int i = 0; i < NUM_DOORS; i++) {
		struct door *door = &sw->control->doors[i];

		if (asprintf(&door->path, "%s/%s", sw->dir, door->kind->name) < 0) {
			door->path = NULL;
			return -ENOMEM;
		}
	}
	return 0;
}

static struct door *control_door(const struct vde_switch *sw, const struct takeover_message *m)
{
	auto_free char *name = takeover_get_text(m, ITEM_NAME);

	for (int i = 0; name && i < NUM_DOORS; i++)
		if (str_equal(sw->control->doors[i].kind->name, name))
			return &sw->control->doors[i];
	return NULL;
}

int control_unpack_door(struct vde_switch *sw, struct takeover_message *m)
{
	struct door *door = control_door(sw, m);

	if (!door || door->listen_fd >= 0)
		return -EBADMSG;
	door->inherited = takeover_get_number(m, ITEM_FLAG);
	door->listen_fd = takeover_take_fd(m);
	return loop_add(sw->loop, &door_class, door->listen_fd, EPOLLIN, door, &door->ref);
}

int control_unpack_pending(struct vde_switch *sw, struct takeover_message *m)
{
	struct door *door = control_door(sw, m);
	auto_close int fd = takeover_take_fd(m);
	struct pending *p;
	struct cursor bytes;
	int r;

	if (!door || !takeover_get(m, ITEM_BYTES_IN, &bytes) || bytes.left > sizeof(p->bytes))
		return -EBADMSG;
	r = pending_add(door, fd);
	if (r < 0)
		return r;
	(void)TAKE_FD(fd);
	p = sw->control->pending.prev;
	p->len = bytes.left;
	(void)cursor_copy(&bytes, p->bytes, bytes.left);
	return 0;
}

bool control_complete(const struct vde_switch *sw)
{
	for (int i = 0; i < NUM_DOORS; i++)
		if (sw->control->doors[i].listen_fd < 0)
			return false;
	return true;
}

bool control_made_dir(const struct vde_switch *sw)
{
	return sw->control->made_dir;
}
