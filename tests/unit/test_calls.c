/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables as the dispatcher reads them: rows, descriptors, paths, handlers. */
#include "test.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "vuos/resident/calls.h"

static const struct call_row *row_of(unsigned number, const char *name)
{
	const struct call_row *row = call_row(number);

	assert_non_null(row);
	assert_string_equal(call_name(row), name);
	return row;
}

static void numbers(void **state)
{
	(void)state;
	row_of(SYS_read, "read");
	row_of(SYS_openat2, "openat2");
	row_of(CALL_COUNT - 1, "file_setattr");
	assert_null(call_row(400));
	assert_null(call_row(CALL_COUNT));
	assert_null(call_row(UINT64_MAX));
}

static void handlers(void **state)
{
	const struct call_row *row = row_of(SYS_io_uring_setup, "io_uring_setup");

	(void)state;
	assert_int_equal(row->level, CALL_LEVEL_REFUSED);
	assert_int_equal(row->handler, CALL_HANDLER_REFUSE);
	assert_int_equal(row->error, EPERM);
	row = row_of(SYS_rt_sigaction, "rt_sigaction");
	assert_int_equal(row->handler, CALL_HANDLER_RT_SIGACTION);
	assert_string_equal(call_strings + call_handler_names[row->handler], "rt_sigaction");
	assert_string_equal(call_strings + call_class_names[row->class_], "signal");
	for (unsigned i = 0; i < CALL_COUNT; i++)
		assert_int_equal(call_rows[i].handler == CALL_HANDLER_NATIVE,
				 call_rows[i].level == CALL_LEVEL_NATIVE ||
					 call_rows[i].level == CALL_LEVEL_ABSENT);
}

static void waiting(void **state)
{
	(void)state;
	assert_true(row_of(SYS_read, "read")->waits);
	assert_true(row_of(SYS_futex, "futex")->waits);
	assert_false(row_of(SYS_getpid, "getpid")->waits);
}

static void descriptors(void **state)
{
	const struct call_row *row = row_of(SYS_splice, "splice");

	(void)state;
	assert_int_equal(row->descriptors, 1 << 0 | 1 << 2);
	assert_int_equal(row->virtual_[0], CALL_ON_EMULATED);
	assert_int_equal(row->virtual_[1], CALL_ON_NONE);
	assert_int_equal(row_of(SYS_read, "read")->virtual_[0], CALL_ON_SLOT);
	assert_int_equal(row_of(SYS_timerfd_settime, "timerfd_settime")->virtual_[0], EINVAL);
	assert_int_equal(row_of(SYS_mmap, "mmap")->descriptors, 1 << 4);
	assert_int_equal(row_of(SYS_getpid, "getpid")->descriptors, 0);
}

static void paths(void **state)
{
	const struct call_row *row = row_of(SYS_linkat, "linkat");
	const struct call_path *path = &call_paths[row->first_path];

	(void)state;
	assert_int_equal(row->paths, 2);
	assert_int_equal(path[0].argument, 1);
	assert_int_equal(path[0].at, 0);
	assert_int_equal(path[0].flags, 4);
	assert_int_equal(path[0].follow, CALL_FOLLOW_FOLLOW_IF);
	assert_int_equal(path[0].follow_mask, AT_SYMLINK_FOLLOW);
	assert_int_equal(path[0].empty_mask, AT_EMPTY_PATH);
	assert_int_equal(path[1].argument, 3);
	assert_int_equal(path[1].at, 2);
	assert_int_equal(path[1].follow, CALL_FOLLOW_NOFOLLOW);
	assert_int_equal(path[1].empty_mask, 0);
	path = &call_paths[row_of(SYS_chdir, "chdir")->first_path];
	assert_int_equal(path->at, -1);
	assert_int_equal(path->follow, CALL_FOLLOW_FOLLOW);
	path = &call_paths[row_of(SYS_readlinkat, "readlinkat")->first_path];
	assert_int_equal(path->empty_mask, UINT32_MAX);
	path = &call_paths[row_of(SYS_openat2, "openat2")->first_path];
	assert_int_equal(path->flags, 2);
	assert_int_equal(path->follow_mask, O_NOFOLLOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(handlers),
		cmocka_unit_test(waiting),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(paths),
	};

	return RUN_TESTS(tests);
}
