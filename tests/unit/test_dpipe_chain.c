/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vde/programs/dpipe_chain.h"

#define WORDS_MAX 32

/* Splits TEXT at blanks into ARGV. */
static void split(char *text, char *argv[WORDS_MAX])
{
	size_t count = 0;

	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		argv[count++] = word;
	argv[count] = NULL;
}

/* Writes the pipes as `A>B`, with a `+` at the right side of a command that has two. */
static void describe(const struct chain *chain, char *out)
{
	for (size_t i = 0; i < chain->num_pipes; i++) {
		const struct chain_pipe *pipe = &chain->pipes[i];

		out += sprintf(out, "%s%s%s>%s%s", i ? " " : "", chain->commands[pipe->from].argv[0],
			       pipe->from_right ? "+" : "", chain->commands[pipe->to].argv[0],
			       pipe->to_right ? "+" : "");
	}
}

static void chains_are_wired(void **state)
{
	static const struct {
		const char *line, *pipes;
	} table[] = {
		{ "A x y = B z", "A>B B>A" },
		{ "A = B = C", "A>B B>A B+>C C>B+" },
		{ "A =} F }= B", "A>F F>B B>A" },
		{ "A ={ F {= B", "A>B B>F F>A" },
		{ "A =} F }=} G }= B", "A>F F>G G>B B>A" },
		{ "A ={ F {={ G {= B", "A>B B>G G>F F>A" },
		{ "A =} F }={ G {= B", "A>F F>B B>G G>A" },
		{ "A ={ F {=} G }= B", "A>G G>B B>F F>A" },
		{ "A =} F =} G }= B", "A>F F>G G>B B>A" },
		{ "A =} F }= M = B", "A>F F>M M>A M+>B B>M+" },
		{ "A = M ={ F {= B", "A>M M>A M+>B B>F F>M+" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char line[100], *argv[WORDS_MAX], pipes[200] = "";
		struct chain chain;

		(void)strcpy(line, table[i].line);
		split(line, argv);
		assert_int_equal(chain_parse(argv, &chain, NULL), 0);
		describe(&chain, pipes);
		assert_string_equal(pipes, table[i].pipes);
		chain_done(&chain);
	}
}

static void arguments_stay_with_their_command(void **state)
{
	char line[] = "ssh -p 22 = vde_plug -D a=b", *argv[WORDS_MAX];
	struct chain chain;

	(void)state;
	split(line, argv);
	assert_int_equal(chain_parse(argv, &chain, NULL), 0);
	assert_int_equal(chain.num_commands, 2);
	assert_string_equal(chain.commands[0].argv[2], "22");
	assert_null(chain.commands[0].argv[3]);
	assert_string_equal(chain.commands[1].argv[2], "a=b");
	chain_done(&chain);
}

static void what_is_no_chain_is_refused(void **state)
{
	static const char *const table[] = {
		"", "A", "A =", "= A", "A = = B", "A =} F", "A =} F = B", "A =} F {= B", "A }= B",
		"A = F }= B", "A =} F }=} }= B", "A =} F }= F }= B",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char line[100], *argv[WORDS_MAX];
		struct error error = { 0 };
		struct chain chain;

		(void)strcpy(line, table[i]);
		split(line, argv);
		assert_int_equal(chain_parse(argv, &chain, &error), -EINVAL);
		assert_true(error.text[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_are_wired),
		cmocka_unit_test(arguments_stay_with_their_command),
		cmocka_unit_test(what_is_no_chain_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
