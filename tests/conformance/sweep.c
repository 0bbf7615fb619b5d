/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every call of the table with everything that may be wrong in each of its arguments, one at a time: memory
 * that is not there, or ends too early, descriptors and numbers of all kinds. Of most of them the manual pages
 * do not tell, so these cases expect nothing, and the comparison of bare and inside is the test. Only errors
 * are said, not results; each call is made in a child of its own, by an ordinary user, in a directory where
 * the only name is that of a file that may be made.
 */
#include "conformance.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>

enum { NOBODY = 65534, WAIT_MS = 400, AREA = 4096, SHORT = 8, ARGUMENTS = 6, VALUES = 7, ENDED = -1 };

static const struct row {
	const char *class, *name;
	long number;
	const char *letters;
} rows[] = {
#include "sweep_calls.h" /* made by gen_sweep.py */
};

/* What the children have, too. */
static struct {
	char *memory;   /* an area for each argument, of zeros */
	char *too_short; /* SHORT bytes, and then nothing */
	char *nowhere;
	volatile int *error; /* where a child says how its call ended */
	int file, directory;
} scene;

static void set_scene(void)
{
	scene.memory = mmap(NULL, ARGUMENTS * AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(scene.memory != MAP_FAILED);
	scene.too_short = at_end(SHORT);
	memset(scene.too_short, 0, SHORT);
	scene.nowhere = nowhere();
	scene.error = shared(sizeof(int));
	scene.file = open("/dev/null", O_RDWR);
	scene.directory = open(".", O_RDONLY | O_DIRECTORY);
	NEED(scene.file >= 0 && scene.directory >= 0 && chmod(".", 0777) == 0);
}

/* What the argument of a kind is when another one is tried. */
static long usual(char letter, int place)
{
	static char name[] = "absent";

	switch (letter) {
	case 'F':
		return scene.file;
	case 'D':
		return AT_FDCWD;
	case 'S':
		return (long)name;
	case 'P':
		return (long)(scene.memory + place * AREA);
	default:
		return 0;
	}
}

/* The values that are tried; how many. */
static int tried(char letter, long values[VALUES])
{
	const long memory[] = { (long)scene.nowhere, (long)KERNEL_POINTER, (long)ODD_POINTER, 0,
				(long)scene.too_short };
	const long descriptors[] = { -1, 99999, 0x7fffffff, scene.directory, 1L << 32 };
	const long directories[] = { -1, 99999, scene.file, scene.directory };
	const long numbers[] = { 0, 1, -1, 0x7fffffff, 1L << 31, 1L << 32, 4096 };

#define TAKE(from)                                        \
	do {                                              \
		memcpy(values, (from), sizeof(from));     \
		return (int)(sizeof(from) / sizeof(long)); \
	} while (0)
	switch (letter) {
	case 'F':
		TAKE(descriptors);
	case 'D':
		TAKE(directories);
	case 'P':
	case 'S':
		TAKE(memory);
	default:
		TAKE(numbers);
	}
#undef TAKE
}

static void make_call(const struct row *row, const long a[ARGUMENTS])
{
	const struct itimerval soon = { { 0, 0 }, { 0, WAIT_MS * 1000 } };
	long result;

	if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) != 0))
		_exit(1);
	(void)umask(0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* as with --trap=filter */
	(void)setitimer(ITIMER_REAL, &soon, NULL);
	result = syscall(row->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	*scene.error = result == -1 ? errno : 0;
	_exit(0);
}

/* How the call ended, in few letters. */
static const char *outcome(const struct row *row, const long arguments[ARGUMENTS])
{
	static char text[32];
	int status = 0;
	pid_t pid;

	*scene.error = ENDED;
	pid = fork();
	if (pid == 0)
		make_call(row, arguments);
	NEED(pid > 0 && waitpid(pid, &status, 0) == pid);
	(void)unlink("absent");
	(void)rmdir("absent");
	if (WIFSIGNALED(status))
		return signal_name(WTERMSIG(status));
	if (*scene.error == ENDED)
		return "ended";
	if (*scene.error == 0)
		return "ok";
	(void)snprintf(text, sizeof(text), "%s", strerrorname_np(*scene.error));
	return text;
}

static void sweep_call(const struct row *row)
{
	long arguments[ARGUMENTS] = { 0 }, values[VALUES];
	int count = (int)strlen(row->letters);
	char line[512];
	size_t len;

	for (int i = 0; i < count; i++)
		arguments[i] = usual(row->letters[i], i);
	say("%s:%s", row->name, outcome(row, arguments));
	for (int i = 0; i < count; i++) {
		long kept = arguments[i];
		int num = tried(row->letters[i], values);

		len = 0;
		for (int j = 0; j < num; j++) {
			arguments[i] = values[j];
			len += (size_t)snprintf(line + len, sizeof(line) - len, ",%s", outcome(row, arguments));
		}
		arguments[i] = kept;
		say("%d%s", i, line);
	}
}

static void sweep(const char *class, long from, long to)
{
	set_scene();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].class, class) == 0 && rows[i].number >= from && rows[i].number < to)
			sweep_call(&rows[i]);
}

#define SWEEP(class)                             \
	CASE(sweep_##class, ANYTHING)            \
	{                                        \
		sweep(#class, 0, 10000);         \
	}

CASE(sweep_path_old, ANYTHING)
{
	sweep("path", 0, 256);
}

CASE(sweep_path_new, ANYTHING)
{
	sweep("path", 256, 10000);
}

CASE(sweep_fd_old, ANYTHING)
{
	sweep("fd", 0, 256);
}

CASE(sweep_fd_new, ANYTHING)
{
	sweep("fd", 256, 10000);
}

SWEEP(event)
SWEEP(net)
SWEEP(id)
SWEEP(time)
SWEEP(memory)
SWEEP(process)
SWEEP(signal)
SWEEP(ipc)
SWEEP(mount)
SWEEP(security)
SWEEP(system)
