/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input: what a read(2) brings is taken apart at once; the frames wait in `ready`, which has room for
 * all that one read can complete. Output: frames are gathered in `out` and written together; when it is
 * full the stream is slower than the network, and the frame stays with the relay.
 */
#include "end_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "wire/vde_stream.h"

#define CHUNK 65536 /* bytes read or written at once: a pipe's usual size */

struct end_stream {
	struct relay_end end;
	struct vde_stream parser;
	bool in_was_blocking, out_was_blocking;
	/* Each frame behind its length, as on the stream. */
	size_t ready_len, ready_at;
	uint8_t ready[CHUNK + VDE_STREAM_HEADER_SIZE + VDE_STREAM_FRAME_MAX];
	size_t out_len, out_at;
	uint8_t out[CHUNK];
	uint8_t chunk[CHUNK];
};

static void end_stream_frame(void *context, const uint8_t *frame, size_t len)
{
	struct end_stream *s = context;

	vde_stream_put_header(s->ready + s->ready_len, len);
	memcpy(s->ready + s->ready_len + VDE_STREAM_HEADER_SIZE, frame, len);
	s->ready_len += VDE_STREAM_HEADER_SIZE + len;
}

static void end_stream_oversized(void *context, size_t len)
{
	struct end_stream *s = context;

	(void)len;
	s->end.counters.dropped++;
}

static const struct vde_stream_handler handler = { end_stream_frame, end_stream_oversized };

/* Reads and takes apart; 0 when nothing was there. */
static ssize_t end_stream_read(struct end_stream *s)
{
	ssize_t len = io_read(s->end.in_fd, s->chunk, sizeof(s->chunk));

	if (len == -EAGAIN)
		return 0;
	if (len <= 0)
		return len == 0 ? -ENODATA : len;
	s->ready_len = s->ready_at = 0;
	vde_stream_feed(&s->parser, s->chunk, (size_t)len, &handler, s);
	return len;
}

static int end_stream_next(struct relay_end *end, struct relay_frame *ret)
{
	struct end_stream *s = container_of(end, struct end_stream, end);
	struct cursor c;

	while (s->ready_at == s->ready_len) {
		ssize_t len = end_stream_read(s);

		if (len <= 0)
			return (int)len;
	}
	c = cursor_of(s->ready + s->ready_at, s->ready_len - s->ready_at);
	ret->len = cursor_be16(&c);
	ret->data = cursor_take(&c, ret->len);
	s->ready_at = s->ready_len - c.left;
	end->more = c.left > 0;
	return 1;
}

static int end_stream_flush(struct relay_end *end)
{
	struct end_stream *s = container_of(end, struct end_stream, end);

	while (s->out_at < s->out_len) {
		ssize_t len = write(end->out_fd, s->out + s->out_at, s->out_len - s->out_at);

		if (len < 0 && errno == EAGAIN)
			return 1;
		if (len < 0 && errno != EINTR)
			return errno == EPIPE ? -ENODATA : -errno;
		if (len > 0)
			s->out_at += (size_t)len;
	}
	s->out_len = s->out_at = 0;
	return 0;
}

static int end_stream_send(struct relay_end *end, const struct relay_frame *frame)
{
	struct end_stream *s = container_of(end, struct end_stream, end);
	size_t need = VDE_STREAM_HEADER_SIZE + frame->len;

	if (frame->len > VDE_STREAM_FRAME_MAX) {
		end->counters.dropped++;
		return 0;
	}
	if (s->out_len + need > sizeof(s->out) && end_stream_flush(end) != 0)
		return -EAGAIN; /* an error comes up again at the next flush */
	vde_stream_put_header(s->out + s->out_len, frame->len);
	memcpy(s->out + s->out_len + VDE_STREAM_HEADER_SIZE, frame->data, frame->len);
	s->out_len += need;
	return 0;
}

/*
 * A pipe whose reader goes while nothing is written would not be noticed: it is watched, under a
 * number of its own, for the error that this is.
 */
static int fd_to_watch(int out_fd)
{
	struct stat st;

	if (fstat(out_fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return -1;
	return fcntl(out_fd, F_DUPFD_CLOEXEC, 0);
}

static bool fd_blocks(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && !(flags & O_NONBLOCK);
}

static void end_stream_free(struct relay_end *end)
{
	struct end_stream *s = container_of(end, struct end_stream, end);

	if (s->in_was_blocking)
		(void)io_set_nonblock(end->in_fd, false);
	if (s->out_was_blocking)
		(void)io_set_nonblock(end->out_fd, false);
	cleanup_close(&end->gone_fd);
	free(s);
}

static const struct relay_end_class end_stream_class = {
	.name = "stream",
	.next = end_stream_next,
	.send = end_stream_send,
	.flush = end_stream_flush,
	.free = end_stream_free,
};

int end_stream_new(int in_fd, int out_fd, const char *title, struct relay_end **ret)
{
	struct end_stream *s = malloc(sizeof(*s)); /* large: what is not used is not touched */
	int r;

	if (!s)
		return -ENOMEM;
	vde_stream_reset(&s->parser);
	s->ready_len = s->ready_at = s->out_len = s->out_at = 0;
	s->in_was_blocking = fd_blocks(in_fd);
	s->out_was_blocking = fd_blocks(out_fd);
	s->end = (struct relay_end){
		.class = &end_stream_class,
		.title = title,
		.in_fd = in_fd,
		.out_fd = out_fd,
		.gone_fd = fd_to_watch(out_fd),
	};
	r = io_set_nonblock(in_fd, true);
	if (r == 0)
		r = io_set_nonblock(out_fd, true);
	if (r < 0) {
		end_stream_free(&s->end);
		return r;
	}
	*ret = &s->end;
	return 0;
}
