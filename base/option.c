/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * getopt_long(3) does the scanning; its tables are built from the rows on each call. The value
 * that getopt returns for row i is ROW_VALUE + i, so that rows without a letter need no case.
 */
#include "option.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/types.h>

#include "cleanup.h"
#include "parse.h"

#define ROW_VALUE        1000
#define VALUE_COMPLETION 990
#define VALUE_LIST       991
#define VALUE_HELP       992
#define MAX_LONG         128
#define MAX_SHORT        (3 * 64 + 2)
#define NAME_DISTANCE    2 /* edits between what was typed and what may have been meant */

struct option_scan {
	struct option longs[MAX_LONG];
	unsigned num_longs;
	char shorts[MAX_SHORT];
	char names[2048]; /* copies of the aliases */
	size_t names_used;
};

static void scan_add_long(struct option_scan *scan, const char *name, int has_arg, int value)
{
	if (scan->num_longs + 1 < MAX_LONG)
		scan->longs[scan->num_longs++] =
			(struct option){ .name = name, .has_arg = has_arg, .val = value };
}

/* As getopt_long(3) names it. */
static int row_has_arg(const struct option_row *row)
{
	if (!row->arg)
		return no_argument;
	return row->optional ? optional_argument : required_argument;
}

static void scan_add_aliases(struct option_scan *scan, const struct option_row *row, int value)
{
	const char *rest = row->aliases;

	while (rest && *rest) {
		size_t len = strcspn(rest, " ");
		char *copy = scan->names + scan->names_used;

		if (scan->names_used + len + 1 > sizeof(scan->names))
			return;
		memcpy(copy, rest, len);
		copy[len] = '\0';
		scan->names_used += len + 1;
		scan_add_long(scan, copy, row_has_arg(row), value);
		rest += len + strspn(rest + len, " ");
	}
}

static void scan_build(struct option_scan *scan, const struct option_program *program)
{
	char *s = scan->shorts;
	bool has_help = false;

	memset(scan, 0, sizeof(*scan));
	if (program->style & OPTION_STOP)
		*s++ = '+';
	for (size_t i = 0; i < program->num_rows; i++) {
		const struct option_row *row = &program->rows[i];
		int value = ROW_VALUE + (int)i;

		if (row->letter && s + 4 < scan->shorts + MAX_SHORT) {
			*s++ = row->letter;
			if (row->arg)
				*s++ = ':';
			if (row->arg && row->optional)
				*s++ = ':';
		}
		if (row->name)
			scan_add_long(scan, row->name, row_has_arg(row), value);
		scan_add_aliases(scan, row, value);
		has_help |= row->name && str_equal(row->name, "help");
	}
	if (!has_help)
		scan_add_long(scan, "help", no_argument, VALUE_HELP);
	scan_add_long(scan, "completion", required_argument, VALUE_COMPLETION);
	scan_add_long(scan, "list-options", no_argument, VALUE_LIST);
}

static const struct option_row *row_find(const struct option_program *program, int value)
{
	if (value >= ROW_VALUE && value < ROW_VALUE + (int)program->num_rows)
		return &program->rows[value - ROW_VALUE];
	for (size_t i = 0; i < program->num_rows; i++)
		if (program->rows[i].letter && program->rows[i].letter == value)
			return &program->rows[i];
	return NULL;
}

static const char *row_title(const struct option_row *row, char *text, size_t size)
{
	if (row->name)
		(void)snprintf(text, size, "--%s", row->name);
	else
		(void)snprintf(text, size, "-%c", row->letter);
	return text;
}

static int set_bool(const struct option_row *row, void *field, const char *arg, struct error *error)
{
	(void)arg;
	(void)error;
	*(bool *)field = row->kind == OPTION_FLAG;
	return 0;
}

static int set_count(const struct option_row *row, void *field, const char *arg, struct error *error)
{
	(void)row;
	(void)arg;
	(void)error;
	++*(int *)field;
	return 0;
}

static int set_int(const struct option_row *row, void *field, const char *arg, struct error *error)
{
	bool bounded = row->min || row->max;
	long long min = bounded ? row->min : 0, max = bounded ? row->max : INT_MAX, value;
	int r = parse_int(arg, min, max, &value);

	if (r < 0)
		return error_set(error, -r, "'%s' is not a number from %lld to %lld", arg, min, max);
	*(int *)field = (int)value;
	return 0;
}

static int set_mode(const struct option_row *row, void *field, const char *arg, struct error *error)
{
	int r = parse_mode(arg, field);

	(void)row;
	return r < 0 ? error_set(error, -r, "'%s' is not an octal mode from 0 to 7777", arg) : 0;
}

static int set_string(const struct option_row *row, void *field, const char *arg,
		      struct error *error)
{
	(void)row;
	(void)error;
	*(const char **)field = arg;
	return 0;
}

static int set_list(const struct option_row *row, void *field, const char *arg, struct error *error)
{
	struct option_list *list = field;

	(void)row;
	if (list->count == OPTION_LIST_MAX)
		return error_set(error, E2BIG, "at most %d of these can be given", OPTION_LIST_MAX);
	list->item[list->count++] = arg;
	return 0;
}

static int set_nothing(const struct option_row *row, void *field, const char *arg,
		       struct error *error)
{
	(void)row;
	(void)field;
	(void)arg;
	(void)error;
	return 0;
}

/* OPTION_CALL, OPTION_HELP and OPTION_VERSION need more than the field: option_apply() has them. */
static int (*const kind_set[OPTION_NUM_KINDS])(const struct option_row *, void *, const char *,
					       struct error *) = {
	[OPTION_FLAG] = set_bool,     [OPTION_UNFLAG] = set_bool, [OPTION_COUNT] = set_count,
	[OPTION_INT] = set_int,       [OPTION_MODE] = set_mode,   [OPTION_STRING] = set_string,
	[OPTION_LIST] = set_list,     [OPTION_CALL] = NULL,       [OPTION_HELP] = NULL,
	[OPTION_VERSION] = NULL,      [OPTION_IGNORED] = set_nothing,
};

static int usage_hint(const struct option_program *program)
{
	(void)fprintf(stderr, "Try '%s --help' for more information.\n", program->name);
	return program->usage_status;
}

int option_usage_error(const struct option_program *program, const char *message, ...)
{
	va_list ap;

	(void)fprintf(stderr, "%s: ", program->name);
	va_start(ap, message);
	(void)vfprintf(stderr, message, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	return usage_hint(program);
}

/* After getopt's own message: the long option that WORD may have meant. */
static int option_unknown(const struct option_program *program, const struct option_scan *scan,
			  const char *word)
{
	char name[64];
	const char *best = NULL;
	unsigned best_distance = NAME_DISTANCE + 1;

	word += strspn(word, "-");
	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	for (unsigned i = 0; i < scan->num_longs; i++) {
		unsigned distance = str_distance(name, scan->longs[i].name);

		if (distance < best_distance && distance * 2 < strlen(name)) {
			best = scan->longs[i].name;
			best_distance = distance;
		}
	}
	if (best && best_distance)
		(void)fprintf(stderr, "Did you mean '--%s'?\n", best);
	return usage_hint(program);
}

int option_printed(const struct option_program *program, int status)
{
	bool failed = ferror(stdout); /* before: what errno was then is not known */
	int r = fflush(stdout);

	if (r == 0 && !failed)
		return status;
	(void)fprintf(stderr, "%s: cannot write to standard output%s%s\n", program->name, r ? ": " : "",
		      r ? strerror(errno) : "");
	return EXIT_FAILURE;
}

static int option_help(const struct option_program *program)
{
	option_print_help(program, program->style & OPTION_HELP_STDERR ? stderr : stdout);
	return option_printed(program, program->help_status);
}

static int option_version(const struct option_program *program)
{
	if (program->version)
		(void)puts(program->version);
	else
		(void)printf("%s (VirtualSquare) %s\n", program->name, VS_VERSION);
	return option_printed(program, EXIT_SUCCESS);
}

/* Returns 0 to go on, 1 to stop with *ret_status. */
static int option_apply(const struct option_program *program, const struct option_row *row,
			void *settings, const char *arg, int *ret_status)
{
	struct error error = { 0 };
	char title[64];
	int r;

	if (row->kind == OPTION_HELP || row->kind == OPTION_VERSION) {
		*ret_status = row->kind == OPTION_HELP ? option_help(program)
						       : option_version(program);
		return 1;
	}
	if (row->set)
		r = row->set(settings, arg, &error);
	else
		r = kind_set[row->kind](row, (char *)settings + row->offset, arg, &error);
	if (r < 0) {
		if (!error.code)
			error.code = -r;
		*ret_status = option_usage_error(program, "%s: %s",
						 row_title(row, title, sizeof(title)),
						 error_text(&error));
		return 1;
	}
	if (row->given_offset)
		*(bool *)((char *)settings + row->given_offset) = true;
	return 0;
}

static int option_completion(const struct option_program *program, const char *shell)
{
	if (str_equal(shell, "bash"))
		option_print_completion_bash(program, stdout);
	else if (str_equal(shell, "zsh"))
		option_print_completion_zsh(program, stdout);
	else
		return option_usage_error(program, "--completion: '%s' is neither bash nor zsh",
					  shell);
	return option_printed(program, EXIT_SUCCESS);
}

static int option_handle(const struct option_program *program, int value, void *settings,
			 int *ret_status)
{
	const struct option_row *row = row_find(program, value);

	if (row)
		return option_apply(program, row, settings, optarg, ret_status);
	if (value == VALUE_COMPLETION) {
		*ret_status = option_completion(program, optarg);
	} else if (value == VALUE_HELP) {
		*ret_status = option_help(program);
	} else {
		option_print_list(program, stdout);
		*ret_status = option_printed(program, EXIT_SUCCESS);
	}
	return 1;
}

int option_parse(const struct option_program *program, int argc, char **argv, void *settings,
		 int *ret_status)
{
	int (*scanner)(int, char *const *, const char *, const struct option *, int *) =
		program->style & OPTION_LONG_ONLY ? getopt_long_only : getopt_long;
	struct option_scan scan;
	int value;

	scan_build(&scan, program);
	optind = 0; /* glibc: start afresh, so that a program may parse more than once */
	*ret_status = EXIT_SUCCESS;
	while ((value = scanner(argc, argv, scan.shorts, scan.longs, NULL)) != -1) {
		if (value == '?') {
			*ret_status = option_unknown(program, &scan, argv[optind - 1]);
			return -1;
		}
		if (option_handle(program, value, settings, ret_status) != 0)
			return -1;
	}
	return optind;
}
