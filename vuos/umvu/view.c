/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/util.h"
#include "debug_tags.h"
#include "processes.h"
#include "vuos/view/channel.h"
#include "vuos/view/tags.h"

/* --- name and tags -------------------------------------------------------------------------------- */

int view_check_name(const char *name)
{
	for (const char *at = name; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return -EINVAL;
	return strlen(name) <= VIEW_NAME_MAX ? 0 : -ENAMETOOLONG;
}

int view_set_name(struct view *v, const char *name)
{
	struct view_info info = v->info;
	int r = view_check_name(name);

	if (r < 0)
		return r;
	memset(info.name, 0, sizeof(info.name));
	r = str_copy(info.name, sizeof(info.name), name);
	if (r == 0)
		r = segment_set(&v->segment, SEGMENT_INFO, &info, sizeof(info));
	if (r == 0)
		v->info = info;
	return r;
}

int view_set_tags(struct view *v, const struct view_tags *tags)
{
	int r = segment_set(&v->segment, SEGMENT_TAGS, tags, sizeof(*tags));

	if (r == 0) {
		v->tags = *tags;
		segment_set_tags(&v->segment, tags->active);
	}
	return r;
}

int view_add_tags(struct view *v, const char *letters)
{
	struct view_tags tags = v->tags;
	uint64_t found = tags_parse(letters);

	tags.active |= found;
	return found ? view_set_tags(v, &tags) : -EINVAL;
}

int view_del_tags(struct view *v, const char *letters)
{
	struct view_tags tags = v->tags;
	uint64_t found = tags_parse(letters);

	tags.active &= ~found;
	return found ? view_set_tags(v, &tags) : -EINVAL;
}

int view_set_color(struct view *v, const char *spec)
{
	struct view_tags tags = v->tags;
	int r = debug_tags_color(&tags, spec);

	return r < 0 ? r : view_set_tags(v, &tags);
}

/* --- processes ------------------------------------------------------------------------------------ */

/* Rows and texts, one behind the other. *RET is to be freed. */
static ssize_t write_processes(const struct process_row *rows, size_t count, char **ret)
{
	size_t head = sizeof(struct view_processes) + count * sizeof(struct view_process), used = head;
	char *record = calloc(1, head + count * PATH_MAX + 1);
	struct view_process *row = (struct view_process *)(void *)(record + sizeof(struct view_processes));

	if (!record)
		return -ENOMEM;
	((struct view_processes *)(void *)record)->count = count;
	for (size_t i = 0; i < count; i++) {
		ssize_t len = process_program(rows[i].pid, record + used);

		row[i] = (struct view_process){ .pid = rows[i].pid, .parent = rows[i].parent,
						.start = rows[i].start, .path = (uint32_t)used,
						.path_len = len < 0 ? 0 : (uint32_t)len };
		used += row[i].path_len;
	}
	*ret = record;
	return (ssize_t)used;
}

int view_update_processes(struct view *v)
{
	auto_free struct process_row *rows = NULL;
	auto_free char *record = NULL;
	ssize_t count = processes_below((pid_t)v->info.supervisor, &rows);
	ssize_t len;

	if (count < 0)
		return (int)count;
	if (count > VIEW_PROCESSES_MAX)
		return -ENOSPC;
	len = write_processes(rows, (size_t)count, &record);
	return len < 0 ? (int)len : segment_set(&v->segment, SEGMENT_PROCESSES, record, (size_t)len);
}

/* --- requests ------------------------------------------------------------------------------------- */

static int serve_processes(struct view *v, const char *text)
{
	(void)text;
	return view_update_processes(v);
}

static const struct {
	int (*serve)(struct view *v, const char *text);
	const char *name;
} operations[CHANNEL_OPERATIONS] = {
	[CHANNEL_SET_NAME] = { view_set_name, "set name" },
	[CHANNEL_ADD_TAGS] = { view_add_tags, "add tags" },
	[CHANNEL_DEL_TAGS] = { view_del_tags, "delete tags" },
	[CHANNEL_SET_COLOR] = { view_set_color, "set color" },
	[CHANNEL_PROCESSES] = { serve_processes, "list processes" },
};

/* A line of the tag `a`, as the residents' are (vuos/resident/debug.c): to the log only. */
static void say_action(const struct view *v, pid_t pid, const char *name, const char *text, int r)
{
	char color[TAG_ESCAPES_MAX] = "";

	if (isatty(v->log))
		tags_color(v->tags.color[tag_number('a')], color);
	(void)dprintf(v->log, "%s%d:%d ACTION view.c:%d %s '%s': %s%s\n", color, pid, getpid(), __LINE__, name,
		      text, r < 0 ? strerror(-r) : "done", *color ? "\033[0m" : "");
}

int64_t view_serve(void *object, uint32_t operation, const char *text, size_t len, pid_t pid)
{
	struct view *v = object;
	int r = -EINVAL;

	if (strlen(text) == len && operations[operation].serve)
		r = operations[operation].serve(v, text);
	if (v->tags.active & TAG_CORE('a'))
		say_action(v, pid, operations[operation].name, text, r);
	return r;
}

/* --- begin and end -------------------------------------------------------------------------------- */

int view_init(struct view *v, const char *name, int log, struct error *error)
{
	int r;

	*v = (struct view){ .log = log, .info = { .supervisor = (uint64_t)getpid() } };
	(void)snprintf(v->info.serverid, sizeof(v->info.serverid), "%d", getpid());
	r = segment_writer_init(&v->segment, SEGMENT_SIZE, error);
	if (r < 0)
		return r;
	r = view_set_name(v, name);
	if (r < 0)
		view_free(v);
	return r < 0 ? error_set_errno(error, -r, "the view cannot be called '%s'", name) : 0;
}

void view_free(struct view *v)
{
	segment_writer_free(&v->segment);
}
