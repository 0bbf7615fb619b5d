/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A blocking client of a management socket: one command at a time, each wait with a limit, and
 * asynchronous lines kept aside in order.
 */
#pragma once

#include "base/error.h"
#include "session.h"

#define MGMT_TIMEOUT_MS 10000 /* default for every wait */
#define MGMT_ASYNC_MAX  4096  /* lines kept; then the oldest are dropped and counted */

/* An asynchronous line that was kept. */
struct mgmt_async {
	struct mgmt_async *next;
	int tag;
	char text[]; /* category, blank, what happened */
};

struct mgmt_client {
	int fd; /* owned */
	int timeout_ms; /* silence that ends a wait; -1: none does */
	struct mgmt_session session;
	struct strbuf banner; /* lines of the greeting separated by newlines */
	struct mgmt_async *async_first, **async_last;
	unsigned num_async;
	unsigned num_lost; /* asynchronous lines dropped because nobody took them */
	bool ended; /* the console said farewell or hung up */
	unsigned owed; /* answers that nobody waits for any more, after a time-out */
};

/* One command's answer. Zero-initialised; mgmt_reply_done() releases it. */
struct mgmt_reply {
	int code; /* the result: 0 or an errno; -1: the console gave none */
	bool has_data; /* there was a data block, maybe empty */
	struct strbuf message; /* text of the result line */
	struct strbuf data; /* each line with its newline and a NUL */
	struct strbuf echo; /* lines outside a block (`load`), each with its newline */
};

void mgmt_reply_done(struct mgmt_reply *reply);

/* Iterates the lines of REPLY->data: `for (line = NULL; (line = mgmt_reply_line(r, line));)`. */
const char *mgmt_reply_line(const struct mgmt_reply *reply, const char *line);

/*
 * Connects to PATH and reads the greeting. The caller frees *ret with mgmt_client_free(). Waits at
 * most TIMEOUT_MS between bytes. -ETIMEDOUT, -ECONNRESET, -EPROTO or what connect(2) says.
 */
int mgmt_client_open(struct mgmt_client **ret, const char *path, int timeout_ms,
		     struct error *error);
void mgmt_client_free(struct mgmt_client *c);

/*
 * Runs COMMAND (one line without its newline; -EINVAL otherwise) and fills REPLY. 0 whatever the
 * result; -ESHUTDOWN when the console ended the session (`logout`); -ECONNRESET when it is gone;
 * -ETIMEDOUT. After a time-out the late answer is read and dropped before the next command.
 */
int mgmt_client_command(struct mgmt_client *c, const char *command, struct mgmt_reply *reply);

/*
 * Reads what there is, waiting at most TIMEOUT_MS for the first byte; asynchronous lines are kept.
 * 0, -ETIMEDOUT when nothing came, -ESHUTDOWN or -ECONNRESET at the end of the session.
 */
int mgmt_client_read(struct mgmt_client *c, int timeout_ms);

/* The oldest asynchronous line, which the caller frees; NULL: there is none. */
struct mgmt_async *mgmt_client_take_async(struct mgmt_client *c);

/* What follows `V.` in the greeting, up to a blank or the line's end, malloc'd; NULL: nothing. */
char *mgmt_version(const char *banner);

/*
 * The commands in the text of `help` (lines as in mgmt_reply.data), without the menus, sorted: a NULL
 * terminated array for mgmt_words_free(), NULL when memory is short.
 */
char **mgmt_help_words(const struct strbuf *help);

/* The first words of lines behind a row of dashes, unsorted (`debug/list`, `plugin/list`). */
char **mgmt_table_words(const struct strbuf *table);
void mgmt_words_free(char **words);

/* An exit status that says what CODE says: 0 to 254 as they are, more is 254, none (-1) 255. */
int mgmt_exit_status(int code);
