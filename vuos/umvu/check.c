/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this machine allows, found by trying it. A row says what is there, or what is lost without it and what
 * is to be done. Probes that leave traces in a process are made in a child.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "confine.h"
#include "include/vulib.h"
#include "vuos/resident/exec_state.h"

#define HWCAP2_FSGSBASE (1 << 1)
#define PAGE_LEN 4096
#define AS_MIN   (UINT64_C(256) << 20)
#define LANDLOCK_ALL 6 /* version that has all that --confine... can ask for */

/* What a probe has found. */
struct finding {
	bool has;
	char detail[160]; /* beside yes or no; may be empty */
};

static struct finding found(bool has)
{
	return (struct finding){ .has = has };
}

/* Whether TRY returns 0 in a child, which is then gone with all that it has done to itself. */
static bool works_in_child(int (*try)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(try() == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool has_dispatch(void)
{
	return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0) == 0;
}

static int try_filter(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog program = { .len = 1, .filter = &allow };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static bool has_filter(void)
{
	return works_in_child(try_filter);
}

static bool has_fsgsbase(void)
{
	return getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;
}

/* --- probes -------------------------------------------------------------------------------------------- */

static struct finding probe_kernel(void)
{
	struct finding finding = { 0 };
	struct utsname name;
	int major = 0, minor = 0;

	if (uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2)
		finding.has = major > 5 || (major == 5 && minor >= 9);
	(void)snprintf(finding.detail, sizeof(finding.detail), "Linux %d.%d", major, minor);
	return finding;
}

static struct finding probe_fsgsbase(void)
{
	return found(has_fsgsbase());
}

static struct finding probe_dispatch(void)
{
	return found(has_dispatch());
}

static struct finding probe_filter(void)
{
	return found(has_filter());
}

static struct finding probe_memfd(void)
{
	auto_close int fd = memfd_create("umvu", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return found(fd >= 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) == 0);
}

static struct finding probe_openat2(void)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC };
	auto_close int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));

	return found(fd >= 0);
}

/* As a call site is patched: code of a file is copied, changed, and becomes code again. */
static int try_patching(void)
{
	auto_close int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char *code = mmap(NULL, PAGE_LEN, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	if (code == MAP_FAILED || mprotect(code, PAGE_LEN, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	code[0]++;
	return mprotect(code, PAGE_LEN, PROT_READ | PROT_EXEC);
}

static struct finding probe_patching(void)
{
	return found(works_in_child(try_patching));
}

static struct finding probe_membarrier(void)
{
	int commands = (int)syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	return found(commands > 0 && commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE);
}

static struct finding probe_memory_map(void)
{
	unsigned size = 0;

	return found(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) == 0 && size);
}

static struct finding probe_proc(void)
{
	return found(access("/proc/self/exe", F_OK) == 0);
}

static struct finding probe_landlock(void)
{
	const char *why;
	int abi = confine_landlock_abi(&why);
	struct finding finding = { .has = abi >= LANDLOCK_ALL };

	if (abi)
		(void)snprintf(finding.detail, sizeof(finding.detail), "version %d", abi);
	else
		(void)snprintf(finding.detail, sizeof(finding.detail), "%s", why);
	return finding;
}

static int try_user_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static struct finding probe_user_namespaces(void)
{
	return found(works_in_child(try_user_namespace));
}

/* The number in FILE, behind LABEL if there is one; -1: there is none. */
static int number_in(const char *file, const char *label)
{
	auto_fclose FILE *stream = fopen(file, "re");
	char line[256];
	size_t len = strlen(label);
	int number = -1;

	while (stream && number < 0 && fgets(line, sizeof(line), stream))
		if (strncmp(line, label, len) == 0)
			(void)sscanf(line + len, "%d", &number);
	return number;
}

static struct finding probe_ptrace_scope(void)
{
	int scope = number_in("/proc/sys/kernel/yama/ptrace_scope", "");
	struct finding finding = { .has = scope <= 0 };

	if (scope > 0)
		(void)snprintf(finding.detail, sizeof(finding.detail), "kernel.yama.ptrace_scope is %d", scope);
	return finding;
}

static struct finding probe_own_filters(void)
{
	int mode = number_in("/proc/self/status", "Seccomp:");
	int filters = number_in("/proc/self/status", "Seccomp_filters:");
	struct finding finding = { .has = mode <= 0 };

	if (mode > 0)
		(void)snprintf(finding.detail, sizeof(finding.detail), "%d in force", MAX(filters, 1));
	return finding;
}

static struct finding probe_descriptors(void)
{
	struct rlimit limit = { 0 };
	struct finding finding = { 0 };

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	finding.has = limit.rlim_max >= RESERVED_FIRST + RESERVED_ROOM;
	(void)snprintf(finding.detail, sizeof(finding.detail), "at most %llu",
		       (unsigned long long)limit.rlim_max);
	return finding;
}

static struct finding probe_address_space(void)
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };
	struct finding finding = { 0 };

	(void)getrlimit(RLIMIT_AS, &limit);
	finding.has = limit.rlim_cur >= AS_MIN;
	if (limit.rlim_cur != RLIM_INFINITY)
		(void)snprintf(finding.detail, sizeof(finding.detail), "at most %llu KiB",
			       (unsigned long long)limit.rlim_cur / 1024);
	return finding;
}

static struct finding probe_outside(void)
{
	return (struct finding){ .has = vu_check() < 0 };
}

/* --- the list -------------------------------------------------------------------------------------------- */

static const struct check {
	const char *name, *what;
	struct finding (*probe)(void);
	const char *without; /* what is lost, and what is to be done */
	bool needed;
} checks[] = {
	{ "kernel", "Linux 5.9 or later", probe_kernel, "use a newer kernel", true },
	{ "fsgsbase", "the base of GS can be written (FSGSBASE)", probe_fsgsbase,
	  "use a processor that has it (from 2012), and no \"nofsgsbase\" on the kernel's command line", true },
	{ "memfd", "sealed files of memory", probe_memfd,
	  "nothing passes to the next program: set vm.memfd_noexec to 0 or 1, or allow memfd_create in the "
	  "container", true },
	{ "outside", "not inside of a view already", probe_outside,
	  "views do not nest: run umvu outside of this one", true },
	{ "dispatch", "system call user dispatch", probe_dispatch,
	  "calls are caught by a filter, which costs a little more: Linux 5.11", false },
	{ "filter", "seccomp filters", probe_filter,
	  "no --trap=filter, --confine-net, --confine-deny: a kernel with CONFIG_SECCOMP_FILTER", false },
	{ "patching", "changed code may be executed", probe_patching,
	  "each call is trapped, which is ten times slower: the security module must allow execmod", false },
	{ "membarrier", "membarrier that syncs cores", probe_membarrier,
	  "call sites are not changed in programs with threads: a kernel with CONFIG_MEMBARRIER, and no filter "
	  "against it", false },
	{ "openat2", "openat2", probe_openat2,
	  "some names are looked up more slowly: Linux 5.6, or allow it in the container", false },
	{ "memory_map", "the kernel can be told where a program lies", probe_memory_map,
	  "ps, core dumps and debuggers see the resident: a kernel with CONFIG_CHECKPOINT_RESTORE", false },
	{ "proc", "/proc", probe_proc, "programs of the view are not listed: mount it", false },
	{ "landlock", "Landlock with all of --confine", probe_landlock,
	  "some or all of --confine, --confine-read, --confine-write, --confine-net: Linux 6.12", false },
	{ "user_namespaces", "user namespaces", probe_user_namespaces,
	  "programs like vdens or bwrap fail inside as outside: kernel.unprivileged_userns_clone, "
	  "user.max_user_namespaces, or AppArmor's restriction", false },
	{ "ptrace", "programs may trace others of the same user", probe_ptrace_scope,
	  "debuggers inside can only trace what they have started themselves: sysctl "
	  "kernel.yama.ptrace_scope=0", false },
	{ "unfiltered", "no filter of system calls is in force", probe_own_filters,
	  "what a container's filter refuses is refused inside, too: its seccomp profile", false },
	{ "descriptors", "room for descriptors of the resident's own", probe_descriptors,
	  "they lie among those of programs: raise the hard limit (ulimit -Hn 2048)", false },
	{ "address_space", "no tight limit of address space", probe_address_space,
	  "programs may run out of memory: ulimit -v unlimited", false },
};

struct report {
	struct finding findings[ARRAY_SIZE(checks)];
	bool able;
};

static void probe_all(struct report *report)
{
	report->able = has_dispatch() || has_filter();
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		report->findings[i] = checks[i].probe();
		report->able &= report->findings[i].has || !checks[i].needed;
	}
}

static void print_text(const struct report *report)
{
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		const struct finding *finding = &report->findings[i];

		(void)printf("%-46s %s%s%s%s\n", checks[i].what, finding->has ? "yes" : "no",
			     *finding->detail ? " (" : "", finding->detail, *finding->detail ? ")" : "");
		if (!finding->has)
			(void)printf("    %s%s\n", checks[i].needed ? "needed: " : "", checks[i].without);
	}
	(void)puts(report->able ? "Programs can run under umvu here." : "umvu cannot run programs here.");
}

static void print_json(const struct report *report)
{
	auto_strbuf struct strbuf out = { 0 };
	struct json j;

	json_init(&j, &out);
	json_object(&j, NULL);
	json_bool(&j, "able", report->able);
	json_array(&j, "checks");
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		const struct finding *finding = &report->findings[i];

		json_object(&j, NULL);
		json_string(&j, "name", checks[i].name);
		json_string(&j, "what", checks[i].what);
		json_bool(&j, "has", finding->has);
		json_bool(&j, "needed", checks[i].needed);
		json_string(&j, "detail", *finding->detail ? finding->detail : NULL);
		json_string(&j, "without", finding->has ? NULL : checks[i].without);
		json_end(&j);
	}
	json_end(&j);
	json_end(&j);
	(void)puts(strbuf_text(&out));
}

int check_machine(bool json)
{
	struct report report;

	(void)fflush(stdout);
	probe_all(&report);
	(json ? print_json : print_text)(&report);
	return option_printed(&umvu_options, report.able ? EXIT_SUCCESS : EXIT_FAILURE);
}

int check_trap(struct settings *s, struct error *error)
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
