/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A line editor without a terminal: key bytes in, screen bytes out. For terminals at the other end
 * of a connection (telnet), of which nothing is known but that they understand VT100 sequences.
 */
#pragma once

#include "base/strbuf.h"

#define LINE_EDIT_MAX     4096 /* bytes of a line with its NUL; more is refused with a bell */
#define LINE_EDIT_HISTORY 32

enum line_event {
	LINE_NONE,
	LINE_DONE,     /* Enter: the line is in `text`; call line_edit_reset() for the next */
	LINE_EOF,      /* ^D on an empty line */
	LINE_COMPLETE, /* Tab: call line_edit_complete() */
	LINE_REDRAW,   /* ^L: call line_edit_show() */
};

enum line_key_state { LINE_KEY_PLAIN, LINE_KEY_ESCAPE, LINE_KEY_CSI, LINE_KEY_SS3 };

/* Zero-initialised but for `out`; line_edit_done() releases what it holds. */
struct line_edit {
	struct strbuf *out; /* borrowed: what goes to the screen */
	bool hidden;        /* a password: no echo, no history */
	char text[LINE_EDIT_MAX];
	size_t len;
	size_t point; /* offset of the cursor */
	char killed[LINE_EDIT_MAX];
	char *history[LINE_EDIT_HISTORY]; /* owned; oldest first */
	unsigned num_history;
	unsigned back;   /* how far back in the history; 0: the new line */
	char *new_line;  /* owned: the new line while an old one is shown */
	enum line_key_state state;
	unsigned parameter; /* of a control sequence */
	bool after_cr; /* a newline or NUL behind a carriage return is part of it */
};

void line_edit_done(struct line_edit *e);

/* Takes one byte of the keyboard. */
enum line_event line_edit_key(struct line_edit *e, unsigned char key);

/* An empty line; the history stays. */
void line_edit_reset(struct line_edit *e);

/* Clears the screen line, for other text to be printed. */
void line_edit_hide(struct line_edit *e);

/* Puts PROMPT and the line on the screen, the cursor where it belongs. */
void line_edit_show(struct line_edit *e, const char *prompt);

/*
 * Completes the word at the cursor from WORDS (NULL-terminated, NULL: none). When there is nothing to
 * add, the choices are listed and the line is shown again with PROMPT.
 */
void line_edit_complete(struct line_edit *e, char *const *words, const char *prompt);
