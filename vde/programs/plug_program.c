/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plug_program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <libvdeplug.h>

#include "base/cleanup.h"
#include "base/daemon.h"
#include "base/log.h"
#include "base/option.h"
#include "end_stream.h"
#include "end_vde.h"
#include "handover.h"
#include "signals.h"

#define STATUS_USAGE 255
#define STDIO_VNL    "-"

struct plug {
	/* settings */
	int port;
	const char *group;
	mode_t mode;
	const char *vnl;
	struct daemon daemon;
	bool verbose;
	/* state */
	const char *interface;
	struct loop *loop;
	struct relay *relay;       /* NULL: the network serves the interface by itself */
	struct handover *handover; /* and then this is not */
	struct relay_end *interface_end; /* owned with that */
	int in_fd, out_fd; /* own copies of the standard descriptors; -1: not used */
	bool failed;
};

static const struct option_row rows[] = {
	{ 'p', "port", .kind = OPTION_INT, .arg = "N", .offset = offsetof(struct plug, port),
	  .help = "port of the switch; 0 is the first free one" },
	{ 'g', "group", .kind = OPTION_STRING, .arg = "GROUP", .complete = COMPLETE_GROUP,
	  .offset = offsetof(struct plug, group), .help = "group of the data socket" },
	{ 'm', "mod", "mode", .kind = OPTION_MODE, .arg = "OCTAL", .offset = offsetof(struct plug, mode),
	  .preset = "0700", .help = "permissions of the data socket" },
	{ 's', "sock", .kind = OPTION_STRING, .arg = "VNL", .complete = COMPLETE_DIRECTORY,
	  .offset = offsetof(struct plug, vnl),
	  .help = "network or directory of a switch; - is a stream of frames on standard input and "
		  "output" },
	{ 'd', "daemon", .kind = OPTION_FLAG, .offset = offsetof(struct plug, daemon.detach),
	  .help = "detach from the terminal once it works" },
	{ 'P', "pidfile", .kind = OPTION_STRING, .arg = "FILE", .complete = COMPLETE_FILE,
	  .offset = offsetof(struct plug, daemon.pid_file), .help = "write the process number to FILE" },
	{ 0, "ready-fd", .kind = OPTION_INT, .arg = "FD",
	  .offset = offsetof(struct plug, daemon.ready_fd),
	  .help = "write a newline to FD once it works" },
	{ 'v', "verbose", .kind = OPTION_FLAG, .offset = offsetof(struct plug, verbose),
	  .help = "tell at the end how many frames were carried" },
	{ 'h', "help", .kind = OPTION_HELP, .help = "print this help" },
	{ 0, "version", .kind = OPTION_VERSION, .help = "print the version" },
};

static void plug_ended(void *context, struct relay *relay, struct relay_end *end, int reason)
{
	struct plug *plug = context;

	(void)relay;
	if (reason)
		log_error_errno(reason, "'%s' is gone", end->title);
	else
		log_info("'%s' is gone", end->title);
	plug->failed = reason != 0;
	loop_stop(plug->loop, 0);
}

static void plug_signal(struct loop *loop, void *object, const siginfo_t *info)
{
	(void)object;
	(void)info;
	loop_stop(loop, 0);
}

/* Copies that stay when daemon_ready() puts /dev/null on the standard descriptors. */
static int plug_open_stdio(struct plug *plug, struct relay_end **ret, struct error *error)
{
	int r;

	plug->in_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	plug->out_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (plug->in_fd < 0 || plug->out_fd < 0)
		return error_set_errno(error, errno, "standard input and output");
	r = end_stream_new(plug->in_fd, plug->out_fd, "stream", ret);
	return r < 0 ? error_set_errno(error, -r, "standard input and output") : 0;
}

static const char *plug_network_title(const struct plug *plug)
{
	return plug->vnl ? plug->vnl : "default switch";
}

static int plug_open_network(struct plug *plug, const char *name, struct relay_end **ret,
			     struct error *error)
{
	struct vde_open_args args = { plug->port, (char *)(uintptr_t)plug->group, plug->mode };
	char description[64];
	VDECONN *conn;
	int code, r;

	if (plug->vnl && str_equal(plug->vnl, STDIO_VNL))
		return plug_open_stdio(plug, ret, error);
	(void)snprintf(description, sizeof(description), "%s:", name);
	conn = vde_open((char *)(uintptr_t)plug->vnl, description, &args);
	code = errno;
	if (!conn && *vde_strerror())
		return error_set(error, code, "%s", vde_strerror());
	if (!conn)
		return error_set_errno(error, code, "cannot open '%s'",
				       plug_network_title(plug));
	r = end_vde_new(conn, plug_network_title(plug), ret);
	if (r < 0) {
		(void)vde_close(conn);
		return error_set_errno(error, -r, "network '%s'", plug->vnl);
	}
	return 0;
}

static void plug_given_back(void *context, bool interface_gone)
{
	struct plug *plug = context;

	log_info("'%s' is gone", interface_gone ? plug->interface : plug_network_title(plug));
	loop_stop(plug->loop, 0);
}

/* Lets the network serve the interface by itself; false: it does not. */
static bool plug_hand_over(struct plug *plug, const struct plug_program *program,
			   struct relay_end *interface)
{
	struct vde_open_args args = { plug->port, (char *)(uintptr_t)plug->group, plug->mode };
	char description[64];

	if (plug->vnl && str_equal(plug->vnl, STDIO_VNL))
		return false;
	(void)snprintf(description, sizeof(description), "%s:", program->name);
	if (handover_new(plug->loop, plug->vnl, description, &args, interface->in_fd,
			 plug_given_back, plug, &plug->handover) < 0)
		return false;
	plug->interface_end = interface;
	return true;
}

static int plug_relay(struct plug *plug, struct relay_end *interface, struct relay_end *network,
		      struct error *error)
{
	int r = relay_new(plug->loop, interface, network, plug_ended, plug, &plug->relay);

	return r < 0 ? error_set_errno(error, -r, "cannot join '%s'", plug->interface) : 0;
}

/* For a TAP: leaves it to the network, or joins it as others. */
static int plug_join_tap(struct plug *plug, const struct plug_program *program, struct error *error)
{
	struct relay_end *network, *interface;
	int r = program->open_end(plug->interface, &interface, error);

	if (r < 0)
		return r;
	if (plug_hand_over(plug, program, interface))
		return 0;
	r = plug_open_network(plug, program->name, &network, error);
	if (r < 0) {
		interface->class->free(interface);
		return r;
	}
	return plug_relay(plug, interface, network, error);
}

static int plug_join(struct plug *plug, const struct plug_program *program, struct error *error)
{
	struct relay_end *network, *interface;
	int r = plug_open_network(plug, program->name, &network, error);

	if (r < 0)
		return r;
	r = program->open_end(plug->interface, &interface, error);
	if (r < 0) {
		network->class->free(network);
		return r;
	}
	return plug_relay(plug, interface, network, error);
}

static int plug_run(struct plug *plug, const struct plug_program *program, struct error *error)
{
	static const int ending[] = { SIGTERM, SIGINT, SIGHUP };
	int r = daemon_begin(&plug->daemon, error);

	if (r < 0)
		return r;
	r = loop_new(&plug->loop);
	if (r < 0)
		return error_set_errno(error, -r, "cannot make an event loop");
	r = program->is_tap ? plug_join_tap(plug, program, error) : plug_join(plug, program, error);
	if (r < 0)
		return r;
	r = signals_watch(plug->loop, ending, ARRAY_SIZE(ending), plug_signal, NULL);
	if (r < 0)
		return error_set_errno(error, -r, "cannot watch signals");
	r = daemon_ready(&plug->daemon, error);
	if (r < 0)
		return r;
	r = loop_run(plug->loop);
	return r < 0 ? error_set_errno(error, -r, "cannot wait for events") : 0;
}

static void plug_done(struct plug *plug)
{
	if (plug->relay)
		relay_log_counters(plug->relay);
	relay_free(plug->relay);
	handover_free(plug->handover);
	if (plug->interface_end)
		plug->interface_end->class->free(plug->interface_end);
	loop_free(plug->loop);
	if (plug->in_fd >= 0)
		(void)close(plug->in_fd);
	if (plug->out_fd >= 0)
		(void)close(plug->out_fd);
	daemon_end(&plug->daemon);
}

int plug_program_main(const struct plug_program *program, int argc, char **argv)
{
	struct plug plug = { .mode = 0700, .daemon = DAEMON_INIT, .in_fd = -1, .out_fd = -1 };
	char operands[64];
	const struct option_program options = {
		.name = program->name,
		.synopsis = operands,
		.summary = program->summary,
		.rows = rows,
		.num_rows = ARRAY_SIZE(rows),
		.style = OPTION_PERMUTE | OPTION_HELP_STDERR,
		.help_status = STATUS_USAGE,
		.usage_status = STATUS_USAGE,
		.operands = COMPLETE_INTERFACE,
	};
	struct error error = { 0 };
	int first, status, r;

	(void)snprintf(operands, sizeof(operands), "[OPTION]... %s", program->operand);
	log_set_program(program->name);
	first = option_parse(&options, argc, argv, &plug, &status);
	if (first < 0)
		return status;
	if (argc - first != 1)
		return option_usage_error(&options, argc == first ? "%s is missing"
								  : "only one %s can be given",
					  program->operand);
	if (plug.verbose)
		log_set_level(LOG_LEVEL_INFO);
	plug.interface = argv[first];
	r = plug_run(&plug, program, &error);
	if (r < 0)
		log_error("%s", error_text(&error));
	plug_done(&plug);
	return r < 0 || plug.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
