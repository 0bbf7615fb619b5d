/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Once it has started, a switch needs little: its sockets, its directory, name look-ups, plug-ins.
 * Two layers take the rest away; neither is ever the reason for a switch not to run.
 *
 * Landlock (landlock(7)) limits which files can be opened, made and removed:
 *
 *	switch directory           make and remove sockets, list
 *	its parent                 remove the (empty) directory at the end
 *	of the management socket   remove files
 *	and of the pid file
 *	~/.vde2, /etc/vde2, of     read: configuration, plug-ins
 *	the rc file, plug-ins
 *	/etc, /usr, libraries      read: name look-ups, what plug-ins are linked with
 *	--allow-path               everything: captures, logs of plug-ins
 *
 * A directory that is not there at the start gets no rule. Connecting to a socket needs no right:
 * the sockets of clients may be anywhere. Rights of newer kernels that the switch does not name stay
 * free (IPC scopes, network), so an unknown kernel can only be laxer, not break it.
 *
 * A seccomp filter (sandbox_filter.c) then takes away most system calls.
 */
#include "vde/switch/sandbox.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/landlock.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "vde/switch/plugin_private.h"
#include "vde/switch/sandbox_filter.h"

/* Rights of kernels newer than the oldest headers we build with. */
#define ACCESS_REFER     (UINT64_C(1) << 13) /* landlock version 2 */
#define ACCESS_TRUNCATE  (UINT64_C(1) << 14) /* 3 */
#define ACCESS_IOCTL_DEV (UINT64_C(1) << 15) /* 5 */

#define ACCESS_READ  (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ACCESS_VERSION_1 ((UINT64_C(1) << 13) - 1)
#define ACCESS_ALL (ACCESS_VERSION_1 | ACCESS_REFER | ACCESS_TRUNCATE | ACCESS_IOCTL_DEV)
/* What a rule on something that is not a directory may name. */
#define ACCESS_FILE                                                                       \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                   \
	 LANDLOCK_ACCESS_FS_EXECUTE | ACCESS_TRUNCATE | ACCESS_IOCTL_DEV)

struct system_path {
	const char *path;
	uint64_t access;
};

static const struct system_path system_paths[] = {
	{ "/etc", ACCESS_READ },
	{ "/usr", ACCESS_READ },
	{ "/lib", ACCESS_READ },
	{ "/lib64", ACCESS_READ },
	{ "/run/systemd", ACCESS_READ },   /* name services */
	{ "/run/resolvconf", ACCESS_READ },
	{ "/var/lib/extrausers", ACCESS_READ },
	{ "/proc/sys/kernel", ACCESS_READ },
	{ "/dev/null", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE },
	{ "/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE },
#ifdef SANDBOX_SANITIZED
	{ "/proc", ACCESS_READ },
#endif
};

/* A rule set being built. */
struct rules {
	int fd;
	uint64_t handled;
};

static uint64_t handled_access(long version)
{
	uint64_t access = ACCESS_VERSION_1;

	if (version >= 2)
		access |= ACCESS_REFER;
	if (version >= 3)
		access |= ACCESS_TRUNCATE;
	if (version >= 5)
		access |= ACCESS_IOCTL_DEV;
	return access;
}

/* Allows ACCESS below PATH; what is not there is left out. */
static int allow(const struct rules *rules, const char *path, uint64_t access)
{
	auto_close int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {
		.allowed_access = access & rules->handled,
		.parent_fd = fd,
	};
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0) {
		log_debug_errno(errno, "sandbox: no rule for %s", path);
		return 0;
	}
	if (!S_ISDIR(status.st_mode))
		rule.allowed_access &= ACCESS_FILE;
	if (!rule.allowed_access)
		return 0;
	if (syscall(SYS_landlock_add_rule, rules->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return -errno;
	return 0;
}

/* Allows ACCESS in the directory that PATH is in. NULL: nothing. */
static int allow_parent(const struct rules *rules, const char *path, uint64_t access)
{
	auto_free char *parent = path ? strdup(path) : NULL;
	char *slash;

	if (!path)
		return 0;
	if (!parent)
		return -ENOMEM;
	slash = strrchr(parent, '/');
	if (!slash)
		return allow(rules, ".", access);
	slash[slash == parent] = '\0'; /* "/" stays */
	return allow(rules, parent, access);
}

static int allow_system(const struct rules *rules)
{
	for (size_t i = 0; i < ARRAY_SIZE(system_paths); i++) {
		int r = allow(rules, system_paths[i].path, system_paths[i].access);

		if (r < 0)
			return r;
	}
	return 0;
}

static int allow_plugins(const struct rules *rules)
{
	auto_free char *program_dir = plugin_program_dir();
	const char *home = secure_getenv("HOME");
	auto_free char *home_dir = NULL;
	int r = allow(rules, VS_SWITCH_PLUGIN_DIR, ACCESS_READ);

	if (r == 0 && program_dir)
		r = allow(rules, program_dir, ACCESS_READ);
	if (r < 0 || !home)
		return r;
	if (asprintf(&home_dir, "%s/.vde2", home) < 0)
		return -ENOMEM;
	return allow(rules, home_dir, ACCESS_READ);
}

/* The switch's own names. */
static int allow_own(const struct rules *rules, const struct vde_switch *sw)
{
	const struct switch_settings *settings = &sw->settings;
	const char *pid_path = settings->daemon.pid_path;
	int r = 0;

	if (sw->dir)
		r = allow(rules, sw->dir,
			  LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK |
				  LANDLOCK_ACCESS_FS_REMOVE_FILE);
	if (r == 0)
		r = allow_parent(rules, sw->dir, LANDLOCK_ACCESS_FS_REMOVE_DIR);
	if (r == 0)
		r = allow_parent(rules, sw->mgmt, LANDLOCK_ACCESS_FS_REMOVE_FILE);
	if (r == 0)
		r = allow_parent(rules, pid_path, LANDLOCK_ACCESS_FS_REMOVE_FILE);
	if (r == 0)
		r = allow_parent(rules, settings->rc_file, ACCESS_READ);
	return r;
}

static int allow_asked(const struct rules *rules, const struct option_list *paths)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < paths->count; i++)
		r = allow(rules, paths->item[i], ACCESS_ALL);
	return r;
}

static int restrict_files(struct vde_switch *sw, struct error *error)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
			       LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr attributes = { .handled_access_fs = handled_access(version) };
	auto_close int fd = -1;
	struct rules rules;
	int r;

	if (version < 1) {
		log_debug_errno(errno, "sandbox: the kernel has no landlock, files stay free");
		return 0;
	}
	/* The size of version 1: later fields are of no interest here. */
	fd = (int)syscall(SYS_landlock_create_ruleset, &attributes,
			  sizeof(attributes.handled_access_fs), 0);
	if (fd < 0)
		return error_set_errno(error, errno, "cannot make a landlock rule set");
	rules = (struct rules){ .fd = fd, .handled = attributes.handled_access_fs };
	r = allow_system(&rules);
	if (r == 0)
		r = allow_plugins(&rules);
	if (r == 0)
		r = allow_own(&rules, sw);
	if (r == 0)
		r = allow_asked(&rules, &sw->settings.allow_paths);
	if (r < 0)
		return error_set_errno(error, -r, "cannot add a landlock rule");
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return error_set_errno(error, errno, "cannot enter the landlock rule set");
	log_debug("sandbox: landlock version %ld in force", version);
	return 0;
}

int sandbox_check(const struct vde_switch *sw, struct error *error)
{
	const struct option_list *paths = &sw->settings.allow_paths;

	for (unsigned i = 0; !sw->settings.no_sandbox && i < paths->count; i++)
		if (access(paths->item[i], F_OK) < 0)
			return error_set_errno(error, errno, "--allow-path %s", paths->item[i]);
	return 0;
}

int sandbox_enter(struct vde_switch *sw, struct error *error)
{
	int r;

	if (sw->settings.no_sandbox)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set_errno(error, errno, "cannot give up new privileges");
	r = restrict_files(sw, error);
	return r < 0 ? r : sandbox_filter(error);
}

/* Whether the file's permissions alone would allow it (access(2) knows nothing of landlock). */
static bool permitted(const char *path)
{
	char parent[PATH_MAX];
	char *slash;

	if (access(path, F_OK) == 0)
		return access(path, R_OK) == 0 || access(path, W_OK) == 0;
	if (str_copy(parent, sizeof(parent), path) < 0)
		return false;
	slash = strrchr(parent, '/');
	if (!slash)
		return access(".", W_OK) == 0;
	slash[slash == parent] = '\0';
	return access(parent, W_OK) == 0;
}

bool sandbox_explain(const struct vde_switch *sw, int code, const char *path, struct error *error)
{
	const char *slash = strrchr(path, '/');
	int len = !slash ? 1 : slash == path ? 1 : (int)(slash - path);

	if (sw->settings.no_sandbox || abs(code) != EACCES || !permitted(path))
		return false;
	(void)error_set(error, EACCES,
			"%s is outside of what the running switch may touch: start it with "
			"--allow-path %.*s, or with --no-sandbox",
			path, len, slash ? path : ".");
	return true;
}
