/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vde/programs/dpipe_chain.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

/* A separator: which kind of filter ends before it, and what begins behind it. */
static const struct separator {
	const char *text;
	enum chain_kind before; /* CHAIN_FULL: a full command, or (lenient) a filter if one opens */
	enum chain_kind behind;
} separators[] = {
	{ "=", CHAIN_FULL, CHAIN_FULL },      { "=}", CHAIN_FULL, CHAIN_RIGHT },
	{ "={", CHAIN_FULL, CHAIN_LEFT },     { "}=", CHAIN_RIGHT, CHAIN_FULL },
	{ "{=", CHAIN_LEFT, CHAIN_FULL },     { "}=}", CHAIN_RIGHT, CHAIN_RIGHT },
	{ "}={", CHAIN_RIGHT, CHAIN_LEFT },   { "{={", CHAIN_LEFT, CHAIN_LEFT },
	{ "{=}", CHAIN_LEFT, CHAIN_RIGHT },
};

static const struct separator *separator_find(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(separators); i++)
		if (str_equal(separators[i].text, text))
			return &separators[i];
	return NULL;
}

/* Whether SEPARATOR may stand behind a command of KIND. */
static bool separator_fits(const struct separator *separator, enum chain_kind kind)
{
	if (separator->before == kind)
		return true;
	/* `=}` behind a filter: that one ends, too. */
	return separator->before == CHAIN_FULL && separator->behind != CHAIN_FULL;
}

static int chain_add(struct chain *chain, char **argv, enum chain_kind kind)
{
	struct chain_command *commands = reallocarray(chain->commands, chain->num_commands + 1,
						      sizeof(*commands));

	if (!commands)
		return -ENOMEM;
	chain->commands = commands;
	commands[chain->num_commands++] = (struct chain_command){ .argv = argv, .kind = kind };
	return 0;
}

/* Cuts ARGV into commands. */
static int chain_cut(char **argv, struct chain *chain, struct error *error)
{
	enum chain_kind kind = CHAIN_FULL;
	const char *last = "";
	char **start = argv;

	for (;; argv++) {
		const struct separator *separator = *argv ? separator_find(*argv) : NULL;

		if (*argv && !separator)
			continue;
		if (argv == start)
			return error_set(error, EINVAL, "a command is missing %s '%s'",
					 *argv ? "before" : "behind", *argv ? *argv : last);
		if (separator && !separator_fits(separator, kind))
			return error_set(error, EINVAL, "'%s' does not fit behind '%s'",
					 separator->text, *start);
		if (chain_add(chain, start, kind) < 0)
			return error_set_errno(error, ENOMEM, "chain");
		if (!separator)
			break;
		*argv = NULL;
		start = argv + 1;
		last = separator->text;
		kind = separator->behind;
	}
	if (kind != CHAIN_FULL)
		return error_set(error, EINVAL, "the filter '%s' has nothing behind it", *start);
	return 0;
}

static void chain_connect(struct chain *chain, size_t from, size_t to)
{
	const struct chain_command *source = &chain->commands[from], *sink = &chain->commands[to];
	bool rightward = to > from;

	chain->pipes[chain->num_pipes++] = (struct chain_pipe){
		.from = from,
		.to = to,
		.from_right = rightward && source->has_right,
		.to_right = !rightward && sink->has_right,
	};
}

/* Lays the way from the full command LEFT to the full command RIGHT, and the way back. */
static void chain_connect_pair(struct chain *chain, size_t left, size_t right)
{
	size_t at = left;

	for (size_t i = left + 1; i <= right; i++)
		if (i == right || chain->commands[i].kind == CHAIN_RIGHT) {
			chain_connect(chain, at, i);
			at = i;
		}
	for (size_t i = right; i-- > left;)
		if (i == left || chain->commands[i].kind == CHAIN_LEFT) {
			chain_connect(chain, at, i);
			at = i;
		}
}

static int chain_wire(struct chain *chain)
{
	size_t left = 0;

	/* Each command but the last is followed by one more pipe to the right, at most, and one left. */
	chain->pipes = calloc(2 * chain->num_commands, sizeof(*chain->pipes));
	if (!chain->pipes)
		return -ENOMEM;
	for (size_t i = 1; i + 1 < chain->num_commands; i++)
		chain->commands[i].has_right = chain->commands[i].kind == CHAIN_FULL;
	for (size_t i = 1; i < chain->num_commands; i++)
		if (chain->commands[i].kind == CHAIN_FULL) {
			chain_connect_pair(chain, left, i);
			left = i;
		}
	return 0;
}

int chain_parse(char **argv, struct chain *ret, struct error *error)
{
	CLEANUP(chain_done) struct chain chain = { 0 };
	int r;

	if (!*argv)
		return error_set(error, EINVAL, "commands are missing: CMD1 = CMD2");
	r = chain_cut(argv, &chain, error);
	if (r < 0)
		return r;
	if (chain.num_commands < 2)
		return error_set(error, EINVAL, "one command alone has nobody to talk to: CMD1 = CMD2");
	if (chain_wire(&chain) < 0)
		return error_set_errno(error, ENOMEM, "chain");
	*ret = chain;
	chain = (struct chain){ 0 };
	return 0;
}

void chain_done(struct chain *chain)
{
	free(chain->commands);
	free(chain->pipes);
	*chain = (struct chain){ 0 };
}
