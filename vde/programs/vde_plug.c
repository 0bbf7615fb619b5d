/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vde_plug: joins a network to a stream of frames, to a command, or to another network. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <libvdeplug.h>

#include "base/cleanup.h"
#include "base/daemon.h"
#include "base/log.h"
#include "base/option.h"
#include "vde/programs/end_stream.h"
#include "vde/programs/end_vde.h"
#include "vde/programs/plug_command.h"
#include "vde/programs/plug_log.h"
#include "vde/programs/relay.h"
#include "vde/programs/signals.h"

#pragma weak vde_strerror /* another build of the library, which lacks it, will do, too */

#define PROGRAM         "vde_plug"
#define DEFAULT_DESCR   "vdeplug:"
#define DEFAULT_MODE    0700
#define COMMAND_MARK    "="
#define STATUS_USAGE    255
#define STATUS_NO_EXEC  127
#define FINISH_PATIENCE 1000 /* ms that a slow reader has for the last frames */

struct settings {
	struct daemon daemon;
	bool log, iplog;
	struct vde_open_args args[2];
	const char *descr;
	const char *shell_command; /* of -c: we are a login shell */
	const char *vnl[2];
	int num_vnls;
	char **command; /* NULL: none */
};

static int set_group(void *settings, const char *argument, struct error *error)
{
	(void)error;
	((struct settings *)settings)->args[0].group = (char *)(uintptr_t)argument;
	return 0;
}

static int set_group2(void *settings, const char *argument, struct error *error)
{
	(void)error;
	((struct settings *)settings)->args[1].group = (char *)(uintptr_t)argument;
	return 0;
}

#define FIELD(name) .offset = offsetof(struct settings, name)
#define MAX_PORT    0xffffff

static const struct option_row rows[] = {
	{ 'd', "daemon", .kind = OPTION_FLAG, FIELD(daemon.detach),
	  .help = "run in the background" },
	{ 'p', "pidfile", .kind = OPTION_STRING, .complete = COMPLETE_FILE, .arg = "FILE",
	  FIELD(daemon.pid_file), .help = "write the process id to FILE, which is removed at the end" },
	{ 'l', "log", .kind = OPTION_FLAG, FIELD(log), .help = "tell syslog about start and end" },
	{ 'L', "iplog", .kind = OPTION_FLAG, FIELD(iplog),
	  .help = "like -l, and log the Internet addresses that frames come from" },
	{ 'g', "group", .kind = OPTION_CALL, .complete = COMPLETE_GROUP, .arg = "GROUP",
	  .set = set_group, .help = "group owner of the first network's data socket" },
	{ 'G', "group2", .kind = OPTION_CALL, .complete = COMPLETE_GROUP, .arg = "GROUP",
	  .set = set_group2, .help = "group owner of the second network's data socket" },
	{ 'm', "mod", .kind = OPTION_MODE, .arg = "MODE", FIELD(args[0].mode), .preset = "0700",
	  .help = "octal mode of the first network's data socket" },
	{ 'M', "mod2", .kind = OPTION_MODE, .arg = "MODE", FIELD(args[1].mode), .preset = "0700",
	  .help = "octal mode of the second network's data socket" },
	{ 0, "port", .kind = OPTION_INT, .arg = "N", FIELD(args[0].port), .min = 1, .max = MAX_PORT,
	  .help = "port of the first network's switch (rather write VNL[N])" },
	{ 0, "port2", .kind = OPTION_INT, .arg = "N", FIELD(args[1].port), .min = 1, .max = MAX_PORT,
	  .help = "port of the second network's switch" },
	{ 'D', "descr", .kind = OPTION_STRING, .arg = "TEXT", FIELD(descr), .preset = DEFAULT_DESCR,
	  .help = "how a switch describes this connection" },
	{ 'c', NULL, .kind = OPTION_STRING, .arg = "COMMAND", FIELD(shell_command),
	  .help = "as a login shell: COMMAND can only be " PROGRAM },
	{ 0, "ready-fd", .kind = OPTION_INT, .arg = "N", FIELD(daemon.ready_fd), .min = 0,
	  .max = 1 << 20, .help = "write a newline to descriptor N once connected" },
	{ 'h', "help", .kind = OPTION_HELP, .help = "print this help" },
	{ 0, "version", .kind = OPTION_VERSION, .help = "print the version" },
};

static const struct option_program program = {
	.name = PROGRAM,
	.synopsis = "[OPTIONS] [VNL]\n[OPTIONS] VNL VNL\n[OPTIONS] [VNL] = COMMAND [ARGUMENT...]",
	.summary = "Join a virtual network to a stream of frames on standard input and output, to "
		   "another network, or to the stream of a command.",
	.epilogue = "Without VNL it is the user's default network; see vnl(7).",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.style = OPTION_HELP_STDERR,
	.help_status = STATUS_USAGE,
	.usage_status = STATUS_USAGE,
	.operands = COMPLETE_DIRECTORY,
};

/* --- the command line ----------------------------------------------------------------- */

/* The index of the first `=` that stands alone; ARGC without one. */
static int find_command_mark(int argc, char **argv)
{
	int i = 1;

	while (i < argc && !str_equal(argv[i], COMMAND_MARK))
		i++;
	return i;
}

/* Fills SETTINGS. Options end at the `=`: what follows belongs to the command. */
static int parse_line(int argc, char **argv, struct settings *settings, int *ret_status)
{
	int end = find_command_mark(argc, argv);
	int first;

	if (end < argc) {
		settings->command = &argv[end + 1];
		argv[end] = NULL;
	}
	first = option_parse(&program, end, argv, settings, ret_status);
	if (first < 0)
		return -EINVAL;
	settings->num_vnls = end - first;
	if (settings->command && !settings->command[0]) {
		*ret_status = option_usage_error(&program, "the command behind '=' is missing");
		return -EINVAL;
	}
	if (settings->num_vnls > (settings->command ? 1 : 2)) {
		*ret_status = option_usage_error(&program, "one network too many: '%s'", argv[end - 1]);
		return -EINVAL;
	}
	for (int i = 0; i < settings->num_vnls; i++)
		settings->vnl[i] = argv[first + i];
	return 0;
}

/* --- login shell ---------------------------------------------------------------------- */

static int refuse_login(const struct plug_log *log)
{
	(void)fputs("This is a Virtual Distributed Ethernet (vde) tunnel broker. \n"
		    "This is not a login shell, only vde_plug can be executed\n", stderr);
	plug_log_event(log, "FAILED");
	return STATUS_USAGE;
}

/* sshd runs `SHELL -c COMMAND`; anything but the one command is refused. */
static bool login_allowed(const struct settings *settings)
{
	return settings->shell_command && str_equal(settings->shell_command, PROGRAM) &&
	       settings->num_vnls == 0 && !settings->command;
}

/* --- running -------------------------------------------------------------------------- */

struct plug {
	struct settings *settings;
	struct plug_log *log;
	struct loop *loop;
	struct relay *relay;
	int in_fd, out_fd; /* of a daemon's stream; owned */
	struct plug_command command;
	loop_ref command_ref;
	bool told_to_stop;
	bool failed;
};

static void on_signal(struct loop *loop, void *object, const siginfo_t *info)
{
	struct plug *plug = object;

	(void)info;
	plug->told_to_stop = true;
	loop_stop(loop, EXIT_SUCCESS);
}

/* SIGTERM, SIGINT and SIGHUP, but those that were ignored from the start (nohup). */
static int plug_signals(struct plug *plug)
{
	int list[8];
	size_t count = 0;
	sigset_t set;

	loop_end_signals(&set);
	for (int number = 1; number <= SIGTERM && count < ARRAY_SIZE(list); number++)
		if (sigismember(&set, number))
			list[count++] = number;
	return signals_watch(plug->loop, list, count, on_signal, plug);
}

static void on_ended(void *context, struct relay *relay, struct relay_end *end, int reason)
{
	struct plug *plug = context;

	(void)relay;
	if (reason) {
		plug->failed = true;
		log_error_errno(reason, "%s", end->title);
	}
	loop_stop(plug->loop, EXIT_SUCCESS);
}

static void on_frame(void *context, const struct relay_frame *frame)
{
	plug_log_frame(context, frame->data, frame->len);
}

/* Opens network I. What was wrong is said in the words that the original used. */
static int plug_open_network(struct plug *plug, int i, struct relay_end **ret)
{
	struct settings *settings = plug->settings;
	const char *vnl = settings->vnl[i] ? settings->vnl[i] : "";
	const char *title = *vnl ? vnl : "default switch";
	VDECONN *conn = vde_open((char *)(uintptr_t)vnl, (char *)(uintptr_t)settings->descr,
				 &settings->args[i]);
	int r = conn ? end_vde_new(conn, title, ret) : -errno;

	if (r < 0) {
		const char *reason = vde_strerror ? vde_strerror() : "";

		(void)fprintf(stderr, "vde_open %s: %s\n", title, *reason ? reason : strerror(-r));
		if (conn)
			(void)vde_close(conn);
	}
	return r;
}

/* The command has ended; its last frames are still in the pipe. */
static void on_command_end(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct plug *plug = object;

	(void)fd;
	(void)events;
	loop_remove(loop, &plug->command_ref);
	relay_end_input(plug->relay, relay_get_end(plug->relay, 1));
}

static const struct loop_class command_source = { "command", on_command_end };

static int plug_open_command(struct plug *plug, struct relay_end **ret, int *ret_status)
{
	char **argv = plug->settings->command;
	struct error error = { 0 };
	int r = plug_command_start(&plug->command, argv, &error);

	if (r < 0) {
		log_error("%s", error_text(&error));
		*ret_status = STATUS_NO_EXEC;
		return r;
	}
	if (plug->command.pid_fd >= 0)
		r = loop_add(plug->loop, &command_source, plug->command.pid_fd, EPOLLIN, plug,
			     &plug->command_ref);
	if (r == 0)
		r = end_stream_new(plug->command.in_fd, plug->command.out_fd, argv[0], ret);
	if (r < 0)
		log_error_errno(r, "cannot talk to '%s'", argv[0]);
	return r;
}

/* A daemon's standard descriptors become /dev/null: the stream goes on on others. */
static int plug_open_stdio(struct plug *plug, struct relay_end **ret)
{
	int in_fd = STDIN_FILENO, out_fd = STDOUT_FILENO, r;

	if (plug->settings->daemon.detach) {
		in_fd = plug->in_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		out_fd = plug->out_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	}
	r = end_stream_new(in_fd, out_fd, "standard input and output", ret);
	if (r < 0)
		log_error_errno(r, "cannot use standard input and output");
	return r;
}

static int plug_open_second(struct plug *plug, struct relay_end **ret, int *ret_status)
{
	if (plug->settings->num_vnls == 2)
		return plug_open_network(plug, 1, ret);
	if (plug->settings->command)
		return plug_open_command(plug, ret, ret_status);
	return plug_open_stdio(plug, ret);
}

/* Joins both sides. On failure *ret_status is the exit status, and what was wrong has been said. */
static int plug_join(struct plug *plug, int *ret_status)
{
	struct relay_end *left, *right;
	int r = plug_open_network(plug, 0, &left);

	if (r < 0)
		return r;
	r = plug_open_second(plug, &right, ret_status);
	if (r < 0) {
		left->class->free(left);
		return r;
	}
	if (plug->log->addresses) {
		right->seen = on_frame;
		right->seen_context = plug->log;
	}
	r = relay_new(plug->loop, left, right, on_ended, plug, &plug->relay);
	if (r < 0)
		log_error_errno(r, "cannot join '%s' and '%s'", left->title, right->title);
	return r;
}

/* Everything up to the loop; the exit status of a failure, or 0. */
static int plug_start(struct plug *plug)
{
	struct error error = { 0 };
	int status = EXIT_FAILURE;
	int r = loop_new(&plug->loop);

	if (r < 0) {
		log_error_errno(r, "cannot make an event loop");
		return status;
	}
	r = plug_signals(plug); /* before a command runs that would have to be ended, too */
	if (r < 0) {
		log_error_errno(r, "cannot watch signals");
		return status;
	}
	if (plug_join(plug, &status) < 0)
		return status;
	if (daemon_ready(&plug->settings->daemon, &error) < 0) {
		log_error("%s", error_text(&error));
		return status;
	}
	return EXIT_SUCCESS;
}

static int plug_run(struct plug *plug)
{
	int status = plug_start(plug), command_status, r;

	if (status)
		return status;
	if (plug->settings->daemon.detach)
		log_to_syslog(PROGRAM);
	plug_log_event(plug->log, "START");
	r = loop_run(plug->loop);
	relay_finish(plug->relay, FINISH_PATIENCE);
	relay_free(TAKE_PTR(plug->relay)); /* before its descriptors go */
	command_status = plug_command_end(&plug->command, plug->told_to_stop);
	plug_log_event(plug->log, "STOP");
	if (r < 0 || plug->failed)
		return EXIT_FAILURE;
	return plug->told_to_stop ? EXIT_SUCCESS : command_status;
}

static void plug_done(struct plug *plug)
{
	relay_free(plug->relay);
	(void)plug_command_end(&plug->command, true); /* still there only after a failure */
	loop_free(plug->loop);
	cleanup_close(&plug->in_fd);
	cleanup_close(&plug->out_fd);
}

int main(int argc, char **argv)
{
	struct settings settings = {
		.daemon = DAEMON_INIT,
		.args = { { .mode = DEFAULT_MODE }, { .mode = DEFAULT_MODE } },
		.descr = DEFAULT_DESCR,
	};
	struct plug_log log = { 0 };
	struct plug plug = {
		.settings = &settings, .log = &log, .in_fd = -1, .out_fd = -1,
		.command = PLUG_COMMAND_INIT,
	};
	bool login = argc > 0 && argv[0][0] == '-';
	struct error error = { 0 };
	int status;

	log_set_program(PROGRAM);
	if (!login && parse_line(argc, argv, &settings, &status) < 0)
		return status;
	login |= settings.shell_command != NULL;
	settings.iplog |= login && plug_log_wanted_by_group();
	if (plug_log_init(&log, login || settings.log || settings.iplog, settings.iplog) < 0)
		return EXIT_FAILURE;
	if (login && !login_allowed(&settings))
		return refuse_login(&log);
	if (daemon_begin(&settings.daemon, &error) < 0) {
		log_error("%s", error_text(&error));
		return EXIT_FAILURE;
	}
	status = plug_run(&plug);
	plug_done(&plug);
	daemon_end(&settings.daemon);
	plug_log_done(&log);
	return status;
}
