/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What waits for one endpoint: a FIFO of frames in chunks of a pool shared by all endpoints. An
 * empty queue holds no memory. Bounded in bytes per queue, and by the pool for all together.
 */
#pragma once

#include <sys/socket.h>

#include "base/pool.h"

#define OUTQ_CHUNK_SIZE (68 * 1024)
#define OUTQ_FRAME_MAX  65600 /* bytes of the largest frame that can be queued */

struct outq_chunk;

struct outq {
	struct outq_chunk *first; /* frames are taken here */
	struct outq_chunk *last;  /* frames are added here */
	size_t bytes;             /* of all frames in it */
	size_t frames;
	uint64_t taken;           /* bytes of all frames that were taken so far */
};

/*
 * Copies the LEN bytes gathered by MSG to the end. -ENOBUFS when LIMIT bytes would be exceeded,
 * -ENOMEM when the pool has no chunk.
 */
int outq_push(struct outq *q, struct pool *chunks, size_t limit, const struct msghdr *msg,
	      size_t len);

/* Points up to COUNT messages (one iov each) at the first frames; returns how many. */
unsigned outq_peek(const struct outq *q, struct mmsghdr *msgs, struct iovec *iov, unsigned count);

/* Forgets the first COUNT frames. */
void outq_pop(struct outq *q, struct pool *chunks, unsigned count);

/* A walk over the frames, first to last: begins with AT zero, is over at false. Q does not change. */
struct outq_place {
	const struct outq_chunk *chunk;
	uint32_t offset;
	bool begun;
};
bool outq_next(const struct outq *q, struct outq_place *at, struct iovec *ret);

void outq_clear(struct outq *q, struct pool *chunks);
