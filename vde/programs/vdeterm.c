/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vdeterm: a console with line editing, history and completion (GNU readline).
 *
 * Theory of operation. One command is under way at a time. While the console works the input is
 * not looked at; when its prompt comes, the next line is. With a terminal, readline is driven
 * through its callback interface: the handler is installed between commands only, so that answers
 * are printed with the terminal in its ordinary mode, and an asynchronous line takes the edited
 * line off the screen, prints itself, and puts the line back. Without a terminal the lines are
 * commands of a script: answers go to standard output, errors to standard error, and the result of the
 * last command is the exit status.
 *
 * Commands for completion's sake (`help`, ...) are sent before the first prompt, and again when a
 * plug-in came or went; their answers are not shown.
 */
#include "vdeterm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <readline/history.h>
#include <readline/readline.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/option.h"
#include "vde/mgmt/connect.h"

#define STATUS_FAILED 255
#define HISTORY_LINES 32

enum phase {
	PHASE_GREETING,
	PHASE_ASKING,  /* waiting for the words of completion */
	PHASE_INPUT,   /* waiting for a line */
	PHASE_COMMAND, /* waiting for the answer */
};

struct vdeterm {
	const char *path;
	bool quiet, stop_at_error; /* options */
	bool interactive;
	int socket; /* owned */
	struct loop *loop;
	loop_ref socket_ref, input_ref;
	enum phase phase;
	struct mgmt_session session;
	struct mgmt_reply answer; /* of a silent command */
	struct console_words words;
	int asking; /* enum word_kind of the silent command under way */
	char *prompt; /* owned */
	char *command; /* owned: the command under way */
	int code; /* the last result */
	struct strbuf input; /* of a script, not yet looked at */
	bool input_ended;
};

#define FIELD(name) .offset = offsetof(struct vdeterm, name)

static const struct option_row rows[] = {
	{ .letter = 'q', .name = "quiet", .kind = OPTION_FLAG, FIELD(quiet),
	  .help = "Do not show the greeting" },
	{ .letter = 'e', .name = "errexit", .kind = OPTION_FLAG, FIELD(stop_at_error),
	  .help = "In a script, end at the first command that fails" },
	{ .letter = 'h', .name = "help", .kind = OPTION_HELP, .help = "Print this help" },
	{ .letter = 'V', .name = "version", .kind = OPTION_VERSION, .help = "Print the version" },
};

static const struct option_program program = {
	.name = "vdeterm",
	.synopsis = "[OPTION]... SOCKET",
	.summary = "A console for the management socket SOCKET, with line editing, history and\n"
		   "completion. When the input is no terminal, its lines are run as a script.",
	.epilogue = "The exit status of a script is the result of its last command: 0, or the\n"
		    "number of the error (more than 254 is shown as 254); 255 when the console\n"
		    "is gone.",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.usage_status = STATUS_FAILED,
	.operands = COMPLETE_FILE,
};

/* Readline's line handler carries no context. */
static struct vdeterm *the_terminal;

static void end(struct vdeterm *t, int status)
{
	loop_stop(t->loop, status);
}

static void input_ready(struct loop *loop, void *object, int fd, uint32_t events);
static const struct loop_class input_class = { "input", input_ready };

static void listen_to_input(struct vdeterm *t)
{
	int r = 0;

	if (!t->input_ref)
		r = loop_add(t->loop, &input_class, STDIN_FILENO, EPOLLIN, t, &t->input_ref);
	if (r < 0) {
		log_error_errno(r, "cannot read standard input");
		end(t, STATUS_FAILED);
	}
}

static void send_command(struct vdeterm *t, const char *command, enum phase phase)
{
	struct strbuf line = { 0 };
	int r;

	strbuf_printf(&line, "%s\n", command);
	r = line.error ? line.error : io_write_all(t->socket, line.data, line.len);
	strbuf_done(&line);
	t->phase = phase;
	if (r < 0 && r != -EPIPE) { /* a console that is gone is met when it is read */
		log_error_errno(r, "cannot send to %s", t->path);
		end(t, STATUS_FAILED);
	}
}

/* Blanks at the end, as completion leaves them, are no part of the command: consoles take them so. */
static void run_command(struct vdeterm *t, const char *command)
{
	size_t len = strlen(command);

	while (len && (command[len - 1] == ' ' || command[len - 1] == '\t'))
		len--;
	free(t->command);
	t->command = strndup(command, len);
	loop_remove(t->loop, &t->input_ref);
	if (t->command) {
		send_command(t, t->command, PHASE_COMMAND);
	} else {
		log_error("out of memory");
		end(t, STATUS_FAILED);
	}
}

/* The next line of a script, with its newline cut off, or NULL; the last one may lack a newline. */
static char *script_line(struct vdeterm *t, size_t *ret_used)
{
	char *start = t->input.data;
	char *newline = t->input.len ? memchr(start, '\n', t->input.len) : NULL;

	if (!newline && !(t->input_ended && t->input.len))
		return NULL;
	*ret_used = newline ? (size_t)(newline - start) + 1 : t->input.len;
	if (newline)
		*newline = '\0';
	return start + strspn(start, " \t");
}

/* Runs the next line of a script, or waits for it, or ends. */
static void next_of_script(struct vdeterm *t)
{
	char *line;
	size_t used;

	if (t->stop_at_error && t->code > 0) {
		end(t, mgmt_exit_status(t->code));
		return;
	}
	while ((line = script_line(t, &used))) {
		bool command = *line && *line != '#';

		if (command)
			run_command(t, line);
		strbuf_consume(&t->input, used);
		if (command)
			return;
	}
	if (t->input_ended)
		end(t, mgmt_exit_status(t->code));
	else
		listen_to_input(t);
}

static void line_entered(char *line);

static void wait_for_line(struct vdeterm *t)
{
	t->phase = PHASE_INPUT;
	if (t->interactive) {
		rl_callback_handler_install(t->prompt, line_entered);
		listen_to_input(t);
	} else {
		next_of_script(t);
	}
}

static void remember(const char *line)
{
	HIST_ENTRY *last = history_get(history_base + history_length - 1);

	if (!last || !str_equal(last->line, line))
		add_history(line);
}

/* Readline has a line (malloc'd), or NULL at the end of the input. */
static void line_entered(char *line)
{
	struct vdeterm *t = the_terminal;
	const char *command = line ? line + strspn(line, " \t") : NULL;

	if (!line) {
		rl_callback_handler_remove();
		(void)putchar('\n');
		end(t, EXIT_SUCCESS);
	} else if (*command) {
		rl_callback_handler_remove();
		remember(command);
		run_command(t, command);
	}
	free(line);
}

static void script_input(struct vdeterm *t)
{
	char data[4096];
	ssize_t got = io_read(STDIN_FILENO, data, sizeof(data));

	if (got < 0)
		log_error_errno((int)got, "cannot read standard input");
	if (got > 0)
		strbuf_append(&t->input, data, (size_t)got);
	else
		t->input_ended = true;
	if (t->input_ended)
		loop_remove(t->loop, &t->input_ref);
	next_of_script(t);
}

static void input_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct vdeterm *t = object;

	(void)loop;
	(void)fd;
	if (!t->interactive)
		script_input(t);
	else if (events & EPOLLIN)
		rl_callback_read_char();
	else
		end(t, EXIT_SUCCESS); /* the terminal hung up */
}

/* Prints a line above the one that is being edited. */
static void print_above(struct vdeterm *t, const char *prefix, const struct mgmt_item *item)
{
	bool editing = t->interactive && t->phase == PHASE_INPUT;

	if (editing)
		rl_clear_visible_line();
	(void)printf("%s%s\n", prefix, item->text);
	(void)fflush(stdout);
	if (editing) {
		rl_on_new_line();
		rl_redisplay();
	}
}

/* Asks for the words from KIND on that the console can list; then the first line may come. */
static void ask_words(struct vdeterm *t, int kind)
{
	for (; kind < NUM_WORD_KINDS; kind++) {
		const char *command = words_command(&t->words, kind);

		if (!command)
			continue;
		t->asking = kind;
		send_command(t, command, PHASE_ASKING);
		return;
	}
	wait_for_line(t);
}

static void on_prompt(struct vdeterm *t)
{
	bool plugins_changed;

	if (t->phase == PHASE_GREETING) {
		if (t->interactive)
			ask_words(t, 0);
		else
			wait_for_line(t);
	} else if (t->phase == PHASE_ASKING) {
		words_learn(&t->words, t->asking, &t->answer);
		mgmt_reply_done(&t->answer);
		ask_words(t, t->asking + 1);
	} else if (t->phase == PHASE_COMMAND) {
		plugins_changed = t->code == 0 && str_starts(t->command, "plugin/");
		if (t->interactive && plugins_changed)
			ask_words(t, 0);
		else
			wait_for_line(t);
	}
}

static void on_result(struct vdeterm *t, const struct mgmt_item *item)
{
	if (t->phase == PHASE_ASKING)
		return;
	t->code = item->number;
	if (t->interactive)
		(void)puts(item->text);
	else if (item->number)
		log_error("%s: %s", t->command, item->text);
}

static void on_text(struct vdeterm *t, const struct mgmt_item *item)
{
	if (t->phase != PHASE_ASKING) {
		(void)puts(item->text);
	} else if (item->kind == MGMT_DATA) {
		strbuf_append(&t->answer.data, item->text, item->len);
		strbuf_append(&t->answer.data, "\n", 2);
	}
}

static void on_item(struct vdeterm *t, const struct mgmt_item *item)
{
	if (item->kind == MGMT_ASYNC)
		print_above(t, "** DBG MSG: ", item);
	else if (item->kind == MGMT_BANNER && t->interactive && !t->quiet)
		(void)puts(item->text);
	else if (item->kind == MGMT_RESULT)
		on_result(t, item);
	else if (item->kind == MGMT_DATA || item->kind == MGMT_TEXT)
		on_text(t, item);
	else if (item->kind == MGMT_PROMPT)
		on_prompt(t);
	else if (item->kind == MGMT_END)
		end(t, t->interactive ? EXIT_SUCCESS : mgmt_exit_status(t->code));
}

static void console_gone(struct vdeterm *t, int code)
{
	if (t->interactive && t->phase == PHASE_INPUT) {
		rl_callback_handler_remove();
		(void)putchar('\n');
	}
	if (code < 0)
		log_error_errno(code, "cannot read from %s", t->path);
	else
		log_error("%s was closed at the other end", t->path);
	end(t, STATUS_FAILED);
}

static void socket_ready(struct loop *loop, void *object, int fd, uint32_t events)
{
	struct vdeterm *t = object;
	struct mgmt_item item;
	char data[16384];
	ssize_t got = io_read(fd, data, sizeof(data));
	int r;

	(void)events;
	if (got <= 0) {
		loop_remove(loop, &t->socket_ref);
		console_gone(t, got == -ECONNRESET ? 0 : (int)got);
		return;
	}
	r = mgmt_session_feed(&t->session, data, (size_t)got);
	if (r < 0) {
		console_gone(t, r);
		return;
	}
	while (mgmt_session_next(&t->session, &item)) {
		on_item(t, &item);
		if (item.kind == MGMT_END)
			loop_remove(loop, &t->socket_ref);
	}
	(void)fflush(stdout);
}

static const struct loop_class socket_class = { "console", socket_ready };

static void on_signal(struct loop *loop, void *object, const siginfo_t *info)
{
	struct vdeterm *t = object;

	if (info->si_signo == (int)SIGWINCH) {
		rl_resize_terminal();
	} else if (info->si_signo == (int)SIGINT && t->phase == PHASE_INPUT) {
		(void)puts("^C");
		rl_callback_sigcleanup();
		rl_replace_line("", 0);
		rl_on_new_line();
		rl_redisplay();
	} else {
		loop_stop(loop, 128 + (int)info->si_signo);
	}
}

/* The terminal's state has to be restored on every way out, and ^C gives a line up. */
static int take_signals(struct vdeterm *t)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGWINCH);
	return loop_signals(t->loop, &set, on_signal, t);
}

static int start_readline(struct vdeterm *t)
{
	if (asprintf(&t->prompt, "vde[%s]: ", t->path) < 0) {
		t->prompt = NULL;
		return -ENOMEM;
	}
	the_terminal = t;
	rl_readline_name = program.name;
	rl_catch_signals = 0;
	rl_catch_sigwinch = 0;
	using_history();
	stifle_history(HISTORY_LINES);
	complete_from(&t->words);
	return take_signals(t);
}

static int run(struct vdeterm *t)
{
	int r = loop_new(&t->loop);

	if (r == 0 && t->interactive)
		r = start_readline(t);
	if (r == 0)
		r = loop_add(t->loop, &socket_class, t->socket, EPOLLIN, t, &t->socket_ref);
	if (r == 0)
		r = loop_run(t->loop);
	if (t->interactive)
		rl_callback_handler_remove();
	if (r < 0) {
		log_error_errno(r, "cannot run");
		r = STATUS_FAILED;
	}
	loop_free(t->loop);
	return r;
}

static void release(struct vdeterm *t)
{
	cleanup_close(&t->socket);
	mgmt_session_done(&t->session);
	mgmt_reply_done(&t->answer);
	words_done(&t->words);
	strbuf_done(&t->input);
	free(t->prompt);
	free(t->command);
	clear_history();
}

int main(int argc, char **argv)
{
	struct vdeterm terminal = { .socket = -1 };
	struct error error = { 0 };
	int status, first = option_parse(&program, argc, argv, &terminal, &status);

	if (first < 0)
		return status;
	if (argc - first != 1)
		return option_usage_error(&program, "one socket is needed");
	log_set_program(program.name);
	(void)signal(SIGPIPE, SIG_IGN);
	terminal.path = argv[first];
	terminal.interactive = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	terminal.socket = mgmt_connect(terminal.path, &error);
	if (terminal.socket < 0) {
		log_error("%s", error_text(&error));
		return STATUS_FAILED;
	}
	status = run(&terminal);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_error_errno(errno, "cannot write the answers");
		status = STATUS_FAILED;
	}
	release(&terminal);
	return status;
}
