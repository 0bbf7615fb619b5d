/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vudebug: which messages a view writes about itself, by their debug tags. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/option.h"
#include "vulib.h"

/* All tags, in their order. */
#define TAGS "ABCDEFGHIJKLMNOPQRSTUVWXYZ_01234abcdefghijklmnopqrstuvwxyz56789"
#define TAGS_SIZE sizeof(TAGS)

enum { STATUS_USAGE = 2, STATUS_NOT_EXECUTABLE = 126, STATUS_NOT_FOUND = 127 };

static const struct option_row rows[] = {
	{ 0, "help", .kind = OPTION_HELP, .help = "print this help" },
	{ 0, "version", .kind = OPTION_VERSION, .help = "print the version" },
};

static const struct option_program program = {
	.name = "vudebug",
	.synopsis = "\n+[TAGS][:COLOR]|-[TAGS]|?[TAGS]|TAGS:COLOR...\n"
		    "+[TAGS]|-[TAGS]... -- PROGRAM [ARGUMENT]...",
	.summary = "Says which debug tags are active in a view of VUOS, and switches them on and off.",
	.epilogue = "Without TAGS, all that have a name are meant. With PROGRAM, only it and what it starts.",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.usage_status = STATUS_USAGE,
};

/* What the arguments are for: the whole view, or (LOCAL) this thread, which becomes the program. */
static int change(const char *argument, int local)
{
	const char *colon = strchr(argument, ':');
	const char *letters = argument + strspn(argument, "+-");
	char tags[TAGS_SIZE] = "";
	int r = 0;

	if (letters > argument + 1 || (argument[0] == '-' && colon) || strcspn(letters, ":") >= sizeof(tags))
		return option_usage_error(&program, "%s: this is no change of tags", argument);
	memcpy(tags, letters, strcspn(letters, ":"));
	if (!colon && !strchr("+-", argument[0]))
		return option_usage_error(&program, "%s: neither +, -, ? nor a colour", argument);
	if (colon)
		r = vu_set_debugcolor(letters);
	if (r == 0 && argument[0] == '+')
		r = vu_add_debugtags(tags, local);
	else if (r == 0 && argument[0] == '-')
		r = vu_del_debugtags(tags, local);
	if (r == 0)
		return EXIT_SUCCESS;
	if (errno == EINVAL)
		return option_usage_error(&program, "%s: there are no such tags, or no such colour", argument);
	log_error("%s: %s", argument, strerror(errno));
	return EXIT_FAILURE;
}

static int list(const char *tags)
{
	char global[TAGS_SIZE] = "", local[TAGS_SIZE] = "";

	if (tags[strspn(tags, TAGS)])
		return option_usage_error(&program, "?%s: there are no such tags", tags);
	if (vu_get_debugtags(global, sizeof(global), 0) < 0 || vu_get_debugtags(local, sizeof(local), 1) < 0) {
		log_error("%s", strerror(errno));
		return EXIT_FAILURE;
	}
	for (const char *tag = TAGS; *tag; tag++) {
		char name[64] = "";

		(void)vu_get_debugtagname(*tag, name, sizeof(name));
		if (*tags ? !strchr(tags, *tag) : !*name && !strchr(global, *tag) && !strchr(local, *tag))
			continue;
		(void)printf("%c %c %s %s\n", *tag, strchr(global, *tag) ? '+' : '-',
			     strchr(local, *tag) ? "(+)" : "   ", name);
	}
	return EXIT_SUCCESS;
}

static int print_active(void)
{
	char global[TAGS_SIZE] = "", local[TAGS_SIZE] = "";

	if (vu_get_debugtags(global, sizeof(global), 0) < 0 || vu_get_debugtags(local, sizeof(local), 1) < 0) {
		log_error("%s", strerror(errno));
		return EXIT_FAILURE;
	}
	(void)printf("%s (%s)\n", global, local);
	return EXIT_SUCCESS;
}

static int run(char **argv)
{
	(void)execvp(argv[0], argv);
	log_error("%s: %s", argv[0], strerror(errno));
	return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
}

static bool is_option(const char *argument)
{
	return argument[0] == '-' && argument[1] == '-' && argument[2];
}

int main(int argc, char **argv)
{
	int status = EXIT_SUCCESS, end = 1;

	log_set_program("vudebug");
	/* The arguments look like options, so only what can be nothing else is taken for one. */
	if (argc > 1 && is_option(argv[1]) && option_parse(&program, 2, argv, NULL, &status) < 0)
		return status;
	while (end < argc && strcmp(argv[end], "--") != 0)
		end++;
	if (end == argc - 1)
		return option_usage_error(&program, "there is no program behind --");
	if (vu_check() < 0) {
		log_error("It works only inside a vuos virtual namespace");
		return STATUS_USAGE;
	}
	for (int i = 1; i < end && end < argc; i++)
		if (argv[i][0] == '?')
			return option_usage_error(&program, "%s: a question, and no change for a program",
						  argv[i]);
	for (int i = 1; i < end && status == EXIT_SUCCESS; i++)
		status = argv[i][0] == '?' ? list(argv[i] + 1) : change(argv[i], end < argc);
	if (status == EXIT_SUCCESS && end < argc)
		return run(argv + end + 1);
	if (status == EXIT_SUCCESS && argc == 1)
		status = print_active();
	return option_printed(&program, status);
}
