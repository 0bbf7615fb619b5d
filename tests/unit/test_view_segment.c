/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "vuos/umvu/segment_writer.h"

#define SMALL (1u << 16)

static void test_round(void **state)
{
	struct segment_writer w;
	struct segment segment;
	char text[64];

	(void)state;
	assert_int_equal(segment_writer_init(&w, SEGMENT_SIZE, NULL), 0);
	segment = segment_of(&w);
	assert_true(segment_is_valid(&segment));
	assert_int_equal(segment_read(&segment, SEGMENT_INFO, text, sizeof(text)), -1);
	assert_int_equal(segment_set(&w, SEGMENT_INFO, "hello", 6), 0);
	assert_int_equal(segment_set(&w, SEGMENT_TAGS, "nine byte", 9), 0);
	assert_int_equal(segment_read(&segment, SEGMENT_INFO, text, sizeof(text)), 6);
	assert_string_equal(text, "hello");
	memset(text, 'x', sizeof(text));
	assert_int_equal(segment_read(&segment, SEGMENT_TAGS, text, 4), 9);
	assert_memory_equal(text, "ninexxx", 7);
	assert_int_equal(segment_set(&w, SEGMENT_INFO, NULL, 0), 0);
	assert_int_equal(segment_read(&segment, SEGMENT_INFO, text, sizeof(text)), -1);
	assert_int_equal(segment_read(&segment, SEGMENT_KINDS, text, sizeof(text)), -1);
	segment_writer_free(&w);
	segment_writer_free(&w);
}

/* Parts of a record, at every place and length. */
static void test_parts(void **state)
{
	struct segment_writer w;
	struct segment_reader reader;
	struct segment_place place;
	struct segment segment;
	uint8_t record[40], part[40];

	(void)state;
	for (size_t i = 0; i < sizeof(record); i++)
		record[i] = (uint8_t)i;
	assert_int_equal(segment_writer_init(&w, SMALL, NULL), 0);
	assert_int_equal(segment_set(&w, SEGMENT_PROCESSES, record, sizeof(record)), 0);
	segment = segment_of(&w);
	segment_open(&reader, &segment);
	segment_begin(&reader);
	assert_true(segment_find(&reader, SEGMENT_PROCESSES, &place));
	assert_false(segment_find(&reader, SEGMENT_INFO, &place));
	assert_true(segment_find(&reader, SEGMENT_PROCESSES, &place));
	for (size_t at = 0; at <= sizeof(record); at++)
		for (size_t len = 0; len <= sizeof(record) + 1; len++) {
			bool fits = len <= sizeof(record) - at;

			assert_int_equal(segment_copy(&reader, &place, at, part, len), fits);
			if (fits)
				assert_memory_equal(part, record + at, len);
		}
	assert_false(segment_copy(&reader, &place, UINT64_MAX, part, 1));
	assert_false(segment_overtaken(&reader));
	segment_writer_free(&w);
}

/* Places are used again, but not before their time: the segment never gets full of what is not used. */
static void test_reuse(void **state)
{
	struct segment_writer w;
	struct segment_reader reader;
	struct segment segment;
	uint64_t end;
	char record[1000];
	unsigned sets = 0;

	(void)state;
	assert_int_equal(segment_writer_init(&w, SEGMENT_SIZE, NULL), 0);
	segment = segment_of(&w);
	segment_open(&reader, &segment);
	segment_begin(&reader);
	for (; !segment_overtaken(&reader); sets++) {
		memset(record, (int)sets, sizeof(record));
		assert_int_equal(segment_set(&w, SEGMENT_INFO, record, 1 + sets % sizeof(record)), 0);
	}
	assert_int_equal(sets, SEGMENT_KEEP);
	end = w.end;
	for (sets = 0; sets < 20 * SEGMENT_KEEP; sets++)
		assert_int_equal(segment_set(&w, SEGMENT_INFO, record, 1 + sets % sizeof(record)), 0);
	assert_in_range(w.end, 0, 3 * end);
	segment_writer_free(&w);

	assert_int_equal(segment_writer_init(&w, SMALL, NULL), 0); /* too small to wait */
	segment = segment_of(&w);
	for (sets = 0; sets < 2000; sets++) {
		char seen[sizeof(record)];
		long len = 1 + sets * 7 % (long)sizeof(record);

		memset(record, (int)sets, sizeof(record));
		assert_int_equal(segment_set(&w, sets % SEGMENT_KINDS, record, (size_t)len), 0);
		assert_int_equal(segment_read(&segment, sets % SEGMENT_KINDS, seen, sizeof(seen)), len);
		assert_memory_equal(seen, record, len);
	}
	segment_writer_free(&w);
}

static void test_full(void **state)
{
	static char record[2 * SMALL], seen[SMALL];
	struct segment_writer w;
	struct segment segment;

	(void)state;
	assert_int_equal(segment_writer_init(&w, SMALL, NULL), 0);
	segment = segment_of(&w);
	memset(record, 1, sizeof(record));
	assert_int_equal(segment_set(&w, SEGMENT_INFO, record, SMALL / 2), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(segment_set(&w, SEGMENT_TAGS, record, sizeof(record)), -ENOSPC);
		assert_int_equal(segment_set(&w, SEGMENT_TAGS, record, SMALL / 2), -ENOSPC);
		assert_int_equal(segment_set(&w, SEGMENT_INFO, record, SMALL / 2), -ENOSPC);
	}
	assert_int_equal(segment_read(&segment, SEGMENT_INFO, seen, sizeof(seen)), SMALL / 2);
	assert_memory_equal(seen, record, SMALL / 2);
	assert_int_equal(segment_set(&w, SEGMENT_TAGS, record, SMALL / 8), 0);
	assert_int_equal(segment_set(&w, SEGMENT_INFO, NULL, 0), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(segment_set(&w, SEGMENT_INFO, record, SMALL / 4), 0);
	segment_writer_free(&w);
}

/* Those who have the descriptor can only read. */
static void test_seals(void **state)
{
	struct segment_writer w;
	void *mapping;

	(void)state;
	assert_int_equal(segment_writer_init(&w, SEGMENT_SIZE, NULL), 0);
	assert_ptr_equal(mmap(NULL, SMALL, PROT_READ | PROT_WRITE, MAP_SHARED, w.fd, 0), MAP_FAILED);
	assert_int_equal(write(w.fd, "x", 1), -1);
	assert_int_equal(ftruncate(w.fd, SMALL), -1);
	mapping = mmap(NULL, SMALL, PROT_READ, MAP_SHARED, w.fd, 0);
	assert_ptr_not_equal(mapping, MAP_FAILED);
	assert_int_equal(mprotect(mapping, SMALL, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(segment_set(&w, SEGMENT_INFO, "still", 6), 0);
	assert_int_equal(segment_read(&(struct segment){ mapping, SMALL }, SEGMENT_INFO, NULL, 0), 6);
	assert_int_equal(munmap(mapping, SMALL), 0);
	segment_writer_free(&w);
}

/* A limit of the size of files is lifted, or makes it smaller. */
static void test_limit(void **state)
{
	struct segment_writer w;
	struct rlimit old, low, after;

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = (struct rlimit){ 1000, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_int_equal(segment_writer_init(&w, SMALL, NULL), 0);
	assert_int_equal(w.len, SMALL);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &after), 0);
	assert_int_equal(after.rlim_cur, 1000);
	segment_writer_free(&w);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(segment_writer_init(&w, 64, NULL), -EFBIG);
	assert_int_equal(w.fd, -1);
}

/* Whatever is in the memory, a reader stays within it, and ends. */
static void test_hostile(void **state)
{
	uint64_t random = 1, words[4096], room[64];
	struct segment segment = { words, sizeof(words) };
	struct segment_header *header = (struct segment_header *)(void *)words;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(words); i++)
			words[i] = test_random(&random) >> test_random(&random) % 64;
		header->magic = SEGMENT_MAGIC;
		header->version = SEGMENT_VERSION;
		segment.len = sizeof(words) - test_random(&random) % 64;
		for (int kind = 0; kind < SEGMENT_KINDS; kind++)
			assert_true(segment_read(&segment, (enum segment_kind)kind, room, sizeof(room)) <
				    (long)sizeof(words));
	}
	header->version++;
	assert_int_equal(segment_read(&segment, SEGMENT_INFO, room, sizeof(room)), -1);
	segment.len = 8;
	assert_int_equal(segment_read(&segment, SEGMENT_INFO, room, sizeof(room)), -1);
}

/* --- threads ---------------------------------------------------------------------------------------- */

#define READERS   3
#define WORDS_MAX 200
#define DURATION  (NS_PER_SEC / 3)

struct traffic {
	struct segment segment;
	atomic_bool stop;
	atomic_uint_fast64_t reads;
	const char *_Atomic fault;
};

/* A record is N times the word N + some multiple, so that every mixture of two shows. */
static void *keep_reading(void *argument)
{
	struct traffic *t = argument;
	uint64_t last = 0;

	while (!atomic_load(&t->stop)) {
		uint64_t words[WORDS_MAX + 1];
		long len = segment_read(&t->segment, SEGMENT_PROCESSES, words, sizeof(words));

		if (len < 0)
			continue; /* overtaken too often: a small segment is written all the time */
		if (len % 8 || !len || len > (long)sizeof(words) ||
		    (uint64_t)len / 8 != 1 + words[0] % WORDS_MAX)
			t->fault = "length";
		for (long i = 1; i < len / 8 && !t->fault; i++)
			if (words[i] != words[0])
				t->fault = "mixture";
		if (words[0] < last)
			t->fault = "older than before";
		last = words[0];
		atomic_fetch_add(&t->reads, 1);
	}
	return NULL;
}

static void readers_and_writer(size_t size)
{
	struct segment_writer w;
	struct traffic t = { 0 };
	pthread_t readers[READERS];
	uint64_t end = clock_now() + DURATION, number = 0, words[WORDS_MAX + 1];

	assert_int_equal(segment_writer_init(&w, size, NULL), 0);
	t.segment = segment_of(&w);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, keep_reading, &t), 0);
	while (clock_now() < end) {
		number++;
		for (int i = 0; i <= WORDS_MAX; i++)
			words[i] = number;
		assert_int_equal(segment_set(&w, SEGMENT_PROCESSES, words, 8 * (1 + number % WORDS_MAX)), 0);
	}
	for (int i = 0; i < 10000 && !atomic_load(&t.reads); i++)
		(void)usleep(1000);
	atomic_store(&t.stop, true);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_join(readers[i], NULL), 0);
	assert_null(t.fault);
	assert_true(atomic_load(&t.reads) > 0);
	segment_writer_free(&w);
}

static void test_threads(void **state)
{
	(void)state;
	readers_and_writer(SEGMENT_SIZE);
	readers_and_writer(SMALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),  cmocka_unit_test(test_parts),   cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_full),   cmocka_unit_test(test_seals),   cmocka_unit_test(test_limit),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_threads),
	};

	return RUN_TESTS(tests);
}
