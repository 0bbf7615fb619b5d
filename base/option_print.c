/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is printed from option rows: help, completion for bash and zsh, the list for tests. */
#include "option.h"

#include <stdarg.h>

#include "cleanup.h"
#include "strbuf.h"

#define HELP_COLUMN 28
#define HELP_WIDTH  96

static void print_wrapped(FILE *out, const char *text, int column)
{
	int at = column;

	while (*text) {
		int len = (int)strcspn(text, " ");

		if (at > column && at + 1 + len > HELP_WIDTH) {
			(void)fprintf(out, "\n%*s", column, "");
			at = column;
		} else if (at > column) {
			(void)fputc(' ', out);
			at++;
		}
		(void)fprintf(out, "%.*s", len, text);
		at += len;
		text += len + (int)strspn(text + len, " ");
	}
	(void)fputc('\n', out);
}

static void row_heading(const struct option_row *row, struct strbuf *b)
{
	if (row->letter)
		strbuf_printf(b, "  -%c%s", row->letter, row->name ? ", " : "");
	else
		strbuf_puts(b, "      ");
	if (row->name)
		strbuf_printf(b, "--%s", row->name);
	if (row->arg && row->optional)
		strbuf_printf(b, row->name ? "[=%s]" : "[%s]", row->arg);
	else if (row->arg)
		strbuf_printf(b, "%c%s", row->name ? '=' : ' ', row->arg);
}

static void row_print_help(const struct option_row *row, FILE *out)
{
	auto_strbuf struct strbuf heading = { 0 }, help = { 0 };

	row_heading(row, &heading);
	strbuf_puts(&help, row->help);
	if (row->preset)
		strbuf_printf(&help, " (default: %s)", row->preset);
	if (heading.len + 2 > HELP_COLUMN)
		(void)fprintf(out, "%s\n%*s", strbuf_text(&heading), HELP_COLUMN, "");
	else
		(void)fprintf(out, "%-*s", HELP_COLUMN, strbuf_text(&heading));
	print_wrapped(out, strbuf_text(&help), HELP_COLUMN);
}

static void print_synopsis(const struct option_program *program, FILE *out)
{
	const char *line = program->synopsis;
	const char *lead = "Usage:";

	while (*line) {
		int len = (int)strcspn(line, "\n");

		(void)fprintf(out, "%s %s%s%.*s\n", lead, program->name, len ? " " : "", len, line);
		lead = "      ";
		line += len + (line[len] == '\n');
	}
}

void option_print_help(const struct option_program *program, FILE *out)
{
	print_synopsis(program, out);
	if (program->summary)
		(void)fprintf(out, "%s\n", program->summary);
	(void)fprintf(out, "\nOptions:\n");
	for (size_t i = 0; i < program->num_rows; i++)
		if (program->rows[i].help)
			row_print_help(&program->rows[i], out);
	if (program->epilogue)
		(void)fprintf(out, "\n%s\n", program->epilogue);
}

void option_print_list(const struct option_program *program, FILE *out)
{
	for (size_t i = 0; i < program->num_rows; i++) {
		const struct option_row *row = &program->rows[i];

		if (row->help)
			(void)fprintf(out, "-%.1s %s%s %s\n", row->letter ? &row->letter : "",
				      row->name ? "--" : "-", row->name ? row->name : "",
				      row->arg ? row->arg : "-");
	}
}

/* bash: the words offered after each option that takes an argument. */
static const char *const bash_action[] = {
	[COMPLETE_NOTHING] = "COMPREPLY=()",
	[COMPLETE_FILE] = "COMPREPLY=($(compgen -f -- \"$cur\"))",
	[COMPLETE_DIRECTORY] = "COMPREPLY=($(compgen -d -- \"$cur\"))",
	[COMPLETE_INTERFACE] = "COMPREPLY=($(compgen -W \"$(ls /sys/class/net)\" -- \"$cur\"))",
	[COMPLETE_USER] = "COMPREPLY=($(compgen -u -- \"$cur\"))",
	[COMPLETE_GROUP] = "COMPREPLY=($(compgen -g -- \"$cur\"))",
	[COMPLETE_COMMAND] = "COMPREPLY=($(compgen -c -- \"$cur\"))",
};

static void bash_case(const struct option_row *row, FILE *out)
{
	(void)fprintf(out, "\t");
	if (row->letter)
		(void)fprintf(out, "-%c%s", row->letter, row->name ? "|" : "");
	if (row->name)
		(void)fprintf(out, "--%s", row->name);
	if (row->choices)
		(void)fprintf(out, ") COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")); return ;;\n",
			      row->choices);
	else
		(void)fprintf(out, ") %s; return ;;\n", bash_action[row->complete]);
}

void option_print_completion_bash(const struct option_program *program, FILE *out)
{
	(void)fprintf(out, "# bash completion for %s, made by %s --completion=bash\n_%s()\n{\n",
		      program->name, program->name, program->name);
	(void)fprintf(out, "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
			   "\tcase $prev in\n");
	for (size_t i = 0; i < program->num_rows; i++)
		if (program->rows[i].help && program->rows[i].arg && !program->rows[i].optional)
			bash_case(&program->rows[i], out);
	(void)fprintf(out, "\tesac\n\tif [[ $cur == -* ]]; then\n\t\tCOMPREPLY=($(compgen -W \"");
	for (size_t i = 0; i < program->num_rows; i++) {
		const struct option_row *row = &program->rows[i];

		if (row->help && row->letter)
			(void)fprintf(out, "-%c ", row->letter);
		if (row->help && row->name)
			(void)fprintf(out, "--%s ", row->name);
	}
	(void)fprintf(out, "\" -- \"$cur\"))\n\t\treturn\n\tfi\n\t%s\n}\ncomplete -F _%s %s\n",
		      bash_action[program->operands], program->name, program->name);
}

static const char *const zsh_action[] = {
	[COMPLETE_NOTHING] = "",
	[COMPLETE_FILE] = "_files",
	[COMPLETE_DIRECTORY] = "_files -/",
	[COMPLETE_INTERFACE] = "_net_interfaces",
	[COMPLETE_USER] = "_users",
	[COMPLETE_GROUP] = "_groups",
	[COMPLETE_COMMAND] = "_command_names -e",
};

/* A help text inside '...[...]': quotes, brackets and colons have a meaning there. */
static void zsh_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			(void)fputs("'\\''", out);
		else if (strchr("[]:\\", *text))
			(void)fprintf(out, "\\%c", *text);
		else
			(void)fputc(*text, out);
	}
}

/* Where the argument stands, in one word or also in the next; [0] for a letter, [1] for a name. */
static const char *zsh_joint(const struct option_row *row, int form)
{
	static const char *const joints[2][2] = { { "+", "=" }, { "-", "=-" } };

	return row->arg ? joints[row->optional][form] : "";
}

static void zsh_row(const struct option_row *row, FILE *out)
{
	const char *repeat = row->kind == OPTION_LIST || row->kind == OPTION_COUNT ? "*" : "";

	for (int form = 0; form < 2; form++) {
		if (form == 0 ? !row->letter : !row->name)
			continue;
		(void)fprintf(out, "  '%s", repeat);
		if (form == 0)
			(void)fprintf(out, "-%c%s", row->letter, zsh_joint(row, form));
		else
			(void)fprintf(out, "--%s%s", row->name, zsh_joint(row, form));
		(void)fputc('[', out);
		zsh_text(out, row->help);
		(void)fputc(']', out);
		if (row->arg) {
			(void)fputs(row->optional ? "::" : ":", out);
			zsh_text(out, row->arg);
			if (row->choices)
				(void)fprintf(out, ":(%s)", row->choices);
			else
				(void)fprintf(out, ":%s", zsh_action[row->complete]);
		}
		(void)fputs("' \\\n", out);
	}
}

void option_print_completion_zsh(const struct option_program *program, FILE *out)
{
	(void)fprintf(out, "#compdef %s\n# zsh completion, made by %s --completion=zsh\n"
			   "_arguments -s \\\n", program->name, program->name);
	for (size_t i = 0; i < program->num_rows; i++)
		if (program->rows[i].help)
			zsh_row(&program->rows[i], out);
	(void)fprintf(out, "  '*:operand:%s'\n", zsh_action[program->operands]);
}
