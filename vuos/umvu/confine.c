/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. What a view's processes are kept from doing is asked of the kernel before the first
 * program is executed, so that it also binds the resident, which a hostile program can do what it likes
 * with. Paths are the host's, and are looked up here, once. Nothing is opened for a process afterwards by
 * anybody.
 *
 * What Landlock of an older kernel cannot keep programs from is an error, not a smaller confinement.
 *
 * The resident loads programs by reading them, so what can be read can be run; there is no right to execute
 * beside that to read. The resident itself may always be read and executed.
 */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "options.h"

/* Newer than the oldest headers that we are built with. */
#define FS_TRUNCATE  (UINT64_C(1) << 14)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)
#define NET_BIND     (UINT64_C(1) << 0)
#define NET_CONNECT  (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT (UINT64_C(1) << 0)
#define SCOPE_SIGNAL   (UINT64_C(1) << 1)
#define RULE_NET_PORT  2

#define ABI_TRUNCATE 3
#define ABI_NETWORK  4
#define ABI_IOCTL    5
#define ABI_SCOPE    6

#define FILE_READ  LANDLOCK_ACCESS_FS_READ_FILE
#define FILE_WRITE (LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)
#define READ       (FILE_READ | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)
#define WRITE                                                                                             \
	(FILE_WRITE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                    \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |       \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |    \
	 LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | FS_IOCTL_DEV)
/* Of a path that is no directory. */
#define OF_FILES (FILE_READ | FILE_WRITE | LANDLOCK_ACCESS_FS_EXECUTE | FS_IOCTL_DEV)

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

struct port_attr {
	uint64_t access, port;
};

/* Programs expect to be able to use them, and nothing can be kept in them. */
static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
				       "/dev/tty" };

static struct confine_settings *of(void *settings)
{
	return &((struct settings *)settings)->confine;
}

/* --- options ----------------------------------------------------------------------------------------- */

int confine_set_alone(void *settings, const char *none, struct error *error)
{
	(void)none;
	(void)error;
	of(settings)->alone = true;
	return 0;
}

int confine_set_deny(void *settings, const char *calls, struct error *error)
{
	struct confine_settings *s = of(settings);
	struct call_set set;
	int r = call_set_parse(&set, calls, error);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(set.words); i++)
		s->deny.words[i] |= set.words[i];
	s->denies = true;
	return r;
}

/* "bind:80", "connect:443". */
static int add_port(struct confine_settings *s, const char *word, struct error *error)
{
	bool bind = str_starts(word, "bind:"), connect = str_starts(word, "connect:");
	long long port;

	if (!bind && !connect)
		return error_set(error, EINVAL, "'%s' is none of none, udp, bind:PORT, connect:PORT", word);
	if (parse_decimal(strchr(word, ':') + 1, 1, UINT16_MAX, &port) < 0)
		return error_set(error, EINVAL, "'%s': a port is a number from 1 to 65535", word);
	if (s->num_ports == CONFINE_PORTS)
		return error_set(error, E2BIG, "at most %d ports can be given", CONFINE_PORTS);
	s->ports[s->num_ports++] = (struct confine_port){ .port = (uint16_t)port, .bind = bind };
	return 0;
}

int confine_set_network(void *settings, const char *words, struct error *error)
{
	struct confine_settings *s = of(settings);
	int r = 0;

	s->network = true;
	for (const char *at = words; r == 0 && at; at = *at ? at + 1 : NULL) {
		size_t len = strcspn(at, ",");
		char word[32];

		(void)snprintf(word, sizeof(word), "%.*s", (int)MIN(len, sizeof(word) - 1), at);
		if (str_equal(word, "udp"))
			s->datagrams = true;
		else if (!str_equal(word, "none"))
			r = add_port(s, word, error);
		else if (!str_equal(words, "none"))
			r = error_set(error, EINVAL, "'%s': none, and others", words);
		at += len;
	}
	return r;
}

/* --- Landlock ------------------------------------------------------------------------------------------ */

int confine_landlock_abi(const char **why)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	*why = abi > 0		     ? NULL
	       : errno == EOPNOTSUPP ? "it is switched off: add landlock to lsm= of the kernel's command line"
	       : errno == ENOSYS     ? "Linux 5.13, built with CONFIG_SECURITY_LANDLOCK"
				     : "something forbids its calls, such as the filter of a container";
	return abi > 0 ? (int)abi : 0;
}

static int need_abi(int needed, const char *release, const char *what, struct error *error)
{
	const char *why;
	int abi = confine_landlock_abi(&why);

	if (!abi)
		return error_set(error, ENOSYS, "%s needs Landlock, which is not there: %s", what, why);
	if (abi < needed)
		return error_set(error, ENOSYS,
				 "%s needs version %d of Landlock (Linux %s); this kernel has version %d", what,
				 needed, release, abi);
	return 0;
}

static int check_kernel(const struct confine_settings *s, struct error *error)
{
	int r = 0;

	if (s->read.count || s->write.count)
		r = need_abi(ABI_TRUNCATE, "6.2", "the confinement of files", error);
	if (r == 0 && s->num_ports)
		r = need_abi(ABI_NETWORK, "6.7", "the confinement to ports", error);
	if (r == 0 && s->alone)
		r = need_abi(ABI_SCOPE, "6.12", "--confine", error);
	return r;
}

static struct ruleset_attr handled(const struct confine_settings *s)
{
	const char *why;
	int abi = confine_landlock_abi(&why);
	struct ruleset_attr attr = { 0 };

	if (s->read.count)
		attr.fs = READ | WRITE;
	else if (s->write.count)
		attr.fs = WRITE;
	if (abi < ABI_IOCTL)
		attr.fs &= ~FS_IOCTL_DEV;
	if (s->network && abi >= ABI_NETWORK)
		attr.net = NET_BIND | NET_CONNECT;
	if (s->alone)
		attr.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	return attr;
}

/* ACCESS below PATH, as far as it is confined at all. */
static int allow_path(int ruleset, const char *path, uint64_t access, struct error *error)
{
	auto_close int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(error, EACCES, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= OF_FILES;
	if (!rule.allowed_access ||
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
		return 0;
	return error_set_errno(error, errno, "%s: Landlock does not take it", path);
}

static int allow_paths(int ruleset, const struct confine_settings *s, uint64_t fs, const char *resident,
		       struct error *error)
{
	int r = allow_path(ruleset, resident, fs & READ, error);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(devices); i++)
		if (access(devices[i], F_OK) == 0)
			r = allow_path(ruleset, devices[i], fs & OF_FILES, error);
	for (unsigned i = 0; r == 0 && i < s->read.count; i++)
		r = allow_path(ruleset, s->read.item[i], fs & READ, error);
	for (unsigned i = 0; r == 0 && i < s->write.count; i++)
		r = allow_path(ruleset, s->write.item[i], fs, error);
	return r;
}

static int allow_ports(int ruleset, const struct confine_settings *s, struct error *error)
{
	for (unsigned i = 0; i < s->num_ports; i++) {
		const struct port_attr rule = { .access = s->ports[i].bind ? NET_BIND : NET_CONNECT,
						.port = s->ports[i].port };

		if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) < 0)
			return error_set_errno(error, errno, "port %u", s->ports[i].port);
	}
	return 0;
}

/* The kernel takes the longest form that it knows, and zeros behind that. */
static int make_ruleset(struct confinement *c, const struct confine_settings *s, const char *resident,
			struct error *error)
{
	const struct ruleset_attr attr = handled(s);
	size_t size = attr.scoped ? sizeof(attr) : attr.net ? offsetof(struct ruleset_attr, scoped)
							    : offsetof(struct ruleset_attr, net);
	int r = 0;

	if (!attr.fs && !attr.net && !attr.scoped)
		return 0;
	c->ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (c->ruleset < 0)
		return error_set_errno(error, errno, "Landlock does not take the confinement");
	if (attr.fs)
		r = allow_paths(c->ruleset, s, attr.fs, resident, error);
	return r == 0 ? allow_ports(c->ruleset, s, error) : r;
}

/* --- all of it ----------------------------------------------------------------------------------------- */

int confine_prepare(struct confinement *c, const struct settings *s, const char *resident, struct error *error)
{
	const struct confine_settings *wanted = &s->confine;
	int r;

	*c = (struct confinement){ .ruleset = -1 };
	c->any = wanted->read.count || wanted->write.count || wanted->alone || wanted->network ||
		 wanted->denies;
	if (!c->any)
		return 0;
	if ((wanted->read.count || wanted->write.count) && s->trace.how.flags & TRACE_SPLIT)
		return error_set(error, EINVAL, "--trace-split makes files in the view, which --confine-read "
						"and --confine-write forbid: trace to one file");
	r = check_kernel(wanted, error);
	if (r == 0)
		r = make_ruleset(c, wanted, resident, error);
	if (r == 0)
		r = confine_filter(c, s, error);
	return r;
}

int confine_apply(const struct confinement *c)
{
	const struct sock_fprog program = { .len = (unsigned short)c->filter_len, .filter = c->filter };

	if (!c->any)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (c->ruleset >= 0 && syscall(SYS_landlock_restrict_self, c->ruleset, 0) < 0)
		return -errno;
	if (c->filter && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return -errno;
	return 0;
}

void confine_done(struct confinement *c)
{
	if (c->ruleset >= 0)
		(void)close(c->ruleset);
	free(c->filter);
	*c = (struct confinement){ .ruleset = -1 };
}
