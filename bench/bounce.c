/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define TCP_PORT 5202

int run_echo(struct settings *s)
{
	struct load_frame f;
	ssize_t len = say_ready();

	while (!is_final(len)) {
		if (!next_frame(s, &f, &len))
			continue;
		if (f.kind == FRAME_HELLO) {
			greet_back(s);
			continue;
		}
		frame_make(s->input, ANSWERER, ASKER, FRAME_LOAD, f.number);
		(void)link_send(s->link, s->input, (size_t)len);
	}
	return (int)len;
}

/* Until the link takes it. */
static int send_one(struct settings *s, uint32_t number)
{
	ssize_t r;

	frame_make(s->frame, ASKER, ANSWERER, FRAME_LOAD, number);
	do
		r = link_send(s->link, s->frame, (size_t)s->size);
	while (r == -EINTR || r == -EAGAIN || r == -ENOBUFS);
	return r < 0 ? (int)r : 0;
}

/* One round trip, ns; 0: lost; or a negative errno. */
static int64_t ping_once(struct settings *s, uint32_t number)
{
	uint64_t start = clock_now();
	int r = send_one(s, number);

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

int run_ping(struct settings *s)
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
	return tell_times(times, good, s->count, link_name(s->link));
}

/* --- both ends in one thread ------------------------------------------------------------- */

/* Sends one frame over FROM and takes it at TO, spinning if there are calls that do not wait. */
static int throw_once(struct link *from, struct link *to, struct link_batch *batch, uint8_t *frame,
		      uint8_t from_station, uint8_t to_station)
{
	uint64_t start = clock_now();
	ssize_t r;

	frame_make(frame, from_station, to_station, FRAME_LOAD, 0);
	r = link_send(from, frame, 64);
	while (r >= 0 && clock_now() - start < WAIT_LIMIT * NS_PER_MSEC) {
		struct load_frame f;

		r = link_peek(to, batch);
		if (r > 0 && frame_parse(batch->frames[0].data, batch->frames[0].len, &f) &&
		    f.src[5] == from_station)
			return 0;
		if (!is_final(r))
			r = 0;
	}
	return r < 0 ? (int)r : -ETIMEDOUT;
}

static int there_and_back(struct settings *s, struct link *other, struct link_batch *batch,
			  int64_t *ret)
{
	uint64_t start = clock_now();
	int r = throw_once(s->link, other, batch, s->frame, ASKER, ANSWERER);

	if (r == 0)
		r = throw_once(other, s->link, batch, s->frame, ANSWERER, ASKER);
	*ret = (int64_t)(clock_now() - start);
	return r;
}

int run_bounce(struct settings *s)
{
	CLEANUP(link_batch_free) struct link_batch batch = { 0 };
	auto_free int64_t *times = calloc((size_t)s->count, sizeof(*times));
	struct error error = { 0 };
	struct link *other;
	int good = 0, r = times ? link_open(s->where, &s->mode, &other, &error) : -ENOMEM;

	if (r < 0)
		return r;
	limit_waiting(true);
	for (int i = 0; i < s->count; i++) {
		r = there_and_back(s, other, &batch, &times[good]);
		if (r == 0)
			good++;
		else if (is_final(r) && r != -ETIMEDOUT)
			break;
	}
	link_close(other);
	return good ? tell_times(times, good, s->count, link_name(s->link)) : r;
}

/* --- TCP --------------------------------------------------------------------------------- */

static int tcp_address(const char *where, struct sockaddr_in *ret)
{
	*ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(TCP_PORT) };
	return inet_pton(AF_INET, where, &ret->sin_addr) == 1 ? 0 : -EINVAL;
}

static int tcp_socket(void)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* Answers each byte of one connection. */
int run_tcp_echo(struct settings *s)
{
	auto_close int fd = tcp_socket(), peer = -1;
	struct sockaddr_in address;
	int on = 1, r = tcp_address(s->where, &address);
	char byte;

	if (fd < 0 || r < 0)
		return fd < 0 ? fd : r;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		return -errno;
	r = say_ready();
	peer = r == 0 ? accept4(fd, NULL, NULL, SOCK_CLOEXEC) : r;
	if (peer < 0)
		return -errno;
	(void)setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while (recv(peer, &byte, 1, 0) == 1)
		if (send(peer, &byte, 1, MSG_NOSIGNAL) != 1)
			return -errno;
	return 0;
}

int run_tcp_ping(struct settings *s)
{
	auto_free int64_t *times = calloc((size_t)s->count, sizeof(*times));
	auto_close int fd = tcp_socket();
	struct sockaddr_in address;
	int r = tcp_address(s->where, &address);
	char byte = 0;

	if (fd < 0 || r < 0 || !times)
		return fd < 0 ? fd : r < 0 ? r : -ENOMEM;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	for (int i = 0; i < s->count; i++) {
		uint64_t start = clock_now();

		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
			return errno ? -errno : -EPIPE;
		times[i] = (int64_t)(clock_now() - start);
	}
	return tell_times(times, s->count, s->count, "tcp");
}
