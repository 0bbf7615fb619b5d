/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "base/cleanup.h"
#include "base/option.h"

static const struct option_row rows[] = {
	{ 's', "sock", NULL, OPTION_STRING, COMPLETE_DIRECTORY, "DIR", .preset = "/run/x",
	  .help = "the switch's directory [of sockets]: any" },
	{ 'x', "hub", NULL, OPTION_FLAG, .help = "repeat everything" },
	{ 0, "a-very-long-option-name", NULL, OPTION_LIST, COMPLETE_INTERFACE, "IF",
	  .help = "words words words words words words words words words words words words words "
		  "words words" },
	{ 'q', NULL, NULL, OPTION_INT, COMPLETE_NOTHING, "N", .help = "letter only" },
	{ 'l', "log", NULL, OPTION_STRING, .arg = "LEVEL", .choices = "error debug",
	  .help = "how much" },
	{ 't', "trace", NULL, OPTION_STRING, .arg = "WHAT", .optional = true, .help = "all, or what" },
	{ 'D', "old", NULL, OPTION_IGNORED }, /* hidden: no help */
};

static const struct option_program program = {
	.name = "prog",
	.synopsis = "[OPTION]... FILE\n[OPTION]... -- COMMAND",
	.summary = "Does things.",
	.epilogue = "See prog(1).",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.operands = COMPLETE_FILE,
};

static char printed[16384];

static const char *print(void (*printer)(const struct option_program *, FILE *))
{
	auto_fclose FILE *file = fmemopen(printed, sizeof(printed), "w");

	assert_non_null(file);
	printer(&program, file);
	assert_int_equal(fflush(file), 0);
	return printed;
}

static const char expected_help[] = "\
Usage: prog [OPTION]... FILE\n\
       prog [OPTION]... -- COMMAND\n\
Does things.\n\
\n\
Options:\n\
  -s, --sock=DIR            the switch's directory [of sockets]: any (default: /run/x)\n\
  -x, --hub                 repeat everything\n\
      --a-very-long-option-name=IF\n\
                            words words words words words words words words words words words\n\
                            words words words words\n\
  -q N                      letter only\n\
  -l, --log=LEVEL           how much\n\
  -t, --trace[=WHAT]        all, or what\n\
\n\
See prog(1).\n";

static void help(void **state)
{
	(void)state;
	assert_string_equal(print(option_print_help), expected_help);
}

static void list(void **state)
{
	(void)state;
	assert_string_equal(print(option_print_list),
		"-s --sock DIR\n"
		"-x --hub -\n"
		"- --a-very-long-option-name IF\n"
		"-q - N\n"
		"-l --log LEVEL\n"
		"-t --trace WHAT\n");
}

static const char *only(void (*printer)(const struct option_program *, FILE *), const char *wanted,
			const char *unwanted)
{
	const char *text = print(printer);

	assert_non_null(strstr(text, wanted));
	assert_null(strstr(text, unwanted));
	return text;
}

static int shell_accepts(const char *shell, const char *script)
{
	char path[] = "/tmp/vsunitXXXXXX", command[128];
	int fd = mkstemp(path), status;

	assert_true(fd >= 0);
	(void)close(fd);
	test_write_file(path, script);
	(void)snprintf(command, sizeof(command), "%s -n %s", shell, path);
	status = system(command);
	(void)unlink(path);
	return status;
}

static void bash(void **state)
{
	const char *script = only(option_print_completion_bash, "-s|--sock)", "--old");

	(void)state;
	assert_non_null(strstr(script, "compgen -W \"error debug\""));
	assert_non_null(strstr(script, "complete -F _prog prog"));
	assert_null(strstr(script, "--trace)"));
	assert_int_equal(shell_accepts("bash", script), 0);
}

static void zsh(void **state)
{
	const char *script = only(option_print_completion_zsh, "--sock=[", "--old");

	(void)state;
	assert_non_null(strstr(script, "the switch'\\''s directory \\[of sockets\\]\\: any"));
	assert_non_null(strstr(script, ":(error debug)"));
	assert_non_null(strstr(script, "'--trace=-[all, or what]::WHAT:"));
	assert_non_null(strstr(script, "#compdef prog\n"));
	if (access("/usr/bin/zsh", X_OK) == 0)
		assert_int_equal(shell_accepts("zsh", script), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(help),
		cmocka_unit_test(list),
		cmocka_unit_test(bash),
		cmocka_unit_test(zsh),
	};

	return RUN_TESTS(tests);
}
