/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often each call was made by all processes of the view: on the board, so that nothing is lost. */
#include "vuos/resident/calls.h"
#include "vuos/resident/trace_internal.h"

_Static_assert(CALL_COUNT <= BOARD_CALLS, "a place for each call");

static void add(uint64_t *counter, uint64_t count)
{
	(void)__atomic_fetch_add(counter, count, __ATOMIC_RELAXED);
}

/* A number without a row has the first place that has it, or is free. */
static void count_unknown(uint64_t number)
{
	for (unsigned i = 0; i < BOARD_UNKNOWN; i++) {
		struct board_unknown *place = &trace_board.unknown[i];
		uint64_t there = __atomic_load_n(&place->number, __ATOMIC_RELAXED);

		if (!there && __atomic_compare_exchange_n(&place->number, &there, number + 1, false,
							  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			there = number + 1;
		if (there == number + 1) {
			add(&place->calls, 1);
			return;
		}
	}
	add(&trace_board.unknown_more, 1);
}

static bool is_counted(uint64_t number, const struct call_row *row)
{
	if (trace_is(TRACE_TALLY) && trace_wants(number))
		return true;
	return trace_is(TRACE_UNHANDLED) &&
	       (row->level == CALL_LEVEL_REFUSED || row->level == CALL_LEVEL_ABSENT);
}

void trace_count(uint64_t number, long result, int64_t ns)
{
	const struct call_row *row = call_row(number);
	struct board_count *count = &trace_board.counts[number % BOARD_CALLS];

	if (!trace_is(TRACE_TALLY | TRACE_UNHANDLED))
		return;
	if (!row) {
		count_unknown(number);
		return;
	}
	if (!is_counted(number, row))
		return;
	add(&count->calls, 1);
	if (is_error(result))
		add(&count->errors, 1);
	if (ns > 0)
		add(&count->ns, (uint64_t)ns);
}
