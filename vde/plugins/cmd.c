/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd://COMMAND ARGUMENTS: frames to and from a command, in the stream format (wire/vde_stream.h)
 * on its standard input and output.
 *
 * Input is read in big pieces, so there may be whole frames in our buffer while the pipe is empty.
 * The datafd is an epoll set of the pipe and of an eventfd that is raised as long as that is so.
 *
 * Output must never lose half a frame. A frame that a full pipe takes in part is completed later,
 * ahead of everything else: by the next vde_send, or by vde_recv, as the pipe is in the epoll set
 * as long as there is a rest. A pipe that takes nothing is waited for as plugin.h says, then the
 * whole frame is dropped.
 */
#include "vde/plugins/cmd_child.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "vde/plugins/cmd_words.h"
#include "vde/plugins/plugin.h"
#include "wire/vde_stream.h"

#define INPUT_SIZE 65536
#define OUTPUT_MAX (VDE_STREAM_HEADER_SIZE + PLUGIN_FRAME_MAX)

struct cmd_input {
	struct vde_stream stream;
	size_t at, len; /* of data: what is not fed yet */
	uint8_t data[INPUT_SIZE];
	bool raised; /* the eventfd is */
	bool ended;  /* end of file */
	bool told;   /* and that was said */
};

struct cmd_output {
	size_t at, len; /* of rest */
	uint8_t rest[OUTPUT_MAX];
	bool watched; /* the pipe is in the epoll set */
	bool stalled;
};

struct cmd {
	struct plugin_head head;
	char *line; /* owned */
	struct cmd_child child;
	int epoll;                   /* owned; the datafd */
	int more;                    /* owned eventfd: whole frames wait in the buffer */
	pthread_mutex_t output_lock; /* over output: one thread may receive while another sends */
	struct cmd_output output;
	struct cmd_input input;
};

static struct cmd *cmd_of(VDECONN *conn)
{
	return PLUGIN_OF(conn, struct cmd);
}

/* Watches FD for EVENTS; 0 events: no longer. */
static int cmd_watch(struct cmd *c, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	return epoll_ctl(c->epoll, events ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &e) < 0 ? -errno : 0;
}

/* Where a frame goes, for the stream's handler. */
struct delivery {
	uint8_t *buf;
	size_t room;
	size_t len; /* of the frame that was put there; 0: none */
};

static void deliver(void *context, const uint8_t *frame, size_t len)
{
	struct delivery *d = context;

	if (len < PLUGIN_FRAME_MIN || len > d->room || len > PLUGIN_FRAME_MAX)
		return; /* too long for the caller: dropped, never cut */
	memcpy(d->buf, frame, len);
	d->len = len;
}

static const struct vde_stream_handler deliver_handler = { .frame = deliver };

/* Feeds the stream no further than the end of a frame. The frame's length, or 0: more is needed. */
static size_t input_next(struct cmd_input *in, uint8_t *buf, size_t room)
{
	struct delivery d = { buf, room, 0 };

	while (d.len == 0 && in->at < in->len) {
		const struct vde_stream *s = &in->stream;
		size_t want = s->header_len < VDE_STREAM_HEADER_SIZE
				      ? VDE_STREAM_HEADER_SIZE - s->header_len
				      : s->frame_len - s->have;

		want = MIN(want, in->len - in->at);
		vde_stream_feed(&in->stream, in->data + in->at, want, &deliver_handler, &d);
		in->at += want;
	}
	return d.len;
}

/* True when the buffer holds something that does not need the pipe to be delivered. */
static bool input_holds_frame(const struct cmd_input *in)
{
	struct cursor c = cursor_of(in->data + in->at, in->len - in->at);
	size_t len = cursor_be16(&c);

	return c.ok && len <= c.left;
}

/* Keeps the eventfd up as long as there are whole frames in the buffer. */
static void input_raise(struct cmd *c)
{
	bool wanted = input_holds_frame(&c->input);
	eventfd_t value;

	if (wanted && !c->input.raised)
		(void)eventfd_write(c->more, 1);
	else if (!wanted && c->input.raised)
		(void)eventfd_read(c->more, &value);
	c->input.raised = wanted;
}

/* Refills the empty buffer. 1; 0 at the end; -EAGAIN when there is nothing; or a negative errno. */
static int input_read(struct cmd *c)
{
	struct cmd_input *in = &c->input;
	ssize_t got = io_read(c->child.from, in->data, sizeof(in->data));

	in->at = 0;
	in->len = got > 0 ? (size_t)got : 0;
	in->ended = got == 0;
	return got > 0 ? 1 : (int)got;
}

/*
 * The next frame's length, or 0 with the reason in *R as input_read() gives it. *WORKED is set when
 * any byte was used.
 */
static size_t cmd_next_frame(struct cmd *c, uint8_t *buf, size_t room, int *r, bool *worked)
{
	size_t len;

	for (*r = 1;;) {
		*worked = *worked || c->input.at < c->input.len;
		len = input_next(&c->input, buf, room);
		if (len > 0 || *r <= 0)
			break;
		*r = input_read(c);
	}
	input_raise(c);
	return len;
}

/* Writes as much of the rest as the pipe takes. 0 when nothing is left, or a negative errno. */
static int output_flush(struct cmd *c)
{
	struct cmd_output *out = &c->output;

	while (out->at < out->len) {
		ssize_t put = write(c->child.to, out->rest + out->at, out->len - out->at);

		if (put > 0) {
			out->at += (size_t)put;
			out->stalled = false;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* The pipe is in the epoll set as long as there is a rest. */
static void output_watch(struct cmd *c)
{
	bool wanted = c->output.at < c->output.len;

	if (wanted != c->output.watched && cmd_watch(c, c->child.to, wanted ? EPOLLOUT : 0) == 0)
		c->output.watched = wanted;
}

/* Room for one more frame: waits when that may help. */
static int output_make_room(struct cmd *c)
{
	struct pollfd p = { .fd = c->child.to, .events = POLLOUT };
	int r = output_flush(c);
	size_t before = c->output.at;

	if (r != -EAGAIN || c->output.stalled)
		return r;
	(void)poll(&p, 1, PLUGIN_WAIT_MS); /* the next attempt tells */
	r = output_flush(c);
	c->output.stalled = r == -EAGAIN && c->output.at == before;
	return r;
}

/* Takes the frame, or drops it whole; a rest may stay for later. */
static int output_send(struct cmd *c, const void *buf, size_t len)
{
	struct cmd_output *out = &c->output;
	int r = output_make_room(c);

	if (r < 0)
		return r;
	vde_stream_put_header(out->rest, len);
	memcpy(out->rest + VDE_STREAM_HEADER_SIZE, buf, len);
	out->at = 0;
	out->len = VDE_STREAM_HEADER_SIZE + len;
	r = output_make_room(c);
	if (r == -EAGAIN && out->at == 0)
		out->len = 0; /* nothing went out: dropped */
	output_watch(c);
	return r;
}

/* Returns whether some of a rest went out. */
static bool output_continue(struct cmd *c)
{
	bool worked = false;

	(void)pthread_mutex_lock(&c->output_lock);
	if (c->output.watched) {
		size_t before = c->output.at;

		(void)output_flush(c);
		worked = c->output.at > before;
		output_watch(c);
	}
	(void)pthread_mutex_unlock(&c->output_lock);
	return worked;
}

static ssize_t cmd_end(struct cmd *c)
{
	if (!c->input.told)
		(void)fprintf(stderr, "VDE terminated: cmd://%s\n", c->line); /* as ever */
	c->input.told = true;
	return 0;
}

static ssize_t cmd_recv(VDECONN *conn, void *buf, size_t len, int flags)
{
	struct cmd *c = cmd_of(conn);

	(void)flags;
	for (;;) {
		bool worked = output_continue(c);
		int r;
		size_t got = cmd_next_frame(c, buf, len, &r, &worked);

		if (got > 0)
			return (ssize_t)got;
		if (c->input.ended)
			return cmd_end(c);
		if (r != -EAGAIN)
			return plugin_failed(r);
		/* Who was woken by half a frame, or by room for one, is not kept here. */
		if (worked || plugin_nonblock(c->epoll))
			return plugin_nothing();
		r = plugin_wait_readable(c->epoll);
		if (r < 0)
			return plugin_failed(r);
	}
}

static ssize_t cmd_send(VDECONN *conn, const void *buf, size_t len, int flags)
{
	struct cmd *c = cmd_of(conn);
	int r = 0;

	(void)flags;
	if (len < PLUGIN_FRAME_MIN || len > PLUGIN_FRAME_MAX)
		return (ssize_t)len;
	(void)pthread_mutex_lock(&c->output_lock);
	r = output_send(c, buf, len);
	(void)pthread_mutex_unlock(&c->output_lock);
	return r == 0 || r == -EAGAIN ? (ssize_t)len : plugin_failed(r);
}

static int cmd_close(VDECONN *conn)
{
	struct cmd *c = cmd_of(conn);

	cmd_child_stop(&c->child);
	if (c->epoll >= 0)
		(void)close(c->epoll);
	if (c->more >= 0)
		(void)close(c->more);
	(void)pthread_mutex_destroy(&c->output_lock);
	free(c->line);
	free(c);
	return 0;
}

static struct cmd *cmd_new(const char *line)
{
	struct cmd *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	(void)pthread_mutex_init(&c->output_lock, NULL); /* does not fail with these attributes */
	c->child = (struct cmd_child)CMD_CHILD_NONE;
	vde_stream_reset(&c->input.stream);
	c->line = strdup(line);
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->more = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return c;
}

static int cmd_begin(struct cmd *c, char **words, struct error *error)
{
	int r;

	if (!c->line || c->epoll < 0 || c->more < 0)
		return -ENOMEM;
	r = cmd_child_start(&c->child, words, error);
	if (r == 0)
		r = cmd_watch(c, c->more, EPOLLIN);
	if (r == 0)
		r = cmd_watch(c, c->child.from, EPOLLIN);
	return r;
}

static VDECONN *cmd_open(char *args, char *descr, int interface_version,
			 struct vde_open_args *open_args)
{
	auto_free char **words = NULL;
	struct error error = { 0 };
	struct cmd *c;
	int r = cmd_words(args, &words, &error);

	(void)descr, (void)interface_version, (void)open_args;
	c = r == 0 ? cmd_new(args) : NULL;
	if (r == 0)
		r = c ? cmd_begin(c, words, &error) : -ENOMEM;
	if (r == 0)
		return plugin_conn(&c->head);
	if (!error.code)
		error_set_errno(&error, -r, "cmd://%s cannot be opened", args);
	if (c)
		(void)cmd_close(plugin_conn(&c->head));
	return plugin_fail(&error);
}

static int cmd_datafd(VDECONN *conn)
{
	return cmd_of(conn)->epoll;
}

static int cmd_ctlfd(VDECONN *conn)
{
	(void)conn;
	return -1;
}

extern const struct vdeplug_module vdeplug_ops;
PUBLIC const struct vdeplug_module vdeplug_ops = {
	.vde_open_real = cmd_open,
	.vde_recv = cmd_recv,
	.vde_send = cmd_send,
	.vde_datafd = cmd_datafd,
	.vde_ctlfd = cmd_ctlfd,
	.vde_close = cmd_close,
};
