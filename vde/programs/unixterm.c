/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unixterm: joins the terminal (standard input and output) with a local stream socket, as it is.
 * At the end of the input the socket is told so, and what it still says is waited for.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/option.h"
#include "vde/mgmt/connect.h"

#define STATUS_FAILED 255

static const struct option_row rows[] = {
	{ .letter = 'h', .name = "help", .kind = OPTION_HELP, .help = "Print this help" },
	{ .letter = 'V', .name = "version", .kind = OPTION_VERSION, .help = "Print the version" },
};

static const struct option_program program = {
	.name = "unixterm",
	.synopsis = "[OPTION]... SOCKET",
	.summary = "Joins the terminal with the local stream socket SOCKET, for instance the\n"
		   "management socket of a switch. Ends when the other end closes the socket.",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.usage_status = STATUS_FAILED,
	.operands = COMPLETE_FILE,
};

struct relay {
	struct loop *loop;
	int socket; /* owned */
	loop_ref input;
	loop_ref output;
};

/* Moves what is readable at FROM; the count, 0 at the end, or a negative errno. */
static ssize_t move(int from, int to)
{
	char data[16384];
	ssize_t got = io_read(from, data, sizeof(data));
	int r;

	if (got <= 0)
		return got == -ECONNRESET ? 0 : got;
	r = io_write_all(to, data, (size_t)got);
	return r < 0 ? r : got;
}

static void fail(struct relay *relay, int code, const char *what)
{
	log_error_errno(code, "%s", what);
	loop_stop(relay->loop, STATUS_FAILED);
}

static void input_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct relay *relay = object;
	ssize_t r = move(fd, relay->socket);

	(void)events;
	if (r > 0)
		return;
	loop_remove(loop, &relay->input);
	if (r == 0)
		(void)shutdown(relay->socket, SHUT_WR); /* fails only when the peer is gone */
	else if (r != -EPIPE) /* then its last words are still to be read */
		fail(relay, (int)r, "cannot send to the socket");
}

static void socket_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	ssize_t r = move(fd, STDOUT_FILENO);

	(void)events;
	if (r == 0)
		loop_stop(loop, EXIT_SUCCESS);
	else if (r < 0)
		fail(object, (int)r, "cannot pass on what the socket says");
}

static const struct loop_class input_class = { "terminal", input_ready };
static const struct loop_class socket_class = { "socket", socket_ready };

static int run(struct relay *relay)
{
	int r = loop_new(&relay->loop);

	if (r == 0)
		r = loop_add(relay->loop, &socket_class, relay->socket, EPOLLIN, relay,
			     &relay->output);
	if (r == 0)
		r = loop_add(relay->loop, &input_class, STDIN_FILENO, EPOLLIN, relay,
			     &relay->input);
	if (r == 0)
		r = loop_run(relay->loop);
	if (r < 0) {
		log_error_errno(r, "cannot wait for input");
		r = STATUS_FAILED;
	}
	loop_free(relay->loop);
	return r;
}

int main(int argc, char **argv)
{
	struct relay relay = { .socket = -1 };
	struct error error = { 0 };
	int status, first = option_parse(&program, argc, argv, NULL, &status);

	if (first < 0)
		return status;
	if (argc - first != 1)
		return option_usage_error(&program, "one socket is needed");
	log_set_program(program.name);
	(void)signal(SIGPIPE, SIG_IGN); /* a closed peer is an error code here */
	relay.socket = mgmt_connect(argv[first], &error);
	if (relay.socket < 0) {
		log_error("%s", error_text(&error));
		return STATUS_FAILED;
	}
	status = run(&relay);
	cleanup_close(&relay.socket);
	return status;
}
