/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. A debug tag is active for the whole view, by a word in the segment's header, or for one
 * thread, which has it from who began it. A process in which neither was ever so does not look: it asks once
 * when a program starts (start.c), and begins to look (WATCH_DEBUG) when it changes tags itself. From then on
 * the words are looked at with each call, so tags that others change are seen at once.
 *
 * A line says who it is of and who supervises it, and where it was written:
 *
 *	4438:4430 SYSCALL debug.c:110 IN  >>>>>> execve("/usr/bin/true", ...
 *
 * It goes to umvu's log. Where that is a terminal, it has the colour of its tag.
 */
#include "vuos/resident/debug.h"

#include <asm-generic/ioctls.h>
#include <stdarg.h>

#include "vuos/resident/call_format.h"
#include "vuos/resident/calls.h"
#include "vuos/resident/report.h"
#include "vuos/resident/reserved.h"
#include "vuos/resident/view.h"
#include "vuos/view/records.h"

#define LINE_MAX  1024
#define TEXT_MAX  768
#define COLOR_OFF "\033[0m"

struct line {
	char text[LINE_MAX], *end;
};

void debug_on(void)
{
	struct segment segment;

	(void)view_segment(&segment);
	(void)__atomic_fetch_or(&process.watch, WATCH_DEBUG, __ATOMIC_SEQ_CST);
}

static uint64_t active_tags(const struct context *c)
{
	const struct segment_header *header = (const struct segment_header *)RESIDENT_SEGMENT;

	if (!__atomic_load_n(&process.segment_len, __ATOMIC_ACQUIRE))
		return c->tags;
	return c->tags | __atomic_load_n(&header->tags, __ATOMIC_RELAXED);
}

bool debug_wants(const struct context *c, uint64_t tag)
{
	return active_tags(c) & tag;
}

/* --- lines ------------------------------------------------------------------------------------------ */

/* What does not fit is cut. */
static void add(struct line *line, const char *text)
{
	size_t room = (size_t)(line->text + sizeof(line->text) - line->end) - sizeof(COLOR_OFF) - 1;
	size_t len = MIN(text_len(text), room);

	memcpy(line->end, text, len);
	line->end += len;
}

static void add_number(struct line *line, uint64_t number)
{
	char text[24];

	(void)text_put_number(text, number, 10);
	add(line, text);
}

/* The escapes of the tag's colour; "": it has none, or the log is no terminal. */
static void find_color(const struct segment *segment, uint64_t tag, char *ret)
{
	struct view_tags tags;

	*ret = '\0';
	if (!segment->len || !report_is_terminal() ||
	    segment_read(segment, SEGMENT_TAGS, &tags, sizeof(tags)) != (long)sizeof(tags))
		return;
	tags_color(tags.color[__builtin_ctzll(tag)], ret);
}

void debug_say(const struct context *c, uint64_t tag, const char *file, unsigned number, const char *part, ...)
{
	struct view_info info = { 0 };
	char color[TAG_ESCAPES_MAX];
	struct line line = { .end = line.text };
	struct segment segment;
	va_list parts;

	(void)c;
	if (view_segment(&segment))
		(void)segment_read(&segment, SEGMENT_INFO, &info, sizeof(info));
	find_color(&segment, tag, color);
	add(&line, color);
	add_number(&line, (uint64_t)NATIVE(__NR_gettid));
	add(&line, ":");
	add_number(&line, info.supervisor);
	add(&line, " ");
	add(&line, tag_name((unsigned)__builtin_ctzll(tag)));
	add(&line, " ");
	add(&line, text_base_name(file));
	add(&line, ":");
	add_number(&line, number);
	add(&line, " ");
	va_start(parts, part);
	for (; part; part = va_arg(parts, const char *))
		add(&line, part);
	va_end(parts);
	if (*color)
		line.end = text_put(line.end, COLOR_OFF);
	*line.end++ = '\n';
	report_line(line.text, (size_t)(line.end - line.text));
}

/* --- what is said of each call ------------------------------------------------------------------- */

static int read_memory(void *context, uint64_t address, void *to, size_t len)
{
	(void)context;
	return copy_in(to, address, len) < 0 ? -1 : 0;
}

static const struct call_format format = { .string_max = CALL_STRING_MAX, .elements_max = CALL_ELEMENTS_MAX,
					   .read = read_memory };

/* Of the calls of a view (vulib.h), "": it is none. */
static const char *view_call_name(uint64_t number)
{
	static const char names[][12] = { "", "vu_insmod", "vu_rmmod", "vu_lsmod", "vuctl", "msocket" };

	return -number < ARRAY_SIZE(names) ? names[-number] : "";
}

/* A number without a name is said as one. */
static const char *name_of(uint64_t number, char room[24])
{
	const struct call_row *row = call_row(number);

	if (row || *view_call_name(number))
		return row ? call_name(row) : view_call_name(number);
	(void)text_put_number((int64_t)number < 0 ? text_put(room, "-") : room,
			      (int64_t)number < 0 ? -number : number, 10);
	return room;
}

static void say_enter(const struct context *c, const struct call *call)
{
	char text[TEXT_MAX], room[24];

	if ((int64_t)call->raw[0] < 0)
		(void)text_put_number(text_put(text_put(text, name_of(call->raw[0], room)), "("),
				      CALL_ARG(call, 0), 10);
	else
		(void)call_format_enter(&format, call->raw[0], call->raw + 1, text, sizeof(text));
	DEBUG(c, 's', "IN  >>>>>> ", text);
}

static void say_exit(const struct context *c, uint64_t number, const uint64_t arguments[6], long result)
{
	char text[TEXT_MAX], room[24];

	if (result == CALL_RESTART)
		(void)text_put(text, ") put off for a signal");
	else
		(void)call_format_exit(&format, number, arguments, result, text, sizeof(text));
	DEBUG(c, 's', "OUT <<<<<< ", name_of(number, room), " ...", text);
}

/* What the dispatcher is going to do: dispatch.c. */
static void say_choice(const struct context *c, const struct call *call)
{
	const struct call_row *row = call_row(call->raw[0]);
	char room[24];

	if (!row)
		DEBUG(c, 'c', name_of(call->raw[0], room), ": ",
		      (int64_t)call->raw[0] < 0 ? "a call of the view" : "not known, left to the kernel");
	else if (reserved_hides(call, row->descriptors))
		DEBUG(c, 'c', call_name(row), ": a descriptor that the program does not have");
	else if (row->handler == CALL_HANDLER_NATIVE)
		DEBUG(c, 'c', call_name(row), ": made as it is");
	else
		DEBUG(c, 'c', call_name(row), ": by ", call_strings + call_handler_names[row->handler]);
}

static void say_descriptor(const struct context *c, const struct call *call)
{
	const struct call_row *row = call_row(call->raw[0]);

	if (row && row->descriptors && reserved_hides(call, row->descriptors))
		DEBUG(c, 'd', call_name(row), ": names a descriptor of ours, which is hidden");
}

static void say_module(const struct context *c, const struct call *call)
{
	if (-call->raw[0] <= 3)
		DEBUG(c, 'm', view_call_name(call->raw[0]), ": this view has no modules");
}

static bool is_one_of(uint64_t number, const uint16_t *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

static void say_thread_ends(const struct context *c, const struct call *call)
{
	static const uint16_t ends[] = { __NR_exit, __NR_exit_group };
	const struct call_row *row = call_row(call->raw[0]);
	char status[24];

	(void)text_put_number(status, CALL_ARG(call, 0) & 0xff, 10);
	if (is_one_of(call->raw[0], ends, ARRAY_SIZE(ends)))
		DEBUG(c, 't', call_name(row), ": with ", status);
}

static void say_thread_begins(const struct context *c, uint64_t number, long result)
{
	static const uint16_t clones[] = { __NR_fork, __NR_vfork, __NR_clone, __NR_clone3 };
	char child[24];

	if (result < 0 || !is_one_of(number, clones, ARRAY_SIZE(clones)))
		return;
	(void)text_put_number(child, (uint64_t)result, 10);
	DEBUG(c, 't', call_name(call_row(number)), result ? ": has begun " : ": begins", result ? child : "");
}

long debug_serve(struct context *c, struct call *call, call_handler *serve)
{
	const uint64_t number = call->raw[0];
	uint64_t arguments[6], tags = active_tags(c);
	long result;

	if (!tags)
		return serve(c, call);
	memcpy(arguments, call->raw + 1, sizeof(arguments));
	if (tags & TAG_CORE('s'))
		say_enter(c, call);
	if (tags & TAG_CORE('c'))
		say_choice(c, call);
	if (tags & TAG_CORE('d'))
		say_descriptor(c, call);
	if (tags & TAG_CORE('m') && (int64_t)number < 0)
		say_module(c, call);
	if (tags & TAG_CORE('t'))
		say_thread_ends(c, call);
	result = serve(c, call);
	if (tags & TAG_CORE('t'))
		say_thread_begins(c, number, result);
	if (tags & TAG_CORE('s') && !call->keep)
		say_exit(c, number, arguments, result);
	return result;
}
