/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each test enters the sandbox in a child, which tells by its exit status what it could do. */
#include "test.h"

#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/log.h"
#include "vde/switch/sandbox.h"

static char directory[64];
static char own[80], allowed[80], other[80];

static int set_up(void **state)
{
	(void)state;
	test_directory(directory);
	(void)snprintf(own, sizeof(own), "%s/ctl", directory);
	(void)snprintf(allowed, sizeof(allowed), "%s/allowed", directory);
	(void)snprintf(other, sizeof(other), "%s/other", directory);
	return mkdir(own, 0700) | mkdir(allowed, 0700) | mkdir(other, 0700);
}

static int tear_down(void **state)
{
	static const char *const names[] = { "allowed/file", "other/file", "allowed/sub" };
	char path[96];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		(void)remove(path);
	}
	(void)rmdir(own);
	return rmdir(allowed) | rmdir(other) | rmdir(directory);
}

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 1;
}

/* Runs PROBE in a child inside the sandbox; it returns 0, or the line number of what went wrong. */
static void inside(int (*probe)(const struct vde_switch *sw))
{
	struct vde_switch sw = { .dir = own };
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct error error = { 0 };

		sw.settings.allow_paths = (struct option_list){ .count = 1, .item = { allowed } };
		if (sandbox_enter(&sw, &error) < 0) {
			print_error("%s\n", error_text(&error));
			_exit(1);
		}
		status = probe(&sw);
		if (status)
			print_error("line %d: errno %d\n", status, errno);
		_exit(status != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status)); /* a forbidden call is no death */
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define EXPECT(condition)                \
	do {                             \
		if (!(condition))        \
			return __LINE__; \
	} while (0)

static bool can_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	return fd >= 0 && close(fd) == 0;
}

static bool can_make_socket(const char *folder)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool done;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	done = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	       chmod(address.sun_path, 0660) == 0 &&
	       chown(address.sun_path, (uid_t)-1, getgid()) == 0 && unlink(address.sun_path) == 0;
	(void)close(fd);
	return done;
}

static int probe_allowed(const struct vde_switch *sw)
{
	char path[96];

	(void)sw;
	(void)snprintf(path, sizeof(path), "%s/file", allowed);
	EXPECT(can_open(path, O_WRONLY | O_CREAT));
	EXPECT(can_open(path, O_WRONLY | O_TRUNC));
	EXPECT(can_open(path, O_RDONLY));
	EXPECT(unlink(path) == 0);
	(void)snprintf(path, sizeof(path), "%s/sub", allowed);
	EXPECT(mkdir(path, 0700) == 0 && rmdir(path) == 0);
	EXPECT(can_make_socket(own));
	EXPECT(can_open(own, O_RDONLY | O_DIRECTORY));
	EXPECT(can_open("/etc/passwd", O_RDONLY));
	EXPECT(can_open("/dev/null", O_RDWR));
	EXPECT(rmdir(own) == 0); /* the last thing a switch does */
	return 0;
}

static int probe_denied(const struct vde_switch *sw)
{
	struct error error = { 0 };
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/file", other);
	EXPECT(!can_open(path, O_WRONLY | O_CREAT) && errno == EACCES);
	EXPECT(sandbox_explain(sw, EACCES, path, &error));
	EXPECT(strstr(error.text, "--allow-path") && strstr(error.text, other));
	EXPECT(!can_open(other, O_RDONLY | O_DIRECTORY) && errno == EACCES);
	EXPECT(!can_make_socket(other));
	EXPECT(!can_open("/etc/passwd", O_WRONLY) && (errno == EACCES));
	EXPECT(!can_open("/var", O_RDONLY | O_DIRECTORY) && errno == EACCES);
	(void)snprintf(path, sizeof(path), "%s/file", own);
	EXPECT(!can_open(path, O_WRONLY | O_CREAT)); /* sockets only */
	EXPECT(!sandbox_explain(sw, ENOENT, path, &error));
	EXPECT(!sandbox_explain(sw, EACCES, "/nonexistent/file", &error));
	return 0;
}

static void allows(void **state)
{
	(void)state;
	inside(probe_allowed);
}

static void denies_files(void **state)
{
	(void)state;
	if (!has_landlock())
		skip();
	inside(probe_denied);
}

#ifndef __SANITIZE_ADDRESS__ /* its leak check needs a few of them */
static int probe_calls(const struct vde_switch *sw)
{
	static const char *const nothing[] = { "true", NULL };
	struct addrinfo *found = NULL;
	void *memory;

	(void)sw;
	EXPECT(execv("/bin/true", (char **)nothing) < 0 && errno == EPERM);
	EXPECT(fork() < 0 && errno == EPERM);
	EXPECT(syscall(SYS_unshare, 0) < 0 && errno == EPERM);
	EXPECT(syscall(SYS_mount, "a", "b", "c", 0, NULL) < 0 && errno == EPERM);
	EXPECT(syscall(SYS_setns, -1, 0) < 0 && errno == EPERM);
	EXPECT(syscall(SYS_bpf, 0, NULL, 0) < 0 && errno == EPERM);
	EXPECT(syscall(SYS_keyctl, 0, 0, 0) < 0 && errno == EPERM);
	EXPECT(syscall(4095) < 0 && errno == ENOSYS);
	EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(memory != MAP_FAILED); /* as dlopen(3) does */
	EXPECT(getaddrinfo("127.0.0.1", "1", NULL, &found) == 0);
	freeaddrinfo(found);
	return 0;
}

static void denies_calls(void **state)
{
	(void)state;
	inside(probe_calls);
}
#endif

static void off(void **state)
{
	struct vde_switch sw = { .settings.no_sandbox = true };
	struct error error = { 0 };

	(void)state;
	assert_int_equal(sandbox_enter(&sw, &error), 0);
	assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	assert_false(sandbox_explain(&sw, EACCES, other, &error));
}

/* A path that was asked for has to be there: a silent omission would show much later. */
static void missing_path(void **state)
{
	struct vde_switch sw = { 0 };

	(void)state;
	sw.settings.allow_paths = (struct option_list){ .count = 2, .item = { "/", "/nonexistent" } };
	assert_int_equal(sandbox_check(&sw, NULL), -ENOENT);
	sw.settings.allow_paths.count = 1;
	assert_int_equal(sandbox_check(&sw, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(allows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(denies_files, set_up, tear_down),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test_setup_teardown(denies_calls, set_up, tear_down),
#endif
		cmocka_unit_test(off),
		cmocka_unit_test(missing_path),
	};

	return RUN_TESTS(tests);
}
