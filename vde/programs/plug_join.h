/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries frames between two sides, each a network or a stream (wire/vde_stream.h), until one of
 * them ends.
 */
#pragma once

#include <libvdeplug.h>

#include "base/error.h"
#include "base/loop.h"
#include "vde/programs/plug_log.h"

struct join;

/* LOOP and LOG are borrowed. LOOP is stopped with status 0 when a side ends, 1 when one fails. */
int join_new(struct join **ret, struct loop *loop, struct plug_log *log);
void join_free(struct join *join);

/*
 * The sides, the first call for the left one, the second for the right one. What the right side
 * sends is shown to the log. CONN and the descriptors are borrowed.
 */
int join_add_network(struct join *join, VDECONN *conn);
int join_add_stream(struct join *join, int in_fd, int out_fd);

/* Takes what a stream still holds for us, without waiting for more. */
void join_drain(struct join *join);

/* Writes what waits for a stream, for a second at most: to be called when the loop has stopped. */
void join_finish(struct join *join);
