/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. A call is told in two parts, before it is made and when its result is there
 * (call_format.h); both are put together on the stack, so that the lines of several threads do not mix.
 *
 * A call that does not come back (exit) is told before it is made. An exec that fails comes back; of one
 * that does not, the line passes to the new program (exec_state.h), which has the result. Calls that a
 * signal puts off are made afresh, and told then.
 *
 * Signals are told where a handler of the program's is entered, and where they end the process, for which we
 * have a handler (signals_watch_ends()). What the kernel ignores is never seen here, nor SIGKILL.
 */
#include "vuos/resident/trace.h"

#include "vuos/resident/calls.h"
#include "vuos/resident/signals.h"
#include "vuos/resident/trace_internal.h"

_Static_assert(CALL_COUNT <= 64 * EXEC_CALL_WORDS, "a bit for each call");

struct exec_trace trace_how HOT;

bool trace_wants(uint64_t number)
{
	if (!call_row(number))
		return trace_is(TRACE_OTHERS);
	return trace_how.calls[number / 64] >> number % 64 & 1;
}

static bool has_signals(void)
{
	return (trace_how.flags & (TRACE_SIGNALS | TRACE_LINES)) == (TRACE_SIGNALS | TRACE_LINES);
}

static bool is_wanted_result(long result)
{
	if (is_error(result))
		return !trace_is(TRACE_SUCCESSFUL);
	return !trace_is(TRACE_FAILED);
}

/* --- from program to program ------------------------------------------------------------------- */

/* The exec that has begun this program, by its own vectors: of a script, those of its interpreter. */
static void tell_first(const void *state, uint64_t argv, uint64_t envp)
{
	const char *path = exec_state_text(state, EXEC_PATH);
	const uint64_t arguments[6] = { (uint64_t)path, argv, envp };
	struct trace_line line;

	trace_line_begin(&line, false);
	trace_line_enter(&line, __NR_execve, arguments);
	trace_line_exit(&line, __NR_execve, arguments, 0);
	trace_line_finish(&line, -1);
}

/* The exec of the program before, which has made its line up to the result; TEXT NULL: it is only counted. */
static void tell_exec(const char *text)
{
	const uint64_t none[6] = { 0 };
	int64_t ns = trace_now() - trace_how.exec_begin;
	struct trace_line line;

	trace_count(__NR_execve, 0, ns);
	if (!text)
		return;
	trace_line_begin(&line, false);
	line.len = 0;
	trace_line_text(&line, text);
	trace_line_exit(&line, __NR_execve, none, 0);
	trace_line_finish(&line, ns);
}

void trace_start(const void *state, uint64_t argv, uint64_t envp)
{
	const struct exec_trace *how = exec_state_find(state, EXEC_TRACE, sizeof(*how), NULL);
	const char *line = exec_state_text(state, EXEC_TRACE_LINE);

	if (!how)
		return;
	trace_how = *how;
	trace_how.name[EXEC_TRACE_NAME_MAX] = '\0';
	trace_how.slots = MIN(trace_how.slots, BOARD_SLOTS);
	trace_how.flags &= ~(uint32_t)TRACE_FIRST;
	process.watch |= WATCH_TRACE;
	trace_out_start();
	if (has_signals())
		signals_watch_ends();
	if (how->flags & TRACE_FIRST && how->flags & TRACE_LINES && trace_wants(__NR_execve) &&
	    is_wanted_result(0))
		tell_first(state, argv, envp);
	if (how->flags & TRACE_FIRST)
		trace_count(__NR_execve, 0, 0);
	if (how->exec_begin)
		tell_exec(line);
}

void trace_save(const struct context *c, struct exec_writer *writer)
{
	struct exec_trace *how;

	if (!trace_is(TRACE_ON))
		return;
	how = exec_state_add(writer, EXEC_TRACE, &trace_how, sizeof(trace_how));
	if (how)
		how->exec_begin = c->exec_begin;
	if (c->trace_line && is_wanted_result(0))
		exec_state_add_text(writer, EXEC_TRACE_LINE, c->trace_line->text);
}

/* --- calls ----------------------------------------------------------------------------------------- */

static bool is_exec(uint64_t number)
{
	return number == __NR_execve || number == __NR_execveat;
}

static bool copies_memory(uint64_t number)
{
	return number == __NR_fork || number == __NR_vfork || number == __NR_clone || number == __NR_clone3;
}

static void tell_end(int signal, int status)
{
	const struct call_format format = trace_format();
	struct trace_line line;

	trace_line_begin(&line, true);
	line.len += call_format_end(&format, signal, status, line.text + line.len, LINE_TAIL);
	trace_line_finish(&line, -1);
}

/* exit and exit_group: with all signals blocked, so that nothing puts off what was told already. */
static long serve_end(struct context *c, struct call *call, call_handler *serve)
{
	uint64_t mask = signals_block_all();
	struct trace_line line;
	long result;

	if (c->work) {
		signals_restore(mask);
		return CALL_RESTART;
	}
	trace_count(call->raw[0], 0, 0);
	if (trace_wants(call->raw[0]) && trace_is(TRACE_LINES) && !trace_is(TRACE_FAILED | TRACE_SUCCESSFUL)) {
		trace_line_begin(&line, true);
		trace_line_enter(&line, call->raw[0], call->raw + 1);
		trace_line_finish(&line, -1);
	}
	if (has_signals())
		tell_end(0, CALL_ARG(call, 0) & 0xff);
	if (call->raw[0] == __NR_exit_group)
		trace_out_end();
	else
		trace_flush();
	result = serve(c, call);
	signals_restore(mask);
	return result;
}

/* Makes the call, and counts it. *NS is how long it took, if somebody wants to know. */
static long serve_counted(struct context *c, struct call *call, call_handler *serve, int64_t *ns)
{
	bool timed = trace_is(TRACE_DURATION | TRACE_TALLY);
	int64_t begin = timed ? trace_now() : 0;
	uint64_t number = call->raw[0];
	long result;

	if (is_exec(number))
		c->exec_begin = timed ? begin : trace_now();
	result = serve(c, call);
	c->exec_begin = 0;
	*ns = timed ? trace_now() - begin : -1;
	if (result != CALL_RESTART && !(copies_memory(number) && result == 0))
		trace_count(number, result, *ns);
	return result;
}

static long serve_told(struct context *c, struct call *call, call_handler *serve)
{
	uint64_t number = call->raw[0], arguments[6];
	struct trace_line line;
	long result, told;
	int64_t ns;

	memcpy(arguments, call->raw + 1, sizeof(arguments));
	trace_line_begin(&line, c->is_vfork_child);
	trace_line_enter(&line, number, arguments);
	if (is_exec(number)) {
		line.text[line.len] = '\0';
		c->trace_line = &line;
	}
	result = serve_counted(c, call, serve, &ns);
	c->trace_line = NULL;
	told = call->keep ? (long)call->frame->uc.rax : result; /* rt_sigreturn has brought a result back */
	if (result == CALL_RESTART || !is_wanted_result(told) || (copies_memory(number) && result == 0)) {
		trace_line_drop(&line); /* also in the child, whose parent tells of the call */
		return result;
	}
	trace_line_exit(&line, number, arguments, told);
	trace_line_finish(&line, ns);
	return result;
}

long trace_serve(struct context *c, struct call *call, call_handler *serve)
{
	uint64_t number = call->raw[0];
	int64_t ns;

	if (number == __NR_exit || number == __NR_exit_group)
		return serve_end(c, call, serve);
	if (is_exec(number) || copies_memory(number))
		trace_flush();
	if (trace_wants(number) && trace_is(TRACE_LINES))
		return serve_told(c, call, serve);
	return trace_is(TRACE_TALLY | TRACE_UNHANDLED) ? serve_counted(c, call, serve, &ns) : serve(c, call);
}

/* --- signals, children --------------------------------------------------------------------------- */

void trace_signal(const struct siginfo *info)
{
	const struct call_format format = trace_format();
	struct trace_line line;

	if (!has_signals())
		return;
	trace_line_begin(&line, true);
	line.len += MIN(call_format_signal(&format, info, line.text + line.len, line.room - line.len),
			line.room - line.len - LINE_TAIL);
	trace_line_finish(&line, -1);
}

/* Signals whose default is not the end of the process. */
#define HARMLESS (SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH) | \
		  SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))

void trace_default(const struct siginfo *info)
{
	trace_signal(info);
	if (has_signals() && !(HARMLESS & SIGNAL_BIT(info->signo)))
		tell_end(info->signo, 0);
	trace_flush();
}

void trace_forked(void)
{
	context_here()->trace_thread = 0;
	trace_out_forked();
}
