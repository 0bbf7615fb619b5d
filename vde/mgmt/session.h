/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The management protocol as a client sees it, taken apart incrementally: bytes in, items out.
 * No descriptor and no waiting here; client.h has both.
 */
#pragma once

#include "base/strbuf.h"

#define MGMT_PROMPT_SIZE 64
/* Longest line; a JSON listing is one line. */
#define MGMT_LINE_MAX    (16u << 20)

enum mgmt_kind {
	MGMT_BANNER,     /* a line of the greeting */
	MGMT_PROMPT,     /* the console waits for a command */
	MGMT_DATA_BEGIN, /* a data block starts */
	MGMT_DATA,       /* a line of it */
	MGMT_DATA_END,
	MGMT_RESULT, /* number: 0, or the errno */
	MGMT_ASYNC,  /* number: the tag; text: category and what happened */
	MGMT_TEXT,   /* any other line: the echo of `load` */
	MGMT_END,    /* the console ends the session */
	MGMT_NUM_KINDS,
};

struct mgmt_item {
	enum mgmt_kind kind;
	int number;
	bool greeting;    /* MGMT_PROMPT: it ends the greeting and answers no command */
	const char *text; /* without the newline, NUL-terminated; borrowed until the next feed */
	size_t len;
};

/* Zero-initialised; mgmt_session_done() releases it. */
struct mgmt_session {
	struct strbuf in;
	size_t at;      /* start of what was not yet handed out */
	size_t scanned; /* bytes behind `at` known to hold no newline */
	bool greeted;   /* the greeting is over */
	bool in_block;
	bool after_blank; /* the line before was empty */
	bool ended;
	char prompt[MGMT_PROMPT_SIZE]; /* "" until it was seen */
};

void mgmt_session_done(struct mgmt_session *s);

/* Forgets everything but the memory. */
void mgmt_session_reset(struct mgmt_session *s);

/* Appends what came from the console. -ENOMEM, or -EMSGSIZE when a line exceeds MGMT_LINE_MAX. */
int mgmt_session_feed(struct mgmt_session *s, const void *data, size_t len);

/* Takes the next item off; returns 1, or 0 when more bytes are needed. */
int mgmt_session_next(struct mgmt_session *s, struct mgmt_item *item);

/* The prompt without surrounding newline, "vde$ " as long as none was seen. */
const char *mgmt_session_prompt(const struct mgmt_session *s);
