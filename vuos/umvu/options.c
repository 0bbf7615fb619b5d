/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include <errno.h>

#include "base/error.h"
#include "debug_tags.h"
#include "view.h"

static int set_trap(void *settings, const char *argument, struct error *error)
{
	struct settings *s = settings;

	if (str_equal(argument, "dispatch"))
		s->trap = TRAP_DISPATCH;
	else if (str_equal(argument, "filter"))
		s->trap = TRAP_FILTER_NEW;
	else
		return error_set(error, EINVAL, "--trap=%s: neither dispatch nor filter", argument);
	return 0;
}

/* Which of three words; 3: none of them. */
static unsigned word_of(const char *word, const char *const words[3])
{
	unsigned i = 0;

	while (i < 3 && !str_equal(word, words[i]))
		i++;
	return i;
}

static int set_patching(void *settings, const char *argument, struct error *error)
{
	static const char *const names[3] = { "never", "normal", "first" }; /* context.h of the resident */
	struct settings *s = settings;

	s->patching = word_of(argument, names);
	if (s->patching < ARRAY_SIZE(names))
		return 0;
	return error_set(error, EINVAL, "--patch=%s: neither never, normal nor first", argument);
}

static int set_seccomp(void *settings, const char *argument, struct error *error)
{
	(void)argument;
	return set_trap(settings, "filter", error);
}

static int set_no_seccomp(void *settings, const char *argument, struct error *error)
{
	(void)argument;
	return set_trap(settings, "dispatch", error);
}

static int set_orphans(void *settings, const char *argument, struct error *error)
{
	static const char *const names[3] = { "wait", "leave", "kill" }; /* enum orphans */
	struct settings *s = settings;

	s->orphans = word_of(argument, names);
	if (s->orphans < ARRAY_SIZE(names))
		return 0;
	return error_set(error, EINVAL, "--orphans=%s: neither wait, leave nor kill", argument);
}

static int set_kill_on_exit(void *settings, const char *argument, struct error *error)
{
	struct settings *s = settings;

	(void)argument;
	(void)error;
	s->orphans = ORPHANS_KILL;
	return 0;
}

static int set_name(void *settings, const char *argument, struct error *error)
{
	struct settings *s = settings;
	int r = view_check_name(argument);

	s->name = argument;
	if (r == -ENAMETOOLONG)
		return error_set(error, EINVAL, "a name has at most %d bytes", VIEW_NAME_MAX);
	return r < 0 ? error_set(error, EINVAL, "a name has no control characters") : 0;
}

static const struct option_row rows[] = {
	{ 0, "trap", .kind = OPTION_CALL, .arg = "WAY", .set = set_trap, .choices = "dispatch filter",
	  .help = "how calls are caught: dispatch or filter (default: dispatch where the kernel has it)" },
	{ 0, "patch", .kind = OPTION_CALL, .arg = "WHEN", .set = set_patching,
	  .choices = "never normal first", .preset = "normal",
	  .help = "when call sites are changed to jump instead of trapping" },
	{ 'V', "vu_name", .aliases = "vu-name view-name", .kind = OPTION_CALL, .arg = "NAME",
	  .set = set_name, .help = "what the view is called: vuname(1) says it" },
	{ 'f', "rc", .kind = OPTION_STRING, .arg = "FILE", .complete = COMPLETE_FILE,
	  .offset = offsetof(struct settings, rc_file),
	  .help = "a program to run in the view first, instead of " VS_SYSCONFDIR "/vurc and ~/.vurc" },
	{ 'N', "norc", .kind = OPTION_FLAG, .offset = offsetof(struct settings, no_rc),
	  .help = "run none of these" },
	{ 'l', "loglevel", .kind = OPTION_CALL, .arg = "N", .set = messages_set_level, .preset = "5",
	  .help = "write messages up to this level of syslog(3): 0 to 7" },
	{ 's', "syslog", .kind = OPTION_CALL, .arg = "N", .set = messages_set_syslog,
	  .help = "send messages up to this level to syslog(3), too" },
	{ 'o', "output", .kind = OPTION_STRING, .arg = "FILE", .complete = COMPLETE_FILE,
	  .offset = offsetof(struct settings, messages.file),
	  .help = "write messages to a file, which is emptied before" },
	{ 'd', "debugtags", .kind = OPTION_CALL, .arg = "TAGS", .set = debug_tags_set,
	  .help = "write messages of these kinds: vudebug(1) explains them" },
	{ 'D', "debugcols", .kind = OPTION_CALL, .arg = "TAGS:COLOR...", .set = debug_tags_set_colors,
	  .help = "in these colours, where messages go to a terminal" },
	{ 'S', "noseccomp", .kind = OPTION_CALL, .set = set_no_seccomp, .help = "as --trap=dispatch" },
	{ 0, "seccomp", .kind = OPTION_CALL, .set = set_seccomp, .help = "as --trap=filter" },
	{ 'x', "nonesting", .kind = OPTION_FLAG, .offset = offsetof(struct settings, ignored),
	  .help = "accepted and ignored" },
	{ 0, "orphans", .kind = OPTION_CALL, .arg = "WHAT", .set = set_orphans,
	  .choices = "wait leave kill", .preset = "wait",
	  .help = "what to do with processes that the program leaves behind when it ends" },
	{ 0, "kill-on-exit", .kind = OPTION_CALL, .set = set_kill_on_exit, .help = "as --orphans=kill" },
	{ 't', "trace", .kind = OPTION_CALL, .arg = "FILTER", .optional = true, .set = trace_set_filter,
	  .help = "write down the calls of the program: all, or open,%net or !read,write" },
	{ 0, "trace-output", .kind = OPTION_CALL, .arg = "FILE", .complete = COMPLETE_FILE,
	  .set = trace_set_output, .help = "to a file, and not to standard error" },
	{ 0, "trace-split", .kind = OPTION_CALL, .set = trace_set_split,
	  .help = "to a file for each process, FILE.PID" },
	{ 0, "trace-format", .kind = OPTION_CALL, .arg = "FORM", .set = trace_set_format,
	  .choices = "text json", .preset = "text", .help = "how they are written" },
	{ 0, "trace-strings", .kind = OPTION_CALL, .arg = "N", .set = trace_set_strings, .preset = "32",
	  .help = "how many bytes of a string are shown" },
	{ 0, "trace-time", .kind = OPTION_CALL, .arg = "WHAT", .set = trace_set_times,
	  .choices = "none clock epoch relative duration", .preset = "duration",
	  .help = "which times are shown; several with commas between them" },
	{ 0, "trace-failed", .kind = OPTION_CALL, .set = trace_set_failed,
	  .help = "only calls that fail" },
	{ 0, "trace-successful", .kind = OPTION_CALL, .set = trace_set_successful,
	  .help = "only calls that do not fail" },
	{ 0, "trace-summary", .kind = OPTION_CALL, .arg = "also", .optional = true, .set = trace_set_summary,
	  .help = "how often each call was made, and how long it took; also: beside the lines" },
	{ 0, "report-unhandled", .kind = OPTION_CALL, .set = trace_set_unhandled,
	  .help = "say in the end which calls were made that are not handled in full" },
	{ 0, "trace-quiet", .kind = OPTION_CALL, .set = trace_set_quiet,
	  .help = "no lines about signals and ends of programs" },
	{ 0, "confine", .kind = OPTION_CALL, .set = confine_set_alone,
	  .help = "let the kernel keep signals and abstract sockets inside, and privileges out" },
	{ 0, "confine-read", .kind = OPTION_LIST, .arg = "PATH", .complete = COMPLETE_FILE,
	  .offset = offsetof(struct settings, confine.read),
	  .help = "let the kernel forbid to read what is not below this or another such path" },
	{ 0, "confine-write", .kind = OPTION_LIST, .arg = "PATH", .complete = COMPLETE_FILE,
	  .offset = offsetof(struct settings, confine.write),
	  .help = "let the kernel forbid changes of what is not below this or another such path" },
	{ 0, "confine-net", .kind = OPTION_CALL, .arg = "WHAT", .set = confine_set_network,
	  .help = "let the kernel forbid the network: none, or but udp, bind:PORT, connect:PORT" },
	{ 0, "confine-deny", .kind = OPTION_CALL, .arg = "CALLS", .set = confine_set_deny,
	  .help = "let the kernel refuse calls: as the filter of --trace" },
	{ 0, "counters", .kind = OPTION_FLAG, .offset = offsetof(struct settings, counters),
	  .help = "say when a program ends how its calls were caught" },
	{ 0, "check", .kind = OPTION_FLAG, .offset = offsetof(struct settings, check),
	  .help = "say what this machine allows, and run nothing" },
	{ 0, "json", .kind = OPTION_FLAG, .offset = offsetof(struct settings, json),
	  .help = "with --check: as JSON" },
	{ 'h', "help", .kind = OPTION_HELP, .help = "print this help" },
	{ 0, "version", .kind = OPTION_VERSION, .help = "print the version" },
};

const struct option_program umvu_options = {
	.name = "umvu",
	.synopsis = "[OPTION]... PROGRAM [ARGUMENT]...\n--check",
	.summary = "Runs a program whose system calls pass through a virtual operating system.",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.style = OPTION_STOP,
	.operands = COMPLETE_COMMAND,
	.usage_status = STATUS_USAGE,
};

int settings_check(const struct settings *s, unsigned operands)
{
	if (s->check && operands)
		return option_usage_error(&umvu_options, "--check runs no program");
	if (s->json && !s->check)
		return option_usage_error(&umvu_options, "--json is for --check");
	if (s->trace.how.flags & TRACE_SPLIT && !s->trace.output)
		return option_usage_error(&umvu_options, "--trace-split needs a name for the files: "
							 "--trace-output FILE");
	if (!s->check && !operands)
		return option_usage_error(&umvu_options, "which program is to be run?");
	return 0;
}
