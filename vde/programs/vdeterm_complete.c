/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Completion for readline. Its hooks carry no context, so that what they work on has to be at file
 * scope: one pointer to the words and the state of one enumeration.
 */
#include "vdeterm.h"

#include <stdio.h>
#include <readline/readline.h>

#include "base/util.h"

static const struct console_words *known_words;
static char *const *candidates;

/* How the words of each kind are asked for and read. */
static const struct {
	const char *command;
	char **(*parse)(const struct strbuf *table);
} sources[NUM_WORD_KINDS] = {
	[WORDS_COMMANDS] = { "help", mgmt_help_words },
	[WORDS_EVENTS] = { "debug/list", mgmt_table_words },
	[WORDS_PLUGINS] = { "plugin/list", mgmt_table_words },
};

/* What the argument of a command is completed from; -1: file names. */
static const struct {
	const char *command;
	int kind;
} arguments[] = {
	{ "help", WORDS_COMMANDS },	{ "json", WORDS_COMMANDS },  { "debug/add", WORDS_EVENTS },
	{ "debug/del", WORDS_EVENTS },	{ "debug/list", WORDS_EVENTS },
	{ "plugin/del", WORDS_PLUGINS }, { "plugin/list", WORDS_PLUGINS },
	{ "plugin/add", -1 },		{ "load", -1 },
};

static bool contains(char *const *list, const char *word)
{
	for (; list && *list; list++)
		if (str_equal(*list, word))
			return true;
	return false;
}

const char *words_command(const struct console_words *words, enum word_kind kind)
{
	const char *command = sources[kind].command;

	if (kind != WORDS_COMMANDS && !contains(words->list[WORDS_COMMANDS], command))
		return NULL;
	return command;
}

void words_learn(struct console_words *words, enum word_kind kind, const struct mgmt_reply *reply)
{
	char **list = sources[kind].parse(&reply->data);

	if (!list)
		return;
	mgmt_words_free(words->list[kind]);
	words->list[kind] = list;
}

void words_done(struct console_words *words)
{
	for (int kind = 0; kind < NUM_WORD_KINDS; kind++)
		mgmt_words_free(words->list[kind]);
	*words = (struct console_words){ 0 };
}

/* Hands readline the next candidate that starts with TEXT, malloc'd. */
static char *next_match(const char *text, int again)
{
	(void)again;
	while (candidates && *candidates) {
		const char *word = *candidates++;

		if (str_starts(word, text))
			return strdup(word);
	}
	return NULL;
}

static char **matches(const char *text, int kind)
{
	candidates = known_words->list[kind];
	return rl_completion_matches(text, next_match);
}

static char **attempt(const char *text, int start, int end)
{
	const char *line = rl_line_buffer + strspn(rl_line_buffer, " ");
	size_t len = strcspn(line, " ");

	(void)end;
	rl_attempted_completion_over = 1; /* no file names, unless said so below */
	if (line + len >= rl_line_buffer + start)
		return matches(text, WORDS_COMMANDS);
	for (size_t i = 0; i < ARRAY_SIZE(arguments); i++) {
		if (strlen(arguments[i].command) != len ||
		    memcmp(line, arguments[i].command, len) != 0)
			continue;
		if (arguments[i].kind >= 0)
			return matches(text, arguments[i].kind);
		rl_attempted_completion_over = 0;
	}
	return NULL;
}

void complete_from(const struct console_words *words)
{
	known_words = words;
	rl_attempted_completion_function = attempt;
	rl_basic_word_break_characters = " ";
	rl_completer_word_break_characters = (char *)" ";
}
