/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. Nobody keeps a list of the view's processes: fork would pay for it. The supervisor
 * is the reaper of all its descendants (PR_SET_CHILD_SUBREAPER), so they stay its descendants when a parent
 * ends before its child, and /proc tells who they are when somebody asks.
 */
#include "processes.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/util.h"

#define DEPTH_MAX 4096 /* generations: a ring that /proc showed in a moment of change ends there */

int process_read(pid_t pid, struct process_row *row, char *ret_state)
{
	char path[32], text[1024], *at;
	auto_close int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -ESRCH; /* it has ended meanwhile */
	text[n] = '\0';
	at = strrchr(text, ')'); /* its name may have blanks and brackets */
	*row = (struct process_row){ .pid = pid };
	if (!at || sscanf(at, ") %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
			      "%" SCNu64, ret_state, &row->parent, &row->start) != 3)
		return -EBADMSG;
	return 0;
}

bool process_is_below(pid_t pid, pid_t ancestor)
{
	struct process_row row;
	char state;

	for (int depth = 0; pid > 0 && depth < DEPTH_MAX; depth++) {
		if (process_read(pid, &row, &state) < 0)
			return false;
		if (row.parent == ancestor)
			return true;
		pid = row.parent;
	}
	return false;
}

/* Where the program's headers are in its memory; 0: /proc does not say. */
static uint64_t headers_of(pid_t pid)
{
	char path[32];
	uint64_t words[128];
	auto_close int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, words, sizeof(words));
	for (ssize_t i = 0; i + 2 <= n / (ssize_t)sizeof(words[0]); i += 2)
		if (words[i] == AT_PHDR)
			return words[i + 1];
	return 0;
}

ssize_t process_program(pid_t pid, char *path)
{
	auto_free char *line = NULL;
	auto_fclose FILE *maps = NULL;
	uint64_t headers = headers_of(pid), begin, end;
	size_t room = 0;
	ssize_t len;

	(void)snprintf(path, PATH_MAX, "/proc/%d/maps", pid);
	maps = headers ? fopen(path, "re") : NULL;
	while (maps && (len = getline(&line, &room, maps)) > 0) {
		char *name = strchr(line, '/');

		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &begin, &end) != 2 || headers < begin ||
		    headers >= end)
			continue;
		if (!name || len - (name - line) > PATH_MAX)
			break;
		line[len - 1] = '\0';
		return stpcpy(path, name) - path;
	}
	return -ESRCH;
}

/* All processes there are. */
static ssize_t read_all(struct process_row **ret)
{
	auto_closedir DIR *directory = opendir("/proc");
	auto_free struct process_row *rows = NULL;
	size_t count = 0, room = 0;
	struct dirent *entry;

	if (!directory)
		return -errno;
	while ((entry = readdir(directory))) {
		long long pid;
		char state;

		if (parse_int(entry->d_name, 1, INT32_MAX, &pid) < 0)
			continue;
		if (count == room) {
			void *more = reallocarray(rows, room = room ? 2 * room : 256, sizeof(*rows));

			if (!more)
				return -ENOMEM;
			rows = more;
		}
		count += process_read((pid_t)pid, &rows[count], &state) == 0;
	}
	*ret = TAKE_PTR(rows);
	return (ssize_t)count;
}

static int by_pid(const void *a, const void *b)
{
	const struct process_row *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int by_start(const void *a, const void *b)
{
	const struct process_row *x = a, *y = b;

	return x->start != y->start ? (x->start < y->start ? -1 : 1) : by_pid(a, b);
}

static bool leads_to(const struct process_row *rows, size_t count, const struct process_row *row,
		     pid_t ancestor)
{
	for (int depth = 0; row && row->parent != ancestor && depth < DEPTH_MAX; depth++)
		row = bsearch(&(struct process_row){ .pid = row->parent }, rows, count, sizeof(*rows), by_pid);
	return row && row->parent == ancestor;
}

ssize_t processes_below(pid_t ancestor, struct process_row **ret)
{
	auto_free struct process_row *all = NULL;
	struct process_row *found;
	ssize_t count = read_all(&all);
	size_t num_found = 0;

	if (count < 0)
		return count;
	found = calloc((size_t)count + 1, sizeof(*found));
	if (!found)
		return -ENOMEM;
	if (count)
		qsort(all, (size_t)count, sizeof(*all), by_pid);
	for (ssize_t i = 0; i < count; i++)
		if (leads_to(all, (size_t)count, &all[i], ancestor))
			found[num_found++] = all[i];
	if (num_found)
		qsort(found, num_found, sizeof(*found), by_start);
	*ret = found;
	return (ssize_t)num_found;
}
