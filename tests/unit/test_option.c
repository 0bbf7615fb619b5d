/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <sys/types.h>

#include "base/option.h"

struct settings {
	bool flag, unflag, given;
	int count, number;
	mode_t mode;
	const char *text;
	struct option_list list;
	const char *called, *optional;
	bool optional_given;
};

static int call(void *settings, const char *argument, struct error *error)
{
	struct settings *s = settings;

	if (str_equal(argument, "bad"))
		return error_set(error, EINVAL, "'%s' is bad; say good", argument);
	if (str_equal(argument, "mute"))
		return -EPERM;
	s->called = argument;
	return 0;
}

#define FIELD(name) .offset = offsetof(struct settings, name)

static const struct option_row rows[] = {
	{ 'f', "flag", NULL, OPTION_FLAG, FIELD(flag), .help = "a flag" },
	{ 'u', "unflag", NULL, OPTION_UNFLAG, FIELD(unflag), .help = "off" },
	{ 'v', "verbose", NULL, OPTION_COUNT, FIELD(count), .help = "more" },
	{ 'n', "number", "num amount", OPTION_INT, .arg = "N", FIELD(number), .min = -5, .max = 10,
	  .given_offset = offsetof(struct settings, given), .help = "a number" },
	{ 'm', "mode", NULL, OPTION_MODE, .arg = "OCT", FIELD(mode), .help = "a mode" },
	{ 's', "sock", "unix", OPTION_STRING, .arg = "DIR", FIELD(text), .help = "a text" },
	{ 0, "tap", NULL, OPTION_LIST, .arg = "IF", FIELD(list), .help = "a list" },
	{ 0, "call", NULL, OPTION_CALL, .arg = "X", .set = call, .help = "a call" },
	{ 'D', NULL, NULL, OPTION_IGNORED, .arg = "N", .help = "nothing" },
	{ 'o', "optional", NULL, OPTION_STRING, .arg = "X", .optional = true, FIELD(optional),
	  .given_offset = offsetof(struct settings, optional_given), .help = "a text or none" },
	{ 'h', "help", NULL, OPTION_HELP, .help = "this" },
	{ 0, "version", NULL, OPTION_VERSION, .help = "the version" },
};

static struct option_program program = {
	.name = "prog",
	.synopsis = "[OPTION]... [FILE]",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.help_status = 3,
	.usage_status = 4,
};

struct run {
	struct settings settings;
	int operands; /* index of the first, or -1 */
	int status;
	char *argv[600];
	int argc;
	char printed[4096]; /* standard output and error */
};

/* Runs the parser with both streams in a file. */
static void parse(struct run *run)
{
	FILE *file = tmpfile();
	int saved_out = dup(1), saved_err = dup(2);
	size_t len;

	assert_non_null(file);
	(void)fflush(NULL);
	assert_true(dup2(fileno(file), 1) == 1 && dup2(fileno(file), 2) == 2);
	run->operands = option_parse(&program, run->argc, run->argv, &run->settings, &run->status);
	(void)fflush(NULL);
	assert_true(dup2(saved_out, 1) == 1 && dup2(saved_err, 2) == 2);
	(void)close(saved_out);
	(void)close(saved_err);
	rewind(file);
	len = fread(run->printed, 1, sizeof(run->printed) - 1, file);
	run->printed[len] = '\0';
	(void)fclose(file);
}

/* The words are split at blanks. */
static struct run *with(const char *line)
{
	static struct run run;
	static char words[8192];
	char *rest = words;

	run = (struct run){ .settings = { .unflag = true } };
	(void)snprintf(words, sizeof(words), "prog %s", line);
	for (char *word; (word = strsep(&rest, " ")) != NULL;)
		if (*word)
			run.argv[run.argc++] = word;
	parse(&run);
	return &run;
}

static void optional_argument_or_none(void **state)
{
	static const struct {
		const char *line, *value;
		bool given;
		int operands; /* how many are left */
	} cases[] = {
		{ "x", NULL, false, 1 },	    { "-o x", NULL, true, 1 },
		{ "--optional x", NULL, true, 1 },  { "-ox", "x", true, 0 },
		{ "--optional=x y", "x", true, 1 }, { "--opt= y", "", true, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run *run = with(cases[i].line);

		assert_int_equal(run->argc - run->operands, cases[i].operands);
		assert_int_equal(run->settings.optional_given, cases[i].given);
		if (cases[i].value)
			assert_string_equal(run->settings.optional, cases[i].value);
		else
			assert_null(run->settings.optional);
	}
}

static int setup(void **state)
{
	(void)state;
	program.style = OPTION_PERMUTE;
	return 0;
}

static void nothing(void **state)
{
	struct run *run = with("");

	(void)state;
	assert_int_equal(run->operands, 1);
	assert_string_equal(run->printed, "");
	assert_false(run->settings.flag);
	assert_true(run->settings.unflag);
}

static void every_kind(void **state)
{
	struct run *run = with("-f -u -vv --verbose -n -5 -m 0640 -s a --tap t0 --tap=t1 --call=ok -D 7");

	(void)state;
	assert_string_equal(run->printed, "");
	assert_int_equal(run->operands, run->argc);
	assert_true(run->settings.flag);
	assert_false(run->settings.unflag);
	assert_int_equal(run->settings.count, 3);
	assert_int_equal(run->settings.number, -5);
	assert_true(run->settings.given);
	assert_int_equal(run->settings.mode, 0640);
	assert_string_equal(run->settings.text, "a");
	assert_int_equal(run->settings.list.count, 2);
	assert_string_equal(run->settings.list.item[1], "t1");
	assert_string_equal(run->settings.called, "ok");
}

static void forms(void **state)
{
	(void)state;
	assert_int_equal(with("-n7")->settings.number, 7);
	assert_int_equal(with("--number 0x7")->settings.number, 7);
	assert_int_equal(with("--num=7")->settings.number, 7);
	assert_int_equal(with("--amount=7")->settings.number, 7);
	assert_int_equal(with("--am 7")->settings.number, 7); /* an abbreviation of an alias */
	assert_string_equal(with("--unix=u")->settings.text, "u");
	assert_string_equal(with("-fs x")->settings.text, "x");
}

static void operands_move_behind(void **state)
{
	struct run *run = with("one -f two -- -u");

	(void)state;
	assert_int_equal(run->argc - run->operands, 3);
	assert_string_equal(run->argv[run->operands], "one");
	assert_string_equal(run->argv[run->operands + 1], "two");
	assert_string_equal(run->argv[run->operands + 2], "-u");
	assert_true(run->settings.flag);
	assert_true(run->settings.unflag);
}

static void first_operand_stops(void **state)
{
	struct run *run;

	(void)state;
	program.style = OPTION_STOP;
	run = with("-f cmd -u");
	assert_int_equal(run->argc - run->operands, 2);
	assert_string_equal(run->argv[run->operands], "cmd");
	assert_true(run->settings.unflag);
}

static void one_dash_long(void **state)
{
	struct run *run;

	(void)state;
	program.style = OPTION_LONG_ONLY;
	run = with("-number 7 -tap=x -f -sock y");
	assert_string_equal(run->printed, "");
	assert_int_equal(run->settings.number, 7);
	assert_int_equal(run->settings.list.count, 1);
	assert_true(run->settings.flag);
	assert_string_equal(run->settings.text, "y");
}

static void assert_refused(const char *line, const char *what)
{
	struct run *run = with(line);

	assert_int_equal(run->operands, -1);
	assert_int_equal(run->status, 4);
	assert_non_null(strstr(run->printed, what));
}

static void wrong_options(void **state)
{
	(void)state;
	assert_refused("-n 11", "prog: --number: '11' is not a number from -5 to 10");
	assert_refused("-n x", "--number: 'x' is not a number");
	assert_refused("-m 9", "--mode: '9' is not an octal mode");
	assert_refused("--call=bad", "--call: 'bad' is bad; say good");
	assert_refused("--call mute", "--call: Operation not permitted");
	assert_refused("--call=bad", "Try 'prog --help'");
	assert_refused("--nonsense", "nonsense");
	assert_refused("--nonsense", "Try 'prog --help'");
	assert_refused("--nmuber=3", "Did you mean '--number'?");
	assert_null(strstr(with("--nonsense")->printed, "mean"));
	assert_null(strstr(with("--number")->printed, "mean"));
	assert_refused("-z", "z");
	assert_refused("-n", "requires an argument");
	assert_refused("--flag=1", "doesn't allow an argument");
	assert_refused("--completion=fish", "neither bash nor zsh");
}

static void list_is_bounded(void **state)
{
	char line[8192] = "";

	(void)state;
	for (int i = 0; i < OPTION_LIST_MAX; i++)
		strcat(line, "--tap=x ");
	assert_int_equal(with(line)->settings.list.count, OPTION_LIST_MAX);
	strcat(line, "--tap=y");
	assert_refused(line, "at most 256");
}

static void help_and_version(void **state)
{
	struct run *run = with("-h -n x");

	(void)state;
	assert_int_equal(run->operands, -1);
	assert_int_equal(run->status, 3);
	assert_non_null(strstr(run->printed, "Usage: prog [OPTION]... [FILE]\n"));
	run = with("--version");
	assert_int_equal(run->status, 0);
	assert_string_equal(run->printed, "prog (VirtualSquare) " VS_VERSION "\n");
	program.version = "prog 9\nsecond line";
	run = with("--version");
	program.version = NULL;
	assert_string_equal(run->printed, "prog 9\nsecond line\n");
}

static void help_without_a_row(void **state)
{
	struct run *run;

	(void)state;
	program.num_rows = 1;
	run = with("--help");
	program.num_rows = ARRAY_SIZE(rows);
	assert_int_equal(run->operands, -1);
	assert_int_equal(run->status, 3);
	assert_non_null(strstr(run->printed, "--flag"));
}

static void again(void **state)
{
	(void)state;
	assert_int_equal(with("-n 1 a b")->settings.number, 1);
	assert_int_equal(with("a -n 2 b")->settings.number, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(optional_argument_or_none, setup),
		cmocka_unit_test_setup(nothing, setup),
		cmocka_unit_test_setup(every_kind, setup),
		cmocka_unit_test_setup(forms, setup),
		cmocka_unit_test_setup(operands_move_behind, setup),
		cmocka_unit_test_setup(first_operand_stops, setup),
		cmocka_unit_test_setup(one_dash_long, setup),
		cmocka_unit_test_setup(wrong_options, setup),
		cmocka_unit_test_setup(list_is_bounded, setup),
		cmocka_unit_test_setup(help_and_version, setup),
		cmocka_unit_test_setup(help_without_a_row, setup),
		cmocka_unit_test_setup(again, setup),
	};

	return RUN_TESTS(tests);
}
