/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/load.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* Copies chunks of `size` bytes through buffers as large as a ring: the most that a copy does. */
int run_memcpy(struct settings *s)
{
	size_t size = (size_t)s->buffer, chunk = MIN((size_t)s->size, size), at = 0;
	auto_free uint8_t *from = malloc(size), *to = malloc(size);
	uint64_t start, now, bytes = 0;

	if (!from || !to)
		return -ENOMEM;
	memset(from, 1, size);
	memset(to, 2, size);
	start = now = clock_now();
	while (now < start + (uint64_t)s->milliseconds * NS_PER_MSEC) {
		for (int i = 0; i < 64; i++) {
			memcpy(to + at, from + at, chunk);
			__asm__ volatile("" : : "r"(to) : "memory");
			bytes += chunk;
			at = at + 2 * chunk <= size ? at + chunk : 0;
		}
		now = clock_now();
	}
	(void)printf("{\"bytes\": %ju, \"seconds\": %.9f}\n", (uintmax_t)bytes,
		     (double)(now - start) / NS_PER_SEC);
	return 0;
}

/* Takes what comes on any of the connections until standard input ends. */
static int hold_until_end(struct link **links, struct pollfd *polls, int count)
{
	struct link_batch batch = { 0 };

	for (;;) {
		if (poll(polls, (nfds_t)count + 1, -1) < 0)
			return -errno;
		if (polls[count].revents) {
			link_batch_free(&batch);
			return 0;
		}
		for (int i = 0; i < count; i++)
			while (polls[i].revents && link_drain(links[i], &batch) > 0)
				;
	}
}

static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Many idle ports. */
int run_hold(struct settings *s)
{
	int count = s->connections, r = 0;
	auto_free struct link **links = calloc((size_t)count, sizeof(struct link *));
	auto_free struct pollfd *polls = calloc((size_t)count + 1, sizeof(*polls));
	struct error error = { 0 };

	if (!links || !polls)
		return -ENOMEM;
	raise_limit();
	for (int i = 0; i < count && r == 0; i++) {
		r = link_open(s->where, &s->mode, &links[i], &error);
		if (r == 0)
			polls[i] = (struct pollfd){ .fd = link_fd(links[i]), .events = POLLIN };
	}
	polls[count] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	if (r == 0)
		r = say_ready();
	if (r == 0)
		r = hold_until_end(links, polls, count);
	for (int i = 0; i < count; i++)
		link_close(links[i]);
	return r;
}
