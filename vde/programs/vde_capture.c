/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vde_capture: has a switch send frames as pcap-ng over its management socket, and writes them to a
 * file or a pipe. Only whole blocks are written, so the file can be read whenever the program
 * ends. While the output is slow nothing is read: the switch then drops, counts, and tells.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/option.h"
#include "base/util.h"
#include "vde/mgmt/connect.h"
#include "capture_stream.h"

#define STATUS_USAGE 2
#define READ_SIZE    (64 * 1024)
#define OUT_PAUSE    (1024 * 1024)     /* bytes to write above which nothing is read */
#define END_TIME     (3 * NS_PER_SEC)  /* the switch has to send its statistics */
#define ALL_PORTS    (-1)

struct settings {
	const char *mgmt;
	const char *file;
	int port;
	int snap_len;
	int count;
};

struct program {
	struct settings settings;
	struct capture_stream stream;
	int sock;
	int out;
	int signals;
	bool out_is_file; /* a write never waits for a reader */
	bool ending;
	bool at_end; /* the switch closed */
	uint64_t deadline; /* ns, while ending */
};

#define SETTING(field) offsetof(struct settings, field)

static const struct option_row rows[] = {
	{ 'M', "mgmt", .kind = OPTION_STRING, .complete = COMPLETE_FILE, .arg = "SOCKET",
	  .offset = SETTING(mgmt), .help = "management socket of the switch (its own --mgmt)" },
	{ 'p', "port", .kind = OPTION_INT, .arg = "PORT", .offset = SETTING(port), .max = 16383,
	  .preset = "the whole switch", .help = "capture this port, both directions" },
	{ 's', "snaplen", .kind = OPTION_INT, .arg = "BYTES", .offset = SETTING(snap_len),
	  .max = INT_MAX, .preset = "262144", .help = "keep this much of each frame; 0: all" },
	{ 'c', "count", .kind = OPTION_INT, .arg = "N", .offset = SETTING(count), .min = 1,
	  .max = INT_MAX, .help = "end after N frames" },
	{ 'w', "write", .kind = OPTION_STRING, .complete = COMPLETE_FILE, .arg = "FILE",
	  .offset = SETTING(file), .preset = "standard output",
	  .help = "write to FILE; -: standard output" },
	{ 'h', "help", .kind = OPTION_HELP, .help = "print this help and exit" },
	{ 'V', "version", .kind = OPTION_VERSION, .help = "print the version and exit" },
};

static const struct option_program program_text = {
	.name = "vde_capture",
	.synopsis = "-M SOCKET [OPTION]... [FILTER]...",
	.summary = "Captures the frames of a running vde_switch as pcap-ng.",
	.epilogue = "FILTER is in the language of pcap-filter(7), with addresses instead of names.\n"
		    "  vde_capture -M sw.mgmt -w - | wireshark -k -i -\n"
		    "  vde_capture -M sw.mgmt -p 3 icmp | tcpdump -nr -",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.usage_status = STATUS_USAGE,
	.operands = COMPLETE_NOTHING,
};

/* Before the stream. */

static int open_output(struct program *p, struct error *error)
{
	const char *file = p->settings.file;
	struct stat status;

	if (!file || str_equal(file, "-"))
		p->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		p->out = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
	if (p->out < 0 || fstat(p->out, &status) < 0)
		return error_set_errno(error, errno, "cannot write to %s",
				       file ? file : "standard output");
	p->out_is_file = S_ISREG(status.st_mode);
	if (isatty(p->out))
		return error_set(error, ENOTTY, "a capture is of no use on a terminal: name a file "
						"with -w, or use a pipe: vde_capture ... | tcpdump "
						"-nr -");
	return 0;
}

static int send_command(struct program *p, char **filter, int words, struct error *error)
{
	auto_strbuf struct strbuf line = { 0 };
	int r;

	strbuf_puts(&line, "capture/stream");
	if (p->settings.port != ALL_PORTS)
		strbuf_printf(&line, " port %d", p->settings.port);
	if (p->settings.snap_len >= 0)
		strbuf_printf(&line, " snaplen %d", p->settings.snap_len);
	if (words)
		strbuf_puts(&line, " filter");
	for (int i = 0; i < words; i++)
		strbuf_printf(&line, " %s", filter[i]);
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] == '\n' || line.data[i] == '\r')
			line.data[i] = ' '; /* it has to stay one command */
	strbuf_putc(&line, '\n');
	r = line.error ? line.error : io_write_all(p->sock, line.data, line.len);
	return r < 0 ? error_set_errno(error, -r, "cannot talk to the switch") : 0;
}

static int connect_switch(struct program *p, struct error *error)
{
	p->sock = mgmt_connect(p->settings.mgmt, error);
	return p->sock < 0 ? p->sock : 0;
}

static int watch_signals(struct program *p, struct error *error)
{
	static const int list[] = { SIGINT, SIGTERM, SIGHUP };
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		(void)sigaddset(&set, list[i]);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
		p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signals < 0 ? error_set_errno(error, errno, "cannot wait for signals") : 0;
}

/* The stream. */

/* Asks the switch for the statistics; a second time means to go now. */
static void begin_to_end(struct program *p)
{
	p->at_end = p->at_end || p->ending;
	if (p->ending)
		return;
	p->ending = true;
	p->deadline = clock_now() + END_TIME;
	(void)shutdown(p->sock, SHUT_WR); /* it may be gone already: then the end of file comes */
}

static int read_stream(struct program *p, struct error *error)
{
	char *room = strbuf_reserve(&p->stream.in, READ_SIZE);
	bool started = p->stream.started;
	ssize_t len = room ? io_read(p->sock, room, READ_SIZE) : -ENOMEM;
	int r;

	if (len == 0 || len == -ECONNRESET) {
		p->at_end = true;
		return 0;
	}
	if (len < 0)
		return error_set_errno(error, (int)-len, "cannot read from the switch");
	p->stream.in.len += (size_t)len;
	r = capture_stream_advance(&p->stream, error);
	if (r < 0)
		return r;
	if (!started && p->stream.started && p->out_is_file && p->settings.file &&
	    ftruncate(p->out, 0) < 0)
		return error_set_errno(error, errno, "cannot empty %s", p->settings.file);
	if (capture_stream_full(&p->stream) && !p->ending)
		begin_to_end(p);
	return 0;
}

/* A pipe that is writable takes this much without waiting. */
static int write_stream(struct program *p, struct error *error)
{
	struct strbuf *out = &p->stream.out;
	size_t len = p->out_is_file ? out->len : MIN(out->len, PIPE_BUF);
	ssize_t written = write(p->out, out->data, len);

	if (written < 0 && (errno == EPIPE || errno == ECONNRESET)) {
		strbuf_clear(out); /* the reader has seen enough */
		p->at_end = true;
		return 0;
	}
	if (written < 0 && errno != EINTR && errno != EAGAIN)
		return error_set_errno(error, errno, "cannot write");
	if (written > 0)
		strbuf_consume(out, (size_t)written);
	return 0;
}

static int time_left(const struct program *p)
{
	uint64_t now = clock_now();

	if (!p->ending)
		return -1;
	return now >= p->deadline ? 0 : (int)((p->deadline - now) / NS_PER_MSEC) + 1;
}

static void take_signal(struct program *p)
{
	struct signalfd_siginfo info;

	if (read(p->signals, &info, sizeof(info)) == sizeof(info))
		begin_to_end(p);
}

/* One wait and what comes of it. Returns 1 when there is nothing more to do. */
static int turn(struct program *p, struct error *error)
{
	bool waiting = p->stream.out.len > 0;
	struct pollfd fds[] = {
		{ .fd = p->signals, .events = POLLIN },
		{ .fd = p->out, .events = waiting ? POLLOUT : 0 },
		{ .fd = p->at_end || p->stream.out.len > OUT_PAUSE ? -1 : p->sock,
		  .events = POLLIN },
	};
	int ready = poll(fds, ARRAY_SIZE(fds), time_left(p));
	int r = 0;

	if (ready < 0)
		return errno == EINTR ? 0 : error_set_errno(error, errno, "cannot wait");
	if (ready == 0 || time_left(p) == 0)
		return 1; /* the time for an orderly end is over */
	if (fds[0].revents)
		take_signal(p);
	if (fds[1].revents & (POLLERR | POLLHUP)) {
		strbuf_clear(&p->stream.out);
		return 1;
	}
	if (fds[1].revents & POLLOUT)
		r = write_stream(p, error);
	if (r == 0 && fds[2].revents)
		r = read_stream(p, error);
	return r == 0 && p->at_end && p->stream.out.len == 0 ? 1 : r;
}

static int run(struct program *p, char **filter, int words, struct error *error)
{
	int r = open_output(p, error);

	if (r == 0)
		r = connect_switch(p, error);
	if (r == 0)
		r = watch_signals(p, error);
	if (r == 0)
		r = send_command(p, filter, words, error);
	while (r == 0)
		r = turn(p, error);
	if (r > 0 && !p->stream.started)
		return error_set(error, ECONNRESET, "the switch closed the connection");
	return r;
}

static void report(const struct program *p)
{
	if (!p->stream.started)
		return;
	if (!p->ending && p->at_end)
		log_notice("the capture was ended by the switch");
	log_notice("%llu frames captured, %llu dropped", (unsigned long long)p->stream.frames,
		   (unsigned long long)p->stream.dropped);
}

int main(int argc, char **argv)
{
	struct program p = {
		.settings = { .port = ALL_PORTS, .snap_len = -1 },
		.sock = -1,
		.out = -1,
		.signals = -1,
	};
	struct error error = { 0 };
	int status, first;

	log_set_program("vde_capture");
	first = option_parse(&program_text, argc, argv, &p.settings, &status);
	if (first < 0)
		return status;
	if (!p.settings.mgmt)
		return option_usage_error(&program_text, "the management socket is missing: -M "
							 "SOCKET");
	p.stream.limit = (uint64_t)p.settings.count;
	status = EXIT_SUCCESS;
	if (run(&p, argv + first, argc - first, &error) < 0) {
		log_error("%s", error_text(&error));
		status = EXIT_FAILURE;
	}
	report(&p);
	capture_stream_done(&p.stream);
	return status; /* descriptors end with the process */
}
