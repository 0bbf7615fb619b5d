/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "base/shared_lock.h"

struct memory {
	struct shared_lock lock;
	long count; /* what the lock guards */
};

static int setup(void **state)
{
	struct memory *memory = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(memory != MAP_FAILED);
	assert_int_equal(shared_lock_init(&memory->lock), 0);
	*state = memory;
	return 0;
}

static int teardown(void **state)
{
	return munmap(*state, sizeof(struct memory));
}

static int status_of(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void alone(void **state)
{
	struct memory *m = *state;

	assert_false(shared_lock_mine(&m->lock));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(shared_lock_take(&m->lock), 0);
		assert_true(shared_lock_mine(&m->lock));
		assert_int_equal(shared_lock_take(&m->lock), -EDEADLK);
		shared_lock_drop(&m->lock);
		assert_false(shared_lock_mine(&m->lock));
	}
}

/* A lock that the parent has is not the child's, which cannot drop it either. */
static void of_the_parent(void **state)
{
	struct memory *m = *state;
	pid_t child;

	assert_int_equal(shared_lock_take(&m->lock), 0);
	child = fork();
	if (child == 0) {
		bool mine = shared_lock_mine(&m->lock);

		shared_lock_drop(&m->lock);
		_exit(mine);
	}
	assert_int_equal(status_of(child), 0);
	assert_true(shared_lock_mine(&m->lock));
	shared_lock_drop(&m->lock);
}

/* The death of the owner is told once. */
static void dead_owner(void **state)
{
	struct memory *m = *state;

	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(shared_lock_take(&m->lock) == 0 ? 0 : 1);
		assert_int_equal(status_of(child), 0);
		if (i < 2) {
			assert_int_equal(shared_lock_take(&m->lock), 1);
			shared_lock_drop(&m->lock);
		} else {
			assert_false(shared_lock_mine(&m->lock));
		}
		assert_int_equal(shared_lock_take(&m->lock), 0);
		shared_lock_drop(&m->lock);
	}
}

#define ROUNDS 20000

static void count(struct memory *m)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (shared_lock_take(&m->lock) < 0)
			_exit(1);
		*(volatile long *)&m->count = *(volatile long *)&m->count + 1;
		shared_lock_drop(&m->lock);
	}
}

static void *count_in_thread(void *object)
{
	count(object);
	return NULL;
}

static void crowd(void **state)
{
	struct memory *m = *state;
	pthread_t thread;
	pid_t child = fork();

	if (child == 0) {
		count(m);
		_exit(0);
	}
	assert_int_equal(pthread_create(&thread, NULL, count_in_thread, m), 0);
	count(m);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(status_of(child), 0);
	assert_int_equal(m->count, 3 * ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(alone, setup, teardown),
		cmocka_unit_test_setup_teardown(of_the_parent, setup, teardown),
		cmocka_unit_test_setup_teardown(dead_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(crowd, setup, teardown),
	};

	return RUN_TESTS(tests);
}
