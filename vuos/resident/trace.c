/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. A call is told in two parts, before it is made and when its result is there
 * (call_format.h); both are put together on the stack, so that the lines of several threads do not mix.
 * Lines are collected in a buffer, which is appended to the file when it is full, before fork and exec,
 * and at the end. The file is opened each time: a descriptor that is kept would be in the program's way,
 * and the program in its.
 *
 * A call that may not come back (exit, exec) is written before it is made; what comes of one that does
 * come back follows on a line of its own. Calls that a signal puts off are made afresh, and told then.
 */
#include "vuos/resident/trace.h"

#include "vuos/resident/call_format.h"
#include "vuos/resident/lock.h"
#include "vuos/resident/signals.h"

#define LINE_MAX       2048
#define BUFFER_SIZE    32768
#define LOCK_TRIES     100000
#define O_APPEND_FLAGS 02002001 /* O_WRONLY, O_APPEND, O_CLOEXEC */
#define FILE_PATH_AT   (-100)
#define CLOCK_MONOTONIC 1
#define NS_PER_SEC     1000000000ll

static struct {
	struct lock lock;
	size_t len;
	char text[BUFFER_SIZE];
} buffer;

static int read_memory(void *context, uint64_t address, void *to, size_t len)
{
	(void)context;
	return (int)copy_in(to, address, len);
}

static struct call_format format_of(enum tracing tracing)
{
	return (struct call_format){
		.form = tracing == TRACE_JSON ? CALL_JSON : CALL_TEXT, .string_max = CALL_STRING_MAX,
		.elements_max = CALL_ELEMENTS_MAX, .read = read_memory,
	};
}

/* --- the file ------------------------------------------------------------------------------------ */

static void write_out(const char *text, size_t len)
{
	long fd = NATIVE(__NR_openat, FILE_PATH_AT, process.trace_path, O_APPEND_FLAGS, 0);

	if (fd < 0)
		return;
	(void)NATIVE(__NR_write, fd, text, len);
	(void)NATIVE(__NR_close, fd);
}

/* With all signals blocked. A child of vfork(2) may have died with the lock: nobody waits for ever. */
static bool buffer_lock(uint64_t *mask)
{
	*mask = signals_block_all();
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (lock_try(&buffer.lock))
			return true;
		__asm__ volatile("pause");
	}
	signals_restore(*mask);
	return false;
}

static void buffer_unlock(uint64_t mask)
{
	lock_drop(&buffer.lock);
	signals_restore(mask);
}

static void put_line(const char *line, size_t len)
{
	uint64_t mask;

	if (!buffer_lock(&mask))
		return;
	if (buffer.len + len > sizeof(buffer.text)) {
		write_out(buffer.text, buffer.len);
		buffer.len = 0;
	}
	memcpy(buffer.text + buffer.len, line, len);
	buffer.len += len;
	buffer_unlock(mask);
}

void trace_flush(void)
{
	uint64_t mask;

	if (process.tracing == TRACE_NOT || !buffer.len || !buffer_lock(&mask))
		return;
	write_out(buffer.text, buffer.len);
	buffer.len = 0;
	buffer_unlock(mask);
}

void trace_forked(void)
{
	lock_drop(&buffer.lock);
	buffer.len = 0;
}

/* --- lines ------------------------------------------------------------------------------------------ */

struct line {
	char text[LINE_MAX];
	size_t len;
};

/* What formatting has written, or would have: LEN. Room for an end is kept. */
static void line_grow(struct line *line, size_t len)
{
	line->len = MIN(line->len + len, sizeof(line->text) - 2);
}

static void line_begin(struct line *line)
{
	char *at = line->text;

	if (process.tracing == TRACE_JSON)
		at = text_put(at, "{\"thread\":");
	at = text_put_number(at, (uint64_t)NATIVE(__NR_gettid), 10);
	at = text_put(at, process.tracing == TRACE_JSON ? ",\"trace\":" : " ");
	line->len = (size_t)(at - line->text);
}

static void line_end(struct line *line)
{
	if (process.tracing == TRACE_JSON)
		line->text[line->len++] = '}';
	line->text[line->len++] = '\n';
	put_line(line->text, line->len);
}

static int64_t now(void)
{
	int64_t time[2] = { 0 };

	(void)NATIVE(__NR_clock_gettime, CLOCK_MONOTONIC, time);
	return time[0] * NS_PER_SEC + time[1];
}

/* How long it took, behind a line of text. */
static void line_time(struct line *line, int64_t ns)
{
	char time[48], *at = text_put(time, " <");
	int64_t micro = ns / 1000;
	char digits[24];
	size_t len;

	if (process.tracing == TRACE_JSON)
		return;
	at = text_put_number(at, (uint64_t)(micro / 1000000), 10);
	at = text_put(at, ".");
	len = (size_t)(text_put_number(digits, (uint64_t)(micro % 1000000), 10) - digits);
	for (; len < 6; len++)
		at = text_put(at, "0");
	at = text_put(text_put(at, digits), ">");
	if (line->len + (size_t)(at - time) < sizeof(line->text) - 2) {
		memcpy(line->text + line->len, time, (size_t)(at - time));
		line->len += (size_t)(at - time);
	}
}

static bool ends_program(uint64_t number)
{
	return number == __NR_exit || number == __NR_exit_group;
}

/* It does not come back when all goes well. */
static bool is_exec(uint64_t number)
{
	return number == __NR_execve || number == __NR_execveat;
}

static void line_text(struct line *line, const char *text)
{
	size_t len = text_len(text);

	if (line->len + len < sizeof(line->text) - 2)
		memcpy(line->text + line->len, text, len);
	line_grow(line, len);
}

/* Before an exec: as text it is unfinished, as JSON it is taken for done. */
static void line_exec(struct line *line, const struct call_format *format, uint64_t number,
		      const uint64_t arguments[6])
{
	if (process.tracing == TRACE_TEXT)
		line_text(line, " <unfinished ...>");
	else
		line_grow(line, call_format_exit(format, number, arguments, 0, line->text + line->len,
						 sizeof(line->text) - 2 - line->len));
}

/* It came back: what its end belongs to. */
static void line_exec_failed(struct line *line, const struct call_format *format, uint64_t number,
			     const uint64_t arguments[6])
{
	line_begin(line);
	if (process.tracing == TRACE_TEXT)
		line_text(line, "<... exec resumed>");
	else
		line_grow(line, call_format_enter(format, number, arguments, line->text + line->len,
						  sizeof(line->text) - 2 - line->len));
}

static bool copies_memory(uint64_t number)
{
	return number == __NR_fork || number == __NR_vfork || number == __NR_clone || number == __NR_clone3;
}

long trace_serve(struct context *c, struct call *call, call_handler *serve)
{
	const struct call_format format = format_of(process.tracing);
	uint64_t number = call->raw[0], arguments[6];
	struct line line;
	int64_t begin;
	long result;

	memcpy(arguments, call->raw + 1, sizeof(arguments));
	line_begin(&line);
	line_grow(&line, call_format_enter(&format, number, arguments, line.text + line.len,
					   sizeof(line.text) - 2 - line.len));
	if (ends_program(number) || is_exec(number)) {
		if (is_exec(number))
			line_exec(&line, &format, number, arguments);
		line_end(&line);
	}
	if (ends_program(number) || is_exec(number) || copies_memory(number))
		trace_flush();
	begin = now();
	result = serve(c, call);
	if (result == CALL_RESTART || number == __NR_rt_sigreturn)
		return result;
	if (is_exec(number))
		line_exec_failed(&line, &format, number, arguments);
	line_grow(&line, call_format_exit(&format, number, arguments, result, line.text + line.len,
					  sizeof(line.text) - 2 - line.len));
	line_time(&line, now() - begin);
	line_end(&line);
	return result;
}
