/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What passes from one program to the next besides arguments, environment and what the kernel keeps: a
 * block of sections in a sealed memfd, which execve makes (exec.c) and the start of the resident reads.
 * umvu makes the first one. Sections that are not there have their default: to add one, give it a
 * number and a structure here, write it where exec.c does, and take it where start.c does.
 *
 * The block is memory only, so nothing here makes a call, and umvu has the same code.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

#define EXEC_STATE_MAGIC   0x5453455545585556ull
#define EXEC_STATE_VERSION 1

/* Room that is enough for what every exec has; more is asked for by `need`. */
#define EXEC_STATE_ROOM 8192
#define EXEC_STATE_MAX  (1 << 24)

enum exec_section_type {
	EXEC_BASE = 1, /* struct exec_base; always there */
	EXEC_PATH,     /* text: the program */
	EXEC_TRACE,    /* struct exec_trace; not there: nothing is traced */
	EXEC_SIGNALS,  /* struct exec_signals */
	EXEC_FILTERS,  /* struct exec_filters: of the program, for seccomp(2) */
	EXEC_RESERVED, /* struct exec_reserved; not there: none is */
	EXEC_RESIDENT, /* text: the resident's own file, for where there is no descriptor of it */
	EXEC_TRACE_LINE, /* text: what the trace says of the exec, up to its result */
	EXEC_KNOWN,    /* call sites in libraries: known.c */
	EXEC_NAME,     /* text: the program's own name; not there: /proc says it */
	EXEC_TAGS,     /* 64 bits: debug tags of the thread (vuos/view/tags.h); not there: none */
};

/* How programs are run: the same for all of them. */
struct exec_base {
	uint32_t trap, patching; /* enums of context.h */
	int32_t descriptor, loader; /* of the program and its dynamic loader; -1: to be opened by name */
	uint32_t is_unnamed;     /* it was executed by a descriptor only */
	uint32_t is_restricted;  /* by a security module, perhaps: exec_file.c */
	uint32_t tells_counters; /* counters.h */
	uint64_t limit;          /* the soft limit of descriptors is to be this again; 0: it is */
};

enum exec_trace_flags {
	TRACE_ON = 1 << 0,
	TRACE_JSON = 1 << 1,
	TRACE_AT_ONCE = 1 << 2,   /* each line is written when it is made */
	TRACE_SPLIT = 1 << 3,     /* a file for each process: NAME.PID in the directory of the descriptor */
	TRACE_SIGNALS = 1 << 4,   /* signals and ends of programs are told, too */
	TRACE_OTHERS = 1 << 5,    /* and calls that have no number in the table */
	TRACE_FAILED = 1 << 6,    /* calls that fail */
	TRACE_SUCCESSFUL = 1 << 7,
	TRACE_FIRST = 1 << 8,     /* the program is the view's first */
	TRACE_CLOCK = 1 << 9,     /* local time */
	TRACE_EPOCH = 1 << 10,    /* seconds since 1970 */
	TRACE_RELATIVE = 1 << 11, /* seconds since the line before */
	TRACE_DURATION = 1 << 12, /* of the call */
	TRACE_LINES = 1 << 13,    /* lines are written */
	TRACE_TALLY = 1 << 14,    /* calls are counted */
	TRACE_UNHANDLED = 1 << 15, /* those of a support level that is not full, too */
	TRACE_TIMES = TRACE_CLOCK | TRACE_EPOCH | TRACE_RELATIVE | TRACE_DURATION,
};

#define EXEC_CALL_WORDS     16 /* of a set of calls: a bit for each number */
#define EXEC_TRACE_NAME_MAX 200

/* What is traced, and how. */
struct exec_trace {
	uint32_t flags;       /* TRACE_ */
	uint32_t string_max;  /* bytes of a string that are shown */
	uint32_t slots;       /* of the board: trace_board.h */
	int64_t local_offset; /* seconds that local time is ahead */
	int64_t exec_begin;   /* ns, when the exec was made that EXEC_TRACE_LINE is of */
	uint64_t calls[EXEC_CALL_WORDS];
	char name[EXEC_TRACE_NAME_MAX + 1]; /* with TRACE_SPLIT */
};

/* What the reserved descriptors (reserved.h) are for: their places behind the first. */
enum reserved {
	RESERVED_RESIDENT, /* the resident's file, O_PATH: what exec executes */
	RESERVED_SEGMENT,  /* what all processes of the view share */
	RESERVED_CHANNEL,  /* to the supervisor */
	RESERVED_LOG,      /* for messages that are nobody's answer */
	RESERVED_TRACE,    /* the trace's file, or the directory of its files */
	RESERVED_BOARD,    /* trace_board.h */
	RESERVED_PROGRAM,  /* of this process only: its file */
	RESERVED_ROOM = 8, /* numbers that are kept for them */
};

/*
 * Where umvu puts them, if it may: above all that a program reaches with the usual limit, and above what
 * select(2) can name.
 */
#define RESERVED_FIRST 1024

struct exec_reserved {
	uint32_t first;   /* descriptor */
	uint32_t present; /* a bit for each; 0: no room was for any */
	uint32_t log_major, log_minor; /* device and inode of umvu's stderr (report.c) */
	uint64_t log_inode;            /* 0: there was none */
};

/* Of the signals that are ours (signals.h). */
struct exec_signals {
	uint64_t ignored, blocked;
	uint64_t held;        /* they were sent while they were blocked */
	uint64_t info[5][16]; /* of those, siginfo_t */
};

/* A block that is being written. What does not fit is not written, but `need` grows. */
struct exec_writer {
	char *block;
	size_t room, need;
};

/* An empty block in ROOM bytes at BLOCK, which is aligned to 8. */
void exec_state_begin(struct exec_writer *writer, void *block, size_t room);
/* A section of LEN bytes; DATA NULL: of zeros. Returns its place, aligned to 8; NULL: no room. */
void *exec_state_add(struct exec_writer *writer, enum exec_section_type type, const void *data, size_t len);
/* A section with a text, and its end. */
void exec_state_add_text(struct exec_writer *writer, enum exec_section_type type, const char *text);
/* The length of the finished block; 0: there was no room, and `need` says how much it takes. */
size_t exec_state_end(struct exec_writer *writer);

/* Whether LEN bytes at BLOCK (aligned to 8) are a block that this version can read: all of it is checked. */
bool exec_state_is_valid(const void *block, size_t len);
/* The first section of TYPE in a valid block, of at least MIN bytes. NULL: there is none. */
const void *exec_state_find(const void *block, enum exec_section_type type, size_t min, size_t *ret_len);
/* The text in a section: NULL when there is none, or when it has no end. */
const char *exec_state_text(const void *block, enum exec_section_type type);

/* What a thread has of seccomp(2). The filters follow, the oldest first, each with a head of its own. */
struct exec_filters {
	uint32_t mode, outer; /* SECCOMP_MODE_: its own, and that of umvu itself */
	uint32_t no_new_privs, count;
};

struct exec_filter {
	uint32_t len, unused; /* instructions, of 8 bytes, that follow */
};

#pragma GCC visibility pop
