/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. A console is a connection to the management socket, or standard input and
 * output. Input is cut into lines; each runs and its answer goes to the output buffer:
 *
 *	0000 DATA END WITH '.' / lines / .     for commands that print something
 *	1EEE MESSAGE                           the result, EEE an errno
 *	(newline) vde$                         the prompt
 *
 * Any number of commands may be in flight: they are answered in order. While a client does not
 * read its answers (OUTPUT_PAUSE), its input is left alone. Asynchronous lines (debug.c) that find
 * OUTPUT_LIMIT bytes waiting are dropped and counted.
 *
 * Some old clients send a command without a newline: on a socket, text that has waited
 * LINE_PATIENCE for one is a line. A line above LINE_LIMIT is an error, and skipped up to its end.
 */
#include "vde/switch/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/daemon.h"
#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "vde/switch/command.h"
#include "vde/switch/control.h"
#include "vde/switch/debug.h"
#include "vde/switch/plugin_host.h"
#include "vde/switch/takeover_message.h"

#define LINE_LIMIT    (64 * 1024)
#define READ_SIZE     (16 * 1024)
#define OUTPUT_PAUSE  (256 * 1024)
#define OUTPUT_LIMIT  (1024 * 1024)
#define BACKLOG       64
#define LINE_PATIENCE (200 * NS_PER_MSEC)

static const char prompt[] = "\nvde$ ";

struct console {
	struct vde_switch *sw;
	unsigned slot;
	int in_fd, out_fd; /* the same but for standard input */
	loop_ref in_ref, out_ref; /* out_ref is only used by standard output */
	struct strbuf in, out;
	struct loop_timer patience; /* runs while half a line is there */
	struct loop_task resume; /* lines are left that a full output buffer held up */
	bool is_stdin;
	bool has_prompt;
	bool skipping; /* the rest of a line that was too long */
	bool ended;    /* no more input; gone when the output is written */
	bool watching_out;
	uint64_t dropped; /* asynchronous lines */
};

struct console_set {
	int listen_fd;
	bool inherited; /* the service manager's socket: its name stays when we go */
	bool taken_over; /* another process's until the takeover is done */
	loop_ref listen_ref;
	struct console *slots[CONSOLE_MAX];
};

static void console_advance(struct console *c);

int console_id(const struct console *c)
{
	return c->in_fd;
}

unsigned console_slot(const struct console *c)
{
	return c->slot;
}

/* --- output --------------------------------------------------------------------------- */

static void console_destroy(void *object)
{
	struct console *c = object;

	strbuf_done(&c->in);
	strbuf_done(&c->out);
	free(c);
}

/* False once it was closed: it is freed after this batch. */
static bool console_live(const struct console *c)
{
	return c->sw->consoles->slots[c->slot] == c;
}

static void console_close(struct console *c)
{
	struct vde_switch *sw = c->sw;

	if (!console_live(c))
		return;
	sw->consoles->slots[c->slot] = NULL;
	debug_forget_slot(sw, c->slot);
	loop_task_cancel(sw->loop, &c->resume);
	loop_timer_cancel(sw->loop, &c->patience);
	loop_remove(sw->loop, &c->in_ref);
	loop_remove(sw->loop, &c->out_ref);
	plugin_host_event(sw, DEBUG_MGMT_MINUS, c->in_fd);
	c->ended = true;
	if (!c->is_stdin)
		(void)close(c->in_fd);
	loop_defer_free(sw->loop, console_destroy, c);
}

/* What the loop has to watch follows from the state of both buffers. */
static void console_watch(struct console *c)
{
	bool want_in = !c->ended && c->out.len < OUTPUT_PAUSE;
	bool want_out = c->out.len > 0;
	loop_ref out = c->is_stdin ? c->out_ref : c->in_ref;

	/* A wrong reference would be a bug of ours: nothing to do at run time. */
	if (c->is_stdin) {
		(void)loop_modify(c->sw->loop, c->in_ref, want_in ? EPOLLIN : 0);
		(void)loop_modify(c->sw->loop, out, want_out ? EPOLLOUT : 0);
	} else {
		(void)loop_modify(c->sw->loop, out,
				  (want_in ? EPOLLIN : 0) | (want_out ? EPOLLOUT : 0));
	}
	c->watching_out = want_out;
}

/*
 * Standard output is shared with others and stays blocking: it is asked first, and given no more
 * than a pipe takes then (PIPE_BUF).
 */
static ssize_t console_write_stdout(struct console *c)
{
	struct pollfd ready = { .fd = c->out_fd, .events = POLLOUT };
	ssize_t n;

	if (poll(&ready, 1, 0) == 0)
		return -EAGAIN;
	n = write(c->out_fd, c->out.data, MIN(c->out.len, PIPE_BUF));
	return n < 0 ? -errno : n;
}

static ssize_t console_write(struct console *c)
{
	ssize_t n;

	if (c->is_stdin)
		return console_write_stdout(c);
	n = send(c->out_fd, c->out.data, c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

/* Writes what it can; closes the console when the peer is gone. */
static void console_flush(struct console *c)
{
	if (!console_live(c))
		return;
	while (c->out.len > 0) {
		ssize_t n = console_write(c);

		if (n == -EAGAIN || n == -EINTR)
			break;
		if (n < 0) {
			if (c->is_stdin)
				strbuf_clear(&c->out); /* nobody looks at standard output: go on */
			else
				console_close(c);
			return;
		}
		strbuf_consume(&c->out, (size_t)n);
	}
	if (c->ended && c->out.len == 0) {
		console_close(c);
		return;
	}
	console_watch(c);
}

void console_async(struct vde_switch *sw, unsigned slot, const char *text, size_t len)
{
	struct console *c = sw->consoles->slots[slot];

	if (!c || c->ended)
		return;
	if (c->out.len + len > OUTPUT_LIMIT) {
		c->dropped++;
		return;
	}
	strbuf_append(&c->out, text, len);
	if (!c->watching_out)
		console_flush(c);
}

int console_take_fd(struct vde_switch *sw, struct console *c, struct strbuf *queued)
{
	int fd;

	(void)sw;
	if (!c || c->is_stdin)
		return -ENOTSOCK;
	fd = fcntl(c->in_fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	*queued = c->out;
	c->out = (struct strbuf){ 0 };
	c->ended = true;
	return fd;
}

/* --- input ---------------------------------------------------------------------------- */

static void console_end(struct console *c)
{
	c->ended = true;
	strbuf_clear(&c->in);
}

/* Standard input's logout is no end: the switch stops with its end of file, or shutdown. */
static void console_logout(struct console *c)
{
	if (!c->is_stdin)
		console_end(c);
}

static void console_run(struct console *c, const char *line)
{
	int r = console_run_line(c->sw, c, line, &c->out);

	if (r == COMMAND_LOGOUT)
		console_logout(c);
	else if (r == COMMAND_SHUTDOWN)
		console_end(c);
	else if (r != COMMAND_TAKEN && c->has_prompt)
		strbuf_puts(&c->out, prompt);
}

static void console_too_long(struct console *c)
{
	c->skipping = true;
	strbuf_clear(&c->in);
	command_result(&c->out, -EMSGSIZE);
	if (c->has_prompt)
		strbuf_puts(&c->out, prompt);
}

/* The next line, without its end, or NULL; *ret_size is what it takes off the buffer. */
static char *console_next_line(struct console *c, size_t *ret_size)
{
	char *line = c->in.data;
	char *end = c->in.len ? memchr(line, '\n', c->in.len) : NULL;

	if (!end)
		return NULL;
	*end = '\0';
	*ret_size = (size_t)(end - line) + 1;
	if (end > line && end[-1] == '\r')
		end[-1] = '\0';
	return line;
}

/* Runs the lines that are there, as long as the peer takes the answers. */
static void console_advance(struct console *c)
{
	size_t size;
	char *line;

	while (!c->ended && c->out.len < OUTPUT_PAUSE && (line = console_next_line(c, &size))) {
		if (c->skipping)
			c->skipping = false;
		else
			console_run(c, line);
		strbuf_consume(&c->in, size);
	}
	if (c->in.len > LINE_LIMIT && !c->ended && c->out.len < OUTPUT_PAUSE)
		console_too_long(c);
	else if (c->skipping)
		strbuf_clear(&c->in);
	if (c->in.len && c->out.len < OUTPUT_PAUSE && !c->ended && !c->is_stdin)
		(void)loop_timer_set(c->sw->loop, &c->patience, /* without memory: no patience */
				     loop_now(c->sw->loop) + LINE_PATIENCE);
	else
		loop_timer_cancel(c->sw->loop, &c->patience);
	console_flush(c);
	/* A full buffer held lines up, and the peer took all of it at once: no event will come. */
	if (console_live(c) && !c->ended && c->out.len < OUTPUT_PAUSE && c->in.len &&
	    memchr(c->in.data, '\n', c->in.len))
		loop_task_add(c->sw->loop, &c->resume);
}

/* Half a line has waited long enough. */
static void console_impatient(struct loop *loop, struct loop_timer *timer)
{
	struct console *c = container_of(timer, struct console, patience);

	(void)loop;
	strbuf_putc(&c->in, '\n');
	console_advance(c);
}

static void console_resume(struct loop *loop, struct loop_task *task)
{
	(void)loop;
	console_advance(container_of(task, struct console, resume));
}

static void console_eof(struct console *c)
{
	if (c->in.len && !c->ended && !c->skipping) { /* a last line without its end */
		strbuf_putc(&c->in, '\n');
		console_advance(c);
	}
	if (c->is_stdin) {
		log_notice("EOF on stdin, cleaning up and exiting");
		loop_stop(c->sw->loop, 0);
	}
	if (!console_live(c))
		return;
	console_end(c);
	console_flush(c);
}

static void console_read(struct console *c)
{
	char *room = strbuf_reserve(&c->in, READ_SIZE);
	ssize_t n = room ? io_read(c->in_fd, room, READ_SIZE) : -ENOMEM;

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		console_eof(c);
		return;
	}
	for (ssize_t i = 0; i < n; i++) /* a NUL would hide the rest of its line */
		if (room[i] == '\0')
			room[i] = '?';
	c->in.len += (size_t)n;
	c->in.data[c->in.len] = '\0';
	console_advance(c);
}

static void console_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct console *c = object;

	(void)fd;
	if (events & EPOLLOUT) {
		console_flush(c);
		if (console_live(c) && c->in.len && c->out.len < OUTPUT_PAUSE)
			loop_task_add(loop, &c->resume);
	}
	if (!console_live(c))
		return;
	if (events & EPOLLIN && !c->ended && c->out.len < OUTPUT_PAUSE)
		console_read(c);
	else if (events & (EPOLLHUP | EPOLLERR) && !(events & EPOLLIN))
		c->is_stdin ? console_eof(c) : console_close(c);
}

static const struct loop_class console_class = { "console", console_ready };

static void stdout_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	console_ready(loop, object, fd, events & EPOLLOUT);
}

static const struct loop_class stdout_class = { "standard output", stdout_ready };

/* --- coming --------------------------------------------------------------------------- */

static void console_greet(struct console *c)
{
	command_greeting(&c->out);
	strbuf_puts(&c->out, prompt);
}

/* A console on a free slot, or NULL with *ret set: -EBUSY, -ENOMEM. */
static struct console *console_create(struct vde_switch *sw, int in_fd, int out_fd, int *ret)
{
	struct console *c;
	unsigned slot = 0;

	while (slot < CONSOLE_MAX && sw->consoles->slots[slot])
		slot++;
	*ret = -EBUSY;
	if (slot >= (unsigned)MIN(sw->settings.max_consoles, CONSOLE_MAX))
		return NULL;
	*ret = -ENOMEM;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	*c = (struct console){ .sw = sw, .slot = slot, .in_fd = in_fd, .out_fd = out_fd,
			       .resume.run = console_resume, .patience.fire = console_impatient };
	sw->consoles->slots[slot] = c;
	return c;
}

int console_adopt(struct vde_switch *sw, int fd)
{
	static const char busy[] = "1016 Device or resource busy\n";
	struct console *c;
	int r;

	c = console_create(sw, fd, fd, &r);
	if (!c) {
		(void)send(fd, busy, sizeof(busy) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		(void)close(fd);
		return r;
	}
	c->has_prompt = true;
	r = loop_add(sw->loop, &console_class, fd, EPOLLIN, c, &c->in_ref);
	if (r < 0) {
		console_close(c);
		return r;
	}
	plugin_host_event(sw, DEBUG_MGMT_PLUS, fd);
	console_greet(c);
	console_flush(c);
	return 0;
}

static void mgmt_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct vde_switch *sw = object;

	(void)loop;
	(void)events;
	for (int i = 0; i < CONSOLE_MAX; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client < 0 && (errno == EMFILE || errno == ENFILE))
			control_out_of_descriptors(sw, fd);
		if (client < 0)
			return;
		(void)console_adopt(sw, client); /* a refusal has been told to the client */
	}
}

static const struct loop_class mgmt_class = { "management socket", mgmt_ready };

static int console_listen(struct vde_switch *sw, struct error *error)
{
	const struct switch_settings *s = &sw->settings;
	gid_t gid = (gid_t)-1;
	int fd;

	if (s->mgmt_group && parse_group(s->mgmt_group, &gid) < 0)
		return error_set(error, ENOENT, "no group '%s'", s->mgmt_group);
	fd = io_listen_unix(sw->mgmt, SOCK_STREAM, s->mgmt_mode, gid, BACKLOG);
	if (fd == -EADDRINUSE)
		return error_set(error, EADDRINUSE,
				 "cannot listen on '%s': it exists, and another program answers there "
				 "or it is no socket; choose another name with -M", s->mgmt);
	if (fd < 0)
		return error_set_errno(error, -fd, "cannot listen on '%s' (choose another name with -M)",
				       s->mgmt);
	sw->consoles->listen_fd = fd;
	return 0;
}

/* The management socket's path, absolute: a daemon may change its directory. */
static int console_path(struct vde_switch *sw)
{
	auto_free char *cwd = getcwd(NULL, 0);

	if (sw->settings.mgmt[0] == '/')
		sw->mgmt = strdup(sw->settings.mgmt);
	else if (!cwd || asprintf(&sw->mgmt, "%s/%s", cwd, sw->settings.mgmt) < 0)
		sw->mgmt = NULL;
	return sw->mgmt ? 0 : -ENOMEM;
}

static int console_start_mgmt(struct vde_switch *sw, struct error *error)
{
	int r = console_path(sw);

	if (r < 0)
		return error_set_errno(error, -r, "management socket '%s'", sw->settings.mgmt);
	sw->consoles->listen_fd = daemon_inherited_socket(sw->mgmt);
	sw->consoles->inherited = sw->consoles->listen_fd >= 0;
	r = sw->consoles->inherited ? 0 : console_listen(sw, error);
	if (r < 0)
		return r;
	r = loop_add(sw->loop, &mgmt_class, sw->consoles->listen_fd, EPOLLIN, sw,
		     &sw->consoles->listen_ref);
	return r < 0 ? error_set_errno(error, -r, "management socket") : 0;
}

/* Files are always writable, and the loop would spin on them: they are not watched. */
static bool fd_can_wait(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 &&
	       (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(fd));
}

static int console_start_stdin(struct vde_switch *sw)
{
	struct console *c;
	int r;

	c = console_create(sw, STDIN_FILENO, STDOUT_FILENO, &r);
	if (!c)
		return r;
	c->is_stdin = true;
	c->has_prompt = isatty(STDIN_FILENO);
	r = loop_add(sw->loop, &console_class, STDIN_FILENO, EPOLLIN, c, &c->in_ref);
	if (r == -EEXIST) /* the same open file as another descriptor of ours */
		return 0;
	if (fd_can_wait(STDOUT_FILENO))
		(void)loop_add(sw->loop, &stdout_class, STDOUT_FILENO, 0, c, &c->out_ref);
	if (r == 0 && c->has_prompt) {
		strbuf_puts(&c->out, prompt);
		console_flush(c);
	}
	return r;
}

void console_add_command(struct vde_switch *sw, struct dynamic_command *command)
{
	struct dynamic_command **end = &sw->commands;

	while (*end)
		end = &(*end)->next;
	command->next = NULL;
	*end = command;
}

void console_remove_command(struct vde_switch *sw, struct dynamic_command *command)
{
	struct dynamic_command **at = &sw->commands;

	while (*at && *at != command)
		at = &(*at)->next;
	if (*at)
		*at = command->next;
}

struct dynamic_command *console_dynamic_commands(const struct vde_switch *sw)
{
	return sw->commands;
}

int console_prepare(struct vde_switch *sw)
{
	sw->consoles = calloc(1, sizeof(*sw->consoles));
	if (!sw->consoles)
		return -ENOMEM;
	sw->consoles->listen_fd = -1;
	return 0;
}

int console_start(struct vde_switch *sw, struct error *error)
{
	int r = 0;

	if (sw->settings.mgmt && sw->consoles->listen_fd < 0)
		r = console_start_mgmt(sw, error);
	if (r < 0)
		return r;
	if (!sw->settings.is_daemon && !sw->settings.no_stdin) {
		r = console_start_stdin(sw);
		if (r < 0)
			return error_set_errno(error, -r, "console on standard input");
	}
	return 0;
}

int console_new(struct vde_switch *sw, struct error *error)
{
	int r = console_prepare(sw);

	return r < 0 ? error_set_errno(error, -r, "console") : console_start(sw, error);
}

void console_free(struct vde_switch *sw)
{
	if (!sw->consoles)
		return;
	for (unsigned slot = 0; slot < CONSOLE_MAX; slot++)
		if (sw->consoles->slots[slot]) {
			console_flush(sw->consoles->slots[slot]);
			if (sw->consoles->slots[slot])
				console_close(sw->consoles->slots[slot]);
		}
	loop_remove(sw->loop, &sw->consoles->listen_ref);
	if (sw->consoles->listen_fd >= 0) {
		(void)close(sw->consoles->listen_fd);
		if (!sw->consoles->inherited)
			(void)unlink(sw->mgmt);
	}
	free(sw->consoles);
	sw->consoles = NULL;
}

/* --- takeover ------------------------------------------------------------------------------ */

static const struct takeover_field console_fields[] = {
	TAKEOVER_FIELD(struct console, has_prompt),
	TAKEOVER_FIELD(struct console, skipping),
	TAKEOVER_FIELD(struct console, ended),
	TAKEOVER_FIELD(struct console, dropped),
};

static int pack_bytes(const struct takeover_link *link, enum takeover_item type,
		      const struct strbuf *bytes)
{
	auto_takeover_message struct takeover_message m = { 0 };
	int r = 0;

	for (size_t at = 0; r == 0 && at < bytes->len; at += TAKEOVER_CHUNK) {
		takeover_begin(&m, TAKEOVER_CONSOLE_BYTES);
		takeover_put(&m, type, bytes->data + at, MIN(bytes->len - at, (size_t)TAKEOVER_CHUNK));
		r = takeover_send(link, &m);
	}
	return r;
}

static int pack_console(const struct vde_switch *sw, const struct console *c,
			const struct takeover_link *link)
{
	auto_takeover_message struct takeover_message m = { 0 };
	int r;

	takeover_begin(&m, TAKEOVER_CONSOLE);
	takeover_put_fields(&m, ITEM_NUMBERS, c, console_fields, ARRAY_SIZE(console_fields));
	for (const struct debug *d = debug_first(sw); d; d = d->next)
		if (d->help && d->subscribers >> c->slot & 1)
			takeover_put_text(&m, ITEM_CATEGORY, d->path);
	takeover_put_fd(&m, c->in_fd);
	r = takeover_send(link, &m);
	if (r == 0)
		r = pack_bytes(link, ITEM_BYTES_IN, &c->in);
	return r == 0 ? pack_bytes(link, ITEM_BYTES_OUT, &c->out) : r;
}

int console_pack(const struct vde_switch *sw, const struct takeover_link *link)
{
	auto_takeover_message struct takeover_message m = { 0 };
	const struct console_set *set = sw->consoles;
	int r = 0;

	if (set->listen_fd >= 0) {
		takeover_begin(&m, TAKEOVER_MGMT);
		takeover_put_number(&m, ITEM_FLAG, set->inherited);
		takeover_put_fd(&m, set->listen_fd);
		r = takeover_send(link, &m);
	}
	for (unsigned slot = 0; r == 0 && slot < CONSOLE_MAX; slot++)
		if (set->slots[slot] && !set->slots[slot]->is_stdin)
			r = pack_console(sw, set->slots[slot], link);
	return r;
}

void console_forget(struct vde_switch *sw)
{
	memset(sw->consoles->slots, 0, sizeof(sw->consoles->slots));
}

int console_unpack_mgmt(struct vde_switch *sw, struct takeover_message *m)
{
	struct console_set *set = sw->consoles;

	if (!sw->mgmt || set->listen_fd >= 0)
		return -EBADMSG;
	set->listen_fd = takeover_take_fd(m);
	set->inherited = takeover_get_number(m, ITEM_FLAG);
	set->taken_over = true;
	return loop_add(sw->loop, &mgmt_class, set->listen_fd, EPOLLIN, sw, &set->listen_ref);
}

bool console_elsewhere(const struct vde_switch *sw)
{
	struct stat wanted, ours;

	return sw->settings.mgmt && sw->consoles->taken_over &&
	       (stat(sw->settings.mgmt, &wanted) < 0 || stat(sw->mgmt, &ours) < 0 ||
		wanted.st_dev != ours.st_dev || wanted.st_ino != ours.st_ino);
}

void console_abandon(struct vde_switch *sw)
{
	const struct console_set *set = sw->consoles;

	if (set && set->listen_fd >= 0 && !set->taken_over && !set->inherited)
		(void)unlink(sw->mgmt);
}

static void restore_categories(struct console *c, const struct takeover_message *m)
{
	struct cursor at = takeover_items(m), value;
	uint16_t type;

	while (takeover_next(&at, &type, &value)) {
		auto_free char *path = type == ITEM_CATEGORY ? takeover_value_text(value) : NULL;

		if (path) /* one that is not there any more has nothing to tell */
			debug_restore(c->sw, c->slot, path);
	}
}

int console_unpack(struct vde_switch *sw, struct takeover_message *m, struct console **ret)
{
	int max_consoles = sw->settings.max_consoles, fd = takeover_take_fd(m), r;
	struct console *c;

	sw->settings.max_consoles = CONSOLE_MAX; /* nobody is sent away */
	c = console_create(sw, fd, fd, &r);
	sw->settings.max_consoles = max_consoles;
	if (!c) {
		cleanup_close(&fd);
		return r;
	}
	r = takeover_get_fields(m, ITEM_NUMBERS, c, console_fields, ARRAY_SIZE(console_fields));
	if (r == 0)
		r = loop_add(sw->loop, &console_class, fd, EPOLLIN, c, &c->in_ref);
	if (r < 0)
		return r;
	restore_categories(c, m);
	plugin_host_event(sw, DEBUG_MGMT_PLUS, fd);
	loop_task_add(sw->loop, &c->resume);
	*ret = c;
	return 0;
}

int console_unpack_bytes(struct console *c, const struct takeover_message *m)
{
	struct cursor bytes;

	if (takeover_get(m, ITEM_BYTES_IN, &bytes))
		strbuf_append(&c->in, bytes.at, bytes.left);
	if (takeover_get(m, ITEM_BYTES_OUT, &bytes))
		strbuf_append(&c->out, bytes.at, bytes.left);
	return c->in.error ? c->in.error : c->out.error;
}
