/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "connect.h"

void mgmt_reply_done(struct mgmt_reply *reply)
{
	strbuf_done(&reply->message);
	strbuf_done(&reply->data);
	strbuf_done(&reply->echo);
	*reply = (struct mgmt_reply){ 0 };
}

const char *mgmt_reply_line(const struct mgmt_reply *reply, const char *line)
{
	const char *end = reply->data.data + reply->data.len;

	if (!reply->data.len)
		return NULL;
	line = line ? line + strlen(line) + 1 : reply->data.data;
	return line < end ? line : NULL;
}

static void keep_async(struct mgmt_client *c, const struct mgmt_item *item)
{
	struct mgmt_async *async = malloc(sizeof(*async) + item->len + 1);

	if (c->num_async == MGMT_ASYNC_MAX) {
		free(mgmt_client_take_async(c));
		c->num_lost++;
	}
	if (!async) {
		c->num_lost++;
		return;
	}
	async->next = NULL;
	async->tag = item->number;
	memcpy(async->text, item->text, item->len);
	async->text[item->len] = '\0';
	*c->async_last = async;
	c->async_last = &async->next;
	c->num_async++;
}

struct mgmt_async *mgmt_client_take_async(struct mgmt_client *c)
{
	struct mgmt_async *async = c->async_first;

	if (!async)
		return NULL;
	c->async_first = async->next;
	if (!c->async_first)
		c->async_last = &c->async_first;
	c->num_async--;
	return async;
}

static void reply_add(struct mgmt_reply *reply, const struct mgmt_item *item)
{
	if (item->kind == MGMT_DATA_BEGIN) {
		reply->has_data = true;
	} else if (item->kind == MGMT_DATA) {
		strbuf_append(&reply->data, item->text, item->len);
		strbuf_append(&reply->data, "\n", 2);
	} else if (item->kind == MGMT_RESULT) {
		reply->code = item->number;
		strbuf_clear(&reply->message);
		strbuf_append(&reply->message, item->text, item->len);
	} else if (item->kind == MGMT_TEXT) {
		strbuf_append(&reply->echo, item->text, item->len);
		strbuf_putc(&reply->echo, '\n');
	}
}

static void banner_add(struct mgmt_client *c, const struct mgmt_item *item)
{
	if (c->banner.len)
		strbuf_putc(&c->banner, '\n');
	strbuf_append(&c->banner, item->text, item->len);
}

/*
 * Hands out what was received. Returns 1 when the awaited prompt stands there (the greeting's when
 * REPLY is NULL), 0 when more has to come, -ESHUTDOWN at the console's farewell.
 */
static int consume(struct mgmt_client *c, struct mgmt_reply *reply)
{
	struct mgmt_item item;

	while (mgmt_session_next(&c->session, &item)) {
		if (item.kind == MGMT_ASYNC) {
			keep_async(c, &item);
		} else if (item.kind == MGMT_BANNER) {
			banner_add(c, &item);
		} else if (item.kind == MGMT_END) {
			c->ended = true;
			return -ESHUTDOWN;
		} else if (item.kind == MGMT_PROMPT && c->owed && !item.greeting) {
			c->owed--;
		} else if (item.kind == MGMT_PROMPT) {
			if (item.greeting == !reply)
				return 1;
		} else if (reply && !c->owed) {
			reply_add(reply, &item);
		}
	}
	return 0;
}

/* Waits at most TIMEOUT_MS (-1: no limit) for input and feeds it. */
static int receive(struct mgmt_client *c, int timeout_ms)
{
	struct pollfd poller = { .fd = c->fd, .events = POLLIN };
	char data[16384];
	ssize_t got;
	int r;

	if (c->ended)
		return -ECONNRESET;
	do
		r = poll(&poller, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if (r == 0)
		return -ETIMEDOUT;
	got = io_read(c->fd, data, sizeof(data));
	if (got == 0 || got == -ECONNRESET) {
		c->ended = true;
		return -ECONNRESET;
	}
	if (got < 0)
		return got == -EAGAIN ? 0 : (int)got;
	return mgmt_session_feed(&c->session, data, (size_t)got);
}

/* Receives until consume() has what it waits for. */
static int await(struct mgmt_client *c, struct mgmt_reply *reply)
{
	int r = consume(c, reply);

	while (r == 0) {
		r = receive(c, c->timeout_ms);
		if (r == 0)
			r = consume(c, reply);
	}
	return r < 0 ? r : 0;
}

int mgmt_client_read(struct mgmt_client *c, int timeout_ms)
{
	int r = receive(c, timeout_ms);

	while (r == 0) {
		r = consume(c, NULL);
		if (r < 0)
			return r;
		r = receive(c, 0);
		if (r == -ETIMEDOUT)
			return 0;
	}
	return r;
}

/* An answer whose end nobody waited for is dropped here, so that the next one starts clean. */
static int settle(struct mgmt_client *c)
{
	int r;

	while (c->owed) {
		struct mgmt_reply nothing = { 0 };
		unsigned before = c->owed;

		r = consume(c, &nothing);
		mgmt_reply_done(&nothing);
		if (r < 0)
			return r;
		if (c->owed == before) {
			r = receive(c, c->timeout_ms);
			if (r < 0)
				return r;
		}
	}
	while ((r = receive(c, 0)) == 0)
		(void)consume(c, NULL);
	return r == -ETIMEDOUT ? 0 : r;
}

static int send_line(struct mgmt_client *c, const char *command)
{
	size_t len = strlen(command);
	auto_free char *line = malloc(len + 1);
	ssize_t sent = 0;

	if (!line)
		return -ENOMEM;
	memcpy(line, command, len);
	line[len++] = '\n';
	for (size_t at = 0; at < len; at += (size_t)sent) {
		sent = send(c->fd, line + at, len - at, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			sent = 0;
		if (sent < 0)
			return errno == EPIPE ? -ECONNRESET : -errno;
	}
	return 0;
}

int mgmt_client_command(struct mgmt_client *c, const char *command, struct mgmt_reply *reply)
{
	int r;

	mgmt_reply_done(reply);
	reply->code = -1;
	if (strchr(command, '\n'))
		return -EINVAL;
	r = settle(c);
	if (r == 0)
		r = send_line(c, command);
	if (r < 0)
		return r;
	r = await(c, reply);
	if (r == -ETIMEDOUT)
		c->owed++;
	if (r < 0)
		return r;
	return reply->data.error | reply->message.error | reply->echo.error ? -ENOMEM : 0;
}

static int client_connect(struct mgmt_client *c, const char *path, struct error *error)
{
	int r;

	c->fd = mgmt_connect(path, error);
	if (c->fd < 0)
		return c->fd;
	r = await(c, NULL);
	if (r == -ETIMEDOUT)
		return error_set(error, -r, "%s gave no greeting and prompt within %d ms", path,
				 c->timeout_ms);
	if (r < 0)
		return error_set_errno(error, -r, "%s is not a management socket that answers",
				       path);
	return 0;
}

int mgmt_client_open(struct mgmt_client **ret, const char *path, int timeout_ms,
		     struct error *error)
{
	struct mgmt_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_set(error, ENOMEM, "out of memory");
	c->fd = -1;
	c->timeout_ms = timeout_ms;
	c->async_last = &c->async_first;
	r = client_connect(c, path, error);
	if (r < 0) {
		mgmt_client_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void mgmt_client_free(struct mgmt_client *c)
{
	if (!c)
		return;
	while (c->async_first)
		free(mgmt_client_take_async(c));
	cleanup_close(&c->fd);
	mgmt_session_done(&c->session);
	strbuf_done(&c->banner);
	free(c);
}

char *mgmt_version(const char *banner)
{
	const char *at = strstr(banner, "V.");

	return at ? strndup(at + 2, strcspn(at + 2, " \n")) : NULL;
}

int mgmt_exit_status(int code)
{
	return code < 0 ? 255 : MIN(code, 254);
}
