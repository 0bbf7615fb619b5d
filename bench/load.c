/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The load generator of `make bench`: one process an end, which says in one line of JSON what it saw.
 *
 *	recv  counts frames until the sender says that it is done
 *	send  sends numbered frames for a time, as fast as the link takes them, and then says so
 *	      until its input ends
 *	echo  sends everything back
 *	ping  measures the round trip to an echo, one frame at a time
 *
 * Station 1 asks (send, ping), station 2 answers. Before they begin they exchange greetings, when
 * both are connected, so that every switch on the way knows where they are: Debian's forgets all
 * addresses when a port is connected, and then sends everything to everybody.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/option.h"
#include "base/util.h"
#include "bench/frame.h"
#include "bench/link.h"

#define ASKER        1
#define ANSWERER     2
#define END_PAUSE_MS 5
#define WAIT_LIMIT   200 /* ms without an answer: lost */
#define GREETINGS    50  /* without an answer: nobody is there */

struct settings {
	int size, milliseconds, count;
	struct link *link;
	uint8_t frame[FRAME_SIZE_MAX]; /* what is sent */
	uint8_t input[FRAME_SIZE_MAX];
};

/* CPU time of this process, ns. */
static uint64_t cpu_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static bool input_ended(int timeout)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	char byte;

	return poll(&p, 1, timeout) > 0 && read(STDIN_FILENO, &byte, 1) == 0;
}

/* The next frame of the load; false when there is none yet, or an error to try again after. */
static bool next_frame(struct settings *s, struct load_frame *ret, ssize_t *ret_len)
{
	*ret_len = link_recv(s->link, s->input, sizeof(s->input));
	return *ret_len > 0 && frame_parse(s->input, (size_t)*ret_len, ret);
}

static bool is_final(ssize_t r)
{
	return r < 0 && r != -EINTR && r != -EAGAIN && r != -ENETDOWN;
}

static void on_alarm(int number)
{
	(void)number; /* it only ends the call that waits */
}

/*
 * Makes calls that wait end with EINTR, or stops that. The timer goes on, so that no end is missed
 * between a look at the clock and the call.
 */
static void limit_waiting(bool limited)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct timeval step = { 0, limited ? WAIT_LIMIT * 1000 / 2 : 0 };
	struct itimerval timer = { step, step };

	(void)sigaction(SIGALRM, &action, NULL);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

/* Asks until the other end answers. */
static int meet(struct settings *s)
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

static int say_ready(void)
{
	(void)puts("ready");
	return fflush(stdout) == 0 ? 0 : -errno;
}

static void greet_back(struct settings *s)
{
	frame_make(s->frame, ANSWERER, ASKER, FRAME_HELLO, 0);
	(void)link_send(s->link, s->frame, FRAME_SIZE_MIN);
}

/* The next frame that a receiver counts or an echo returns, or the end; a negative errno. */
static ssize_t next_load(struct settings *s, struct load_frame *ret)
{
	for (;;) {
		ssize_t len;

		if (!next_frame(s, ret, &len)) {
			if (is_final(len))
				return len;
		} else if (ret->kind == FRAME_HELLO) {
			greet_back(s);
		} else {
			return len;
		}
	}
}

static int run_recv(struct settings *s)
{
	uint64_t first = 0, last = 0, received = 0, bad = 0, reordered = 0;
	uint32_t expected = 0;
	struct load_frame f;
	ssize_t len;
	int r = say_ready();

	if (r < 0)
		return r;
	while ((len = next_load(s, &f)) > 0 && f.kind == FRAME_LOAD) {
		last = clock_now();
		if (received++ == 0)
			first = last;
		bad += len != s->size;
		reordered += f.number < expected;
		expected = f.number + 1;
	}
	if (len < 0)
		return (int)len;
	(void)printf("{\"received\": %ju, \"seconds\": %.9f, \"bad\": %ju, \"reordered\": %ju, "
		     "\"cpu\": %.9f, \"link\": \"%s\"}\n", (uintmax_t)received,
		     (double)(last - first) / NS_PER_SEC, (uintmax_t)bad, (uintmax_t)reordered,
		     (double)cpu_now() / NS_PER_SEC, link_name(s->link));
	return 0;
}

/* What the link refuses is tried again: it says by that how fast it is. */
static int send_all(struct settings *s, uint32_t number)
{
	ssize_t r;

	frame_make(s->frame, ASKER, ANSWERER, FRAME_LOAD, number);
	do
		r = link_send(s->link, s->frame, (size_t)s->size);
	while (r == -EINTR || r == -EAGAIN || r == -ENOBUFS);
	return r < 0 ? (int)r : 0;
}

static int run_send(struct settings *s)
{
	uint64_t start, now;
	uint32_t sent = 0;
	int r = meet(s);

	start = now = clock_now();
	while (r == 0 && now < start + (uint64_t)s->milliseconds * NS_PER_MSEC) {
		r = send_all(s, sent);
		now = clock_now();
		sent++;
	}
	if (r < 0)
		return r;
	(void)printf("{\"sent\": %u, \"seconds\": %.9f, \"cpu\": %.9f, \"link\": \"%s\"}\n", sent,
		     (double)(now - start) / NS_PER_SEC, (double)cpu_now() / NS_PER_SEC,
		     link_name(s->link));
	(void)fflush(stdout);
	frame_make(s->frame, ASKER, ANSWERER, FRAME_END, sent);
	do
		(void)link_send(s->link, s->frame, FRAME_SIZE_MIN);
	while (!input_ended(END_PAUSE_MS));
	return 0;
}

static int run_echo(struct settings *s)
{
	struct load_frame f;
	ssize_t len = say_ready();

	if (len < 0)
		return (int)len;
	while ((len = next_load(s, &f)) > 0) {
		frame_make(s->input, ANSWERER, ASKER, FRAME_LOAD, f.number);
		(void)link_send(s->link, s->input, (size_t)len);
	}
	return (int)len;
}

/* One round trip, ns; 0: lost; or a negative errno. */
static int64_t ping_once(struct settings *s, uint32_t number)
{
	uint64_t start = clock_now();
	int r = send_all(s, number);

	while (r == 0) {
		struct load_frame f;
		ssize_t len;

		if (next_frame(s, &f, &len) && f.kind == FRAME_LOAD && f.number == number)
			return (int64_t)(clock_now() - start);
		if (is_final(len))
			return len;
		if (clock_now() - start > WAIT_LIMIT * NS_PER_MSEC)
			return 0;
	}
	return r;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int run_ping(struct settings *s)
{
	auto_free int64_t *times = calloc((size_t)s->count, sizeof(*times));
	int good = 0, r = meet(s);

	if (r < 0 || !times)
		return r < 0 ? r : -ENOMEM;
	limit_waiting(true);
	for (int i = 0; i < s->count; i++) {
		int64_t took = ping_once(s, (uint32_t)i);

		if (took < 0)
			return (int)took;
		if (took > 0)
			times[good++] = took;
	}
	if (good == 0)
		return -ETIMEDOUT;
	qsort(times, (size_t)good, sizeof(*times), compare);
	(void)printf("{\"median\": %.9f, \"p99\": %.9f, \"min\": %.9f, \"lost\": %d, "
		     "\"link\": \"%s\"}\n", (double)times[good / 2] / NS_PER_SEC,
		     (double)times[(int64_t)good * 99 / 100] / NS_PER_SEC,
		     (double)times[0] / NS_PER_SEC, s->count - good, link_name(s->link));
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct settings *s);
} roles[] = {
	{ "recv", run_recv }, { "send", run_send }, { "echo", run_echo }, { "ping", run_ping },
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
	{ 'h', "help", .kind = OPTION_HELP, .help = "print this help" },
	{ 0, "version", .kind = OPTION_VERSION, .help = "print the version" },
};

static const struct option_program program = {
	.name = "load",
	.synopsis = "[OPTION]... recv|send|echo|ping vde:VNL|packet:INTERFACE",
	.summary = "Makes load on a network, and says what of it arrived.",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.usage_status = 2,
};

static int run_role(struct settings *s, const char *role, const char *where)
{
	struct error error = { 0 };
	int r = -EINVAL;

	if (link_open(where, &s->link, &error) < 0) {
		log_error("%s", error_text(&error));
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (strcmp(role, roles[i].name) == 0)
			r = roles[i].run(s);
	link_close(s->link);
	if (r < 0)
		log_error("%s at %s: %s", role, where, strerror(-r));
	return r < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct settings settings = { .size = 64, .milliseconds = 500, .count = 2000 };
	int status, first;

	log_set_program("load");
	first = option_parse(&program, argc, argv, &settings, &status);
	if (first < 0)
		return status;
	if (argc - first != 2)
		return option_usage_error(&program, "a role and a link are needed");
	return run_role(&settings, argv[first], argv[first + 1]);
}
