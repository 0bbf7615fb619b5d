/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vdens.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/wait.h>

#include <libvdeplug.h>

#include "base/cleanup.h"
#include "base/daemon.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/option.h"
#include "base/tun.h"
#include "end_tap.h"
#include "end_vde.h"
#include "handover.h"
#include "relay.h"

#define COMMAND_SCHEME "cmd://"
#define DESCRIPTION    "vdens:"

struct settings {
	bool multi;
	const char *prefix;
	const char *resolvconf;
	const char *resolvaddr;
	const char *hostname;
	bool sysadm;
	bool clone;
	bool unshare;
	bool relay;
	bool json;
	const char *json_file;
	int ready_fd;
	bool verbose;
};

/* A network and the interface that is joined to it. */
struct junction {
	struct vdens *vdens;
	const char *vnl; /* as it was given */
	char *locator;   /* as it is opened; owned */
	struct relay *relay;       /* NULL: the network serves the interface by itself */
	struct handover *handover; /* and then this is not */
	int tap_fd;                /* owned with that; -1 */
};

struct vdens {
	struct settings settings;
	struct space_plan plan;
	struct space space;
	struct watch watch;
	struct loop *loop;
	struct junction *junctions;           /* one an interface */
	struct report_interface *interfaces;  /* likewise */
	char *default_command[2];
	char default_shell[PATH_MAX];
};

static int set_prefix(void *settings, const char *argument, struct error *error)
{
	char longest[IFNAMSIZ];

	/* Room for a number behind it; a `%` would be the kernel's to fill in. */
	if (snprintf(longest, sizeof(longest), "%s0", argument) >= (int)sizeof(longest) ||
	    !tun_name_valid(longest) || strchr(argument, '%'))
		return error_set(error, EINVAL,
				 "'%s' cannot begin the name of an interface (at most %d bytes, "
				 "without blanks, '/', ':' and '%%')", argument, IFNAMSIZ - 2);
	((struct settings *)settings)->prefix = argument;
	return 0;
}

static const struct option_row rows[] = {
	{ 'h', "help", .kind = OPTION_HELP, .help = "print this help" },
	{ 0, "version", .kind = OPTION_VERSION, .help = "print the version" },
	{ 'm', "multi", .kind = OPTION_FLAG, .offset = offsetof(struct settings, multi),
	  .help = "join several networks; the command stands behind --" },
	{ 'i', "iface", .kind = OPTION_CALL, .arg = "PREFIX", .set = set_prefix, .preset = "vde",
	  .help = "what the names of the interfaces begin with" },
	{ 'r', "resolvconf", .kind = OPTION_STRING, .arg = "FILE", .complete = COMPLETE_FILE,
	  .offset = offsetof(struct settings, resolvconf),
	  .help = "show FILE as /etc/resolv.conf (also $VDE_RESOLVCONF)" },
	{ 'R', "resolvaddr", .kind = OPTION_STRING, .arg = "ADDRESS,...",
	  .offset = offsetof(struct settings, resolvaddr),
	  .help = "show an /etc/resolv.conf with these name servers (also $VDE_RESOLVADDR)" },
	{ 'H', "hostname", .kind = OPTION_STRING, .arg = "NAME",
	  .offset = offsetof(struct settings, hostname), .help = "set the host name" },
	{ 's', "sysadm", .kind = OPTION_FLAG, .offset = offsetof(struct settings, sysadm),
	  .help = "grant CAP_SYS_ADMIN, too, and a mount namespace" },
	{ 'c', "clone", .kind = OPTION_FLAG, .offset = offsetof(struct settings, clone),
	  .help = "make the namespaces by clone(2)" },
	{ 'u', "unshare", .kind = OPTION_FLAG, .offset = offsetof(struct settings, unshare),
	  .help = "make the namespaces by unshare(2) only" },
	{ 0, "relay", .kind = OPTION_FLAG, .offset = offsetof(struct settings, relay),
	  .help = "carry frames in this process, also where the network could do it" },
	{ 'j', "json", .kind = OPTION_FLAG, .offset = offsetof(struct settings, json),
	  .help = "report the namespaces as a line of JSON on standard error" },
	{ 'J', "json-file", .kind = OPTION_STRING, .arg = "FILE", .complete = COMPLETE_FILE,
	  .offset = offsetof(struct settings, json_file), .help = "report them in FILE" },
	{ 0, "ready-fd", .kind = OPTION_INT, .arg = "FD",
	  .offset = offsetof(struct settings, ready_fd),
	  .help = "write a newline to FD once the command runs" },
	{ 'v', "verbose", .kind = OPTION_FLAG, .offset = offsetof(struct settings, verbose),
	  .help = "tell at the end how many frames were carried" },
};

static const struct option_program program = {
	.name = "vdens",
	.synopsis = "[OPTION]... [VNL [COMMAND [ARGUMENT]...]]\n"
		    "-m [OPTION]... VNL... [-- COMMAND [ARGUMENT]...]",
	.summary = "Runs a command ($SHELL) in a network namespace joined to VDE networks.",
	.epilogue = "No interface is made for the VNLs \"\", - and no. =COMMAND joins the stream of a "
		    "command.",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.style = OPTION_STOP | OPTION_HELP_STDERR,
	.help_status = EXIT_FAILURE,
	.usage_status = EXIT_FAILURE,
	.operands = COMPLETE_COMMAND,
};

/* --- what was asked for --------------------------------------------------------------- */

static bool vnl_is_none(const char *vnl)
{
	return str_equal(vnl, "") || str_equal(vnl, "-") || str_equal(vnl, "no");
}

/* `=COMMAND` is short for the locator of a command's stream. */
static char *vnl_locator(const char *vnl)
{
	char *locator;

	if (vnl[0] != '=')
		return strdup(vnl);
	return asprintf(&locator, COMMAND_SCHEME "%s", vnl + 1) < 0 ? NULL : locator;
}

static int plan_networks(struct vdens *v, char **vnls, int count, struct error *error)
{
	v->junctions = calloc((size_t)count + 1, sizeof(*v->junctions));
	v->interfaces = calloc((size_t)count + 1, sizeof(*v->interfaces));
	if (!v->junctions || !v->interfaces)
		return error_set_errno(error, ENOMEM, "%d networks", count);
	for (int i = 0; i < count; i++) {
		struct junction *junction = &v->junctions[v->plan.num_interfaces];

		if (vnl_is_none(vnls[i]))
			continue;
		*junction = (struct junction){ .vdens = v, .vnl = vnls[i], .tap_fd = -1,
					       .locator = vnl_locator(vnls[i]) };
		if (!junction->locator)
			return error_set_errno(error, ENOMEM, "network '%s'", vnls[i]);
		v->interfaces[v->plan.num_interfaces++].vnl = vnls[i];
	}
	return 0;
}

static char *find_shell(struct vdens *v)
{
	const char *shell = getenv("SHELL");
	const struct passwd *user = shell && *shell ? NULL : getpwuid(getuid());

	if (user)
		shell = user->pw_shell;
	if (!shell || !*shell || str_copy(v->default_shell, sizeof(v->default_shell), shell) < 0)
		(void)str_copy(v->default_shell, sizeof(v->default_shell), "/bin/sh");
	return v->default_shell;
}

/* How many of the operands are VNLs, and the command behind them. */
static int plan_operands(struct vdens *v, char **operands, int count, struct error *error)
{
	int vnls = MIN(count, 1);
	char **command = operands + vnls;

	if (v->settings.multi) {
		for (vnls = 0; vnls < count && !str_equal(operands[vnls], "--"); vnls++)
			;
		command = operands + MIN(vnls + 1, count);
	}
	if (!*command) {
		v->default_command[0] = find_shell(v);
		command = v->default_command;
	}
	v->plan.command = command;
	return plan_networks(v, operands, vnls, error);
}

static int plan_resolver(struct vdens *v, struct error *error)
{
	struct settings *s = &v->settings;

	if (!s->resolvconf)
		s->resolvconf = getenv("VDE_RESOLVCONF");
	if (!s->resolvaddr)
		s->resolvaddr = getenv("VDE_RESOLVADDR");
	if (s->resolvaddr && *s->resolvaddr)
		return resolv_text(s->resolvaddr, &v->plan.resolvtext, error);
	if (s->resolvconf && *s->resolvconf)
		v->plan.resolvconf = s->resolvconf;
	return 0;
}

static int vdens_plan(struct vdens *v, char **operands, int count, struct error *error)
{
	int r = plan_resolver(v, error);

	if (r < 0)
		return r;
	v->plan.prefix = v->settings.prefix;
	v->plan.hostname = v->settings.hostname;
	v->plan.sysadm = v->settings.sysadm;
	v->plan.mounts = v->plan.sysadm || v->plan.resolvconf || v->plan.resolvtext;
	return plan_operands(v, operands, count, error);
}

/* --- networks ------------------------------------------------------------------------- */

static void junction_lost_network(const struct junction *junction, int tap_fd,
				  const char *interface, int reason)
{
	tap_set_carrier(tap_fd, false);
	if (reason)
		log_warning_errno(reason, "the network '%s' of %s is gone", junction->vnl, interface);
	else
		log_warning("the network '%s' of %s is gone", junction->vnl, interface);
}

static const struct tap *junction_tap(const struct junction *junction)
{
	return &junction->vdens->interfaces[junction - junction->vdens->junctions].tap;
}

static void junction_given_back(void *context, bool interface_gone)
{
	struct junction *junction = context;
	const char *interface = junction_tap(junction)->name;

	if (interface_gone)
		log_warning("the interface %s is gone", interface);
	else
		junction_lost_network(junction, junction->tap_fd, interface, 0);
}

static void junction_ended(void *context, struct relay *relay, struct relay_end *end, int reason)
{
	struct junction *junction = context;
	const char *interface = junction_tap(junction)->name;
	struct relay_end *tap = relay_get_end(relay, 0);

	if (end == tap) {
		log_warning_errno(reason, "the interface %s is gone", interface);
		return;
	}
	junction_lost_network(junction, tap->in_fd, interface, reason);
}

/* Lets the network serve the interface by itself; false: it does not. */
static bool junction_hand_over(struct junction *junction, struct tap *tap)
{
	if (junction->vdens->settings.relay || !tap->vnet)
		return false;
	if (handover_new(junction->vdens->loop, junction->locator, DESCRIPTION, NULL, tap->fd,
			 junction_given_back, junction, &junction->handover) < 0)
		return false;
	junction->tap_fd = TAKE_FD(tap->fd);
	return true;
}

static int junction_open(struct junction *junction, struct tap *tap, struct error *error)
{
	char description[] = DESCRIPTION;
	VDECONN *conn = vde_open(junction->locator, description, NULL);
	int code = errno;
	struct relay_end *inside, *outside;
	int r;

	if (!conn && *vde_strerror())
		return error_set(error, code, "%s", vde_strerror());
	if (!conn)
		return error_set_errno(error, code, "cannot open the network '%s'", junction->vnl);
	r = end_vde_new(conn, junction->vnl, &outside);
	if (r < 0) {
		(void)vde_close(conn);
		return error_set_errno(error, -r, "network '%s'", junction->vnl);
	}
	r = end_tap_new(tap, tap->name, &inside);
	if (r < 0) {
		outside->class->free(outside);
		return error_set_errno(error, -r, "interface '%s'", tap->name);
	}
	r = relay_new(junction->vdens->loop, inside, outside, junction_ended, junction,
		      &junction->relay);
	return r < 0 ? error_set_errno(error, -r, "network '%s'", junction->vnl) : 0;
}

static int vdens_join(struct vdens *v, struct error *error)
{
	for (unsigned i = 0; i < v->plan.num_interfaces; i++) {
		struct tap *tap = &v->interfaces[i].tap;
		int r = space_take_interface(&v->space, tap, error);

		if (r < 0)
			return r;
		v->interfaces[i].transport = "device";
		if (junction_hand_over(&v->junctions[i], tap))
			continue;
		v->interfaces[i].transport = "relay";
		r = junction_open(&v->junctions[i], tap, error);
		if (r < 0) {
			(void)close(TAKE_FD(tap->fd));
			return r;
		}
	}
	return space_wait_made(&v->space, error);
}

/* --- the order of things -------------------------------------------------------------- */

/* By unshare(2), and if that fails by clone(2), unless one of them was asked for. */
static int vdens_start(struct vdens *v, struct error *error)
{
	const struct settings *s = &v->settings;
	int r = -ENOSYS;

	if (!s->clone)
		r = space_start(&v->plan, SPACE_UNSHARE, &v->space, error);
	if (s->clone || (r < 0 && !s->unshare))
		r = space_start(&v->plan, SPACE_CLONE, &v->space, error);
	return r;
}

static int vdens_announce(struct vdens *v, struct error *error)
{
	struct daemon daemon = DAEMON_INIT;
	int r = 0;

	if (v->settings.json || v->settings.json_file)
		r = report_json(v->settings.json_file, v->space.pid, &v->plan, v->interfaces, error);
	daemon.ready_fd = v->settings.ready_fd;
	return r < 0 ? r : daemon_ready(&daemon, error);
}

static int vdens_run(struct vdens *v, struct error *error)
{
	int r = vdens_start(v, error);

	if (r < 0)
		return r;
	r = loop_new(&v->loop);
	if (r < 0)
		return error_set_errno(error, -r, "cannot make an event loop");
	r = vdens_join(v, error);
	if (r < 0)
		return r;
	v->watch.pid = v->space.pid;
	r = watch_start(&v->watch, v->loop, error);
	if (r < 0)
		return r;
	r = space_go(&v->space, error);
	if (r < 0)
		return r;
	r = vdens_announce(v, error);
	if (r < 0)
		log_warning("%s", error_text(error)); /* the command runs: it is not taken down for this */
	r = loop_run(v->loop);
	return r < 0 ? error_set_errno(error, -r, "cannot wait for events") : 0;
}

static void vdens_done(struct vdens *v)
{
	for (unsigned i = 0; v->junctions && i < v->plan.num_interfaces; i++) {
		if (v->junctions[i].relay)
			relay_log_counters(v->junctions[i].relay);
		if (v->junctions[i].handover)
			log_info("%s was served by the network '%s' itself",
				 v->interfaces[i].tap.name, v->junctions[i].vnl);
		relay_free(v->junctions[i].relay);
		handover_free(v->junctions[i].handover);
		if (v->junctions[i].tap_fd >= 0)
			(void)close(v->junctions[i].tap_fd);
		free(v->junctions[i].locator);
	}
	loop_free(v->loop);
	space_done(&v->space);
	free(v->junctions);
	free(v->interfaces);
	free(v->plan.resolvtext);
}

int main(int argc, char **argv)
{
	struct vdens v = { .settings = { .prefix = "vde", .ready_fd = -1 }, .space.fd = -1 };
	struct error error = { 0 };
	int first, status, r;

	log_set_program("vdens");
	first = option_parse(&program, argc, argv, &v.settings, &status);
	if (first < 0)
		return status;
	if (v.settings.verbose)
		log_set_level(LOG_LEVEL_INFO);
	v.space.status = EXIT_FAILURE;
	r = vdens_plan(&v, argv + first, argc - first, &error);
	if (r == 0)
		r = vdens_run(&v, &error);
	if (r < 0)
		log_error("%s", error_text(&error));
	vdens_done(&v);
	if (r < 0)
		return v.space.status;
	watch_end_alike(&v.watch);
}
