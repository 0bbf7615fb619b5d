/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. What vuctl() says of the view is in the segment, and in this process; what it changes
 * there it asks of the supervisor. The numbers and tags are those of the original (include/vulib.h). There
 * are no modules yet: none is listed, and to load one says ENOSYS, as where there is no view.
 */
#include "vuos/resident/vuctl.h"

#include "vuos/resident/debug.h"
#include "vuos/resident/view.h"
#include "vuos/view/records.h"
#include "vuos/view/tags.h"

#define UTSNAME_LEN 390 /* struct utsname: six texts */

/* The program's struct vu_info. */
struct vu_info {
	char uname[UTSNAME_LEN];
	char serverid[VIEW_NAME_MAX + 1], name[VIEW_NAME_MAX + 1];
};

#define TAG_ARG(call, n) CALL_ARG(call, 1 + (n)) /* behind vuctl's tag */

static long get_info(struct context *c, struct call *call)
{
	struct view_info info = { 0 };
	struct vu_info answer;
	struct segment segment;

	(void)c;
	if (!TAG_ARG(call, 0))
		return 0;
	(void)NATIVE(__NR_uname, answer.uname);
	if (view_segment(&segment))
		(void)segment_read(&segment, SEGMENT_INFO, &info, sizeof(info));
	memcpy(answer.serverid, info.serverid, sizeof(answer.serverid));
	memcpy(answer.name, info.name, sizeof(answer.name));
	return copy_out(TAG_ARG(call, 0), &answer, sizeof(answer));
}

/* LEN bytes with the last of TEXT, which is never left without an end. */
static long put_text(uint64_t to, uint64_t len, const char *text)
{
	char copy[TAG_COUNT + 1];
	size_t n = text_len(text);

	if (!len)
		return -EINVAL;
	n = MIN(n, (size_t)len - 1);
	memcpy(copy, text, n);
	copy[n] = '\0';
	return copy_out(to, copy, n + 1);
}

static long get_tags(struct context *c, struct call *call)
{
	struct view_tags tags = { 0 };
	char text[TAG_COUNT + 1];
	struct segment segment;

	if (view_segment(&segment))
		(void)segment_read(&segment, SEGMENT_TAGS, &tags, sizeof(tags));
	tags_print((int)TAG_ARG(call, 2) ? c->tags : tags.active, text);
	return put_text(TAG_ARG(call, 0), TAG_ARG(call, 1), text);
}

static long get_tag_name(struct context *c, struct call *call)
{
	int number = tag_number((char)TAG_ARG(call, 0));

	(void)c;
	return put_text(TAG_ARG(call, 1), TAG_ARG(call, 2), number < 0 ? "" : tag_name((unsigned)number));
}

/* The supervisor decides what is right. */
static long request_text(struct context *c, struct call *call, enum channel_operation operation)
{
	long len = copy_string(c->path, (const char *)TAG_ARG(call, 0), sizeof(c->path));

	return len < 0 ? len : view_request(c, call, operation, c->path, (size_t)len);
}

static long set_name(struct context *c, struct call *call)
{
	return request_text(c, call, CHANNEL_SET_NAME);
}

static long set_color(struct context *c, struct call *call)
{
	return request_text(c, call, CHANNEL_SET_COLOR);
}

/* The thread's own, or all processes'. */
static long change_tags(struct context *c, struct call *call, bool add)
{
	uint64_t tags;
	long len;

	debug_on();
	if (!(int)TAG_ARG(call, 1))
		return request_text(c, call, add ? CHANNEL_ADD_TAGS : CHANNEL_DEL_TAGS);
	len = copy_string(c->path, (const char *)TAG_ARG(call, 0), sizeof(c->path));
	if (len < 0)
		return len;
	tags = tags_parse(c->path);
	if (!tags)
		return -EINVAL;
	c->tags = add ? c->tags | tags : c->tags & ~tags;
	return 0;
}

static long add_tags(struct context *c, struct call *call)
{
	return change_tags(c, call, true);
}

static long delete_tags(struct context *c, struct call *call)
{
	return change_tags(c, call, false);
}

/* --- the table of processes ----------------------------------------------------------------------- */

/* A line of text at a time, into what the program has room for; `need` is all of it. */
struct list {
	uint64_t to, room, need;
	bool fault;
};

static void list_add(struct list *list, const char *text, size_t len)
{
	if (list->need < list->room)
		list->fault |= copy_out(list->to + list->need, text, MIN(len, list->room - list->need)) < 0;
	list->need += len;
}

static void list_process(struct list *list, const struct view_process *row, const char *path)
{
	char line[3 * 24], *at = line;

	at = text_put(text_put_number(at, (uint64_t)row->pid, 10), " ");
	at = text_put(text_put_number(at, (uint64_t)row->parent, 10), " ");
	at = text_put(text_put_number(at, row->start, 10), " ");
	list_add(list, line, (size_t)(at - line));
	list_add(list, path, row->path_len);
	list_add(list, "\n", 1);
}

/* False: there is no record that could be read. */
static bool list_processes(struct context *c, const struct segment_reader *reader, struct list *list)
{
	struct view_processes head;
	struct segment_place place;
	struct view_process row;

	if (!segment_find(reader, SEGMENT_PROCESSES, &place) ||
	    !segment_copy(reader, &place, 0, &head, sizeof(head)))
		return false;
	for (uint64_t i = 0; i < head.count && i < VIEW_PROCESSES_MAX; i++) {
		if (!segment_copy(reader, &place, sizeof(head) + i * sizeof(row), &row, sizeof(row)) ||
		    row.path_len >= sizeof(c->path) ||
		    !segment_copy(reader, &place, row.path, c->path, row.path_len))
			return false;
		list_process(list, &row, c->path);
	}
	list_add(list, "", 1);
	return true;
}

/* char *buf, size_t len: lines `PID PARENT START PROGRAM`. The length that all of it needs. */
static long get_processes(struct context *c, struct call *call)
{
	long r = view_request(c, call, CHANNEL_PROCESSES, "", 0);
	struct segment_reader reader;
	struct segment segment;
	struct list list;
	bool found;

	if (r < 0)
		return r;
	if (!view_segment(&segment))
		return -EIO;
	segment_open(&reader, &segment);
	do {
		list = (struct list){ TAG_ARG(call, 0), TAG_ARG(call, 0) ? TAG_ARG(call, 1) : 0, 0, false };
		segment_begin(&reader);
		found = list_processes(c, &reader, &list);
	} while (segment_overtaken(&reader));
	if (!found || reader.tries >= SEGMENT_TRIES)
		return -EAGAIN;
	return list.fault ? -EFAULT : (long)list.need;
}

/* --- calls ---------------------------------------------------------------------------------------- */

static long call_vuctl(struct context *c, struct call *call)
{
	switch ((int)CALL_ARG(call, 0)) {
	case 1:
		return get_info(c, call);
	case 2:
		return set_name(c, call);
	case 3:
		return get_tags(c, call);
	case 4:
		return add_tags(c, call);
	case 5:
		return delete_tags(c, call);
	case 6:
		return get_tag_name(c, call);
	case 7:
		return set_color(c, call);
	case 64: /* ours: the original has no such thing */
		return get_processes(c, call);
	default:
		return -EINVAL;
	}
}

/* No module is there to be listed: an empty text, and its length with the end. */
static long call_lsmod(struct context *c, struct call *call)
{
	(void)c;
	if (CALL_ARG(call, 0) && CALL_ARG(call, 1) && copy_out(CALL_ARG(call, 0), "", 1) < 0)
		return -EFAULT;
	return 1;
}

static long call_absent(struct context *c, struct call *call)
{
	(void)c;
	(void)call;
	return -ENOSYS;
}

const struct call_entry *virtual_entry(uint64_t number)
{
	static const struct call_entry absent = { .handler = call_absent };
	static const struct call_entry entries[] = {
		[3] = { .handler = call_lsmod },
		[4] = { .handler = call_vuctl },
	};
	uint64_t n = -number;

	return n < ARRAY_SIZE(entries) && entries[n].handler ? &entries[n] : &absent;
}
