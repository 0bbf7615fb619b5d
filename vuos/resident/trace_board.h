/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all processes of a traced view write to, and umvu reads: a shared file of memory, at the descriptor
 * RESERVED_BOARD. It outlives a process that is killed. Nobody relies on what is in it but for what it is
 * there for: garbage makes wrong counts and wrong lines, nothing else.
 */
#pragma once

#include <stdint.h>

#define BOARD_CALLS   1024
#define BOARD_UNKNOWN 64
#define BOARD_SLOTS   256
#define SLOT_TEXT     32768
#define BOARD_PAGE    4096

struct board_count {
	uint64_t calls, errors, ns;
};

/* Calls that have no row in the table, in the order in which they were met. */
struct board_unknown {
	uint64_t number; /* plus one; 0: not in use */
	uint64_t calls;
};

struct board {
	struct board_count counts[BOARD_CALLS]; /* by number */
	struct board_unknown unknown[BOARD_UNKNOWN];
	uint64_t unknown_more; /* calls that there was no room for */
	uint64_t lost; /* bytes of lines that could not be written */
	int32_t lost_errno; /* why, the last time */
	int32_t owners[BOARD_SLOTS]; /* the process that a slot belongs to; 0: nobody */
} __attribute__((aligned(BOARD_PAGE)));

/* The lines of a process that are not in the file yet. */
struct board_slot {
	uint32_t lock;
	uint32_t unused;
	uint64_t len;
	char text[SLOT_TEXT];
} __attribute__((aligned(BOARD_PAGE)));

/* With all slots: there are as many as the file has room for (struct exec_trace). */
#define BOARD_SIZE         (sizeof(struct board) + BOARD_SLOTS * sizeof(struct board_slot))
#define BOARD_SLOT_AT(slot) (sizeof(struct board) + (uint64_t)(slot) * sizeof(struct board_slot))
