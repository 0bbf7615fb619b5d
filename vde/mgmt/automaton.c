/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation. A state works on the buffer, which IN fills byte by byte from the stream
 * until it ends with the pattern; THROW empties it, SKIP cuts off its front, IF compares its front,
 * COPY appends it to the current output, SEND writes text and arguments to the stream. Control
 * goes to the state with the next higher number unless an operation names a label.
 */
#include "automaton.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/io.h"

/* What a step does with control: to the next state, to the label in the state, or the end. */
enum step { STEP_NEXT, STEP_JUMP, STEP_EXIT };

/* Receives more into the input; 0, -ETIMEDOUT, or -ECONNRESET at the end. */
static int fill(const struct automaton *a, struct automaton_run *run)
{
	struct pollfd poller = { .fd = run->fd, .events = POLLIN };
	char data[4096];
	ssize_t got;
	int r;

	do
		r = poll(&poller, 1, a->timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	got = io_read(run->fd, data, sizeof(data));
	if (got <= 0)
		return got < 0 ? (int)got : -ECONNRESET;
	strbuf_append(&run->input, data, (size_t)got);
	return run->input.error;
}

static bool ends_with(const struct strbuf *b, const char *pattern)
{
	size_t len = strlen(pattern);

	return b->len >= len && memcmp(strbuf_text(b) + b->len - len, pattern, len) == 0;
}

static int do_in(const struct automaton *a, struct automaton_run *run,
		 const struct automaton_state *state)
{
	size_t used = 0;

	for (;;) {
		if (used == run->input.len) {
			strbuf_consume(&run->input, used);
			used = 0;
			if (fill(a, run) < 0)
				return STEP_JUMP;
		}
		strbuf_putc(&run->buffer, run->input.data[used++]);
		if (run->buffer.error)
			return run->buffer.error;
		if (ends_with(&run->buffer, state->text))
			break;
	}
	strbuf_consume(&run->input, used);
	return STEP_NEXT;
}

static int do_throw(const struct automaton *a, struct automaton_run *run,
		    const struct automaton_state *state)
{
	(void)a;
	(void)state;
	strbuf_clear(&run->buffer);
	return STEP_NEXT;
}

/* Puts the text down with `$*` (all arguments) and `$0` to `$9` (one of them) filled in. */
static void expand(const struct automaton_run *run, const char *text, struct strbuf *out)
{
	for (; *text; text++) {
		size_t index = (size_t)(text[1] - '0');

		if (*text == '$' && text[1] == '*') {
			for (size_t i = 0; i < run->num_args; i++) {
				strbuf_puts(out, i ? " " : "");
				strbuf_puts(out, run->args[i]);
			}
			text++;
		} else if (*text == '$' && index <= 9) {
			strbuf_puts(out, index < run->num_args ? run->args[index] : "");
			text++;
		} else {
			strbuf_putc(out, *text);
		}
	}
}

static int do_send(const struct automaton *a, struct automaton_run *run,
		   const struct automaton_state *state)
{
	struct strbuf text = { 0 };
	int r;

	(void)a;
	expand(run, state->text, &text);
	r = text.error ? text.error : io_write_all(run->fd, strbuf_text(&text), text.len);
	strbuf_done(&text);
	return r < 0 ? r : STEP_NEXT;
}

static int do_shift(const struct automaton *a, struct automaton_run *run,
		    const struct automaton_state *state)
{
	(void)a;
	(void)state;
	if (run->num_args) {
		run->args++;
		run->num_args--;
	}
	return STEP_NEXT;
}

static int do_if(const struct automaton *a, struct automaton_run *run,
		 const struct automaton_state *state)
{
	(void)a;
	return str_starts(strbuf_text(&run->buffer), state->text) ? STEP_JUMP : STEP_NEXT;
}

static int do_goto(const struct automaton *a, struct automaton_run *run,
		   const struct automaton_state *state)
{
	(void)a;
	(void)run;
	(void)state;
	return STEP_JUMP;
}

static int do_copy(const struct automaton *a, struct automaton_run *run,
		   const struct automaton_state *state)
{
	(void)a;
	(void)state;
	strbuf_append(&run->out->text, strbuf_text(&run->buffer), run->buffer.len + 1);
	return run->out->text.error ? run->out->text.error : STEP_NEXT;
}

static int do_exit(const struct automaton *a, struct automaton_run *run,
		   const struct automaton_state *state)
{
	(void)a;
	run->status = state->value & 0xff;
	return STEP_EXIT;
}

/* The number at the front of the buffer, 0 when there is none. BASE 2 to 36, else 10. */
static int front_number(const struct automaton_run *run, int base)
{
	long value = strtol(strbuf_text(&run->buffer), NULL, base < 2 || base > 36 ? 10 : base);

	return (int)MAX(-1, MIN(value, 1000000));
}

/* A result as an exit status: 255 is kept for "none". */
static int result_status(int value)
{
	return value < 0 ? 255 : MIN(value, 254);
}

static int do_exitrv(const struct automaton *a, struct automaton_run *run,
		     const struct automaton_state *state)
{
	(void)a;
	(void)state;
	run->status = result_status(run->value);
	return STEP_EXIT;
}

static int do_exitatoi(const struct automaton *a, struct automaton_run *run,
		       const struct automaton_state *state)
{
	(void)a;
	run->status = result_status(front_number(run, state->value));
	return STEP_EXIT;
}

static int do_skip(const struct automaton *a, struct automaton_run *run,
		   const struct automaton_state *state)
{
	const char *text = strbuf_text(&run->buffer), *found;

	(void)a;
	if (!state->text) {
		strbuf_consume(&run->buffer, (size_t)MAX(state->value, 0));
		return STEP_NEXT;
	}
	found = strstr(text, state->text);
	if (found)
		strbuf_consume(&run->buffer, (size_t)(found - text) + strlen(state->text));
	return STEP_NEXT;
}

static int do_ifarg(const struct automaton *a, struct automaton_run *run,
		    const struct automaton_state *state)
{
	(void)a;
	(void)state;
	return run->num_args ? STEP_JUMP : STEP_NEXT;
}

static int do_rvatoi(const struct automaton *a, struct automaton_run *run,
		     const struct automaton_state *state)
{
	(void)a;
	run->value = front_number(run, state->value);
	return STEP_NEXT;
}

static int do_outshift(const struct automaton *a, struct automaton_run *run,
		       const struct automaton_state *state)
{
	struct automaton_out *out = calloc(1, sizeof(*out));

	(void)a;
	(void)state;
	if (!out)
		return -ENOMEM;
	run->out->next = out;
	run->out = out;
	return STEP_NEXT;
}

static int do_outtag(const struct automaton *a, struct automaton_run *run,
		     const struct automaton_state *state)
{
	(void)a;
	run->out->tag = state->value >= 0 ? state->value : run->value;
	return STEP_NEXT;
}

/* Each returns an enum step or a negative errno. */
static int (*const actions[AUTOMATON_NUM_OPS])(const struct automaton *, struct automaton_run *,
					       const struct automaton_state *) = {
	[AUTOMATON_IN] = do_in,
	[AUTOMATON_THROW] = do_throw,
	[AUTOMATON_SEND] = do_send,
	[AUTOMATON_SHIFT] = do_shift,
	[AUTOMATON_IF] = do_if,
	[AUTOMATON_GOTO] = do_goto,
	[AUTOMATON_COPY] = do_copy,
	[AUTOMATON_EXIT] = do_exit,
	[AUTOMATON_EXITRV] = do_exitrv,
	[AUTOMATON_EXITATOI] = do_exitatoi,
	[AUTOMATON_SKIP] = do_skip,
	[AUTOMATON_IFARG] = do_ifarg,
	[AUTOMATON_RVATOI] = do_rvatoi,
	[AUTOMATON_OUTSHIFT] = do_outshift,
	[AUTOMATON_OUTTAG] = do_outtag,
};

/* The place of the state with that number, or num_states. */
static size_t find_state(const struct automaton *a, int number)
{
	size_t low = 0, high = a->num_states;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (a->states[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < a->num_states && a->states[low].number == number ? low : a->num_states;
}

/* Runs the state at *place and moves it on. */
static int step(const struct automaton *a, struct automaton_run *run, size_t *place,
		struct error *error)
{
	const struct automaton_state *state = &a->states[*place];
	int r;

	if (run->trace)
		(void)fprintf(run->trace, "NOW %d %s, buffer: %s\n", state->number,
			      automaton_op_name(state->op), strbuf_text(&run->buffer));
	r = actions[state->op](a, run, state);
	if (r < 0)
		return error_set_errno(error, -r, "state %d (%s)", state->number,
				       automaton_op_name(state->op));
	if (r == STEP_NEXT && ++*place == a->num_states)
		return error_set(error, EINVAL, "the automaton ends behind state %d without an EXIT",
				 state->number);
	if (r == STEP_JUMP) {
		*place = find_state(a, state->value);
		if (*place == a->num_states)
			return error_set(error, ENOENT,
					 "state %d (%s) goes to state %d, which does not exist",
					 state->number, automaton_op_name(state->op), state->value);
	}
	return r;
}

int automaton_execute(const struct automaton *a, struct automaton_run *run, struct error *error)
{
	size_t place = 0;
	int r;

	run->outs = run->out = calloc(1, sizeof(*run->outs));
	if (!run->out)
		return error_set(error, ENOMEM, "out of memory");
	run->buffer.limit = AUTOMATON_BUFFER_MAX;
	do
		r = step(a, run, &place, error);
	while (r >= 0 && r != STEP_EXIT);
	return r < 0 ? r : 0;
}

void automaton_run_done(struct automaton_run *run)
{
	while (run->outs) {
		struct automaton_out *next = run->outs->next;

		strbuf_done(&run->outs->text);
		free(run->outs);
		run->outs = next;
	}
	run->out = NULL;
	strbuf_done(&run->input);
	strbuf_done(&run->buffer);
}
