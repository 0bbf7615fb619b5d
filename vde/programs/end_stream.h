/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames on a pair of byte streams (wire/vde_stream.h) as the end of a relay. */
#pragma once

#include "relay.h"

/*
 * Makes an end that reads frames from IN_FD and writes them to OUT_FD (they may be the same). Both
 * are borrowed: made non-blocking, and given back as they were when the end is freed. TITLE is borrowed.
 * -ENOMEM.
 */
int end_stream_new(int in_fd, int out_fd, const char *title, struct relay_end **ret);
