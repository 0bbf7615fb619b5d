/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The load generator of `make bench`: one process an end, which says in a line of JSON
 * what it saw.
 *
 *	recv      counts frames until the sender says that it is done
 *	send      sends numbered frames for a time, as fast as the link takes them, and then says so
 *	          until its input ends
 *	burst     sends some frames to everybody
 *	echo      sends everything back
 *	ping      measures the round trip to an echo, one frame at a time
 *	bounce    the same with both ends in one thread, which does not sleep where the library
 *	          has calls that do not
 *	hold      has many connections, and takes what comes there
 *	tcp-echo  answers every byte of one TCP connection to an address
 *	tcp-ping  measures the round trip to that
 *	memcpy    copies memory
 *
 * Station 1 asks (send, ping), station 2 answers. Before they begin they exchange greetings, when
 * both are connected, so that every switch on the way knows where they are: Debian's forgets all
 * addresses when a port is connected, and then sends everything to everybody.
 */
#include "bench/load.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/option.h"
#include "base/util.h"

#define GREETINGS 50 /* without an answer: nobody is there */

uint64_t cpu_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

bool input_ended(int timeout)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	char byte;

	return poll(&p, 1, timeout) > 0 && read(STDIN_FILENO, &byte, 1) == 0;
}

bool next_frame(struct settings *s, struct load_frame *ret, ssize_t *ret_len)
{
	*ret_len = link_recv(s->link, s->input, sizeof(s->input));
	return *ret_len > 0 && frame_parse(s->input, (size_t)*ret_len, ret);
}

bool is_final(ssize_t r)
{
	return r < 0 && r != -EINTR && r != -EAGAIN && r != -ENETDOWN;
}

static void on_alarm(int number)
{
	(void)number; /* it only ends the call that waits */
}

void limit_waiting(bool limited)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct timeval step = { 0, limited ? WAIT_LIMIT * 1000 / 2 : 0 };
	struct itimerval timer = { step, step };

	(void)sigaction(SIGALRM, &action, NULL);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

int meet(struct settings *s)
{
	struct load_frame f = { 0 };
	ssize_t len = 0;

	limit_waiting(true);
	for (int i = 0; i < GREETINGS; i++) {
		frame_make(s->frame, ASKER, 0, FRAME_HELLO, 0);
		(void)link_send(s->link, s->frame, FRAME_SIZE_MIN);
		if (next_frame(s, &f, &len) && f.kind == FRAME_HELLO) {
			limit_waiting(false);
			return 0;
		}
		if (is_final(len))
			return (int)len;
	}
	return -ETIMEDOUT;
}

int say_ready(void)
{
	(void)puts("ready");
	return fflush(stdout) == 0 ? 0 : -errno;
}

void greet_back(struct settings *s)
{
	frame_make(s->frame, ANSWERER, ASKER, FRAME_HELLO, 0);
	(void)link_send(s->link, s->frame, FRAME_SIZE_MIN);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int tell_times(int64_t *times, int good, int count, const char *link)
{
	if (good == 0)
		return -ETIMEDOUT;
	qsort(times, (size_t)good, sizeof(*times), compare);
	(void)printf("{\"median\": %.9f, \"p99\": %.9f, \"min\": %.9f, \"lost\": %d, "
		     "\"link\": \"%s\"}\n", (double)times[good / 2] / NS_PER_SEC,
		     (double)times[(int64_t)good * 99 / 100] / NS_PER_SEC,
		     (double)times[0] / NS_PER_SEC, count - good, link);
	return 0;
}

static const struct role {
	const char *name;
	int (*run)(struct settings *s);
	bool needs_link;
} roles[] = {
	{ "recv", run_recv, true },           { "send", run_send, true },
	{ "burst", run_burst, true },         { "echo", run_echo, true },
	{ "ping", run_ping, true },           { "bounce", run_bounce, true },
	{ "hold", run_hold, false },          { "tcp-echo", run_tcp_echo, false },
	{ "tcp-ping", run_tcp_ping, false },  { "memcpy", run_memcpy, false },
};

#define SETTING(field) offsetof(struct settings, field)

static const struct option_row rows[] = {
	{ 's', "size", .kind = OPTION_INT, .arg = "BYTES", .offset = SETTING(size),
	  .min = FRAME_SIZE_MIN, .max = FRAME_SIZE_MAX, .preset = "64",
	  .help = "length of the frames" },
	{ 't', "time", .kind = OPTION_INT, .arg = "MS", .offset = SETTING(milliseconds), .min = 1,
	  .max = 60000, .preset = "500", .help = "send that long" },
	{ 'c', "count", .kind = OPTION_INT, .arg = "N", .offset = SETTING(count), .min = 1,
	  .max = 1000000, .preset = "2000", .help = "round trips to be made" },
	{ 'b', "batch", .kind = OPTION_INT, .arg = "N", .offset = SETTING(mode.batch), .min = 0,
	  .max = LINK_BATCH_MAX, .preset = "0",
	  .help = "frames a call; 0: the calls for one frame" },
	{ 'B', "borrow", .kind = OPTION_FLAG, .offset = SETTING(mode.borrow),
	  .help = "with batches: without a copy" },
	{ 'S', "super", .kind = OPTION_FLAG, .offset = SETTING(mode.super),
	  .help = "with batches: each frame is a super-frame" },
	{ 'n', "connections", .kind = OPTION_INT, .arg = "N", .offset = SETTING(connections),
	  .min = 1, .max = 10000, .preset = "1", .help = "how many are held" },
	{ 0, "buffer", .kind = OPTION_INT, .arg = "BYTES", .offset = SETTING(buffer), .min = 65536,
	  .max = 1 << 30, .preset = "1048576", .help = "what is copied through" },
	{ 'h', "help", .kind = OPTION_HELP, .help = "print this help" },
	{ 0, "version", .kind = OPTION_VERSION, .help = "print the version" },
};

static const struct option_program program = {
	.name = "load",
	.synopsis = "[OPTION]... ROLE vde:VNL|packet:INTERFACE|ADDRESS|-",
	.summary = "Makes load on a network, and says what of it arrived.",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.usage_status = 2,
};

static int run_role(struct settings *s, const struct role *role)
{
	struct error error = { 0 };
	int r;

	if (role->needs_link && link_open(s->where, &s->mode, &s->link, &error) < 0) {
		log_error("%s", error_text(&error));
		return EXIT_FAILURE;
	}
	r = role->run(s);
	link_close(s->link);
	if (r < 0)
		log_error("%s at %s: %s", role->name, s->where, strerror(-r));
	return r < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct settings settings = { .size = 64, .milliseconds = 500, .count = 2000,
				     .connections = 1, .buffer = 1 << 20 };
	int status, first;

	log_set_program("load");
	first = option_parse(&program, argc, argv, &settings, &status);
	if (first < 0)
		return status;
	if (argc - first != 2)
		return option_usage_error(&program, "a role and a link are needed");
	if ((settings.mode.borrow || settings.mode.super) && !settings.mode.batch)
		return option_usage_error(&program, "--borrow and --super need --batch");
	settings.where = argv[first + 1];
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (strcmp(argv[first], roles[i].name) == 0)
			return run_role(&settings, &roles[i]);
	return option_usage_error(&program, "there is no role '%s'", argv[first]);
}
