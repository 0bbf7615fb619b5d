/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The supervisor's side of the requests that processes of the view make (vuos/view/channel.h). */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "base/loop.h"
#include "vuos/view/channel.h"

#define CHANNEL_RECENT 256 /* requests whose results are known when they are made again */

/* What serves a request; the result is 0 or more, or -errno. TEXT has an end, and LEN bytes before it. */
typedef int64_t channel_server(void *object, uint32_t operation, const char *text, size_t len, pid_t pid);

struct channel {
	int ours;   /* where requests arrive; -1: none */
	/*
	 * What all programs have. It stays open here, too: that the last of them ends is told by its
	 * status, and would wake us twice.
	 */
	int theirs;
	struct channel_slot *slots; /* of the segment */
	channel_server *serve;
	void *object;
	loop_ref source;
	unsigned next; /* of recent */
	struct {
		pid_t pid; /* as we know it; 0: unused */
		int32_t tid;
		uint64_t sequence;
		int64_t result;
	} recent[CHANNEL_RECENT];
};

/* -errno: there is none. */
int channel_init(struct channel *ch, struct channel_slot *slots, channel_server *serve, void *object,
		 struct error *error);
void channel_free(struct channel *ch);
int channel_watch(struct channel *ch, struct loop *loop);

/* Serves one message; false: there is none. For channel_watch(), and for tests. */
bool channel_receive(struct channel *ch);
