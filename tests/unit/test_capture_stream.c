/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include "vde/programs/capture_stream.h"
#include "wire/pcapng.h"

static const char greeting[] = "VDE switch V.1\n(C) somebody\n\nvde$ ";

static void put(struct capture_stream *s, const char *text)
{
	strbuf_puts(&s->in, text);
}

/* A stream of COUNT frames and statistics. */
static void put_stream(struct strbuf *out, unsigned count, uint64_t dropped)
{
	pcapng_section(out, "test");
	pcapng_interface(out, "port 1", NULL, 0);
	for (unsigned i = 0; i < count; i++)
		pcapng_packet(out, 0, i, "abcdefghijklmnop", 5 + i % 7, 60, PCAPNG_INBOUND);
	pcapng_statistics(out, 0, 1, count + dropped, dropped);
}

/* However it is cut into pieces, the same blocks come out. */
static void pieces(void **state)
{
	struct strbuf stream = { 0 }, all = { 0 };

	(void)state;
	put_stream(&stream, 9, 3);
	strbuf_puts(&all, greeting);
	strbuf_puts(&all, "3021 port/+ 01\n1000 Success\n");
	strbuf_append(&all, stream.data, stream.len);
	for (size_t size = 1; size < all.len + 1; size = size * 3 / 2 + 1) {
		struct capture_stream s = { 0 };

		for (size_t at = 0; at < all.len; at += size) {
			strbuf_append(&s.in, all.data + at, MIN(size, all.len - at));
			assert_int_equal(capture_stream_advance(&s, NULL), 0);
		}
		assert_true(s.started);
		assert_int_equal(s.frames, 9);
		assert_int_equal(s.dropped, 3);
		assert_int_equal(s.out.len, stream.len);
		assert_memory_equal(s.out.data, stream.data, stream.len);
		capture_stream_done(&s);
	}
	strbuf_done(&stream);
	strbuf_done(&all);
}

/* More than was wanted is left out, but not the statistics. */
static void limited(void **state)
{
	struct capture_stream s = { .limit = 4 };
	struct strbuf whole = { 0 };

	(void)state;
	put(&s, "1000 Success\n");
	put_stream(&s.in, 9, 2);
	assert_int_equal(capture_stream_advance(&s, NULL), 0);
	assert_true(capture_stream_full(&s));
	assert_int_equal(s.frames, 4);
	assert_int_equal(s.dropped, 2);
	put_stream(&whole, 4, 2);
	assert_int_equal(s.out.len, whole.len);
	capture_stream_done(&s);
	strbuf_done(&whole);
}

static void refusals(void **state)
{
	static const struct {
		const char *answer, *text;
		int code;
	} cases[] = {
		{ "1038 Function not implemented\n", "too old", ENOSYS },
		{ "1028 No space left on device\n", "No space left", ENOSPC },
		{ "0000 DATA END WITH '.'\nthere is no port 9\n.\n1006 No such device\n",
		  "there is no port 9", ENXIO },
		{ "vde$ 1022 Invalid argument\n", "Invalid argument", EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct capture_stream s = { 0 };
		struct error error = { 0 };

		put(&s, greeting);
		put(&s, cases[i].answer);
		assert_int_equal(capture_stream_advance(&s, &error), -cases[i].code);
		assert_non_null(strstr(error.text, cases[i].text));
		capture_stream_done(&s);
	}
}

static void nonsense(void **state)
{
	static const uint32_t wrong[][2] = { { 6, 0 }, { 6, 8 }, { 6, 33 }, { 6, 0xfffffffc } };
	struct capture_stream s = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		put(&s, "1000 Success\n");
		strbuf_append(&s.in, wrong[i], sizeof(wrong[i]));
		assert_int_equal(capture_stream_advance(&s, NULL), -EPROTO);
		capture_stream_done(&s);
		s = (struct capture_stream){ 0 };
	}
	for (int i = 0; i < 5000; i++)
		put(&s, "x");
	assert_int_equal(capture_stream_advance(&s, NULL), -EPROTO);
	capture_stream_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces),
		cmocka_unit_test(limited),
		cmocka_unit_test(refusals),
		cmocka_unit_test(nonsense),
	};

	return RUN_TESTS(tests);
}
