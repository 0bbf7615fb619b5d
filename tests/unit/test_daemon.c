/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/daemon.h"
#include "base/io.h"

struct fixture {
	char dir[64];
	char pid_file[96];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	(void)test_directory(f->dir);
	(void)snprintf(f->pid_file, sizeof(f->pid_file), "%s/pid", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)unlink(f->pid_file);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void pid_file(void **state)
{
	struct fixture *f = *state;
	struct daemon d = DAEMON_INIT;
	char text[64], expected[64];

	d.pid_file = f->pid_file;
	assert_int_equal(daemon_begin(&d, NULL), 0);
	assert_int_equal(daemon_write_pid(&d, NULL), 0);
	(void)snprintf(expected, sizeof(expected), "%ld\n", (long)getpid());
	assert_string_equal(test_read_file(f->pid_file, text, sizeof(text)), expected);
	assert_int_equal(daemon_ready(&d, NULL), 0); /* is written already: no error */
	daemon_end(&d);
	assert_int_equal(access(f->pid_file, F_OK), -1);
	daemon_end(&d);
}

static void existing_pid_file_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct error error = { 0 };
	char text[64];

	(void)snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	for (int i = 0; i < 3; i++) {
		struct daemon d = DAEMON_INIT;

		/* of a process that lives, and files that were never ours */
		test_write_file(f->pid_file, i == 0 ? text : i == 1 ? "" : "important\n");
		d.pid_file = f->pid_file;
		assert_int_equal(daemon_write_pid(&d, &error), -EEXIST);
		assert_non_null(strstr(error_text(&error), f->pid_file));
		daemon_end(&d);
		assert_int_equal(access(f->pid_file, F_OK), 0); /* not removed: it is not ours */
	}
}

/* The pid of a process that ended and was waited for. */
static pid_t dead_pid(void)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	return child;
}

static void pid_file_of_the_dead_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct daemon d = DAEMON_INIT;
	char text[64];

	(void)snprintf(text, sizeof(text), "%ld\n", (long)dead_pid());
	test_write_file(f->pid_file, text);
	d.pid_file = f->pid_file;
	assert_int_equal(daemon_write_pid(&d, NULL), 0);
	assert_int_equal(atol(test_read_file(f->pid_file, text, sizeof(text))), getpid());
	daemon_end(&d);
}

/* A process that goes on in the place of a running one has its pid file when it is ready. */
static void pid_file_of_a_predecessor(void **state)
{
	struct fixture *f = *state;
	struct daemon d = DAEMON_INIT;
	char text[64], other[128];

	test_write_file(f->pid_file, "12345678901\n"); /* longer than ours */
	d.pid_file = f->pid_file;
	assert_int_equal(daemon_adopt_pid(&d, NULL, NULL), -EEXIST); /* that one has none */
	assert_int_equal(daemon_adopt_pid(&d, f->pid_file, NULL), 0);
	assert_string_equal(d.pid_path, f->pid_file);
	daemon_end(&d); /* it came to nothing */
	assert_string_equal(test_read_file(f->pid_file, text, sizeof(text)), "12345678901\n");
	assert_int_equal(daemon_adopt_pid(&d, f->pid_file, NULL), 0);
	assert_string_equal(test_read_file(f->pid_file, text, sizeof(text)), "12345678901\n");
	assert_int_equal(daemon_ready(&d, NULL), 0);
	(void)snprintf(other, sizeof(other), "%ld\n", (long)getpid());
	assert_string_equal(test_read_file(f->pid_file, text, sizeof(text)), other);
	daemon_end(&d);
	assert_int_equal(access(f->pid_file, F_OK), -1);
	/* One of another name is made as ever. */
	(void)snprintf(other, sizeof(other), "%s/other", f->dir);
	assert_int_equal(daemon_adopt_pid(&d, other, NULL), 0);
	assert_int_equal(access(f->pid_file, F_OK), 0);
	daemon_end(&d);
}

static void odd_things_in_place_of_the_pid_file(void **state)
{
	struct fixture *f = *state;
	struct daemon d = DAEMON_INIT;

	d.pid_file = f->pid_file;
	assert_int_equal(mkfifo(f->pid_file, 0600), 0); /* must not hang */
	assert_int_equal(daemon_write_pid(&d, NULL), -EEXIST);
	assert_int_equal(unlink(f->pid_file), 0);
	assert_int_equal(symlink("/nowhere/else", f->pid_file), 0); /* must not be followed */
	assert_int_equal(daemon_write_pid(&d, NULL), -EEXIST);
	d.pid_file = "/nowhere/at/all";
	assert_int_equal(daemon_write_pid(&d, NULL), -ENOENT);
	daemon_end(&d);
}

static void relative_pid_file(void **state)
{
	struct fixture *f = *state;
	struct daemon d = DAEMON_INIT;
	int old = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(chdir(f->dir), 0);
	d.pid_file = "pid";
	assert_int_equal(daemon_write_pid(&d, NULL), 0);
	assert_int_equal(fchdir(old), 0);
	(void)close(old);
	assert_int_equal(access(f->pid_file, F_OK), 0);
	daemon_end(&d); /* the directory has changed, the name was kept */
	assert_int_equal(access(f->pid_file, F_OK), -1);
}

static void ready_descriptor(void **state)
{
	struct daemon d = DAEMON_INIT;
	int ends[2];
	char text[8];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	d.ready_fd = ends[1];
	assert_int_equal(daemon_ready(&d, NULL), 0);
	assert_int_equal(d.ready_fd, -1);
	assert_int_equal(io_read_full(ends[0], text, sizeof(text)), 1);
	assert_int_equal(text[0], '\n');
	(void)close(ends[0]);
	daemon_end(&d);
}

/* Who started us may be gone: no SIGPIPE. */
static void ready_descriptor_without_reader(void **state)
{
	struct daemon d = DAEMON_INIT;
	struct sigaction now;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	(void)close(ends[0]);
	d.ready_fd = ends[1];
	assert_int_equal(daemon_ready(&d, NULL), 0);
	assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
	assert_ptr_equal(now.sa_handler, SIG_DFL);
}

/* What the parent of a detaching program sees: its exit status. */
static int status_of_parent(void (*child)(struct daemon *d), pid_t *ret_parent, const char *pid_file)
{
	pid_t parent = fork();
	int status;

	assert_true(parent >= 0);
	if (parent == 0) {
		struct daemon d = DAEMON_INIT;

		d.detach = true;
		d.pid_file = pid_file;
		if (daemon_begin(&d, NULL) < 0) /* the first process ends in here */
			_exit(99);
		child(&d);
		_exit(0);
	}
	assert_int_equal(waitpid(parent, &status, 0), parent);
	*ret_parent = parent;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void child_ready(struct daemon *d)
{
	struct stat null, in;

	if (getsid(0) != getpid())
		_exit(1);
	if (daemon_ready(d, NULL) < 0)
		_exit(2);
	if (stat("/dev/null", &null) < 0 || fstat(0, &in) < 0 || null.st_rdev != in.st_rdev)
		(void)unlink(d->pid_file); /* the test then misses it */
	_exit(0); /* without daemon_end(): the pid file stays for the test */
}

static void child_fails(struct daemon *d)
{
	(void)d;
	_exit(7);
}

static void child_ends_without_a_word(struct daemon *d)
{
	(void)d;
	_exit(0);
}

static void child_is_killed(struct daemon *d)
{
	(void)d;
	(void)raise(SIGKILL);
}

static void detaching(void **state)
{
	struct fixture *f = *state;
	char text[64];
	pid_t parent;

	assert_int_equal(status_of_parent(child_ready, &parent, f->pid_file), 0);
	assert_true(atol(test_read_file(f->pid_file, text, sizeof(text))) > 0);
	assert_int_not_equal(atol(text), parent);
	assert_int_equal(status_of_parent(child_fails, &parent, NULL), 7);
	assert_int_equal(status_of_parent(child_ends_without_a_word, &parent, NULL), 1);
	assert_int_equal(status_of_parent(child_is_killed, &parent, NULL), 1);
}

static void notice_to(const char *value, const struct sockaddr_un *addr, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct daemon d = DAEMON_INIT;
	char text[32] = "";

	assert_int_equal(bind(fd, (const struct sockaddr *)addr, len), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", value, 1), 0);
	assert_int_equal(daemon_ready(&d, NULL), 0);
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "READY=1");
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	(void)close(fd);
}

static void service_manager(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un addr;
	char name[64], long_name[300];
	socklen_t len;

	assert_int_equal(io_unix_address(&addr, f->pid_file, &len), 0);
	notice_to(f->pid_file, &addr, len);
	(void)snprintf(name, sizeof(name), "@vsunit-%ld", (long)getpid());
	addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(addr.sun_path + 1, name + 1, strlen(name) - 1);
	notice_to(name, &addr, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name)));

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[0] = '/';
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(setenv("NOTIFY_SOCKET", long_name, 1), 0);
	daemon_notify("STOPPING=1"); /* too long, and no such form: quietly nothing */
	assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
	daemon_notify("STOPPING=1");
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

static void listening_descriptors(void **state)
{
	char pid[32];

	(void)state;
	(void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	assert_int_equal(daemon_listen_fds(), 0);
	assert_int_equal(setenv("LISTEN_FDS", "1", 1), 0);
	assert_int_equal(setenv("LISTEN_PID", "1", 1), 0);
	assert_int_equal(daemon_listen_fds(), 0); /* meant for another process */
	assert_int_equal(setenv("LISTEN_PID", pid, 1), 0);
	assert_int_equal(daemon_listen_fds(), 1);
	assert_int_equal(setenv("LISTEN_FDS", "65", 1), 0);
	assert_int_equal(daemon_listen_fds(), 0);
	assert_int_equal(setenv("LISTEN_FDS", "x", 1), 0);
	assert_int_equal(daemon_listen_fds(), 0);
	assert_int_equal(unsetenv("LISTEN_FDS"), 0);
	assert_int_equal(unsetenv("LISTEN_PID"), 0);
}

#define DAEMON_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DAEMON_TEST(pid_file),
		DAEMON_TEST(existing_pid_file_is_an_error),
		DAEMON_TEST(pid_file_of_the_dead_is_replaced),
		DAEMON_TEST(pid_file_of_a_predecessor),
		DAEMON_TEST(odd_things_in_place_of_the_pid_file),
		DAEMON_TEST(relative_pid_file),
		DAEMON_TEST(ready_descriptor),
		DAEMON_TEST(ready_descriptor_without_reader),
		DAEMON_TEST(detaching),
		DAEMON_TEST(service_manager),
		DAEMON_TEST(listening_descriptors),
	};

	return RUN_TESTS(tests);
}
