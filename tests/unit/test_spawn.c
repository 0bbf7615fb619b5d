/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/spawn.h"

/*
 * Runs COMMAND in a shell whose descriptor TO (-1: of the same number as here) is a pipe, $TO, and gives
 * what it writes there.
 */
static const char *output_of(const char *command, int to, const sigset_t *defaults, bool own_group,
			     pid_t *ret_pid)
{
	static char text[256];
	char shell[] = "sh", option[] = "-c", words[256], number[16];
	char *argv[] = { shell, option, words, NULL };
	int ends[2], status;
	struct spawn_fd fd;
	struct spawn_plan plan = { .argv = argv, .fds = &fd, .num_fds = 1, .defaults = defaults,
				   .own_group = own_group };
	ssize_t len;

	assert_int_equal(str_copy(words, sizeof(words), command), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fd = (struct spawn_fd){ ends[1], to < 0 ? ends[1] : to };
	(void)snprintf(number, sizeof(number), "%d", fd.to);
	assert_int_equal(setenv("TO", number, 1), 0);
	assert_int_equal(spawn_program(&plan, ret_pid), 0);
	(void)close(ends[1]);
	len = io_read_full(ends[0], text, sizeof(text) - 1);
	assert_true(len >= 0);
	text[len] = '\0';
	(void)close(ends[0]);
	assert_int_equal(waitpid(*ret_pid, &status, 0), *ret_pid);
	assert_int_equal(status, 0);
	return text;
}

/* A descriptor gets its number; the other end of the pipe does not come along, or this would hang. */
static void descriptors(void **state)
{
	sigset_t none;
	pid_t pid;

	(void)state;
	(void)sigemptyset(&none);
	assert_string_equal(output_of("echo one", STDOUT_FILENO, &none, false, &pid), "one\n");
	assert_string_equal(output_of("echo seven >&7", 7, &none, false, &pid), "seven\n");
	assert_string_equal(output_of("echo same >/dev/fd/$TO", -1, &none, false, &pid), "same\n");
}

/* A mask of /proc/PID/status in a new program. */
static uint64_t mask_of(const char *name, const sigset_t *defaults)
{
	char command[128];
	pid_t pid;

	(void)snprintf(command, sizeof(command), "sed -n 's/^%s://p' /proc/self/status", name);
	return strtoull(output_of(command, STDOUT_FILENO, defaults, false, &pid), NULL, 16);
}

static uint64_t bit_of(int signal)
{
	return UINT64_C(1) << (signal - 1);
}

/* Nothing is blocked; of what is ignored here only that which is named is usual there. */
static void signals(void **state)
{
	const uint64_t both = bit_of(SIGPIPE) | bit_of(SIGHUP);
	sigset_t defaults, blocked, before;

	(void)state;
	(void)sigemptyset(&defaults);
	(void)sigaddset(&defaults, SIGPIPE);
	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, SIGUSR1);
	(void)sigprocmask(SIG_SETMASK, &blocked, &before);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	assert_int_equal(mask_of("SigBlk", &defaults), 0);
	assert_int_equal(mask_of("SigIgn", &defaults) & both, bit_of(SIGHUP));
	(void)sigfillset(&defaults);
	assert_int_equal(mask_of("SigIgn", &defaults) & both, 0);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGHUP, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
}

static void groups(void **state)
{
	static const char command[] = "cut -d' ' -f5 /proc/$$/stat";
	sigset_t none;
	pid_t pid, group;

	(void)state;
	(void)sigemptyset(&none);
	group = atoi(output_of(command, STDOUT_FILENO, &none, false, &pid));
	assert_int_equal(group, getpgrp());
	group = atoi(output_of(command, STDOUT_FILENO, &none, true, &pid));
	assert_int_equal(group, pid);
}

static void no_such_program(void **state)
{
	char name[] = "no-such-program-here";
	char *argv[] = { name, NULL };
	sigset_t none;
	struct spawn_plan plan = { .argv = argv, .defaults = &none };
	pid_t pid;

	(void)state;
	(void)sigemptyset(&none);
	assert_int_equal(spawn_program(&plan, &pid), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors),
		cmocka_unit_test(signals),
		cmocka_unit_test(groups),
		cmocka_unit_test(no_such_program),
	};

	return RUN_TESTS(tests);
}
