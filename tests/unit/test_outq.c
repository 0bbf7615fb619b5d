/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include "vde/switch/outq.h"

#include <stdlib.h>

static int push(struct outq *q, struct pool *chunks, size_t limit, const void *data, size_t len)
{
	/* In up to three pieces, as forward.c gathers them. */
	struct iovec iov[3] = {
		{ (void *)data, len / 3 },
		{ (char *)data + len / 3, len / 3 },
		{ (char *)data + 2 * (len / 3), len - 2 * (len / 3) },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };

	return outq_push(q, chunks, limit, &msg, len);
}

/* A model: what goes in comes out whole and in order, whatever the sizes and the moments. */
static void in_and_out(void **state)
{
	static uint8_t frame[OUTQ_FRAME_MAX];
	struct outq q = { 0 };
	struct pool chunks;
	unsigned in = 0, out = 0;

	(void)state;
	srandom(4);
	assert_int_equal(pool_init(&chunks, OUTQ_CHUNK_SIZE, 64), 0);
	for (int turn = 0; turn < 400; turn++) {
		for (long n = random() % 40; n > 0; n--, in++) {
			size_t len = 4 + (size_t)(in * 7919) % (in % 50 ? 1600 : OUTQ_FRAME_MAX - 4);

			memset(frame, (int)(in & 0xff), len);
			memcpy(frame, &in, sizeof(in));
			assert_int_equal(push(&q, &chunks, SIZE_MAX, frame, len), 0);
		}
		for (long n = random() % 45; n > 0 && q.frames; n--) {
			struct mmsghdr msgs[8];
			struct iovec iov[8];
			unsigned want = 1 + (unsigned)random() % 8;
			unsigned count = outq_peek(&q, msgs, iov, want);

			assert_int_equal(count, MIN(want, q.frames));
			for (unsigned i = 0; i < count; i++, out++) {
				size_t len = 4 + (size_t)(out * 7919) %
						 (out % 50 ? 1600 : OUTQ_FRAME_MAX - 4);

				assert_int_equal(msgs[i].msg_len, len);
				assert_int_equal(iov[i].iov_len, len);
				assert_memory_equal(iov[i].iov_base, &out, sizeof(out));
				if (len > 4)
					assert_int_equal(((uint8_t *)iov[i].iov_base)[len - 1],
							 out & 0xff);
			}
			outq_pop(&q, &chunks, count);
		}
	}
	assert_true(out > 5000);
	outq_clear(&q, &chunks);
	assert_int_equal(chunks.used, 0);
	assert_int_equal(q.bytes, 0);
	pool_done(&chunks);
}

static void limits(void **state)
{
	static const uint8_t frame[OUTQ_FRAME_MAX + 1];
	struct outq q = { 0 };
	struct pool chunks;

	(void)state;
	assert_int_equal(pool_init(&chunks, OUTQ_CHUNK_SIZE, 2), 0);
	assert_int_equal(push(&q, &chunks, 100, frame, 100), 0);
	assert_int_equal(push(&q, &chunks, 100, frame, 1), -ENOBUFS);
	assert_int_equal(push(&q, &chunks, SIZE_MAX, frame, OUTQ_FRAME_MAX + 1), -ENOBUFS);
	assert_int_equal(push(&q, &chunks, SIZE_MAX, frame, OUTQ_FRAME_MAX), 0);
	assert_int_equal(push(&q, &chunks, SIZE_MAX, frame, OUTQ_FRAME_MAX), 0);
	assert_int_equal(push(&q, &chunks, SIZE_MAX, frame, OUTQ_FRAME_MAX), -ENOMEM);
	assert_int_equal(q.frames, 3);
	outq_pop(&q, &chunks, 3);
	assert_int_equal(q.frames, 0);
	assert_null(q.first);
	assert_int_equal(chunks.used, 0);
	outq_pop(&q, &chunks, 1); /* nothing there: nothing happens */
	pool_done(&chunks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_and_out),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
