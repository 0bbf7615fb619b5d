/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/util.h"
#include "call_set.h"
#include "memory_file.h"
#include "options.h"
#include "vuos/resident/trace_board.h"

#define STRINGS_MAX 65536
#define SEALS       (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW)

static struct trace_settings *of(void *settings)
{
	return &((struct settings *)settings)->trace;
}

static void set_flags(struct trace_settings *s, unsigned on, unsigned off)
{
	s->how.flags = (s->how.flags & ~off) | on;
	s->lines = true;
}

int trace_set_filter(void *settings, const char *filter, struct error *error)
{
	struct trace_settings *s = of(settings);
	struct call_set set;
	int r = call_set_parse(&set, filter ? filter : "all", error);

	if (r < 0)
		return r;
	memcpy(s->how.calls, set.words, sizeof(s->how.calls));
	set_flags(s, set.others ? TRACE_OTHERS : 0, TRACE_OTHERS);
	s->filtered = true;
	return 0;
}


int trace_set_format(void *settings, const char *format, struct error *error)
{
	struct trace_settings *s = of(settings);
	bool json = str_equal(format, "json");

	if (!json && !str_equal(format, "text"))
		return error_set(error, EINVAL, "'%s' is neither text nor json", format);
	set_flags(s, json ? TRACE_JSON : 0, TRACE_JSON);
	return 0;
}

static const struct {
	const char *name;
	unsigned flag;
} times_known[] = {
	{ "none", 0 },			{ "clock", TRACE_CLOCK },	{ "epoch", TRACE_EPOCH },
	{ "relative", TRACE_RELATIVE }, { "duration", TRACE_DURATION },
};

int trace_set_times(void *settings, const char *times, struct error *error)
{
	struct trace_settings *s = of(settings);
	unsigned flags = 0;
	bool none = false;

	for (const char *at = times; at; at = *at ? at + 1 : NULL) {
		size_t len = strcspn(at, ","), i = 0;

		while (i < ARRAY_SIZE(times_known) && (strlen(times_known[i].name) != len ||
						       strncmp(times_known[i].name, at, len) != 0))
			i++;
		if (i == ARRAY_SIZE(times_known))
			return error_set(error, EINVAL,
					 "'%.*s' is none of none, clock, epoch, relative, duration",
					 (int)len, at);
		none |= !times_known[i].flag;
		flags |= times_known[i].flag;
		at += len;
	}
	if (none && flags)
		return error_set(error, EINVAL, "'%s': none, and others", times);
	set_flags(s, flags, TRACE_TIMES);
	return 0;
}

int trace_set_strings(void *settings, const char *number, struct error *error)
{
	struct trace_settings *s = of(settings);
	long long max;

	if (parse_decimal(number, 0, STRINGS_MAX, &max) < 0)
		return error_set(error, EINVAL, "'%s' is not a number from 0 to %d", number, STRINGS_MAX);
	s->how.string_max = (uint32_t)max;
	set_flags(s, 0, 0);
	return 0;
}

int trace_set_output(void *settings, const char *file, struct error *error)
{
	struct trace_settings *s = of(settings);
	if (!*file)
		return error_set(error, EINVAL, "the name of a file is missing");
	s->output = str_equal(file, "-") ? NULL : file;
	set_flags(s, 0, 0);
	return 0;
}

/* Only a summary, or a summary also. */
int trace_set_summary(void *settings, const char *also, struct error *error)
{
	struct trace_settings *s = of(settings);

	if (also && !str_equal(also, "also"))
		return error_set(error, EINVAL, "'%s' is not also", also);
	s->summary = true;
	s->also = also;
	return 0;
}

int trace_set_unhandled(void *settings, const char *none, struct error *error)
{
	(void)none;
	(void)error;
	of(settings)->unhandled = true;
	return 0;
}

#define DEFINE_FLAG_OPTION(name, on, off)                                             \
	int trace_set_##name(void *settings, const char *none, struct error *error)   \
	{                                                                             \
		(void)none;                                                           \
		(void)error;                                                          \
		set_flags(of(settings), on, off);                                     \
		return 0;                                                             \
	}
DEFINE_FLAG_OPTION(failed, TRACE_FAILED, TRACE_SUCCESSFUL)
DEFINE_FLAG_OPTION(successful, TRACE_SUCCESSFUL, TRACE_FAILED)
DEFINE_FLAG_OPTION(quiet, 0, TRACE_SIGNALS)
DEFINE_FLAG_OPTION(split, TRACE_SPLIT, 0)

/* Seconds that local time is ahead of UTC: the programs' times are told by it, whatever TZ they have. */
static int64_t local_offset(void)
{
	time_t now = time(NULL);
	struct tm local;

	return localtime_r(&now, &local) ? local.tm_gmtoff : 0;
}

/* The directory of the files, as one descriptor that stays right wherever a program goes. */
static int open_directory(const char *file, struct exec_trace *how, struct error *error)
{
	const char *slash = file ? strrchr(file, '/') : NULL, *name = slash ? slash + 1 : file;
	char path[PATH_MAX];
	int fd;

	if (!name || !*name)
		return error_set(error, EINVAL, "a file for each process needs a name: --trace-output FILE");
	if (str_copy(how->name, sizeof(how->name), name) < 0 || (size_t)(name - file) >= sizeof(path))
		return error_set(error, ENAMETOOLONG, "the name '%s' is too long", name);
	(void)snprintf(path, sizeof(path), "%.*s", (int)(name - file), file);
	fd = open(*path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && faccessat(fd, ".", W_OK, 0) == 0)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return error_set(error, EACCES, "cannot write the traces '%s.PID': %s", file, strerror(errno));
}

static int open_file(const char *file, struct error *error)
{
	int fd = file ? open(file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666)
		      : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

	if (fd >= 0)
		return fd;
	return error_set(error, EACCES, "cannot write the trace to %s: %s", file ? file : "standard error",
			 strerror(errno)); /* -ENOENT would be the program's */
}

/* With fewer slots where there is a limit of the size of files. */
static int make_board(struct trace_view *view, struct error *error)
{
	size_t size = BOARD_SIZE;
	void *memory = NULL;
	int fd = memory_file_make("umvu", BOARD_PAGE, sizeof(struct board), &size, &memory);

	if (fd < 0)
		return error_set_errno(error, -fd, "cannot make the board of the trace%s",
				       fd == -EFBIG ? " (ulimit -f)" : "");
	view->board_fd = fd;
	view->board = memory;
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return error_set_errno(error, errno, "cannot seal the board of the trace");
	view->how.slots = (uint32_t)((size - sizeof(struct board)) / sizeof(struct board_slot));
	return 0;
}

static unsigned wanted(const struct trace_settings *s)
{
	bool lines = s->also || (s->lines && !s->summary);

	return (lines ? TRACE_LINES : 0) | (s->summary ? TRACE_TALLY : 0) |
	       (s->unhandled ? TRACE_UNHANDLED : 0);
}

int trace_open(struct trace_view *view, const struct trace_settings *s, struct error *error)
{
	struct exec_trace *how = &view->how;

	*view = (struct trace_view){ .how = s->how, .fd = -1, .board_fd = -1 };
	how->flags |= wanted(s);
	if (!(how->flags & (TRACE_LINES | TRACE_TALLY | TRACE_UNHANDLED)))
		return 0;
	if (!s->filtered) {
		memset(how->calls, 0xff, sizeof(how->calls));
		how->flags |= TRACE_OTHERS;
	}
	how->local_offset = local_offset();
	how->flags |= TRACE_ON | TRACE_FIRST | (s->output ? 0 : TRACE_AT_ONCE);
	view->fd = how->flags & TRACE_SPLIT ? open_directory(s->output, how, error)
					    : open_file(s->output, error);
	return view->fd < 0 ? view->fd : make_board(view, error);
}
