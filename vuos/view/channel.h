/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What processes of a view ask of its supervisor. A request is one message to a socket (SOCK_SEQPACKET) that
 * all of them have; the kernel tells the supervisor who has sent it. The answer is in a slot of the segment, on
 * whose first word the asking thread waits (futex(2)): so nothing has to be opened, and a thread that ends
 * leaves nothing behind.
 *
 * A request has a number (sequence). Who is interrupted while he waits, or finds his slot used by another, asks
 * again with the same number: the supervisor knows the numbers of the last requests and their results, and
 * does nothing twice. Who does not want it any more says so.
 */
#pragma once

#include <stdint.h>

#define CHANNEL_VERSION  1
#define CHANNEL_DATA_MAX 4096

enum channel_operation {
	CHANNEL_CANCEL,    /* the request `sequence` is not wanted any more: no answer */
	CHANNEL_SET_NAME,  /* of the view: the data */
	CHANNEL_ADD_TAGS,  /* letters of debug tags */
	CHANNEL_DEL_TAGS,
	CHANNEL_SET_COLOR, /* TAG...:COLOR */
	CHANNEL_PROCESSES, /* the record of processes shall be as they are now */
	CHANNEL_OPERATIONS,
};

struct channel_request {
	uint32_t version, operation;
	int32_t pid, tid; /* as the asking thread knows them */
	uint64_t sequence;
	uint32_t len; /* of data, which is as long as it has to be */
	uint32_t unused;
	char data[CHANNEL_DATA_MAX];
};

/* Of a thread: the one with the number of its tid modulo CHANNEL_SLOTS, which it shares with others. */
#define CHANNEL_SLOTS 256

struct channel_slot {
	uint32_t word; /* odd while the rest is being written; else different after each answer */
	int32_t pid, tid;
	uint32_t unused;
	uint64_t sequence;
	int64_t result; /* 0 or more; -errno */
	uint64_t more[4];
};
_Static_assert(sizeof(struct channel_slot) == 64, "a line of the cache");
