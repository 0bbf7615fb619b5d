/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command interface: on the management socket and on standard input. Lines in, for each an
 * optional data block, a result line and the prompt out; console.c tells the protocol.
 */
#pragma once

#include "base/json.h"
#include "base/strbuf.h"
#include "vde/switch/switch.h"

#define CONSOLE_MAX 64 /* connections at most, by the bits of a debug category */

struct console;

/* What a command is given. */
struct command_call {
	struct vde_switch *sw;
	struct console *console; /* NULL: a configuration file */
	const char *argument;    /* the rest of the line, without blanks around; never NULL */
	struct strbuf *out;      /* lines of the data block; only with COMMAND_TEXT */
	struct json *json;       /* set instead of `out` lines when JSON was asked for */
};

enum command_flags {
	COMMAND_TEXT = 1 << 0, /* prints a data block (maybe empty), even when it then fails */
	COMMAND_JSON = 1 << 1, /* understands call->json: writes one object or array */
	COMMAND_MENU = 1 << 2, /* a heading of `help`; cannot be run */
	COMMAND_EXPLAIN = 1 << 3, /* a data block only when there is text: why it failed */
};

/* 0, or a negative errno that becomes the result line; COMMAND_* below; never blocks. */
typedef int command_function(struct command_call *call);

#define COMMAND_LOGOUT   1 /* end of the session */
#define COMMAND_SHUTDOWN 2
#define COMMAND_TAKEN    3 /* the connection now belongs to the command: no result, no prompt */

struct command {
	const char *path;
	const char *syntax;
	const char *help;
	command_function *run;
	unsigned flags;
};

/* A menu: the heading row and its commands. The tables are const and live for good. */
struct command_table {
	const struct command *rows;
	size_t count;
};

extern const struct command_table general_commands, debug_commands, plugin_commands,
	hash_commands, fstp_commands, port_commands, vlan_commands, capture_commands;

/* Commands that plug-ins add; strings are the plug-in's. RUN gets CONTEXT. */
struct dynamic_command {
	const char *path;
	const char *syntax;
	const char *help;
	int (*run)(void *context, struct command_call *call);
	void *context;
	unsigned flags;
	struct dynamic_command *next; /* of the switch's list */
};

/* console_prepare() and console_start(). */
int console_new(struct vde_switch *sw, struct error *error);
/* Makes room for consoles; -ENOMEM. */
int console_prepare(struct vde_switch *sw);
/* Offers what the settings name: a management socket unless there is one, standard input. */
int console_start(struct vde_switch *sw, struct error *error);
void console_free(struct vde_switch *sw);

/* Borrowed until console_remove_command(). Appended behind the built-in ones. */
void console_add_command(struct vde_switch *sw, struct dynamic_command *command);
void console_remove_command(struct vde_switch *sw, struct dynamic_command *command);
struct dynamic_command *console_dynamic_commands(const struct vde_switch *sw);

/*
 * Runs one line. OUT gets data block and result line, as they go over the wire; returns 0 or one of
 * COMMAND_LOGOUT ..., or a negative errno (which is in OUT already).
 */
int console_run_line(struct vde_switch *sw, struct console *console, const char *line,
		     struct strbuf *out);

/* Runs a file of commands; with OUT each is echoed (`load`), without, errors are logged. */
int console_run_file(struct vde_switch *sw, struct console *console, const char *path,
		     struct strbuf *out);

/* A number that is unique among open consoles; in sight of plug-ins a "descriptor". */
int console_id(const struct console *console);

/* Queues TEXT (whole lines) on the console in SLOT; dropped and counted when it does not read. */
void console_async(struct vde_switch *sw, unsigned slot, const char *text, size_t len);

/* The slot of a console, for debug_subscribe(). */
unsigned console_slot(const struct console *console);

/*
 * For a command that goes on with the connection by itself (COMMAND_TAKEN): a duplicate of its
 * descriptor, which the caller owns. What the client has still to get is moved to QUEUED (empty), and
 * comes before anything the caller sends; the console ends. -ENOTSOCK for standard input and files.
 */
int console_take_fd(struct vde_switch *sw, struct console *console, struct strbuf *queued);

struct takeover_link;
struct takeover_message;

/* For a takeover: sends the listening socket, and all consoles but standard input. */
int console_pack(const struct vde_switch *sw, const struct takeover_link *link);
/* They belong to another process now: nothing is written to them any more. */
void console_forget(struct vde_switch *sw);

/*
 * The successor's. The bytes of a console, read and to be written, follow the console, which
 * console_unpack() gives: *ret is borrowed.
 */
int console_unpack_mgmt(struct vde_switch *sw, struct takeover_message *m);
int console_unpack(struct vde_switch *sw, struct takeover_message *m, struct console **ret);
int console_unpack_bytes(struct console *c, const struct takeover_message *m);
/* True when SETTINGS name another management socket than the one that was taken over. */
bool console_elsewhere(const struct vde_switch *sw);
/* The successor will not be one: removes the name of a socket that it has made by itself. */
void console_abandon(struct vde_switch *sw);

/* Adds a connection (fd owned from here on); closed with a word when there are too many. */
int console_adopt(struct vde_switch *sw, int fd);
