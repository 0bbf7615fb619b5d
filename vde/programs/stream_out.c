/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vde/programs/stream_out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "wire/vde_stream.h"

#define RECORD_MAX (VDE_STREAM_HEADER_SIZE + VDE_STREAM_FRAME_MAX)

/*
 * O_NONBLOCK belongs to the open file, which our standard output may share with other processes. A
 * pipe can be opened once more through /proc.
 */
static int reopen_nonblocking(int fd)
{
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

int stream_out_init(struct stream_out *out, int fd)
{
	struct stat st = { 0 };

	*out = (struct stream_out){ .fd = fd, .own_fd = -1, .data = malloc(STREAM_OUT_SIZE) };
	if (!out->data)
		return -ENOMEM;
	(void)fstat(fd, &st); /* a bad descriptor shows when it is written */
	out->socket = S_ISSOCK(st.st_mode);
	if (!S_ISFIFO(st.st_mode))
		return 0;
	out->own_fd = reopen_nonblocking(fd);
	if (out->own_fd < 0)
		return io_set_nonblock(fd, true);
	out->fd = out->own_fd;
	return 0;
}

void stream_out_done(struct stream_out *out)
{
	cleanup_close(&out->own_fd);
	free(out->data);
	*out = (struct stream_out){ .fd = -1, .own_fd = -1 };
}

bool stream_out_has_room(const struct stream_out *out)
{
	return STREAM_OUT_SIZE - (out->end - out->start) >= RECORD_MAX;
}

void stream_out_put(struct stream_out *out, const void *frame, size_t len)
{
	if (len > VDE_STREAM_FRAME_MAX) {
		out->dropped++;
		return;
	}
	if (STREAM_OUT_SIZE - out->end < RECORD_MAX) {
		memmove(out->data, out->data + out->start, out->end - out->start);
		out->end -= out->start;
		out->start = 0;
	}
	vde_stream_put_header(out->data + out->end, len);
	memcpy(out->data + out->end + VDE_STREAM_HEADER_SIZE, frame, len);
	out->end += VDE_STREAM_HEADER_SIZE + len;
}

static ssize_t write_some(const struct stream_out *out)
{
	const uint8_t *from = out->data + out->start;
	size_t len = out->end - out->start;

	return out->socket ? send(out->fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL)
			   : write(out->fd, from, len);
}

int stream_out_flush(struct stream_out *out)
{
	while (stream_out_pending(out)) {
		ssize_t n = write_some(out);

		if (n < 0 && errno != EINTR)
			return -errno;
		out->start += n > 0 ? (size_t)n : 0;
	}
	out->start = out->end = 0;
	return 0;
}

int stream_out_finish(struct stream_out *out, int patience_ms)
{
	uint64_t deadline = clock_now() + (uint64_t)patience_ms * NS_PER_MSEC;
	int r;

	while ((r = stream_out_flush(out)) == -EAGAIN) {
		struct pollfd p = { .fd = out->fd, .events = POLLOUT };
		uint64_t now = clock_now();

		if (now >= deadline)
			break;
		if (poll(&p, 1, (int)((deadline - now) / NS_PER_MSEC) + 1) < 0 && errno != EINTR)
			return -errno;
	}
	return r;
}
