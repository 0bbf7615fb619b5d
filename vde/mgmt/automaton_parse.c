/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file of an automaton: a line for each state, `NUMBER OPERATION ARGUMENTS`. Text stands in
 * quotes, with \n, \t, \r, \e, \\, \' and \" inside; a bare word is text, too. The line
 * `TIMEOUT MILLISECONDS` may stand anywhere. States are kept by number, whatever their order.
 */
#include "automaton.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define DEFAULT_TIMEOUT_MS 10000

enum argument { ARG_NONE, ARG_TEXT = 1, ARG_NUMBER = 2, ARG_OPTIONAL = 4, ARG_EITHER = 8 };

/* What each operation takes, in order: text first, then a number. */
static const struct {
	const char *name;
	unsigned arguments;
} operations[AUTOMATON_NUM_OPS] = {
	[AUTOMATON_IN] = { "IN", ARG_TEXT | ARG_NUMBER },
	[AUTOMATON_THROW] = { "THROW", ARG_NONE },
	[AUTOMATON_SEND] = { "SEND", ARG_TEXT },
	[AUTOMATON_SHIFT] = { "SHIFT", ARG_NONE },
	[AUTOMATON_IF] = { "IF", ARG_TEXT | ARG_NUMBER },
	[AUTOMATON_GOTO] = { "GOTO", ARG_NUMBER },
	[AUTOMATON_COPY] = { "COPY", ARG_NONE },
	[AUTOMATON_EXIT] = { "EXIT", ARG_NUMBER },
	[AUTOMATON_EXITRV] = { "EXITRV", ARG_NONE },
	[AUTOMATON_EXITATOI] = { "EXITATOI", ARG_NUMBER | ARG_OPTIONAL },
	[AUTOMATON_SKIP] = { "SKIP", ARG_EITHER },
	[AUTOMATON_IFARG] = { "IFARG", ARG_NUMBER },
	[AUTOMATON_RVATOI] = { "RVATOI", ARG_NUMBER | ARG_OPTIONAL },
	[AUTOMATON_OUTSHIFT] = { "OUTSHIFT", ARG_NONE },
	[AUTOMATON_OUTTAG] = { "OUTTAG", ARG_NUMBER | ARG_OPTIONAL },
};

/* A line while it is read. */
struct line {
	const char *text; /* NUL-terminated */
	const char *at;
	const char *name; /* of the file */
	unsigned number;
	struct error *error;
};

static int line_error(const struct line *line, const char *what)
{
	return error_set_caret(line->error, EINVAL, line->text, (size_t)(line->at - line->text),
			       "%s, line %u: %s", line->name, line->number, what);
}

static void skip_blanks(struct line *line)
{
	while (isspace((unsigned char)*line->at))
		line->at++;
}

static bool at_end(struct line *line)
{
	skip_blanks(line);
	return *line->at == '\0' || *line->at == '#';
}

static int read_number(struct line *line, int *ret)
{
	char word[16];
	long long value;
	size_t len;

	skip_blanks(line);
	len = strcspn(line->at, " \t\r");
	if (!len || len >= sizeof(word))
		return line_error(line, "a number was expected here");
	memcpy(word, line->at, len);
	word[len] = '\0';
	if (parse_decimal(word, INT_MIN, INT_MAX, &value) < 0)
		return line_error(line, "a number was expected here");
	line->at += len;
	*ret = (int)value;
	return 0;
}

static char unescape(char c)
{
	static const char names[] = "ntre", values[] = "\n\t\r\033";
	const char *found = strchr(names, c);

	return c && found ? values[found - names] : c;
}

/* Quoted text or a bare word; the caller frees *ret. */
static int read_text(struct line *line, char **ret)
{
	struct strbuf text = { 0 };
	char quote;

	skip_blanks(line);
	quote = *line->at == '\'' || *line->at == '"' ? *line->at++ : '\0';
	while (*line->at && (quote ? *line->at != quote : !isspace((unsigned char)*line->at))) {
		bool escaped = *line->at == '\\' && line->at[1];

		line->at += escaped;
		strbuf_putc(&text, escaped ? unescape(*line->at) : *line->at);
		line->at++;
	}
	if (quote && *line->at++ != quote) {
		line->at--;
		strbuf_done(&text);
		return line_error(line, "the closing quote is missing");
	}
	strbuf_puts(&text, "");
	*ret = strbuf_steal(&text);
	return *ret ? 0 : -ENOMEM;
}

static int read_arguments(struct line *line, struct automaton_state *state, unsigned arguments)
{
	int r = 0;

	if (arguments && !(arguments & ARG_OPTIONAL) && at_end(line))
		return line_error(line, "an argument is missing");
	if (arguments & ARG_EITHER) {
		skip_blanks(line);
		arguments = isdigit((unsigned char)*line->at) ? ARG_NUMBER : ARG_TEXT;
	}
	if (arguments & ARG_TEXT)
		r = read_text(line, &state->text);
	if (r == 0 && (arguments & ARG_NUMBER) && !((arguments & ARG_OPTIONAL) && at_end(line)))
		r = read_number(line, &state->value);
	return r;
}

static int read_operation(struct line *line, struct automaton_state *state)
{
	const char *word;
	size_t len;

	skip_blanks(line);
	word = line->at;
	len = strcspn(word, " \t\r");
	for (int op = 0; op < AUTOMATON_NUM_OPS; op++) {
		if (strlen(operations[op].name) != len || memcmp(word, operations[op].name, len))
			continue;
		line->at += len;
		state->op = op;
		state->value = -1;
		return read_arguments(line, state, operations[op].arguments);
	}
	return line_error(line, "there is no such operation");
}

/* Keeps the states sorted; a number that is there already is an error. */
static int insert_state(struct automaton *a, const struct line *line,
			struct automaton_state *state)
{
	size_t place = a->num_states;
	struct automaton_state *states;

	while (place && a->states[place - 1].number >= state->number)
		place--;
	if (place < a->num_states && a->states[place].number == state->number)
		return line_error(line, "this state exists already");
	if (a->num_states == AUTOMATON_STATES_MAX)
		return line_error(line, "too many states");
	states = reallocarray(a->states, a->num_states + 1, sizeof(*states));
	if (!states)
		return -ENOMEM;
	a->states = states;
	memmove(states + place + 1, states + place, (a->num_states - place) * sizeof(*states));
	states[place] = *state;
	state->text = NULL;
	a->num_states++;
	return 0;
}

static int parse_line(struct automaton *a, struct line *line)
{
	struct automaton_state state = { 0 };
	int r;

	if (at_end(line))
		return 0;
	if (str_starts(line->at, "TIMEOUT") && isspace((unsigned char)line->at[7])) {
		line->at += 7;
		return read_number(line, &a->timeout_ms);
	}
	r = read_number(line, &state.number);
	if (r == 0)
		r = read_operation(line, &state);
	if (r == 0)
		r = insert_state(a, line, &state);
	free(state.text);
	return r;
}

static int parse_lines(struct automaton *a, char *text, const char *name, struct error *error)
{
	struct line line = { .name = name, .error = error };
	int r = 0;

	for (char *next = text; r == 0 && next;) {
		line.text = line.at = strsep(&next, "\n");
		line.number++;
		r = parse_line(a, &line);
	}
	if (r == -ENOMEM)
		return error_set(error, ENOMEM, "out of memory");
	if (r == 0 && !a->num_states)
		return error_set(error, EINVAL, "%s has no states", name);
	return r;
}

int automaton_parse(struct automaton **ret, const char *text, size_t len, const char *name,
		    struct error *error)
{
	struct automaton *a = calloc(1, sizeof(*a));
	auto_free char *copy = strndup(text, len);
	int r;

	if (!a || !copy) {
		free(a);
		return error_set(error, ENOMEM, "out of memory");
	}
	a->timeout_ms = DEFAULT_TIMEOUT_MS;
	r = parse_lines(a, copy, name, error);
	if (r < 0)
		automaton_free(a);
	else
		*ret = a;
	return r;
}

int automaton_load(struct automaton **ret, const char *path, struct error *error)
{
	auto_fclose FILE *file = fopen(path, "re");
	struct strbuf text = { .limit = 1u << 20 };
	char piece[4096];
	size_t got;
	int r;

	if (!file)
		return error_set_errno(error, errno, "cannot open the automaton file %s", path);
	while ((got = fread(piece, 1, sizeof(piece), file)) > 0)
		strbuf_append(&text, piece, got);
	if (ferror(file) || text.error)
		r = error_set(error, text.error ? -text.error : EIO, "cannot read %s%s", path,
			      text.error == -EMSGSIZE ? ": it has more than a megabyte" : "");
	else
		r = automaton_parse(ret, strbuf_text(&text), text.len, path, error);
	strbuf_done(&text);
	return r;
}

void automaton_free(struct automaton *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->num_states; i++)
		free(a->states[i].text);
	free(a->states);
	free(a);
}

const char *automaton_op_name(enum automaton_op op)
{
	return operations[op].name;
}
