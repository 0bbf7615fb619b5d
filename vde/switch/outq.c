/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue is a list of chunks; a chunk is filled with records (length, frame) from its start and
 * emptied from there, and goes back to the pool when its last frame is taken. A frame never spans
 * two chunks, so that it can be written from where it lies.
 */
#include "vde/switch/outq.h"

#include <errno.h>

#include "base/util.h"

struct outq_chunk {
	struct outq_chunk *next;
	uint32_t head; /* offset of the first record not taken yet */
	uint32_t tail; /* offset behind the last record */
	uint8_t data[];
};

#define CHUNK_ROOM   (OUTQ_CHUNK_SIZE - offsetof(struct outq_chunk, data))
#define RECORD_ALIGN sizeof(uint32_t)

_Static_assert(CHUNK_ROOM >= OUTQ_FRAME_MAX + 2 * RECORD_ALIGN, "a frame fits in a chunk");

static uint32_t record_size(uint32_t len)
{
	return (uint32_t)(RECORD_ALIGN + ((len + RECORD_ALIGN - 1) & ~(RECORD_ALIGN - 1)));
}

static uint32_t record_len(const struct outq_chunk *chunk, uint32_t offset)
{
	uint32_t len;

	memcpy(&len, chunk->data + offset, sizeof(len));
	return len;
}

/* The last chunk if LEN bytes still fit there, else a fresh one at the end. */
static struct outq_chunk *outq_room(struct outq *q, struct pool *chunks, uint32_t len)
{
	struct outq_chunk *chunk = q->last;

	if (chunk && chunk->tail + record_size(len) <= CHUNK_ROOM)
		return chunk;
	chunk = pool_get(chunks);
	if (!chunk)
		return NULL;
	chunk->next = NULL;
	chunk->head = chunk->tail = 0;
	if (q->last)
		q->last->next = chunk;
	else
		q->first = chunk;
	q->last = chunk;
	return chunk;
}

int outq_push(struct outq *q, struct pool *chunks, size_t limit, const struct msghdr *msg,
	      size_t len)
{
	struct outq_chunk *chunk;
	uint32_t stored_len = (uint32_t)len;
	uint8_t *to;

	if (len > OUTQ_FRAME_MAX || q->bytes + len > limit)
		return -ENOBUFS;
	chunk = outq_room(q, chunks, stored_len);
	if (!chunk)
		return -ENOMEM;
	to = mempcpy(chunk->data + chunk->tail, &stored_len, sizeof(stored_len));
	for (size_t i = 0; i < msg->msg_iovlen; i++)
		to = mempcpy(to, msg->msg_iov[i].iov_base, msg->msg_iov[i].iov_len);
	chunk->tail += record_size(stored_len);
	q->bytes += len;
	q->frames++;
	return 0;
}

unsigned outq_peek(const struct outq *q, struct mmsghdr *msgs, struct iovec *iov, unsigned count)
{
	const struct outq_chunk *chunk = q->first;
	uint32_t offset = chunk ? chunk->head : 0;
	unsigned n = 0;

	while (chunk && n < count) {
		uint32_t len;

		if (offset == chunk->tail) {
			chunk = chunk->next;
			offset = chunk ? chunk->head : 0;
			continue;
		}
		len = record_len(chunk, offset);
		iov[n] = (struct iovec){ (void *)(chunk->data + offset + RECORD_ALIGN), len };
		msgs[n] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[n], .msg_iovlen = 1 },
					    .msg_len = len };
		offset += record_size(len);
		n++;
	}
	return n;
}

bool outq_next(const struct outq *q, struct outq_place *at, struct iovec *ret)
{
	uint32_t len;

	if (!at->begun)
		*at = (struct outq_place){ .chunk = q->first, .begun = true,
					   .offset = q->first ? q->first->head : 0 };
	while (at->chunk && at->offset == at->chunk->tail) {
		at->chunk = at->chunk->next;
		at->offset = at->chunk ? at->chunk->head : 0;
	}
	if (!at->chunk)
		return false;
	len = record_len(at->chunk, at->offset);
	*ret = (struct iovec){ (void *)(at->chunk->data + at->offset + RECORD_ALIGN), len };
	at->offset += record_size(len);
	return true;
}

static void outq_drop_first_chunk(struct outq *q, struct pool *chunks)
{
	struct outq_chunk *chunk = q->first;

	q->first = chunk->next;
	if (!q->first)
		q->last = NULL;
	pool_put(chunks, chunk);
}

void outq_pop(struct outq *q, struct pool *chunks, unsigned count)
{
	while (count-- && q->first) {
		struct outq_chunk *chunk = q->first;
		uint32_t len = record_len(chunk, chunk->head);

		chunk->head += record_size(len);
		q->bytes -= len;
		q->taken += len;
		q->frames--;
		if (chunk->head == chunk->tail)
			outq_drop_first_chunk(q, chunks);
	}
}

void outq_clear(struct outq *q, struct pool *chunks)
{
	while (q->first)
		outq_drop_first_chunk(q, chunks);
	q->bytes = q->frames = 0;
}
