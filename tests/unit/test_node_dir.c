/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "vde/plugins/node_dir.h"

static void test_own_names(void **state)
{
	static const char *const own[] = { "ctl", "ring", "fd0", "fd123456", ".1-0", ".00042-00007" };
	static const char *const foreign[] = { "", "ct", "ctl2", "fd", "fdx", "fd1x", "fd-1", ".", "..",
					       ".1", ".1-", ".-1", ".1-2-3", "001.4", "ring2", "x.1-2" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		assert_true(node_dir_own_name(own[i]));
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		assert_false(node_dir_own_name(foreign[i]));
}

/* A path for a node in a new temporary directory. */
struct place {
	char dir[32];
	char path[64];
};

static struct place place_new(void)
{
	struct place p = { .dir = "/tmp/vsdirXXXXXX" };

	assert_non_null(mkdtemp(p.dir));
	(void)snprintf(p.path, sizeof(p.path), "%s/n", p.dir);
	return p;
}

static void place_done(const struct place *p)
{
	(void)rmdir(p->path);
	assert_int_equal(rmdir(p->dir), 0);
}

static int make(struct node_dir *d, const char *path)
{
	struct error error = { 0 };
	int r;

	*d = (struct node_dir)NODE_DIR_NONE;
	r = node_dir_make(d, path, 02700, (gid_t)-1, &error);
	assert_int_equal(r, -error.code);
	if (r < 0) {
		assert_true(error.text[0] != '\0');
		node_dir_done(d);
	}
	return r;
}

static void test_make_and_done(void **state)
{
	struct place p = place_new();
	struct node_dir d;
	struct stat st;

	(void)state;
	assert_int_equal(make(&d, p.path), 0);
	assert_string_equal(d.path, p.path);
	assert_int_equal(stat(p.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 02700);
	node_dir_done(&d);
	assert_int_equal(stat(p.path, &st), -1);
	node_dir_done(&d);
	place_done(&p);
}

/* A control socket in the directory, and nobody there. */
static void leave_control(const char *dir)
{
	char name[96];
	auto_close int fd = -1;

	(void)snprintf(name, sizeof(name), "%s/ctl", dir);
	fd = io_listen_unix(name, SOCK_STREAM, 0600, (gid_t)-1, 1);
	assert_true(fd >= 0);
}

static void test_takes_over_what_a_crash_left(void **state)
{
	struct place p = place_new();
	struct node_dir d;

	(void)state;
	assert_int_equal(mkdir(p.path, 0700), 0);
	leave_control(p.path);
	assert_int_equal(make(&d, p.path), 0);
	node_dir_done(&d);
	place_done(&p);
}

static void test_leaves_a_live_one_alone(void **state)
{
	struct place p = place_new();
	struct node_dir d, other;
	char name[96];
	auto_close int fd = -1;

	(void)state;
	assert_int_equal(make(&d, p.path), 0);
	assert_int_equal(make(&other, p.path), -EADDRINUSE); /* locked */
	node_dir_done(&d);
	assert_int_equal(mkdir(p.path, 0700), 0);
	(void)snprintf(name, sizeof(name), "%s/ctl", p.path);
	fd = io_listen_unix(name, SOCK_STREAM, 0600, (gid_t)-1, 1);
	assert_int_equal(make(&other, p.path), -EADDRINUSE); /* answers */
	assert_int_equal(unlink(name), 0);
	place_done(&p);
}

static void test_leaves_other_things_alone(void **state)
{
	struct place p = place_new();
	struct node_dir d;
	char name[96];
	auto_close int fd = -1;

	(void)state;
	assert_int_equal(mkdir(p.path, 0700), 0);
	assert_int_equal(make(&d, p.path), -EEXIST); /* empty: somebody's */
	leave_control(p.path);
	(void)snprintf(name, sizeof(name), "%s/thesis", p.path);
	fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(make(&d, p.path), -EEXIST);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(make(&d, p.path), 0);
	node_dir_done(&d);
	assert_int_equal(symlink("/tmp", p.path), 0);
	assert_int_equal(make(&d, p.path), -EEXIST);
	assert_int_equal(unlink(p.path), 0);
	place_done(&p);
}

static void test_paths(void **state)
{
	struct place p = place_new();
	struct node_dir d;
	char name[200];

	(void)state;
	assert_int_equal(make(&d, "/nonexistent/n"), -ENOENT);
	(void)snprintf(name, sizeof(name), "%s/%0100d", p.dir, 1);
	assert_int_equal(make(&d, name), -ENAMETOOLONG);
	(void)snprintf(name, sizeof(name), "%s/../%s/n//", p.dir, p.dir + 5);
	assert_int_equal(make(&d, name), 0);
	assert_string_equal(d.path, p.path);
	node_dir_done(&d);
	place_done(&p);
}

static void test_default_path(void **state)
{
	struct place p = place_new();
	auto_free char *in_runtime = NULL, *in_tmp = NULL;

	(void)state;
	assert_int_equal(setenv("XDG_RUNTIME_DIR", p.dir, 1), 0);
	in_runtime = node_dir_default();
	assert_int_equal(setenv("XDG_RUNTIME_DIR", "/nonexistent", 1), 0);
	in_tmp = node_dir_default();
	assert_memory_equal(in_runtime, p.dir, strlen(p.dir));
	assert_memory_equal(in_runtime + strlen(p.dir), "/vdenode_", 9);
	assert_memory_equal(in_tmp, "/tmp/vdenode_", 13);
	place_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_names),
		cmocka_unit_test(test_make_and_done),
		cmocka_unit_test(test_takes_over_what_a_crash_left),
		cmocka_unit_test(test_leaves_a_live_one_alone),
		cmocka_unit_test(test_leaves_other_things_alone),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_default_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
