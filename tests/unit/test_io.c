/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/io.h"

#define BIG (1 << 20)

static void *read_everything(void *argument)
{
	static char data[BIG];

	return (void *)(intptr_t)(io_read_full(*(int *)argument, data, BIG) == BIG ? data[BIG - 1] : -1);
}

/* More than a pipe holds, through a non-blocking descriptor. */
static void write_all_waits(void **state)
{
	static char data[BIG];
	pthread_t reader;
	void *result;
	int ends[2];

	(void)state;
	data[BIG - 1] = 77;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_everything, &ends[0]), 0);
	assert_int_equal(io_write_all(ends[1], data, BIG), 0);
	assert_int_equal(pthread_join(reader, &result), 0);
	assert_int_equal((intptr_t)result, 77);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void read_to_the_end(void **state)
{
	char data[8];
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(io_write_all(ends[1], "abc", 3), 0);
	assert_int_equal(io_write_all(ends[1], "", 0), 0);
	(void)close(ends[1]);
	assert_int_equal(io_read_full(ends[0], data, sizeof(data)), 3);
	assert_int_equal(io_read(ends[0], data, sizeof(data)), 0);
	(void)close(ends[0]);
	assert_int_equal(io_read(ends[0], data, 1), -EBADF);
	assert_int_equal(io_read_full(ends[0], data, 1), -EBADF);
	assert_int_equal(io_write_all(ends[0], data, 1), -EBADF);
	assert_int_equal(io_set_nonblock(ends[0], true), -EBADF);
	assert_int_equal(io_set_cloexec(ends[0], true), -EBADF);
}

static void flags(void **state)
{
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(io_set_nonblock(fd, true), 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(io_set_nonblock(fd, false), 0);
	assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(io_set_cloexec(fd, true), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(io_set_cloexec(fd, false), 0);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	(void)close(fd);
}

static void addresses(void **state)
{
	struct sockaddr_un addr;
	char path[120];
	socklen_t len;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[107] = '\0';
	assert_int_equal(io_unix_address(&addr, path, &len), 0);
	assert_int_equal(len, sizeof(addr));
	assert_string_equal(addr.sun_path, path);
	path[107] = 'x';
	path[108] = '\0';
	assert_int_equal(io_unix_address(&addr, path, &len), -ENAMETOOLONG);
	assert_int_equal(io_unix_address(&addr, "", &len), -ENOENT);
	assert_int_equal(io_listen_unix("", SOCK_STREAM, 0600, (gid_t)-1, 1), -ENOENT);
	assert_int_equal(io_connect_unix(path, SOCK_STREAM), -ENAMETOOLONG);
}

struct fixture {
	char dir[64];
	char path[96];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	(void)test_directory(f->dir);
	(void)snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void assert_mode(const char *path, mode_t mode)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
}

static void listening(void **state)
{
	struct fixture *f = *state;
	int fd = io_listen_unix(f->path, SOCK_STREAM, 0660, getegid(), 5), client;

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_mode(f->path, 0660);
	client = io_connect_unix(f->path, SOCK_STREAM);
	assert_true(client >= 0);
	assert_int_equal(fcntl(client, F_GETFD), FD_CLOEXEC);
	(void)close(client);
	assert_true(io_unix_alive(f->path, SOCK_STREAM));
	assert_int_equal(io_listen_unix(f->path, SOCK_STREAM, 0600, (gid_t)-1, 5), -EADDRINUSE);
	assert_mode(f->path, 0660);
	(void)close(fd);
	assert_false(io_unix_alive(f->path, SOCK_STREAM));
}

static void full_backlog_is_alive(void **state)
{
	struct fixture *f = *state;
	int fd = io_listen_unix(f->path, SOCK_STREAM, 0600, (gid_t)-1, 0), clients[4];

	assert_true(fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		clients[i] = io_connect_unix(f->path, SOCK_STREAM | SOCK_NONBLOCK);
	assert_int_equal(clients[3], -EAGAIN);
	assert_true(io_unix_alive(f->path, SOCK_STREAM));
	assert_int_equal(io_listen_unix(f->path, SOCK_STREAM, 0600, (gid_t)-1, 5), -EADDRINUSE);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		if (clients[i] >= 0)
			(void)close(clients[i]);
	(void)close(fd);
}

static void stale_socket_is_replaced(void **state)
{
	struct fixture *f = *state;
	int fd = io_listen_unix(f->path, SOCK_STREAM, 0600, (gid_t)-1, 5);

	(void)close(fd); /* as a crash: the name stays */
	assert_int_equal(access(f->path, F_OK), 0);
	fd = io_listen_unix(f->path, SOCK_STREAM, 0600, (gid_t)-1, 5);
	assert_true(fd >= 0);
	assert_true(io_unix_alive(f->path, SOCK_STREAM));
	(void)close(fd);
}

static void other_things_are_not_replaced(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un addr;
	socklen_t len;
	int fd;

	test_write_file(f->path, "precious");
	assert_int_equal(io_listen_unix(f->path, SOCK_STREAM, 0600, (gid_t)-1, 5), -EADDRINUSE);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(symlink("/nowhere", f->path), 0);
	assert_int_equal(io_listen_unix(f->path, SOCK_STREAM, 0600, (gid_t)-1, 5), -EADDRINUSE);
	assert_int_equal(unlink(f->path), 0);

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* somebody's, of another type */
	assert_int_equal(io_unix_address(&addr, f->path, &len), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(io_listen_unix(f->path, SOCK_STREAM, 0600, (gid_t)-1, 5), -EADDRINUSE);
	assert_true(io_unix_alive(f->path, SOCK_DGRAM));
	(void)close(fd);
}

static void no_directory(void **state)
{
	(void)state;
	assert_int_equal(io_listen_unix("/nowhere/at/all", SOCK_STREAM, 0600, (gid_t)-1, 5), -ENOENT);
	assert_int_equal(io_connect_unix("/nowhere/at/all", SOCK_STREAM), -ENOENT);
	assert_false(io_unix_alive("/nowhere/at/all", SOCK_STREAM));
}

#define IO_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_all_waits),
		cmocka_unit_test(read_to_the_end),
		cmocka_unit_test(flags),
		cmocka_unit_test(addresses),
		IO_TEST(listening),
		IO_TEST(full_backlog_is_alive),
		IO_TEST(stale_socket_is_replaced),
		IO_TEST(other_things_are_not_replaced),
		cmocka_unit_test(no_directory),
	};

	return RUN_TESTS(tests);
}
