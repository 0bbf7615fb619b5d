/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command-line options as rows: one table gives the parser, `--help`, the shell completion and
 * the list that the manual page is tested against.
 *
 * A row stores into the program's settings struct at OFFSET, by its kind. What a kind cannot do
 * is done by the row's `set` function (OPTION_CALL). Every program also has three hidden options:
 * `--completion=bash|zsh` prints its completion script, `--list-options` prints a line for each
 * row (`-s --long ARG`), for tests, and `--help` works whether or not it has a row.
 */
#pragma once

#include <stdio.h>

#include "error.h"
#include "util.h"

enum option_kind {
	OPTION_FLAG,    /* bool, set to true */
	OPTION_UNFLAG,  /* bool, set to false */
	OPTION_COUNT,   /* int, plus one at each use */
	OPTION_INT,     /* int, C syntax, min to max */
	OPTION_MODE,    /* mode_t, octal */
	OPTION_STRING,  /* const char *, borrowed from argv */
	OPTION_LIST,    /* struct option_list */
	OPTION_CALL,    /* set(settings, argument, error) */
	OPTION_HELP,    /* prints the help */
	OPTION_VERSION, /* prints the version */
	OPTION_IGNORED, /* accepted, takes an argument if `arg` is set, does nothing */
	OPTION_NUM_KINDS,
};

/* What the shell offers for an option's argument. */
enum option_complete {
	COMPLETE_NOTHING,
	COMPLETE_FILE,
	COMPLETE_DIRECTORY,
	COMPLETE_INTERFACE,
	COMPLETE_USER,
	COMPLETE_GROUP,
	COMPLETE_COMMAND,
};

#define OPTION_LIST_MAX 256

/* The arguments of a repeatable option, in order; the strings are borrowed from argv. */
struct option_list {
	unsigned count;
	const char *item[OPTION_LIST_MAX];
};

struct option_row {
	char letter;           /* 0: none */
	const char *name;      /* long name, without dashes; NULL: none */
	const char *aliases;   /* more long names, separated by blanks; NULL: none */
	enum option_kind kind;
	enum option_complete complete;
	const char *arg;       /* placeholder of the argument; NULL: takes none */
	size_t offset;         /* of the field in the settings struct */
	size_t given_offset;   /* of a bool set when the option is met; 0: none */
	long long min, max;    /* OPTION_INT; both 0: 0 to INT_MAX */
	const char *choices;   /* words offered by completion, separated by blanks; NULL: none */
	const char *preset;    /* default, as shown in the help; NULL: not shown */
	const char *help;      /* one sentence, no final dot; NULL: hidden from the help */
	int (*set)(void *settings, const char *argument, struct error *error);
	bool optional;         /* the argument may be left out (then it is NULL), and else is joined: -LX */
};

enum option_style {
	OPTION_PERMUTE = 0,        /* options may stand behind operands (GNU) */
	OPTION_STOP = 1 << 0,      /* the first operand ends the options (POSIX) */
	OPTION_LONG_ONLY = 1 << 1, /* -name means --name when it is one */
	OPTION_HELP_STDERR = 1 << 2,
};

struct option_program {
	const char *name;
	const char *synopsis; /* lines behind the program's name, separated by \n */
	const char *summary;  /* what it does: printed between synopsis and options */
	const char *epilogue; /* printed after the options; NULL: nothing */
	const char *version;  /* text of OPTION_VERSION; NULL: "NAME (VirtualSquare) VERSION" */
	const struct option_row *rows;
	size_t num_rows;
	unsigned style;          /* enum option_style, or'd */
	int help_status;         /* exit status after the help was asked for */
	int usage_status;        /* exit status after a wrong option */
	enum option_complete operands;
};

/*
 * Parses ARGV into SETTINGS (which holds the defaults). Operands are moved behind the options.
 * Returns the index of the first operand, or -1 when the program has to end now with *ret_status:
 * the help, version or completion was printed, or a message about what was wrong (standard error).
 */
int option_parse(const struct option_program *program, int argc, char **argv, void *settings,
		 int *ret_status);

void option_print_help(const struct option_program *program, FILE *out);
void option_print_completion_bash(const struct option_program *program, FILE *out);
void option_print_completion_zsh(const struct option_program *program, FILE *out);

/* One line a visible row: `-l --long ARG`, with `-` for what a row has not. */
void option_print_list(const struct option_program *program, FILE *out);

/*
 * The end of what a program prints on standard output: STATUS; where it could not be written (a full disk),
 * that is said on standard error, and the status is 1.
 */
int option_printed(const struct option_program *program, int status);

/* Prints MESSAGE and where help is found on standard error; returns the usage status. */
int option_usage_error(const struct option_program *program, const char *message, ...)
	PRINTF_LIKE(2, 3);
