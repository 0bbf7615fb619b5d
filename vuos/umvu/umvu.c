/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * umvu: runs a program with each of its system calls passing through the resident (vuos/resident), which
 * is what is executed in the program's place. This process becomes the program: its status and signals
 * are the program's own.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/prctl.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/option.h"
#include "base/util.h"

#define RESIDENT        "virtualsquare/umvu-resident"
#define HWCAP2_FSGSBASE (1 << 1)
#define DEFAULT_PATH    "/usr/local/bin:/usr/bin:/bin"

enum { STATUS_USAGE = 2, STATUS_REFUSED = 126, STATUS_NOT_FOUND = 127 };

/* As the resident numbers them (vuos/resident/context.h). */
enum trap { TRAP_DISPATCH = 0, TRAP_FILTER_NEW = 2, TRAP_ANY = -1 };

#define PATCH_NORMAL 1

struct settings {
	int trap; /* enum trap */
	unsigned patching;
	const char *trace;
	bool json;
	bool check;
};

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

static int set_patching(void *settings, const char *argument, struct error *error)
{
	static const char *const names[] = { "never", "normal", "first" }; /* context.h of the resident */
	struct settings *s = settings;

	for (s->patching = 0; s->patching < ARRAY_SIZE(names); s->patching++)
		if (str_equal(argument, names[s->patching]))
			return 0;
	return error_set(error, EINVAL, "--patch=%s: neither never, normal nor first", argument);
}

static int set_trace_format(void *settings, const char *argument, struct error *error)
{
	struct settings *s = settings;

	s->json = str_equal(argument, "json");
	if (s->json || str_equal(argument, "text"))
		return 0;
	return error_set(error, EINVAL, "--trace-format=%s: neither text nor json", argument);
}

static const struct option_row rows[] = {
	{ 0, "trap", .kind = OPTION_CALL, .arg = "WAY", .set = set_trap, .choices = "dispatch filter",
	  .help = "how calls are caught: dispatch or filter (default: dispatch where the kernel has it)" },
	{ 0, "patch", .kind = OPTION_CALL, .arg = "WHEN", .set = set_patching,
	  .choices = "never normal first", .preset = "normal",
	  .help = "when call sites are changed to jump instead of trapping" },
	{ 't', "trace", .kind = OPTION_STRING, .arg = "FILE", .complete = COMPLETE_FILE,
	  .offset = offsetof(struct settings, trace), .help = "write what the program calls to a file" },
	{ 0, "trace-format", .kind = OPTION_CALL, .arg = "FORM", .set = set_trace_format,
	  .choices = "text json", .preset = "text", .help = "how that is written" },
	{ 0, "check", .kind = OPTION_FLAG, .offset = offsetof(struct settings, check),
	  .help = "say what this machine allows, and run nothing" },
	{ 'h', "help", .kind = OPTION_HELP, .help = "print this help" },
	{ 0, "version", .kind = OPTION_VERSION, .help = "print the version" },
};

static const struct option_program program = {
	.name = "umvu",
	.synopsis = "[OPTION]... PROGRAM [ARGUMENT]...\n--check",
	.summary = "Runs a program whose system calls pass through a virtual operating system.",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.style = OPTION_STOP,
	.operands = COMPLETE_COMMAND,
	.usage_status = STATUS_USAGE,
};

/* --- what the machine allows ------------------------------------------------------------------ */

static bool has_dispatch(void)
{
	return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0) == 0;
}

static bool has_fsgsbase(void)
{
	return getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;
}

static bool has_filter(void)
{
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

static bool has_proc(void)
{
	return access("/proc/self/exe", F_OK) == 0;
}

static const struct {
	bool (*has)(void);
	const char *what, *without;
	bool needed;
} features[] = {
	{ has_fsgsbase, "the GS register for programs (FSGSBASE)",
	  "Linux 5.9 on a processor that has it", true },
	{ has_proc, "/proc", "mount it", true },
	{ has_dispatch, "syscall user dispatch", "Linux 5.11; without it a filter does", false },
	{ has_filter, "seccomp filters", "a kernel built with CONFIG_SECCOMP_FILTER", false },
};

static int check(void)
{
	bool able = has_dispatch() || has_filter();

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		bool has = features[i].has();

		able &= has || !features[i].needed;
		(void)printf("%-42s %s%s\n", features[i].what, has ? "yes" : "no: ",
			     has ? "" : features[i].without);
	}
	(void)puts(able ? "Programs can run under umvu here." : "umvu cannot run programs here.");
	return able ? EXIT_SUCCESS : STATUS_REFUSED;
}

static int choose_trap(struct settings *s, struct error *error)
{
	if (!has_fsgsbase())
		return error_set(error, ENOSYS, "this kernel or processor has no FSGSBASE: see umvu --check");
	if (s->trap == TRAP_ANY)
		s->trap = has_dispatch() ? TRAP_DISPATCH : TRAP_FILTER_NEW;
	if (s->trap == TRAP_DISPATCH && !has_dispatch())
		return error_set(error, ENOSYS,
				 "this kernel has no syscall user dispatch: try --trap=filter");
	return 0;
}

/* --- the program ---------------------------------------------------------------------------------- */

/* The first file of that name in PATH that may be executed, else the first that is there. -ENOENT. */
static int search(const char *name, char found[PATH_MAX])
{
	const char *path = getenv("PATH");
	bool any = false;

	for (const char *at = path ? path : DEFAULT_PATH; at; at = *at ? at + 1 : NULL) {
		int len = (int)strcspn(at, ":");
		char file[PATH_MAX];
		int n = snprintf(file, sizeof(file), "%.*s%s%s", len, at, len ? "/" : "", name);
		struct stat st;

		at += len;
		if (n >= (int)sizeof(file) || stat(file, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (!any || access(file, X_OK) == 0)
			memcpy(found, file, (size_t)n + 1);
		any = true;
		if (access(file, X_OK) == 0)
			return 0;
	}
	return any ? 0 : -ENOENT;
}

/* Why the file at PATH cannot be run, as far as it shows. */
static int examine(const char *path, struct error *error)
{
	unsigned char head[EI_NIDENT + 4] = { 0 };
	auto_close int fd = -1;
	struct stat st;

	if (stat(path, &st) < 0)
		return error_set_errno(error, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(error, EACCES, "%s: not a file that could be run", path);
	if (access(path, X_OK) < 0)
		return error_set_errno(error, errno, "%s", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(error, EACCES,
				 "%s: it may be executed but not read, and what cannot be read cannot be "
				 "loaded; let its owner make it readable", path);
	if (read(fd, head, sizeof(head)) < 2)
		return error_set(error, ENOEXEC, "%s: it is empty", path);
	if (memcmp(head, "#!", 2) == 0)
		return 0;
	if (memcmp(head, ELFMAG, SELFMAG) != 0)
		return error_set(error, ENOEXEC,
				 "%s: neither a program nor a script that names its interpreter", path);
	if (head[EI_CLASS] != ELFCLASS64 || head[18] != EM_X86_64)
		return error_set(error, ENOEXEC,
				 "%s: a program for another processor or of 32 bits: only x86-64 programs "
				 "can run here", path);
	return 0;
}

static int find_program(const char *name, char found[PATH_MAX], struct error *error)
{
	int r = 0;

	if (strchr(name, '/'))
		r = str_copy(found, PATH_MAX, name) < 0 ? -ENAMETOOLONG
		    : access(found, F_OK) < 0	       ? -errno
						       : 0;
	else
		r = *name ? search(name, found) : -ENOENT;
	if (r == -ENOENT)
		return error_set(error, ENOENT, "%s: there is no such program", name);
	return r < 0 ? error_set_errno(error, -r, "%s", name) : examine(found, error);
}

/* Beside our own directory, or where it was installed to. */
static int find_resident(char found[PATH_MAX], struct error *error)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash) {
		*slash = '\0';
		if (snprintf(found, PATH_MAX, "%s/../libexec/" RESIDENT, self) < PATH_MAX &&
		    access(found, X_OK) == 0)
			return 0;
	}
	if (snprintf(found, PATH_MAX, "%s/" RESIDENT, VS_LIBEXECDIR) < PATH_MAX && access(found, X_OK) == 0)
		return 0;
	return error_set(error, ENOENT, "%s is missing: umvu is not installed completely", found);
}

/* The trace's file, emptied, by a name that stays right when the program goes elsewhere; "": none. */
static int make_trace(const char *name, char path[PATH_MAX], struct error *error)
{
	auto_close int fd = -1;

	path[0] = '\0';
	if (!name)
		return 0;
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || !realpath(name, path))
		return error_set(error, EACCES, "cannot write the trace to '%s': %s", name, strerror(errno));
	return 0;
}

/*
 * Which signals of faults this process ignores, and which it blocks, as bits: the kernel does not do
 * that for the resident, which has to know.
 */
static void find_fault_signals(uint64_t *ignored, uint64_t *blocked)
{
	static const int signals[] = { SIGSYS, SIGSEGV, SIGBUS, SIGILL, SIGTRAP };
	sigset_t mask;

	*ignored = *blocked = 0;
	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		uint64_t bit = UINT64_C(1) << (signals[i] - 1);
		struct sigaction action;

		if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			*ignored |= bit;
		if (sigismember(&mask, signals[i]) > 0)
			*blocked |= bit;
	}
}

/* Only returns when it cannot be done. */
static int run(const struct settings *s, char **argv, struct error *error)
{
	char path[PATH_MAX], resident[PATH_MAX], real[PATH_MAX], trace[PATH_MAX];
	auto_free char *state = NULL;
	uint64_t ignored, blocked;
	int r = find_program(argv[0], path, error);

	if (r == 0)
		r = find_resident(resident, error);
	if (r == 0)
		r = make_trace(s->trace, trace, error);
	if (r < 0)
		return r;
	if (!realpath(resident, real))
		return error_set_errno(error, errno, "%s", resident);
	find_fault_signals(&ignored, &blocked);
	/* exec.h of the resident; there is no descriptor */
	if (asprintf(&state, "%x,%x,%jx,%jx,0,%x,%zx,%s,%s", (unsigned)s->trap, s->patching, (uintmax_t)ignored,
		     (uintmax_t)blocked, !s->trace ? 0 : s->json ? 2 : 1, strlen(trace), trace, path) < 0)
		return error_set_errno(error, ENOMEM, "umvu");
	if (setenv("_VU", state, 1) < 0)
		return error_set_errno(error, errno, "umvu");
	(void)execv(real, argv);
	return error_set_errno(error, errno, "%s", real);
}

int main(int argc, char **argv)
{
	struct settings s = { .trap = TRAP_ANY, .patching = PATCH_NORMAL };
	struct error error = { 0 };
	int status, first, r;

	log_set_program("umvu");
	first = option_parse(&program, argc, argv, &s, &status);
	if (first < 0)
		return status;
	if (s.check)
		return check();
	if (first >= argc)
		return option_usage_error(&program, "which program is to be run?");
	r = choose_trap(&s, &error);
	if (r == 0)
		r = run(&s, argv + first, &error);
	log_error("%s", error_text(&error));
	return r == -ENOENT ? STATUS_NOT_FOUND : STATUS_REFUSED;
}
