/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the parts of the trace: what is told (trace.c), its lines, where they go. */
#pragma once

#include "vuos/resident/call_format.h"
#include "vuos/resident/context.h"
#include "vuos/resident/exec_state.h"
#include "vuos/resident/trace.h"
#include "vuos/resident/trace_board.h"

#define LINE_ROOM 4096
#define LINE_TAIL 128 /* kept free for what is behind the result, and the end */

extern struct exec_trace trace_how;
extern struct board trace_board;

/* A line that is being made. What does not fit into `own` goes into a mapping. */
struct trace_line {
	char *text;
	size_t len, room;
	bool is_apart; /* it is a mapping */
	bool is_fixed; /* it cannot become one: memory is shared with who will not free it */
	char own[LINE_ROOM];
};

static inline bool trace_is(uint32_t flags)
{
	return trace_how.flags & flags;
}

/* trace.c: whether a call is one of those that were asked for. */
bool trace_wants(uint64_t number);

/* trace_line.c */
struct call_format trace_format(void);
int64_t trace_now(void);
/* With thread and times. */
void trace_line_begin(struct trace_line *line, bool fixed);
void trace_line_text(struct trace_line *line, const char *text);
void trace_line_number(struct trace_line *line, uint64_t number);
void trace_line_enter(struct trace_line *line, uint64_t number, const uint64_t arguments[6]);
void trace_line_exit(struct trace_line *line, uint64_t number, const uint64_t arguments[6], long result);
/* How long it took (negative: is not told), and the line's end; then it goes out. */
void trace_line_finish(struct trace_line *line, int64_t ns);
void trace_line_drop(struct trace_line *line);

/* trace_out.c: LEN bytes, with the newline. */
void trace_put(const char *line, size_t len);
void trace_out_start(void);
void trace_out_forked(void);
/* The process ends: its lines go out, and its place is free for another. */
void trace_out_end(void);

/* trace_tally.c: a call that was made, and came back with RESULT after NS. */
void trace_count(uint64_t number, long result, int64_t ns);
