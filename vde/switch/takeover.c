/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conversation of a takeover; takeover.h tells how it goes.
 *
 * Settings. What the running switch was told on its command line, or by its console since, stays. Of the
 * successor's own command line these count: where it runs (-d, -p, --ready-fd, --nostdin, --log-level), the
 * limits that are given (`limits` below), --no-sandbox, --allow-path, the start-up file for a later HUP, an -M
 * where there was none, and interfaces (-t) that are not there yet.
 */
#include "vde/switch/takeover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "vde/switch/console.h"
#include "vde/switch/control.h"
#include "vde/switch/plugin_host.h"
#include "vde/switch/tap.h"
#include "wire/vde_ring.h"

#define SOCKET_BUFFER      (1 << 20)
#define SUCCESSOR_PATIENCE (10 * NS_PER_SEC)

/* What the successor knows of the running switch, and settings that it has from there. */
struct takeover {
	struct takeover_link link;
	struct takeover_message hello; /* option lists and strings of the settings are in it */
	char *dir, *mgmt, *pid_path, *rc_file, *mgmt_group, *version; /* owned; NULL: none */
	char *allow_paths[OPTION_LIST_MAX];                           /* owned */
	uint64_t start;               /* of the switch, ns */
	uint64_t asked;               /* ns: when the pause began */
	unsigned num_endpoints;
	gid_t gid;
	bool made_dir;
	pid_t pid;
};

#define SETTING(name) TAKEOVER_FIELD(struct switch_settings, name)

/* What the successor cannot be told otherwise. */
static const struct takeover_field kept[] = {
	SETTING(num_ports), SETTING(priority), SETTING(hash_size), SETTING(mode),
	SETTING(dir_mode),  SETTING(mgmt_mode),
};

struct limit {
	struct takeover_field field;
	size_t given; /* offset of the flag */
};
#define LIMIT(name) { SETTING(name), offsetof(struct switch_settings, given.name) }

/* What it may be told. The order is the message's. */
static const struct limit limits[] = {
	LIMIT(queue_size), LIMIT(buffer_size), LIMIT(busy_poll), LIMIT(ring_size),
	LIMIT(max_frame),  LIMIT(max_macs),    LIMIT(max_pending), LIMIT(max_consoles),
	LIMIT(device_ports),
};

static const struct takeover_field facts[] = {
	TAKEOVER_FIELD(struct takeover, start),
	TAKEOVER_FIELD(struct takeover, gid),
	TAKEOVER_FIELD(struct takeover, made_dir),
	TAKEOVER_FIELD(struct takeover, pid),
};

static int peer_of(int fd, struct ucred *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &len) < 0 ? -errno : 0;
}

/* Room for many messages on their way, as far as the kernel gives it. */
static void widen(int fd)
{
	int size = SOCKET_BUFFER;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* --- the old switch: HELLO ---------------------------------------------------------------------- */

static void put_limits(const struct switch_settings *settings, struct takeover_message *m)
{
	struct takeover_field fields[ARRAY_SIZE(limits)];

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		fields[i] = limits[i].field;
	takeover_put_fields(m, ITEM_CLASS, settings, fields, ARRAY_SIZE(fields));
}

static void build_hello(const struct vde_switch *sw, struct takeover_message *m)
{
	const struct switch_settings *s = &sw->settings;
	struct takeover t = { .start = sw->start, .gid = control_gid(sw), .pid = getpid(),
			      .made_dir = control_made_dir(sw) };
	auto_free char *rc_file = s->rc_file ? realpath(s->rc_file, NULL) : NULL;

	takeover_begin(m, TAKEOVER_HELLO);
	takeover_put_text(m, ITEM_VERSION, VS_VERSION);
	takeover_put_fields(m, ITEM_NAME, &t, facts, ARRAY_SIZE(facts));
	takeover_put_fields(m, ITEM_NUMBERS, s, kept, ARRAY_SIZE(kept));
	put_limits(s, m);
	takeover_put_number(m, ITEM_FLAG, s->no_sandbox);
	takeover_put(m, ITEM_MAC, sw->mac, sizeof(sw->mac));
	takeover_put_text(m, ITEM_DIR, sw->dir);
	takeover_put_text(m, ITEM_MGMT_PATH, sw->mgmt);
	takeover_put_text(m, ITEM_MGMT_GROUP, s->mgmt_group);
	takeover_put_text(m, ITEM_PID_PATH, s->daemon.pid_path);
	takeover_put_text(m, ITEM_RC_FILE, rc_file);
	for (unsigned i = 0; i < s->allow_paths.count; i++)
		takeover_put_text(m, ITEM_ALLOW_PATH, s->allow_paths.item[i]);
}

int takeover_offer(struct vde_switch *sw, int fd, uint32_t version, struct error *error)
{
	auto_takeover_message struct takeover_message m = { 0 };
	struct takeover_link link = { .fd = fd }; /* without patience: there is room */
	struct ucred peer;
	int r = peer_of(fd, &peer);

	if (r < 0)
		return error_set_errno(error, -r, "who are you?");
	if (peer.uid != 0 && peer.uid != geteuid()) {
		log_warning("user %u is not allowed to take this switch over", peer.uid);
		return error_set(error, EPERM,
				 "only the user that the switch runs as, %u, and root may take it over",
				 geteuid());
	}
	if (version != TAKEOVER_VERSION)
		return error_set(error, EPROTONOSUPPORT,
				 "the running switch (" VS_VERSION ") hands over by version %d of the "
				 "protocol, and not by version %u: stop it and start the new one",
				 TAKEOVER_VERSION, version);
	widen(fd);
	build_hello(sw, &m);
	r = takeover_send(&link, &m);
	return r < 0 ? error_set_errno(error, -r, "the settings cannot be told") : 0;
}

/* --- the old switch: the end ------------------------------------------------------------------------ */

/* The successor has everything. Nothing is closed or removed but what is this process's alone. */
_Noreturn static void leave(struct vde_switch *sw, const struct takeover_message *commit, pid_t pid)
{
	auto_free char *pid_path = takeover_get_text(commit, ITEM_PID_PATH);
	const char *ours = sw->settings.daemon.pid_path;
	char state[64];

	(void)snprintf(state, sizeof(state), "MAINPID=%ld", (long)pid);
	daemon_notify(state);
	if (ours && !(pid_path && str_equal(pid_path, ours)))
		(void)unlink(ours);
	log_notice("process %ld has taken this switch over", (long)pid);
	console_forget(sw);
	plugin_host_free(sw); /* their files are their own */
	_exit(EXIT_SUCCESS);
}

/*
 * The one message that decides. Whoever is late finds the connection shut down, and one that came
 * just before is found. True: the successor owns everything.
 */
static bool committed(struct takeover_link *link, struct takeover_message *m, struct error *error)
{
	int r = takeover_receive(link, m);

	if (r == 0 && m->kind == TAKEOVER_COMMIT)
		return true;
	if (r == 0 && m->kind == TAKEOVER_FAILED) {
		auto_free char *text = takeover_get_text(m, ITEM_TEXT);

		(void)error_set(error, ECANCELED, "%s", text ? text : "it does not tell why");
	} else {
		(void)error_set_errno(error, r < 0 ? -r : EBADMSG, "it did not get ready");
	}
	(void)shutdown(link->fd, SHUT_RDWR);
	while (takeover_receive(link, m) != -EPIPE && clock_now() < link->deadline + NS_PER_SEC)
		if (m->kind == TAKEOVER_COMMIT)
			return true;
	return false;
}

void takeover_hand_over(struct vde_switch *sw, int fd)
{
	auto_takeover_message struct takeover_message m = { 0 };
	struct takeover_link link = { .fd = fd, .deadline = clock_now() + TAKEOVER_PATIENCE };
	struct error error = { 0 };
	struct ucred peer = { .pid = 0 };
	int r;

	(void)peer_of(fd, &peer);
	r = takeover_pack(sw, &link, &error);
	takeover_begin(&m, r == 0 ? TAKEOVER_DONE : TAKEOVER_FAILED);
	if (r < 0)
		takeover_put_text(&m, ITEM_TEXT, error_text(&error));
	if (takeover_send(&link, &m) == 0 && r == 0 && committed(&link, &m, &error))
		leave(sw, &m, peer.pid);
	log_warning("process %ld wanted to take this switch over and did not: %s; going on",
		    (long)peer.pid, error_text(&error));
	(void)loop_update_now(sw->loop);
}

/* --- the successor: HELLO ----------------------------------------------------------------------------- */

void takeover_free(struct takeover *t)
{
	if (!t)
		return;
	free(t->dir);
	free(t->mgmt);
	free(t->pid_path);
	free(t->rc_file);
	free(t->mgmt_group);
	free(t->version);
	for (unsigned i = 0; i < OPTION_LIST_MAX; i++)
		free(t->allow_paths[i]);
	takeover_message_done(&t->hello);
	if (t->link.fd >= 0)
		(void)close(t->link.fd);
	free(t);
}

/* Commands and code come from there: it has to be somebody who could have us do anything anyway. */
static int check_peer(const struct takeover *t, const char *dir, struct error *error)
{
	struct ucred peer;
	int r = peer_of(t->link.fd, &peer);

	if (r < 0)
		return error_set_errno(error, -r, "the switch in '%s'", dir);
	if (peer.uid != 0 && peer.uid != geteuid())
		return error_set(error, EPERM,
				 "the switch in '%s' runs as user %u: take it over as that user", dir,
				 peer.uid);
	return 0;
}

static int connect_to(struct takeover *t, const char *dir, struct error *error)
{
	auto_free char *path = NULL;

	if (asprintf(&path, "%s/%s", dir, VDE_RING_SOCKET) < 0) {
		path = NULL;
		return error_set_errno(error, ENOMEM, "--takeover");
	}
	t->link.fd = io_connect_unix(path, SOCK_SEQPACKET);
	t->link.deadline = clock_now() + SUCCESSOR_PATIENCE;
	if (t->link.fd == -ENOENT || t->link.fd == -ECONNREFUSED)
		return error_set(error, -t->link.fd,
				 "no switch that could be taken over runs in '%s': start without "
				 "--takeover, or name its directory with -s", dir);
	if (t->link.fd < 0)
		return error_set_errno(error, -t->link.fd, "cannot connect to '%s'", path);
	widen(t->link.fd);
	return check_peer(t, dir, error);
}

static int send_request(const struct takeover *t)
{
	auto_strbuf struct strbuf out = { 0 };
	const struct vde_ring_message_parts parts = { .message = VDE_RING_TAKEOVER,
						      .takeover_version = TAKEOVER_VERSION };

	vde_ring_build(&parts, &out);
	if (out.error)
		return out.error;
	return send(t->link.fd, out.data, out.len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* What a message that is none means. */
static int explain(int r, const struct takeover_message *m, struct error *error)
{
	auto_free char *text = NULL;

	switch (-r) {
	case EREMOTEIO:
		text = takeover_get_text(m, ITEM_TEXT);
		return error_set(error, EREMOTEIO, "the running switch refuses: %s",
				 text ? text : "it does not tell why");
	case EPROTONOSUPPORT:
		return error_set(error, EPROTONOSUPPORT,
				 "the running switch hands over by another version of the protocol: stop "
				 "it and start this one");
	case EPIPE:
	case ECONNRESET:
		return error_set(error, EPIPE,
				 "the running switch has hung up: it is older than --takeover, or it "
				 "has ended");
	default:
		return error_set_errno(error, -r, "no answer from the running switch");
	}
}

static void keep_allow_paths(struct takeover *t, struct option_list *list)
{
	struct cursor at = takeover_items(&t->hello), value;
	uint16_t type;

	while (takeover_next(&at, &type, &value)) {
		char *path;

		if (type != ITEM_ALLOW_PATH || list->count == OPTION_LIST_MAX)
			continue;
		path = takeover_value_text(value);
		t->allow_paths[list->count] = path;
		if (path && access(path, F_OK) == 0)
			list->item[list->count++] = path;
		else
			free(TAKE_PTR(t->allow_paths[list->count]));
	}
}

/* Those limits that are not on our own command line. */
static int keep_limits(const struct takeover *t, struct switch_settings *settings)
{
	struct switch_settings told = *settings;
	struct takeover_field fields[ARRAY_SIZE(limits)];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		fields[i] = limits[i].field;
	r = takeover_get_fields(&t->hello, ITEM_CLASS, &told, fields, ARRAY_SIZE(fields));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(limits); i++)
		if (!*((bool *)settings + limits[i].given))
			memcpy((char *)settings + fields[i].offset, (char *)&told + fields[i].offset,
			       fields[i].size);
	return r;
}

static int keep_settings(struct takeover *t, struct switch_settings *settings)
{
	struct cursor mac;
	int r = takeover_get_fields(&t->hello, ITEM_NUMBERS, settings, kept, ARRAY_SIZE(kept));

	if (r == 0)
		r = keep_limits(t, settings);
	if (r < 0 || !takeover_get(&t->hello, ITEM_MAC, &mac) ||
	    !cursor_copy(&mac, settings->mac, sizeof(settings->mac)))
		return -EBADMSG;
	settings->mac_given = true;
	settings->hub = settings->fstp = false; /* the script tells */
	settings->no_sandbox |= takeover_get_number(&t->hello, ITEM_FLAG) != 0;
	settings->mgmt_group = t->mgmt_group;
	if (!settings->rc_file)
		settings->rc_file = t->rc_file;
	if (!settings->daemon.pid_file)
		settings->daemon.pid_file = t->pid_path;
	if (!settings->allow_paths.count)
		keep_allow_paths(t, &settings->allow_paths);
	return 0;
}

static int take_hello(struct takeover *t, struct switch_settings *settings, struct error *error)
{
	int r = takeover_receive(&t->link, &t->hello);

	if (r < 0)
		return explain(r, &t->hello, error);
	t->version = takeover_get_text(&t->hello, ITEM_VERSION);
	t->dir = takeover_get_text(&t->hello, ITEM_DIR);
	t->mgmt = takeover_get_text(&t->hello, ITEM_MGMT_PATH);
	t->mgmt_group = takeover_get_text(&t->hello, ITEM_MGMT_GROUP);
	t->pid_path = takeover_get_text(&t->hello, ITEM_PID_PATH);
	t->rc_file = takeover_get_text(&t->hello, ITEM_RC_FILE);
	if (t->hello.kind != TAKEOVER_HELLO || !t->dir || !t->version ||
	    takeover_get_fields(&t->hello, ITEM_NAME, t, facts, ARRAY_SIZE(facts)) < 0 ||
	    keep_settings(t, settings) < 0)
		return error_set(error, EBADMSG, "the running switch answers nonsense");
	return 0;
}

int takeover_ask(struct switch_settings *settings, struct takeover **ret, struct error *error)
{
	struct takeover *t = *ret = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return error_set_errno(error, ENOMEM, "--takeover");
	t->link.fd = -1;
	r = connect_to(t, settings->dir, error);
	if (r < 0)
		return r;
	r = send_request(t);
	if (r < 0)
		return error_set_errno(error, -r, "asking the switch in '%s'", settings->dir);
	return take_hello(t, settings, error);
}

/* --- the successor: everything else -------------------------------------------------------------------- */

static int adopt(struct vde_switch *sw, struct takeover *t, struct error *error)
{
	int r;

	sw->took_over = true;
	sw->start = t->start;
	sw->dir = TAKE_PTR(t->dir);
	sw->mgmt = TAKE_PTR(t->mgmt);
	r = control_adopt(sw, t->gid, t->made_dir);
	if (r == 0)
		r = console_prepare(sw);
	t->asked = clock_now();
	if (r == 0)
		r = send_request(t);
	return r < 0 ? error_set_errno(error, -r, "--takeover") : 0;
}

static int receive_failed(const struct takeover_message *m, struct error *error)
{
	auto_free char *text = takeover_get_text(m, ITEM_TEXT);

	return error_set(error, ECANCELED, "the running switch could not hand over: %s",
			 text ? text : "it does not tell why");
}

int takeover_receive_all(struct vde_switch *sw, struct takeover *t, struct error *error)
{
	auto_takeover_message struct takeover_message m = { 0 };
	struct takeover_unpack u = { 0 };
	int r = adopt(sw, t, error);

	t->link.deadline = clock_now() + SUCCESSOR_PATIENCE;
	while (r == 0) {
		r = takeover_receive(&t->link, &m);
		if (r < 0)
			return explain(r, &m, error);
		if (m.kind == TAKEOVER_FAILED)
			return receive_failed(&m, error);
		if (m.kind == TAKEOVER_DONE)
			break;
		r = takeover_unpack(sw, &u, &m, error);
	}
	t->num_endpoints = u.num_endpoints;
	if (r == 0 && !control_complete(sw))
		return error_set(error, EBADMSG, "the running switch has kept a socket back");
	if (r == 0 && console_elsewhere(sw))
		return error_set(error, EINVAL,
				 "-M %s: the running switch has its console on '%s', which stays",
				 sw->settings.mgmt, sw->mgmt);
	return r;
}

bool takeover_has_tap(const struct vde_switch *sw, const char *name)
{
	for (unsigned number = 0; number <= sw->num_ports; number++) {
		const struct endpoint *ep = sw->ports[number] ? sw->ports[number]->endpoints : NULL;

		for (; ep; ep = ep->next_on_port)
			if (ep->class == &tap_class && str_equal(ep->descr, name))
				return true;
	}
	return false;
}

int takeover_adopt_pid(struct vde_switch *sw, struct takeover *t, struct error *error)
{
	return daemon_adopt_pid(&sw->settings.daemon, t->pid_path, error);
}

int takeover_commit(struct vde_switch *sw, struct takeover *t, struct error *error)
{
	auto_takeover_message struct takeover_message m = { 0 };
	int r;

	takeover_begin(&m, TAKEOVER_COMMIT);
	takeover_put_text(&m, ITEM_PID_PATH, sw->settings.daemon.pid_path);
	r = takeover_send(&t->link, &m);
	if (r < 0)
		return error_set_errno(error, -r, "the running switch did not wait");
	(void)close(TAKE_FD(t->link.fd));
	log_notice("taken over from process %ld (version %s): %u endpoints, a pause of %llu us",
		   (long)t->pid, t->version, t->num_endpoints,
		   (unsigned long long)((clock_now() - t->asked) / NS_PER_USEC));
	return 0;
}

void takeover_abandon(struct vde_switch *sw, struct takeover *t, const char *reason)
{
	auto_takeover_message struct takeover_message m = { 0 };

	if (t && t->link.fd >= 0) {
		takeover_begin(&m, TAKEOVER_FAILED);
		takeover_put_text(&m, ITEM_TEXT, reason);
		(void)takeover_send(&t->link, &m); /* its end tells as well */
	}
	console_abandon(sw);
	daemon_end(&sw->settings.daemon);
	_exit(EXIT_FAILURE);
}
