/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames on their way into a stream. They are collected and written together; what a full pipe does
 * not take stays here, so no frame is ever written in part, whoever reads at the other end and however
 * slowly.
 */
#pragma once

#include "base/util.h"

#define STREAM_OUT_SIZE (256 * 1024) /* bytes */

struct stream_out {
	int fd;       /* where it goes; borrowed */
	int own_fd;   /* the same pipe, opened anew to be non-blocking; -1: none */
	bool socket;  /* written with MSG_DONTWAIT */
	size_t start; /* of what waits, in data */
	size_t end;
	uint64_t dropped; /* frames longer than the stream carries */
	uint8_t *data;    /* owned */
};

/*
 * Prepares writing to FD (borrowed) without blocking and without changing how others who share it see
 * it, where the kernel allows. -ENOMEM.
 */
int stream_out_init(struct stream_out *out, int fd);
void stream_out_done(struct stream_out *out);

/* True while any frame fits. */
bool stream_out_has_room(const struct stream_out *out);

/* Adds a frame, for which there must be room. One that the stream cannot carry is counted. */
void stream_out_put(struct stream_out *out, const void *frame, size_t len);

static inline bool stream_out_pending(const struct stream_out *out)
{
	return out->end > out->start;
}

/* Writes what goes without waiting. 0, -EAGAIN when some is left, or what failed. */
int stream_out_flush(struct stream_out *out);

/* Writes all, and waits for the reader at most PATIENCE_MS. */
int stream_out_finish(struct stream_out *out, int patience_ms);
