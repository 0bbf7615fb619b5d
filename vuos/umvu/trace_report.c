/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The board is shared with the programs, so nothing in it is believed beyond its own limits: numbers are
 * printed, lengths are cut to what there is room for.
 */
#include "trace_report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/json.h"
#include "vuos/resident/calls.h"
#include "vuos/resident/trace_board.h"

#define NS_PER_SEC 1e9
#define NS_PER_USEC 1000
#define LOCK_TRIES  100000

struct report_row {
	char name[32];
	uint64_t number;
	struct board_count count;
};

struct report {
	struct report_row rows[BOARD_CALLS + BOARD_UNKNOWN];
	size_t count;
	struct board_count total;
};

/* --- writing --------------------------------------------------------------------------------------- */

static void note_loss(const struct trace_view *view, size_t len)
{
	view->board->lost += len;
	view->board->lost_errno = errno;
}

static void print_to(const struct trace_view *view, int fd, const char *text, size_t len)
{
	if (io_write_all(fd, text, len) < 0)
		note_loss(view, len);
}

/* Also what the processes could not write. */
static void tell_loss(const struct board *board)
{
	if (board->lost)
		log_error("%llu bytes of the trace could not be written: %s", (unsigned long long)board->lost,
			  strerror(board->lost_errno));
}

/* --- lines ----------------------------------------------------------------------------------------- */

static int file_of(const struct trace_view *view, int32_t owner)
{
	char name[EXEC_TRACE_NAME_MAX + 16];

	if (!(view->how.flags & TRACE_SPLIT))
		return fcntl(view->fd, F_DUPFD_CLOEXEC, 3);
	(void)snprintf(name, sizeof(name), "%s.%d", view->how.name, owner);
	return openat(view->fd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

/* The owner may still be there (--orphans=leave), or have been killed with the lock. */
static void finish_slot(const struct trace_view *view, struct board_slot *slot, int fd)
{
	bool locked = false;

	for (int i = 0; i < LOCK_TRIES && !locked; i++)
		locked = !__atomic_exchange_n(&slot->lock, 1, __ATOMIC_ACQUIRE);
	print_to(view, fd, slot->text, MIN(slot->len, sizeof(slot->text)));
	slot->len = 0;
	if (locked)
		__atomic_store_n(&slot->lock, 0, __ATOMIC_RELEASE);
}

static void finish_lines(const struct trace_view *view)
{
	for (unsigned i = 0; i < view->how.slots; i++) {
		struct board_slot *slot = (void *)((char *)view->board + BOARD_SLOT_AT(i));
		int32_t owner = view->board->owners[i];
		auto_close int fd = -1;

		if (!owner || !slot->len)
			continue;
		fd = file_of(view, owner);
		if (fd < 0)
			note_loss(view, MIN(slot->len, sizeof(slot->text)));
		else
			finish_slot(view, slot, fd);
	}
}

/* --- the summary ------------------------------------------------------------------------------------ */

static void add_row(struct report *report, const char *name, uint64_t number, const struct board_count *count)
{
	struct report_row *row = &report->rows[report->count];

	if (!count->calls)
		return;
	report->count++;
	row->number = number;
	row->count = *count;
	if (name)
		(void)str_copy(row->name, sizeof(row->name), name);
	else
		(void)snprintf(row->name, sizeof(row->name), "syscall_%llu", (unsigned long long)number);
	report->total.calls += count->calls;
	report->total.errors += count->errors;
	report->total.ns += count->ns;
}

/* Most often first. */
static int by_calls(const void *one, const void *other)
{
	const struct report_row *a = one, *b = other;

	if (a->count.calls != b->count.calls)
		return a->count.calls < b->count.calls ? 1 : -1;
	return strcmp(a->name, b->name);
}

/* Longest first. */
static int by_time(const void *one, const void *other)
{
	const struct report_row *a = one, *b = other;

	if (a->count.ns != b->count.ns)
		return a->count.ns < b->count.ns ? 1 : -1;
	return by_calls(one, other);
}

static void collect(struct report *report, const struct board *board)
{
	report->count = 0;
	report->total = (struct board_count){ 0 };
	for (unsigned number = 0; number < CALL_COUNT; number++)
		if (call_row(number))
			add_row(report, call_name(call_row(number)), number, &board->counts[number]);
	for (unsigned i = 0; i < BOARD_UNKNOWN; i++)
		if (board->unknown[i].number)
			add_row(report, NULL, board->unknown[i].number - 1,
				&(struct board_count){ .calls = board->unknown[i].calls });
}

static void text_row(struct strbuf *out, const struct board_count *count, const struct board_count *total,
		     const char *name)
{
	double percent = total->ns ? 100.0 * (double)count->ns / (double)total->ns : 0;
	char errors[24] = "";

	if (count->errors)
		(void)snprintf(errors, sizeof(errors), "%llu", (unsigned long long)count->errors);
	strbuf_printf(out, "%6.2f %11.6f %11llu %9llu %9s %s\n", percent, (double)count->ns / NS_PER_SEC,
		      (unsigned long long)(count->calls ? count->ns / count->calls / NS_PER_USEC : 0),
		      (unsigned long long)count->calls, errors, name);
}

static void text_summary(struct strbuf *out, const struct report *report)
{
	static const char line[] = "------ ----------- ----------- --------- --------- ----------------\n";

	strbuf_puts(out, "% time     seconds  usecs/call     calls    errors syscall\n");
	strbuf_puts(out, line);
	for (size_t i = 0; i < report->count; i++)
		text_row(out, &report->rows[i].count, &report->total, report->rows[i].name);
	strbuf_puts(out, line);
	text_row(out, &report->total, &report->total, "total");
}

static void json_counts(struct json *j, const struct board_count *count)
{
	json_uint(j, "calls", count->calls);
	json_uint(j, "errors", count->errors);
	json_double(j, "seconds", (double)count->ns / NS_PER_SEC);
}

static void json_summary(struct strbuf *out, const struct report *report)
{
	struct json j;

	json_init(&j, out);
	json_object(&j, NULL);
	json_object(&j, "summary");
	json_counts(&j, &report->total);
	json_array(&j, "rows");
	for (size_t i = 0; i < report->count; i++) {
		json_object(&j, NULL);
		json_string(&j, "call", report->rows[i].name);
		json_uint(&j, "number", report->rows[i].number);
		json_counts(&j, &report->rows[i].count);
		json_end(&j);
	}
	json_end(&j);
	json_end(&j);
	json_end(&j);
	strbuf_putc(out, '\n');
}

/* --- what is not handled in full ------------------------------------------------------------------- */

/* What becomes of a call, in words; NULL: it is handled in full. */
static const char *lack_of(uint64_t number, char text[64])
{
	const struct call_row *row = call_row(number);

	if (!row)
		return "unknown: made as it is";
	if (row->level == CALL_LEVEL_ABSENT)
		return "no kernel has it: made as it is";
	if (row->level != CALL_LEVEL_REFUSED)
		return NULL;
	for (unsigned i = 0; i < call_errors_count; i++)
		if (call_errors[i].number == row->error)
			(void)snprintf(text, 64, "refused: %s", call_strings + call_errors[i].name);
	return text;
}

static void text_unhandled(struct strbuf *out, const struct report *report)
{
	bool any = false;

	for (size_t i = 0; i < report->count; i++) {
		const struct report_row *row = &report->rows[i];
		char text[64] = "refused";
		const char *lack = lack_of(row->number, text);

		if (!lack)
			continue;
		if (!any)
			strbuf_puts(out, "umvu: calls that are not handled in full:\n");
		any = true;
		strbuf_printf(out, "%9llu %s (%s)\n", (unsigned long long)row->count.calls, row->name, lack);
	}
	if (!any)
		strbuf_puts(out, "umvu: all calls were handled in full\n");
}

static void json_unhandled(struct strbuf *out, const struct report *report)
{
	struct json j;

	json_init(&j, out);
	json_object(&j, NULL);
	json_array(&j, "unhandled");
	for (size_t i = 0; i < report->count; i++) {
		const struct report_row *row = &report->rows[i];
		char text[64] = "refused";
		const char *lack = lack_of(row->number, text);

		if (!lack)
			continue;
		json_object(&j, NULL);
		json_string(&j, "call", row->name);
		json_uint(&j, "number", row->number);
		json_uint(&j, "calls", row->count.calls);
		json_string(&j, "support", lack);
		json_end(&j);
	}
	json_end(&j);
	json_end(&j);
	strbuf_putc(out, '\n');
}

/* --- all of it ---------------------------------------------------------------------------------------- */

static void print_summary(const struct trace_view *view, struct report *report)
{
	auto_strbuf struct strbuf text = { 0 };

	qsort(report->rows, report->count, sizeof(report->rows[0]), by_time);
	(view->how.flags & TRACE_JSON ? json_summary : text_summary)(&text, report);
	print_to(view, view->how.flags & TRACE_SPLIT ? STDERR_FILENO : view->fd, text.data, text.len);
}

static void print_unhandled(const struct trace_view *view, struct report *report)
{
	auto_strbuf struct strbuf text = { 0 };

	qsort(report->rows, report->count, sizeof(report->rows[0]), by_calls);
	(view->how.flags & TRACE_JSON ? json_unhandled : text_unhandled)(&text, report);
	print_to(view, STDERR_FILENO, text.data, text.len);
}

void trace_finish(const struct trace_view *view)
{
	auto_free struct report *report = view->board ? malloc(sizeof(*report)) : NULL;

	if (!report)
		return;
	finish_lines(view);
	collect(report, view->board);
	if (view->board->unknown_more)
		add_row(report, "other", UINT64_MAX,
			&(struct board_count){ .calls = view->board->unknown_more });
	if (view->how.flags & TRACE_TALLY)
		print_summary(view, report);
	if (view->how.flags & TRACE_UNHANDLED)
		print_unhandled(view, report);
	tell_loss(view->board);
}
