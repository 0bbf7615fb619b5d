/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the roles of the load generator share; each returns 0 or a negative errno. */
#pragma once

#include <stdint.h>

#include "bench/frame.h"
#include "bench/link.h"

#define ASKER      1
#define ANSWERER   2
#define WAIT_LIMIT 200 /* ms without an answer: lost */

struct settings {
	int size, milliseconds, count, connections, buffer;
	struct link_mode mode;
	const char *where;
	struct link *link; /* NULL for roles that open what they need */
	uint8_t frame[FRAME_PLAIN_MAX]; /* what is sent */
	uint8_t input[FRAME_PLAIN_MAX];
};

/* stream.c: as much as the link takes. */
int run_recv(struct settings *s);
int run_send(struct settings *s);
int run_burst(struct settings *s);

/* bounce.c: one at a time. */
int run_echo(struct settings *s);
int run_ping(struct settings *s);
int run_bounce(struct settings *s);
int run_tcp_echo(struct settings *s);
int run_tcp_ping(struct settings *s);

/* local.c: nothing is sent. */
int run_memcpy(struct settings *s);
int run_hold(struct settings *s);

/* --- load.c ------------------------------------------------------------------------------ */

/* CPU time of this process, ns. */
uint64_t cpu_now(void);

/* Waits for the end of standard input; true if it came within TIMEOUT ms. */
bool input_ended(int timeout);

int say_ready(void);

/* True for what is not worth another try. */
bool is_final(ssize_t r);

/*
 * Makes calls that wait end with EINTR, or stops that. The timer goes on, so that no end is missed
 * between a look at the clock and the call.
 */
void limit_waiting(bool limited);

/* Asks until the other end answers. */
int meet(struct settings *s);
void greet_back(struct settings *s);

/* The next frame of the load by the call for one; false when there is none yet, or an error. */
bool next_frame(struct settings *s, struct load_frame *ret, ssize_t *ret_len);

/* Sorts TIMES (ns) and tells their median, 99th percentile and how many of COUNT are lacking. */
int tell_times(int64_t *times, int good, int count, const char *link);
