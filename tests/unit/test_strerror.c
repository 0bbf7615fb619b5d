/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libvdeplug_mod.h>

static char unknown[] = "no-such-scheme://x";

static void nothing_failed_yet(void **state)
{
	(void)state;
	assert_string_equal(vde_strerror(), "");
}

static void a_plugin_says_why(void **state)
{
	(void)state;
	vde_error_set(EPERM, "not %s", "today");
	assert_int_equal(errno, EPERM);
	assert_string_equal(vde_strerror(), "not today");
	vde_error_set(EINVAL, "again: %s", vde_strerror());
	assert_string_equal(vde_strerror(), "again: not today");
}

static void an_open_says_why(void **state)
{
	(void)state;
	errno = 0;
	assert_null(vde_open(unknown, NULL, NULL));
	assert_int_equal(errno, EPROTONOSUPPORT);
	assert_non_null(strstr(vde_strerror(), "there is no plug-in 'no-such-scheme'"));
}

static void calls_without_a_connection_fail(void **state)
{
	char frame[14];

	(void)state;
	errno = 0;
	assert_int_equal(vde_recv(NULL, frame, sizeof(frame), 0), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(vde_send(NULL, frame, sizeof(frame), 0), -1);
	assert_int_equal(vde_datafd(NULL), -1);
	assert_int_equal(vde_ctlfd(NULL), -1);
	errno = 0;
	assert_int_equal(vde_close(NULL), -1);
	assert_int_equal(errno, EBADF);
}

static void *other_thread(void *argument)
{
	(void)argument;
	return *vde_strerror() ? argument : NULL;
}

static void threads_are_apart(void **state)
{
	pthread_t thread;
	void *result;
	int mark;

	(void)state;
	vde_error_set(EPERM, "mine");
	assert_int_equal(pthread_create(&thread, NULL, other_thread, &mark), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_null(result);
	assert_string_equal(vde_strerror(), "mine");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_failed_yet),
		cmocka_unit_test(a_plugin_says_why),
		cmocka_unit_test(an_open_says_why),
		cmocka_unit_test(calls_without_a_connection_fail),
		cmocka_unit_test(threads_are_apart),
	};

	(void)setenv("VDEPLUGIN_PATH", "/nonexistent", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
