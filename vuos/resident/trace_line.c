/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line of the trace: who and when, the call in two parts (call_format.h), how long it took. It is
 * formed on the stack; the few that are longer, which long strings make, are formed again in a mapping.
 */
#include "vuos/resident/trace_internal.h"

#define CLOCK_REALTIME  0
#define CLOCK_MONOTONIC 1
#define NS_PER_SEC      1000000000ll
#define SEC_PER_DAY     86400
#define MAP_PRIVATE_ANONYMOUS 0x22
#define LINE_MAX        (16 << 20)

static int64_t last_begin; /* of the line before; its threads may mix it up, which is no harm */

static int read_memory(void *context, uint64_t address, void *to, size_t len)
{
	(void)context;
	return (int)copy_in(to, address, len);
}

struct call_format trace_format(void)
{
	return (struct call_format){
		.form = trace_is(TRACE_JSON) ? CALL_JSON : CALL_TEXT, .string_max = trace_how.string_max,
		.elements_max = CALL_ELEMENTS_MAX, .read = read_memory,
	};
}

static int64_t clock_ns(int clock)
{
	int64_t time[2] = { 0 };

	(void)NATIVE(__NR_clock_gettime, clock, time);
	return time[0] * NS_PER_SEC + time[1];
}

int64_t trace_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static size_t room_left(const struct trace_line *line)
{
	return line->room - LINE_TAIL - line->len;
}

/* More room, for NEED bytes; false: it stays as it is. */
static bool make_room(struct trace_line *line, size_t need)
{
	size_t room = PAGE_UP(line->len + need + LINE_TAIL + 1);
	long memory = line->is_fixed || room > LINE_MAX
			      ? -ENOMEM
			      : NATIVE(__NR_mmap, 0, room, 3, MAP_PRIVATE_ANONYMOUS, -1, 0);

	if (is_error(memory))
		return false;
	memcpy((void *)memory, line->text, line->len);
	trace_line_drop(line);
	line->text = (char *)memory;
	line->room = room;
	line->is_apart = true;
	return true;
}

void trace_line_drop(struct trace_line *line)
{
	if (line->is_apart)
		(void)NATIVE(__NR_munmap, line->text, line->room);
	line->is_apart = false;
}

/* LEN bytes were wanted, of which those that had room are there. */
static void grow(struct trace_line *line, size_t len)
{
	line->len += MIN(len, room_left(line));
}

void trace_line_text(struct trace_line *line, const char *text)
{
	size_t len = text_len(text);

	if (len <= line->room - 2 - line->len) {
		memcpy(line->text + line->len, text, len);
		line->len += len;
	}
}

static void add_digits(struct trace_line *line, uint64_t number, unsigned digits, char fill)
{
	char text[24];
	size_t len = (size_t)(text_put_number(text, number, 10) - text);
	const char filler[2] = { fill };

	for (; len < digits; digits--)
		trace_line_text(line, filler);
	trace_line_text(line, text);
}

void trace_line_number(struct trace_line *line, uint64_t number)
{
	add_digits(line, number, 1, '0');
}

/* Seconds with six digits behind the dot. */
static void add_seconds(struct trace_line *line, int64_t ns, unsigned digits)
{
	uint64_t micro = (uint64_t)MAX(ns, 0) / 1000;

	add_digits(line, micro / 1000000, digits, ' ');
	trace_line_text(line, ".");
	add_digits(line, micro % 1000000, 6, '0');
}

static void add_clock(struct trace_line *line, int64_t ns)
{
	int64_t second = (ns / NS_PER_SEC + trace_how.local_offset) % SEC_PER_DAY;

	second += second < 0 ? SEC_PER_DAY : 0;
	add_digits(line, (uint64_t)second / 3600, 2, '0');
	trace_line_text(line, ":");
	add_digits(line, (uint64_t)second / 60 % 60, 2, '0');
	trace_line_text(line, ":");
	add_digits(line, (uint64_t)second % 60, 2, '0');
	trace_line_text(line, ".");
	add_digits(line, (uint64_t)(ns % NS_PER_SEC) / 1000, 6, '0');
}

static void add_member(struct trace_line *line, const char *name, int64_t ns)
{
	trace_line_text(line, ",\"");
	trace_line_text(line, name);
	trace_line_text(line, "\":");
	add_seconds(line, ns, 1);
}

static void add_relative(struct trace_line *line)
{
	int64_t now = trace_now(), before = __atomic_exchange_n(&last_begin, now, __ATOMIC_RELAXED);

	if (trace_is(TRACE_JSON)) {
		add_member(line, "relative", before ? now - before : 0);
	} else {
		add_seconds(line, before ? now - before : 0, 6);
		trace_line_text(line, " ");
	}
}

static void add_times(struct trace_line *line)
{
	int64_t ns = trace_is(TRACE_CLOCK | TRACE_EPOCH) ? clock_ns(CLOCK_REALTIME) : 0;

	if (ns && trace_is(TRACE_JSON)) {
		add_member(line, "time", ns);
	} else if (ns) {
		if (trace_is(TRACE_CLOCK))
			add_clock(line, ns);
		else
			add_seconds(line, ns, 1);
		trace_line_text(line, " ");
	}
	if (trace_is(TRACE_RELATIVE))
		add_relative(line);
}

/* The thread's number, which the kernel is asked for once. */
static uint64_t thread_number(void)
{
	struct context *c = context_here();

	if (!c->trace_thread)
		c->trace_thread = (uint32_t)NATIVE(__NR_gettid);
	return c->trace_thread;
}

void trace_line_begin(struct trace_line *line, bool fixed)
{
	line->text = line->own;
	line->room = sizeof(line->own);
	line->len = 0;
	line->is_apart = false;
	line->is_fixed = fixed;
	if (trace_is(TRACE_JSON))
		trace_line_text(line, "{\"thread\":");
	trace_line_number(line, thread_number());
	if (!trace_is(TRACE_JSON))
		trace_line_text(line, " ");
	if (trace_is(TRACE_TIMES & ~TRACE_DURATION))
		add_times(line);
	if (trace_is(TRACE_JSON))
		trace_line_text(line, ",\"trace\":");
}

void trace_line_enter(struct trace_line *line, uint64_t number, const uint64_t arguments[6])
{
	const struct call_format format = trace_format();
	size_t need = call_format_enter(&format, number, arguments, line->text + line->len, room_left(line));

	if (need >= room_left(line) && make_room(line, need))
		need = call_format_enter(&format, number, arguments, line->text + line->len, room_left(line));
	grow(line, need);
}

void trace_line_exit(struct trace_line *line, uint64_t number, const uint64_t arguments[6], long result)
{
	const struct call_format format = trace_format();
	size_t need = call_format_exit(&format, number, arguments, result, line->text + line->len,
				       room_left(line));

	if (need >= room_left(line) && make_room(line, need))
		need = call_format_exit(&format, number, arguments, result, line->text + line->len,
					room_left(line));
	grow(line, need);
}

void trace_line_finish(struct trace_line *line, int64_t ns)
{
	if (!trace_is(TRACE_DURATION))
		ns = -1;
	if (ns >= 0 && trace_is(TRACE_JSON)) {
		add_member(line, "duration", ns);
	} else if (ns >= 0) {
		trace_line_text(line, " <");
		add_seconds(line, ns, 1);
		trace_line_text(line, ">");
	}
	if (trace_is(TRACE_JSON))
		trace_line_text(line, "}");
	line->text[line->len++] = '\n';
	trace_put(line->text, line->len);
	trace_line_drop(line);
}
