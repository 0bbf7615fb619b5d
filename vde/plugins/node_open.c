/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A netnode's options, its beginning and its end. */
#include "vde/plugins/node_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/parse.h"

#define MODE_DEFAULT     0600
#define DIR_MODE_DEFAULT 02700
#define BACKLOG          15
#define EXPIRE_MAX_S     (10LL * 365 * 24 * 3600)

/* What stands in the locator, as text; NULL: not given. */
struct node_options {
	char *mode, *dirmode, *grp;
	char *ring;
	char *hashsize, *hashseed, *expiretime;
};

/* Search permission wherever there is any permission, and the set-group-id bit. */
static mode_t dir_mode_of(mode_t mode)
{
	mode_t used = (mode | mode >> 1 | mode >> 2) & 0111;

	return 02000 | mode | used;
}

static int bad_option(struct error *error, int r, const char *name, const char *value,
		      const char *wanted)
{
	return error_set(error, -r, "%s=%s: %s", name, value, wanted);
}

static int option_mode(const char *name, const char *text, mode_t *ret, struct error *error)
{
	int r = parse_mode(text, ret);

	return r < 0 ? bad_option(error, -EINVAL, name, text,
				  "an octal mode is wanted, such as 0660")
		     : 0;
}

/* A number with an optional suffix k or m, from MIN to MAX. */
static int option_count(const char *name, const char *text, long long min, long long max,
			long long *ret, struct error *error)
{
	size_t digits = strspn(text, "0123456789xXabcdefABCDEF");
	unsigned long long value = strtoullm(text);
	const char *suffix = text + digits;

	if (!digits || text[0] < '0' || text[0] > '9' || suffix[strspn(suffix, "kKmMgGtT")] ||
	    value < (unsigned long long)min || value > (unsigned long long)max) {
		char wanted[80];

		(void)snprintf(wanted, sizeof(wanted), "a number from %lld to %lld is wanted", min,
			       max);
		return bad_option(error, -EINVAL, name, text, wanted);
	}
	*ret = (long long)value;
	return 0;
}

static int option_learning(const struct node_options *o, struct node_learning *ret,
			   struct error *error)
{
	long long number;
	int r;

	if (o->hashsize) {
		r = option_count("hashsize", o->hashsize, 1, NODE_TABLE_SIZE_MAX, &number, error);
		if (r < 0)
			return r;
		ret->table_size = (unsigned)number;
	}
	if (o->expiretime) {
		r = option_count("expiretime", o->expiretime, 1, EXPIRE_MAX_S, &number, error);
		if (r < 0)
			return r;
		ret->expire_s = (unsigned)number;
	}
	if (o->hashseed) {
		r = option_count("hashseed", o->hashseed, 0, LLONG_MAX, &number, error);
		if (r < 0)
			return r;
		ret->seed = (uint64_t)number;
	}
	if (ret->seed == 0 && getrandom(&ret->seed, sizeof(ret->seed), 0) < 0)
		return -errno;
	return 0;
}

static int option_group(const struct node_options *o, const struct vde_open_args *args, int version,
			gid_t *ret, struct error *error)
{
	const char *name = o->grp;

	if (!name && args && version == LIBVDEPLUG_INTERFACE_VERSION)
		name = args->group;
	*ret = vde_grnam2gid(name);
	if (name && *ret == (gid_t)-1)
		return error_set(error, EINVAL,
				 "there is no group '%s'; name one of /etc/group or "
				 "give its number",
				 name);
	return 0;
}

/* The mode of sockets, and that of the directory. */
static int option_modes(struct node *n, const struct node_options *o,
			const struct vde_open_args *args, int version, mode_t *ret_dir,
			struct error *error)
{
	mode_t mode = plugin_mode(args, version, 0);
	bool given = mode != 0 || o->mode;
	int r = o->mode ? option_mode("mode", o->mode, &mode, error) : 0;

	if (r < 0)
		return r;
	n->mode = given ? mode & 0666 : MODE_DEFAULT;
	*ret_dir = given ? dir_mode_of(n->mode) : DIR_MODE_DEFAULT;
	return o->dirmode ? option_mode("dirmode", o->dirmode, ret_dir, error) : 0;
}

static int parse_options(char *text, struct node_options *o)
{
	char mode[] = "mode", dirmode[] = "dirmode", grp[] = "grp", ring[] = "ring";
	char hashsize[] = "hashsize", hashseed[] = "hashseed", expiretime[] = "expiretime";
	struct vdeparms parms[] = {
		{ mode, &o->mode },
		{ dirmode, &o->dirmode },
		{ grp, &o->grp },
		{ ring, &o->ring },
		{ node_rule.learns ? hashsize : NULL, &o->hashsize }, /* the end for the others */
		{ hashseed, &o->hashseed },
		{ expiretime, &o->expiretime },
		{ NULL, NULL },
	};

	return vde_parsepathparms(text, parms);
}

static int node_start_rule(struct node *n, const struct node_learning *learning)
{
	int r;

	n->memory = calloc(1, MAX(n->rule->memory, 1));
	if (!n->memory)
		return -ENOMEM;
	r = n->rule->start ? n->rule->start(n->memory, learning) : 0;
	n->started = r == 0;
	return r;
}

/* Makes the socket NAME in the directory. */
static int node_listen_at(struct node *n, const char *name, int type, enum node_event event,
			  int *ret, struct error *error)
{
	auto_free char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/%s", n->dir.path, name) < 0)
		return -ENOMEM;
	fd = io_listen_unix(path, type, n->mode, n->gid, BACKLOG);
	if (fd < 0)
		return error_set_errno(error, -fd, "cannot listen at '%s'", path);
	*ret = fd;
	return node_watch(n, fd, event, NODE_HOST);
}

/* Makes the directory and its sockets; from then on clients can come. */
static int node_listen(struct node *n, const char *path, mode_t dir_mode, bool ring,
		       struct error *error)
{
	auto_free char *default_path = *path ? NULL : node_dir_default();
	int r;

	if (!*path && !default_path)
		return -ENOMEM;
	r = node_dir_make(&n->dir, *path ? path : default_path, dir_mode, n->gid, error);
	if (r < 0)
		return r;
	/* Rings first: who finds `ctl` need not wonder whether there will be `ring`. */
	if (ring)
		r = node_listen_at(n, VDE_RING_SOCKET, SOCK_SEQPACKET, NODE_EVENT_RING_LISTENER,
				   &n->ring_listener, error);
	if (r == 0)
		r = node_listen_at(n, "ctl", SOCK_STREAM, NODE_EVENT_LISTENER, &n->listener, error);
	return r;
}

static void node_free(struct node *n)
{
	if (!n)
		return;
	for (unsigned port = 1; port < NODE_PORTS; port++)
		node_client_drop(n, port);
	cleanup_close(&n->listener);
	cleanup_close(&n->ring_listener);
	ring_set_done(&n->rings);
	super_done(&n->rest_of_super);
	node_dir_done(&n->dir);
	if (n->reserve >= 0)
		(void)close(n->reserve);
	if (n->epoll >= 0)
		(void)close(n->epoll);
	if (n->started && n->rule->stop)
		n->rule->stop(n->memory);
	free(n->memory);
	(void)pthread_mutex_destroy(&n->lock);
	free(n);
}

static struct node *node_new(void)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->rule = &node_rule;
	n->dir = (struct node_dir)NODE_DIR_NONE;
	n->listener = n->ring_listener = -1;
	n->rings = (struct ring_set)RING_SET_NONE;
	(void)pthread_mutex_init(&n->lock, NULL); /* does not fail with these attributes */
	n->epoll = epoll_create1(EPOLL_CLOEXEC);
	n->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return n;
}

static int node_begin(struct node *n, const char *path, const struct node_options *o,
		      const struct vde_open_args *args, int version, struct error *error)
{
	struct node_learning learning = NODE_LEARNING_DEFAULT;
	mode_t dir_mode;
	bool ring = true;
	int r;

	if (n->epoll < 0)
		return -EMFILE;
	r = option_modes(n, o, args, version, &dir_mode, error);
	if (r == 0)
		r = option_group(o, args, version, &n->gid, error);
	if (r == 0)
		r = plugin_ring_option(o->ring, &ring, error);
	if (r == 0 && n->rule->learns)
		r = option_learning(o, &learning, error);
	if (r == 0)
		r = node_start_rule(n, &learning);
	return r == 0 ? node_listen(n, path, dir_mode, ring, error) : r;
}

VDECONN *node_open(char *args, char *descr, int interface_version, struct vde_open_args *open_args)
{
	struct node_options options = { 0 };
	struct error error = { 0 };
	struct node *n;
	int r;

	(void)descr;
	if (parse_options(args, &options) < 0)
		return NULL; /* the parser said why */
	n = node_new();
	if (!n)
		return NULL;
	r = node_begin(n, args, &options, open_args, interface_version, &error);
	if (r < 0) {
		if (!error.code)
			error_set_errno(&error, -r, "%s://%s cannot be opened", n->rule->name,
					args);
		node_free(n);
		return plugin_fail(&error);
	}
	return plugin_conn(&n->head);
}

int node_close(VDECONN *conn)
{
	node_free(PLUGIN_OF(conn, struct node));
	return 0;
}
