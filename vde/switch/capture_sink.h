/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a capture goes: a file, FIFO or socket behind a bounded buffer, written when the loop has
 * time for it and never waited for.
 */
#pragma once

#include "base/loop.h"
#include "base/strbuf.h"

struct capture_sink {
	struct loop *loop;
	int fd; /* owned */
	bool socket;
	loop_ref ref; /* 0: a regular file, or not watched */
	uint32_t events;
	struct strbuf buffer;
	size_t written; /* bytes at the buffer's front that are out */
	size_t limit;   /* bytes that may wait */
	int error;      /* negative errno that ended it; 0 */
	bool finishing;
	bool over; /* ended() was called */
	struct loop_task flush;
	struct loop_timer deadline;
	/* The reader wants no more (half-closed socket): finish it. */
	void (*asked_to_end)(struct capture_sink *sink);
	/* All is out, or it failed (error). Called once; frees it after the batch. */
	void (*ended)(struct capture_sink *sink);
};

/* Takes FD over on success. The callbacks are set by the caller. */
int capture_sink_open(struct capture_sink *sink, struct loop *loop, int fd, size_t limit);

/* True when LEN more bytes may be appended to sink->buffer. */
bool capture_sink_has_room(const struct capture_sink *sink, size_t len);

/*
 * For a sink that goes on in the place of another process's: what is in the buffer goes out in the next
 * turn, and with FINISHING nothing more comes.
 */
void capture_sink_resume(struct capture_sink *sink, bool finishing);

/* Something was appended: it is written after this batch. */
void capture_sink_kick(struct capture_sink *sink);

/* Nothing more comes. Calls ended() when all is out (maybe now), and after some seconds anyhow. */
void capture_sink_finish(struct capture_sink *sink);

/* Writes what goes without waiting, closes, and frees the buffer. */
void capture_sink_close(struct capture_sink *sink);
