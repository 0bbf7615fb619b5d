/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vuname: uname(1), and what the view is called. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/option.h"
#include "vulib.h"

struct settings {
	bool all, inside_only, prompt, processes, quiet;
	bool system, node, release, version, machine, processor, platform, operating, server, name;
};

static const struct option_row rows[] = {
	{ 'a', "all", .kind = OPTION_FLAG, .offset = offsetof(struct settings, all),
	  .help = "all there is, but what is unknown" },
	{ 's', "kernel-name", .kind = OPTION_FLAG, .offset = offsetof(struct settings, system),
	  .help = "the kernel's name (the default)" },
	{ 'n', "nodename", .kind = OPTION_FLAG, .offset = offsetof(struct settings, node),
	  .help = "the machine's name" },
	{ 'r', "kernel-release", .kind = OPTION_FLAG, .offset = offsetof(struct settings, release),
	  .help = "the kernel's release" },
	{ 'v', "kernel-version", .kind = OPTION_FLAG, .offset = offsetof(struct settings, version),
	  .help = "the kernel's version" },
	{ 'm', "machine", .kind = OPTION_FLAG, .offset = offsetof(struct settings, machine),
	  .help = "the kind of machine" },
	{ 'p', "processor", .kind = OPTION_FLAG, .offset = offsetof(struct settings, processor),
	  .help = "the kind of processor" },
	{ 'i', "hardware-platform", .kind = OPTION_FLAG, .offset = offsetof(struct settings, platform),
	  .help = "the hardware platform" },
	{ 'o', "operating-system", .kind = OPTION_FLAG, .offset = offsetof(struct settings, operating),
	  .help = "the operating system" },
	{ 'U', "serverid", .kind = OPTION_FLAG, .offset = offsetof(struct settings, server),
	  .help = "the number of the view's supervisor" },
	{ 'V', "viewname", .aliases = "viewid", .kind = OPTION_FLAG, .offset = offsetof(struct settings, name),
	  .help = "the view's name" },
	{ 'N', NULL, .kind = OPTION_FLAG, .offset = offsetof(struct settings, name), .help = "the same" },
	{ 'P', "prompt", .kind = OPTION_FLAG, .offset = offsetof(struct settings, prompt),
	  .help = "a word for prompts: the view's name, or the machine's" },
	{ 'x', "nouname", .kind = OPTION_FLAG, .offset = offsetof(struct settings, inside_only),
	  .help = "fail where there is no view" },
	{ 'q', "quiet", .kind = OPTION_FLAG, .offset = offsetof(struct settings, quiet),
	  .help = "do not say why" },
	{ 0, "processes", .kind = OPTION_FLAG, .offset = offsetof(struct settings, processes),
	  .help = "the view's processes: number, parent, start in ticks, program" },
	{ 'h', "help", .kind = OPTION_HELP, .help = "print this help" },
	{ 0, "version", .kind = OPTION_VERSION, .help = "print the version" },
};

static const struct option_program program = {
	.name = "vuname",
	.synopsis = "[OPTION]...\n[OPTION]... NAME",
	.summary = "Says what uname(1) says, and of the view of VUOS; or names the view.",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.usage_status = 2,
};

static int fail(const struct settings *s, const char *what)
{
	if (!s->quiet)
		log_error("%s", what);
	return EXIT_FAILURE;
}

static void print_word(bool wanted, const char *word, bool *any)
{
	if (!wanted || !*word)
		return;
	(void)printf("%s%s", *any ? " " : "", word);
	*any = true;
}

static int print_words(const struct settings *s, const struct vu_info *info, bool inside)
{
	bool none = !s->system && !s->node && !s->release && !s->version && !s->machine && !s->processor &&
		    !s->platform && !s->operating && !s->server && !s->name;
	bool any = false;

	print_word(s->all || s->system || none, info->uname.sysname, &any);
	print_word(s->all || s->node, info->uname.nodename, &any);
	print_word(s->all || s->release, info->uname.release, &any);
	print_word(s->all || s->version, info->uname.version, &any);
	print_word(s->all || s->machine, info->uname.machine, &any);
	print_word(s->processor && !s->all, "unknown", &any); /* the kernel does not say */
	print_word(s->platform && !s->all, "unknown", &any);
	print_word(s->all || s->operating, inside ? "GNU/Linux/VUOS" : "GNU/Linux", &any);
	print_word(s->all || s->server, info->vu_serverid, &any);
	print_word(s->all || s->name, info->vu_name, &any);
	(void)putchar('\n');
	return EXIT_SUCCESS;
}

static int print_prompt(const struct vu_info *info, bool inside)
{
	if (*info->vu_name)
		(void)puts(info->vu_name);
	else if (inside)
		(void)printf("%s[%s]\n", info->uname.nodename, info->vu_serverid);
	else
		(void)puts(info->uname.nodename);
	return EXIT_SUCCESS;
}

/* There may be more of them when they are asked for again. */
static int print_processes(const struct settings *s)
{
	auto_free char *list = NULL;
	int len = vu_get_processes(NULL, 0), room = 0;

	while (len > room) {
		free(list);
		room = 2 * len;
		list = calloc(1, (size_t)room);
		if (!list)
			return fail(s, strerror(ENOMEM));
		len = vu_get_processes(list, (size_t)room);
	}
	if (len < 0)
		return fail(s, errno == ENOSYS ? "there is no view here" : strerror(errno));
	(void)fputs(list, stdout);
	return EXIT_SUCCESS;
}

static int set_name(const struct settings *s, const char *name)
{
	if (vu_setname(name) == 0)
		return EXIT_SUCCESS;
	if (errno == ENOSYS)
		return fail(s, "there is no view here that could have a name");
	return fail(s, errno == EINVAL ? "a name has no control characters" : strerror(errno));
}

int main(int argc, char **argv)
{
	struct settings s = { 0 };
	struct vu_info info = { 0 };
	int status, first = option_parse(&program, argc, argv, &s, &status);
	bool inside;

	log_set_program("vuname");
	if (first < 0)
		return status;
	if (argc > first + 1)
		return option_usage_error(&program, "one name is enough");
	inside = vu_getinfo(&info) == 0;
	if (!inside && s.inside_only)
		return fail(&s, "there is no view here");
	if (!inside)
		(void)uname(&info.uname);
	if (argc > first)
		return set_name(&s, argv[first]);
	if (s.processes)
		status = print_processes(&s);
	else
		status = s.prompt ? print_prompt(&info, inside) : print_words(&s, &info, inside);
	return option_printed(&program, status);
}
