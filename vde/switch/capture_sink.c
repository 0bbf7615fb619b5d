/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vde/switch/capture_sink.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"

#define FINISH_TIME (5 * NS_PER_SEC)
#define COMPACT_AT  (1024 * 1024) /* bytes that are out before the rest is moved to the front */

static size_t waiting(const struct capture_sink *sink)
{
	return sink->buffer.len - sink->written;
}

bool capture_sink_has_room(const struct capture_sink *sink, size_t len)
{
	return !sink->over && len <= sink->limit && waiting(sink) <= sink->limit - len;
}

static ssize_t write_some(struct capture_sink *sink)
{
	const char *data = sink->buffer.data + sink->written;
	ssize_t len;

	do {
		len = sink->socket ? send(sink->fd, data, waiting(sink), MSG_NOSIGNAL | MSG_DONTWAIT)
				   : write(sink->fd, data, waiting(sink));
	} while (len < 0 && errno == EINTR);
	return len < 0 ? -errno : len;
}

/* Returns 0 when all is out, -EAGAIN when the reader is slow, or what failed. */
static int write_out(struct capture_sink *sink)
{
	if (sink->buffer.error)
		return sink->buffer.error;
	while (waiting(sink) > 0) {
		ssize_t len = write_some(sink);

		if (len < 0)
			return (int)len;
		sink->written += (size_t)len;
	}
	strbuf_clear(&sink->buffer);
	sink->written = 0;
	return 0;
}

static void compact(struct capture_sink *sink)
{
	if (sink->written < COMPACT_AT)
		return;
	strbuf_consume(&sink->buffer, sink->written);
	sink->written = 0;
}

static void unwatch(struct capture_sink *sink)
{
	loop_remove(sink->loop, &sink->ref);
	loop_task_cancel(sink->loop, &sink->flush);
	loop_timer_cancel(sink->loop, &sink->deadline);
}

static void end(struct capture_sink *sink, int error)
{
	if (sink->over)
		return;
	sink->over = true;
	sink->error = error;
	unwatch(sink);
	sink->ended(sink);
}

static void watch(struct capture_sink *sink, uint32_t events)
{
	if (!sink->ref || events == sink->events)
		return;
	if (loop_modify(sink->loop, sink->ref, events) == 0)
		sink->events = events;
}

static void flush(struct capture_sink *sink)
{
	int r = write_out(sink);

	if (r == -EAGAIN) {
		compact(sink);
		watch(sink, sink->events | EPOLLOUT);
		return;
	}
	if (r < 0 || sink->finishing)
		end(sink, r);
	else
		watch(sink, sink->events & ~(uint32_t)EPOLLOUT);
}

static void flush_task(struct loop *loop, struct loop_task *task)
{
	(void)loop;
	flush(container_of(task, struct capture_sink, flush));
}

static void give_up(struct loop *loop, struct loop_timer *timer)
{
	(void)loop;
	end(container_of(timer, struct capture_sink, deadline), -ETIMEDOUT);
}

/* What a reader says is not listened to, but its end of file. */
static void take_input(struct capture_sink *sink)
{
	char ignored[512];
	ssize_t len = io_read(sink->fd, ignored, sizeof(ignored));

	if (len > 0 || len == -EAGAIN)
		return;
	watch(sink, sink->events & ~(uint32_t)EPOLLIN);
	sink->asked_to_end(sink);
}

static void sink_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct capture_sink *sink = object;

	(void)loop;
	(void)fd;
	if (events & (EPOLLERR | EPOLLHUP)) {
		end(sink, -EPIPE);
		return;
	}
	if (events & EPOLLIN)
		take_input(sink);
	if (events & EPOLLOUT && !sink->over)
		flush(sink);
}

static const struct loop_class sink_class = { "capture", sink_ready };

int capture_sink_open(struct capture_sink *sink, struct loop *loop, int fd, size_t limit)
{
	struct stat status;
	int r;

	if (fstat(fd, &status) < 0)
		return -errno;
	sink->loop = loop;
	sink->limit = limit;
	sink->socket = S_ISSOCK(status.st_mode);
	sink->events = sink->socket ? EPOLLIN : 0;
	sink->flush.run = flush_task;
	sink->deadline.fire = give_up;
	if (!S_ISREG(status.st_mode)) {
		r = io_set_nonblock(fd, true);
		if (r == 0)
			r = loop_add(loop, &sink_class, fd, sink->events, sink, &sink->ref);
		if (r < 0)
			return r;
	}
	sink->fd = fd;
	return 0;
}

void capture_sink_kick(struct capture_sink *sink)
{
	if (!sink->over && !(sink->events & EPOLLOUT))
		loop_task_add(sink->loop, &sink->flush);
}

void capture_sink_finish(struct capture_sink *sink)
{
	if (sink->finishing || sink->over)
		return;
	sink->finishing = true;
	(void)loop_timer_set(sink->loop, &sink->deadline, loop_now(sink->loop) + FINISH_TIME);
	flush(sink);
}

void capture_sink_resume(struct capture_sink *sink, bool finishing)
{
	sink->finishing = finishing;
	if (finishing)
		(void)loop_timer_set(sink->loop, &sink->deadline,
				     loop_now(sink->loop) + FINISH_TIME);
	loop_task_add(sink->loop, &sink->flush);
}

void capture_sink_close(struct capture_sink *sink)
{
	if (sink->fd < 0) {
		strbuf_done(&sink->buffer);
		return;
	}
	if (!sink->error)
		(void)write_out(sink); /* what does not go now is lost, and its statistics with it */
	unwatch(sink);
	(void)close(sink->fd);
	sink->fd = -1;
	sink->over = true;
	strbuf_done(&sink->buffer);
}
