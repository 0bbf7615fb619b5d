/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvdemgmt: the client as a library. Negative errno becomes -1 and errno here.
 *
 * Asynchronous lines that come while a command is under way are kept and delivered when it is
 * done. A callback may send commands: delivery does not nest, the outermost one goes on with what
 * came meanwhile.
 */
#include "libvdemgmt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "client.h"

struct registration {
	struct registration *next;
	vdemgmt_callback *callback;
	char event[];
};

struct vdemgmt {
	struct mgmt_client *client;
	char *version;
	struct registration *registrations;
	bool delivering;
};

static int fail(int code)
{
	errno = code;
	return -1;
}

PUBLIC struct vdemgmt *vdemgmt_open(const char *path)
{
	struct vdemgmt *conn = calloc(1, sizeof(*conn));
	struct error error = { 0 };
	int r;

	if (!conn)
		return NULL;
	r = mgmt_client_open(&conn->client, path, MGMT_TIMEOUT_MS, &error);
	if (r < 0) {
		log_debug("vdemgmt_open: %s", error_text(&error));
		free(conn);
		errno = -r;
		return NULL;
	}
	conn->version = mgmt_version(strbuf_text(&conn->client->banner));
	return conn;
}

PUBLIC void vdemgmt_close(struct vdemgmt *conn)
{
	if (!conn)
		return;
	while (conn->registrations) {
		struct registration *next = conn->registrations->next;

		free(conn->registrations);
		conn->registrations = next;
	}
	mgmt_client_free(conn->client);
	free(conn->version);
	free(conn);
}

PUBLIC int vdemgmt_getfd(struct vdemgmt *conn)
{
	return conn->client->fd;
}

PUBLIC void vdemgmt_settimeout(struct vdemgmt *conn, int milliseconds)
{
	conn->client->timeout_ms = milliseconds < 0 ? -1 : milliseconds;
}

/* The registration that covers the category at the start of TEXT best, or NULL. */
static struct registration *covering(const struct vdemgmt *conn, const char *text)
{
	struct registration *best = NULL;

	for (struct registration *r = conn->registrations; r; r = r->next)
		if (str_starts(text, r->event) &&
		    (!best || strlen(r->event) > strlen(best->event)))
			best = r;
	return best;
}

/* Calls the callback of one asynchronous line, `CATEGORY what happened`. */
static void deliver_line(struct vdemgmt *conn, int tag, const char *text)
{
	struct registration *r = covering(conn, text);
	struct strbuf data = { 0 };

	if (!r)
		return;
	text += strlen(r->event);
	if (*text == ' ' || *text == '/')
		text++;
	strbuf_printf(&data, "%s\n", text);
	if (!data.error)
		r->callback(r->event, tag, strbuf_text(&data));
	strbuf_done(&data);
}

static void deliver(struct vdemgmt *conn)
{
	struct mgmt_async *async;

	if (conn->delivering)
		return;
	conn->delivering = true;
	while ((async = mgmt_client_take_async(conn->client))) {
		deliver_line(conn, async->tag, async->text);
		free(async);
	}
	conn->delivering = false;
}

static void fill_out(struct vdemgmt_out *out, struct mgmt_reply *reply)
{
	if (!out)
		return;
	*out = (struct vdemgmt_out){ 0 };
	if (!reply->data.len)
		return;
	out->sz = reply->data.len;
	out->buf = strbuf_steal(&reply->data);
}

PUBLIC int vdemgmt_sendcmd(struct vdemgmt *conn, const char *cmd, struct vdemgmt_out *out)
{
	struct mgmt_reply reply = { 0 };
	int r = mgmt_client_command(conn->client, cmd, &reply), code = reply.code;

	fill_out(out, &reply);
	mgmt_reply_done(&reply);
	deliver(conn);
	if (r < 0)
		return fail(-r);
	return code < 0 ? fail(ENOMSG) : code;
}

PUBLIC void vdemgmt_rstout(struct vdemgmt_out *out)
{
	if (!out)
		return;
	free(out->buf);
	*out = (struct vdemgmt_out){ 0 };
}

PUBLIC void vdemgmt_freeout(struct vdemgmt_out *out)
{
	vdemgmt_rstout(out);
	free(out);
}

static struct registration **find_registration(struct vdemgmt *conn, const char *event)
{
	struct registration **place = &conn->registrations;

	while (*place && !str_equal((*place)->event, event))
		place = &(*place)->next;
	return place;
}

/* Runs `debug/add EVENT` or `debug/del EVENT`. */
static int debug_command(struct vdemgmt *conn, const char *what, const char *event)
{
	auto_free char *command = NULL;
	struct strbuf text = { 0 };

	strbuf_printf(&text, "debug/%s %s", what, event);
	command = strbuf_steal(&text);
	return command ? vdemgmt_sendcmd(conn, command, NULL) : fail(ENOMEM);
}

PUBLIC int vdemgmt_asyncreg(struct vdemgmt *conn, const char *event, vdemgmt_callback *callback)
{
	struct registration **place = find_registration(conn, event), *r;
	int code;

	if (*place)
		return fail(EEXIST);
	r = malloc(sizeof(*r) + strlen(event) + 1);
	if (!r)
		return -1;
	r->next = NULL;
	r->callback = callback;
	(void)strcpy(r->event, event);
	*place = r; /* before the command: an event may come with its answer */
	code = debug_command(conn, "add", event);
	if (code == 0 || code == EEXIST) /* EEXIST: on already, through another registration */
		return 0;
	vdemgmt_asyncunreg(conn, event);
	return code;
}

static void remove_registration(struct registration **place)
{
	struct registration *r = *place;

	*place = r->next;
	free(r);
}

/* What this switches off and another registration wants is switched on again. */
static void switch_off(struct vdemgmt *conn, const char *event)
{
	bool delivering = conn->delivering;

	conn->delivering = true; /* no callback changes the list meanwhile */
	if (debug_command(conn, "del", event) == 0)
		for (struct registration *r = conn->registrations; r; r = r->next)
			if (str_starts(r->event, event))
				(void)debug_command(conn, "add", r->event);
	conn->delivering = delivering;
}

PUBLIC void vdemgmt_asyncunreg(struct vdemgmt *conn, const char *event)
{
	struct registration **place = find_registration(conn, event);
	int saved = errno;

	if (!*place)
		return;
	remove_registration(place);
	if (!covering(conn, event))
		switch_off(conn, event);
	deliver(conn);
	errno = saved;
}

PUBLIC void vdemgmt_asyncrecv(struct vdemgmt *conn)
{
	if (!conn->client->async_first)
		(void)mgmt_client_read(conn->client, conn->client->timeout_ms);
	deliver(conn);
}

PUBLIC const char *vdemgmt_getbanner(struct vdemgmt *conn)
{
	return strbuf_text(&conn->client->banner);
}

PUBLIC const char *vdemgmt_getprompt(struct vdemgmt *conn)
{
	return mgmt_session_prompt(&conn->client->session);
}

PUBLIC const char *vdemgmt_getversion(struct vdemgmt *conn)
{
	return conn->version ? conn->version : "";
}

PUBLIC char **vdemgmt_commandlist(struct vdemgmt *conn)
{
	struct mgmt_reply reply = { 0 };
	int r = mgmt_client_command(conn->client, "help", &reply);
	char **words = r == 0 ? mgmt_help_words(&reply.data) : NULL;

	mgmt_reply_done(&reply);
	deliver(conn);
	if (r < 0)
		errno = -r;
	return words;
}

PUBLIC void vdemgmt_freecommandlist(char **list)
{
	mgmt_words_free(list);
}
