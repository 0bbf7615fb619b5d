/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvdehist: joins the line editor, the session parser and the program's read and write functions.
 *
 * Commands go to the console one at a time, since a console may lose what is behind the first
 * newline it reads; lines typed meanwhile wait in a short queue. The list of commands is asked for
 * silently: the answer to `help` that the session itself sent is not shown. The greeting is not
 * shown either, the program has printed its own.
 */
#include "libvdehist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "lineedit.h"

#define QUEUE_MAX 32

extern char *prompt __attribute__((weak));

static int nologin(char *cmd, int len, struct vdehist *h)
{
	(void)cmd;
	(void)len;
	(void)h;
	return 0;
}

PUBLIC ssize_t (*vdehist_vderead)(int, void *, size_t) = read;
PUBLIC ssize_t (*vdehist_vdewrite)(int, const void *, size_t) = write;
PUBLIC ssize_t (*vdehist_termread)(int, void *, size_t) = read;
PUBLIC ssize_t (*vdehist_termwrite)(int, const void *, size_t) = write;
PUBLIC int (*vdehist_logincmd)(char *, int, struct vdehist *) = nologin;

struct vdehist {
	int termfd, mgmtfd; /* borrowed */
	int status;
	struct line_edit edit;
	struct strbuf screen; /* for the terminal */
	struct mgmt_session session;
	struct mgmt_reply help; /* the answer to `help` while it comes in */
	char **words;
	bool asking; /* the command under way is the silent `help` */
	bool busy;   /* a command is under way */
	char *queue[QUEUE_MAX];
	unsigned num_queued;
};

static const char *prompt_of(const struct vdehist *h)
{
	return &prompt && prompt ? prompt : mgmt_session_prompt(&h->session);
}

static void write_all(ssize_t (*writer)(int, const void *, size_t), int fd, const char *data,
		      size_t len)
{
	while (len) {
		ssize_t sent = writer(fd, data, len);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return; /* the peer is gone: the next read says so */
		data += sent;
		len -= (size_t)sent;
	}
}

static void flush_screen(struct vdehist *h)
{
	write_all(vdehist_termwrite, h->termfd, strbuf_text(&h->screen), h->screen.len);
	strbuf_clear(&h->screen);
}

static void send_command(struct vdehist *h, const char *command)
{
	struct strbuf line = { 0 };
	size_t len = strlen(command);

	while (len && command[len - 1] == ' ') /* completion leaves one, consoles do not like it */
		len--;
	strbuf_append(&line, command, len);
	strbuf_putc(&line, '\n');
	h->busy = true;
	write_all(vdehist_vdewrite, h->mgmtfd, strbuf_text(&line), line.len);
	strbuf_done(&line);
}

static void ask_words(struct vdehist *h)
{
	h->asking = true;
	send_command(h, "help");
}

/* Sends COMMAND now or when the console has answered those before. */
static void submit(struct vdehist *h, const char *command)
{
	char *copy;

	if (!h->busy) {
		send_command(h, command);
		return;
	}
	copy = h->num_queued < QUEUE_MAX ? strdup(command) : NULL;
	if (copy)
		h->queue[h->num_queued++] = copy;
	else
		strbuf_puts(&h->screen, "** too many commands wait for their answers\r\n");
}

static void next_command(struct vdehist *h)
{
	char *command = h->queue[0];

	h->busy = false;
	if (!h->num_queued)
		return;
	memmove(h->queue, h->queue + 1, --h->num_queued * sizeof(*h->queue));
	send_command(h, command);
	free(command);
}

static void words_arrived(struct vdehist *h)
{
	char **words = mgmt_help_words(&h->help.data);

	if (words) {
		mgmt_words_free(h->words);
		h->words = words;
	}
	mgmt_reply_done(&h->help);
	h->asking = false;
}

static void on_prompt(struct vdehist *h, const struct mgmt_item *item)
{
	if (item->greeting)
		return;
	if (h->asking)
		words_arrived(h);
	next_command(h);
}

static void show_item(struct vdehist *h, const struct mgmt_item *item)
{
	if (item->kind == MGMT_ASYNC)
		strbuf_puts(&h->screen, "** DBG MSG: ");
	strbuf_append(&h->screen, item->text, item->len);
	strbuf_puts(&h->screen, "\r\n");
}

static void on_item(struct vdehist *h, const struct mgmt_item *item)
{
	if (item->kind == MGMT_PROMPT) {
		on_prompt(h, item);
	} else if (h->asking && item->kind == MGMT_DATA) {
		strbuf_append(&h->help.data, item->text, item->len);
		strbuf_append(&h->help.data, "\n", 2);
	} else if (item->kind == MGMT_ASYNC ||
		   (!h->asking && (item->kind == MGMT_DATA || item->kind == MGMT_RESULT ||
				   item->kind == MGMT_TEXT))) {
		show_item(h, item);
	}
}

/* Prints what the items show, between taking the line off the screen and putting it back. */
static int show_items(struct vdehist *h)
{
	bool commands = h->status == HIST_COMMAND;
	struct mgmt_item item;

	if (commands)
		line_edit_hide(&h->edit);
	while (mgmt_session_next(&h->session, &item)) {
		if (item.kind == MGMT_END)
			return 1;
		on_item(h, &item);
	}
	if (commands)
		line_edit_show(&h->edit, prompt_of(h));
	return 0;
}

PUBLIC int vdehist_mgmt_to_term(struct vdehist *h)
{
	char data[8192];
	ssize_t got = vdehist_vderead(h->mgmtfd, data, sizeof(data));
	int r;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0 || mgmt_session_feed(&h->session, data, (size_t)got) < 0)
		return 1;
	r = show_items(h);
	flush_screen(h);
	return r;
}

/* A complete line was typed. */
static int line_typed(struct vdehist *h)
{
	bool commands = h->status == HIST_COMMAND;
	int r = 0;

	if (!commands) {
		flush_screen(h);
		r = vdehist_logincmd(h->edit.text, (int)h->edit.len, h);
	} else if (str_equal(h->edit.text, "logout")) {
		return 1;
	} else if (h->edit.text[strspn(h->edit.text, " ")]) {
		submit(h, h->edit.text);
	}
	line_edit_reset(&h->edit);
	h->edit.hidden = h->status & HIST_PASSWDFLAG;
	/* After a login the first prompt comes with the list of commands, or from the program. */
	if (r == 0 && commands)
		line_edit_show(&h->edit, prompt_of(h));
	return r;
}

static int on_key(struct vdehist *h, unsigned char key)
{
	enum line_event event = line_edit_key(&h->edit, key);

	if (event == LINE_DONE)
		return line_typed(h);
	if (event == LINE_EOF)
		return 1;
	if (event == LINE_COMPLETE && h->status == HIST_COMMAND)
		line_edit_complete(&h->edit, h->words, prompt_of(h));
	if (event == LINE_REDRAW)
		line_edit_show(&h->edit, h->status == HIST_COMMAND ? prompt_of(h) : "");
	return 0;
}

PUBLIC int vdehist_term_to_mgmt(struct vdehist *h)
{
	unsigned char keys[1024];
	ssize_t got = vdehist_termread(h->termfd, keys, sizeof(keys));
	int r = 0;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0)
		return 1;
	for (ssize_t i = 0; r == 0 && i < got; i++)
		r = on_key(h, keys[i]);
	flush_screen(h);
	return r;
}

PUBLIC struct vdehist *vdehist_new(int termfd, int mgmtfd)
{
	struct vdehist *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->termfd = termfd;
	h->mgmtfd = -1;
	h->status = HIST_NOCMD;
	h->edit.out = &h->screen;
	if (mgmtfd >= 0) {
		h->status = HIST_COMMAND;
		vdehist_setmgmtfd(h, mgmtfd);
	}
	return h;
}

PUBLIC void vdehist_free(struct vdehist *h)
{
	if (!h)
		return;
	while (h->num_queued)
		free(h->queue[--h->num_queued]);
	mgmt_words_free(h->words);
	mgmt_reply_done(&h->help);
	mgmt_session_done(&h->session);
	line_edit_done(&h->edit);
	strbuf_done(&h->screen);
	explicit_bzero(&h->edit, sizeof(h->edit));
	free(h);
}

PUBLIC int vdehist_getstatus(struct vdehist *h)
{
	return h->status;
}

PUBLIC void vdehist_setstatus(struct vdehist *h, int status)
{
	h->status = status;
	h->edit.hidden = status & HIST_PASSWDFLAG;
}

PUBLIC int vdehist_gettermfd(struct vdehist *h)
{
	return h->termfd;
}

PUBLIC int vdehist_getmgmtfd(struct vdehist *h)
{
	return h->mgmtfd;
}

PUBLIC void vdehist_setmgmtfd(struct vdehist *h, int mgmtfd)
{
	h->mgmtfd = mgmtfd;
	mgmt_session_reset(&h->session);
	if (mgmtfd >= 0)
		ask_words(h);
}
