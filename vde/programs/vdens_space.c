/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vdens.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/capability.h>
#include <linux/sched.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/parse.h"

#define STATUS_FAILED     1
#define STATUS_CANNOT_RUN 126
#define STATUS_NOT_FOUND  127

enum message_kind {
	MESSAGE_ENTERED,   /* the namespaces are made */
	MESSAGE_INTERFACE, /* with a descriptor */
	MESSAGE_MADE,
	MESSAGE_FAILED,
};

/* From child to parent. Both are the same program: the layout needs no care. */
struct message {
	enum message_kind kind;
	int status; /* MESSAGE_FAILED */
	struct tap tap;
	struct error error;
};

/* --- messages ------------------------------------------------------------------------- */

static int message_send(int socket_fd, const struct message *message, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { (void *)(uintptr_t)message, sizeof(*message) };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *cmsg;

		header.msg_control = control;
		header.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&header);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	return sendmsg(socket_fd, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* 1 with a message (and tap.fd, -1 if none came), 0 when the child is gone or became the command. */
static int message_receive(int socket_fd, struct message *ret)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { ret, sizeof(*ret) };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1,
				 .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	ssize_t len;

	do
		len = recvmsg(socket_fd, &header, MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (len != (ssize_t)sizeof(*ret))
		return len == 0 ? 0 : -EBADMSG;
	ret->tap.fd = -1;
	cmsg = CMSG_FIRSTHDR(&header);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&ret->tap.fd, CMSG_DATA(cmsg), sizeof(ret->tap.fd));
	return 1;
}

/* --- the child: namespaces ------------------------------------------------------------ */

static int namespace_flags(const struct space_plan *plan)
{
	return CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWUTS | (plan->mounts ? CLONE_NEWNS : 0);
}

/* The number in a file of /proc/sys; -1 when there is none. */
static long long sysctl_number(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32] = "";
	long long value = -1;

	if (fd < 0 || io_read_full(fd, text, sizeof(text) - 1) < 0)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	(void)parse_decimal(text, 0, LLONG_MAX, &value);
	return value;
}

/* Settings that forbid user namespaces: what they are when they do, and the way out. */
static const struct userns_setting {
	const char *path;
	long long forbids;
	const char *text;
} userns_settings[] = {
	{ "/proc/sys/kernel/unprivileged_userns_clone", 0,
	  "this kernel reserves user namespaces for root: run "
	  "'sysctl -w kernel.unprivileged_userns_clone=1' as root" },
	{ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1,
	  "AppArmor reserves user namespaces for programs with a profile that has 'userns,': add one "
	  "for vdens, or run 'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0' as root" },
	{ "/proc/sys/user/max_user_namespaces", 0,
	  "user namespaces are switched off: run 'sysctl -w user.max_user_namespaces=10000' as root" },
	{ "/proc/sys/user/max_net_namespaces", 0,
	  "network namespaces are switched off: run 'sysctl -w user.max_net_namespaces=10000' as root" },
	{ "/proc/sys/user/max_uts_namespaces", 0,
	  "UTS namespaces are switched off: run 'sysctl -w user.max_uts_namespaces=10000' as root" },
	{ "/proc/sys/user/max_mnt_namespaces", 0,
	  "mount namespaces are switched off: run 'sysctl -w user.max_mnt_namespaces=10000' as root" },
};

static const char *userns_remedy(int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(userns_settings); i++)
		if (sysctl_number(userns_settings[i].path) == userns_settings[i].forbids)
			return userns_settings[i].text;
	if (code == ENOSPC || code == EUSERS)
		return "there are too many namespaces, or they are nested too deeply: raise "
		       "user.max_user_namespaces and user.max_net_namespaces with sysctl as root";
	if (code == EINVAL || code == ENOSYS)
		return "the kernel was built without namespaces (CONFIG_USER_NS, CONFIG_NET_NS, "
		       "CONFIG_UTS_NS)";
	return "a container, a seccomp filter, a security module or a chroot forbids it: allow user "
	       "namespaces there, or run vdens outside of it";
}

static int namespace_error(int code, const char *what, struct error *error)
{
	return error_set(error, code, "cannot %s: %s; %s", what, strerror(code), userns_remedy(code));
}

static int write_proc(const char *path, const char *text)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* User and group map to themselves; UID and GID are those outside. */
static int map_ids(uid_t uid, gid_t gid, struct error *error)
{
	char text[64];
	int r;

	r = write_proc("/proc/self/setgroups", "deny");
	if (r < 0 && r != -ENOENT) /* before Linux 3.19 there was none */
		return namespace_error(-r, "set up the user namespace (setgroups)", error);
	(void)snprintf(text, sizeof(text), "%u %u 1", (unsigned)uid, (unsigned)uid);
	r = write_proc("/proc/self/uid_map", text);
	if (r < 0)
		return namespace_error(-r, "map the user into the user namespace", error);
	(void)snprintf(text, sizeof(text), "%u %u 1", (unsigned)gid, (unsigned)gid);
	r = write_proc("/proc/self/gid_map", text);
	if (r < 0)
		return namespace_error(-r, "map the group into the user namespace", error);
	return 0;
}

static int make_interfaces(const struct space_plan *plan, int socket_fd, struct error *error)
{
	for (unsigned i = 0; i < plan->num_interfaces; i++) {
		struct message message = { .kind = MESSAGE_INTERFACE };
		auto_close int fd = -1;
		char name[64];
		int r;

		(void)snprintf(name, sizeof(name), "%s%u", plan->prefix, i);
		r = tap_open(name, &message.tap, error);
		if (r < 0)
			return r;
		fd = TAKE_FD(message.tap.fd);
		r = message_send(socket_fd, &message, fd);
		if (r < 0)
			return error_set_errno(error, -r, "cannot hand over the interface '%s'",
					       name);
	}
	return 0;
}

/* Who the caller is outside: inside nobody is known before the ids are mapped. */
struct identity {
	uid_t uid;
	gid_t gid;
};

static int enter_space(const struct space_plan *plan, enum space_method method,
		       const struct identity *who, int socket_fd, struct error *error)
{
	const struct message entered = { .kind = MESSAGE_ENTERED };
	int r;

	if (method == SPACE_UNSHARE && unshare(namespace_flags(plan)) < 0)
		return namespace_error(errno, "make the namespaces", error);
	r = map_ids(who->uid, who->gid, error);
	if (r < 0)
		return r;
	r = message_send(socket_fd, &entered, -1);
	return r < 0 ? error_set_errno(error, -r, "cannot speak to the parent") : 0;
}

static int furnish_space(const struct space_plan *plan, int socket_fd, struct error *error)
{
	int r;

	if (plan->hostname && sethostname(plan->hostname, strlen(plan->hostname)) < 0)
		return error_set_errno(error, errno, "cannot set the host name '%s'",
				       plan->hostname);
	r = make_interfaces(plan, socket_fd, error);
	if (r < 0)
		return r;
	return resolv_apply(plan, error);
}

/* --- the child: capabilities and command ---------------------------------------------- */

static const int kept_capabilities[] = { CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE,
					 CAP_NET_BROADCAST };

/* Makes the capabilities inheritable and ambient, so that they survive execve(2). */
static int keep_capabilities(bool sysadm, struct error *error)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uint64_t wanted = sysadm ? UINT64_C(1) << CAP_SYS_ADMIN : 0;

	for (size_t i = 0; i < ARRAY_SIZE(kept_capabilities); i++)
		wanted |= UINT64_C(1) << kept_capabilities[i];
	if (syscall(SYS_capget, &header, data) < 0)
		return error_set_errno(error, errno, "cannot read the capabilities");
	data[0].inheritable = (uint32_t)wanted;
	data[1].inheritable = (uint32_t)(wanted >> 32);
	if (syscall(SYS_capset, &header, data) < 0)
		return error_set_errno(error, errno, "cannot keep capabilities for the command");
	for (unsigned long cap = 0; cap < 64; cap++)
		if (wanted >> cap & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return error_set_errno(error, errno,
					       "cannot keep capability %lu for the command", cap);
	return 0;
}

static int run_command(char **command, int *ret_status, struct error *error)
{
	int code;

	(void)execvp(command[0], command);
	code = errno;
	*ret_status = code == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
	return error_set_errno(error, code, "cannot run '%s'", command[0]);
}

/* The whole of the child; returns only after a failure, which the parent was told of. */
static void space_child(const struct space_plan *plan, enum space_method method,
			const struct identity *who, int socket_fd)
{
	struct message failed = { .kind = MESSAGE_FAILED, .status = STATUS_FAILED };
	struct message made = { .kind = MESSAGE_MADE };
	char word;
	int r;

	r = enter_space(plan, method, who, socket_fd, &failed.error);
	if (r == 0)
		r = furnish_space(plan, socket_fd, &failed.error);
	if (r == 0 && message_send(socket_fd, &made, -1) == 0) {
		if (io_read(socket_fd, &word, 1) != 1)
			return; /* the parent gave up, and has said why */
		r = keep_capabilities(plan->sysadm, &failed.error);
		if (r == 0)
			(void)run_command(plan->command, &failed.status, &failed.error);
	}
	(void)message_send(socket_fd, &failed, -1); /* nobody is left to tell if this fails */
}

/* --- the parent ----------------------------------------------------------------------- */

/* fork(2) straight into the namespaces. */
static pid_t clone_into(int flags)
{
	struct clone_args args = { .flags = (uint64_t)flags, .exit_signal = SIGCHLD };

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static int space_fork(const struct space_plan *plan, enum space_method method, struct space *ret,
		      struct error *error)
{
	const struct identity who = { geteuid(), getegid() };
	int ends[2], code;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_set_errno(error, errno, "cannot make a socket pair");
	pid = method == SPACE_CLONE ? clone_into(namespace_flags(plan)) : fork();
	if (pid == 0) {
		(void)close(ends[0]);
		space_child(plan, method, &who, ends[1]);
		_exit(STATUS_FAILED);
	}
	code = errno;
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		if (method == SPACE_CLONE)
			return namespace_error(code, "make the namespaces", error);
		return error_set_errno(error, code, "cannot make a process");
	}
	*ret = (struct space){ .pid = pid, .fd = ends[0], .status = STATUS_FAILED };
	return 0;
}

/* 1 with a message of KIND in *ret, 0 at the end; a failure of the child is the caller's, too. */
static int space_expect(struct space *space, enum message_kind kind, struct message *ret,
			struct error *error)
{
	int r = message_receive(space->fd, ret);

	if (r < 0)
		return error_set_errno(error, -r, "cannot hear from the namespaces");
	if (r == 0)
		return 0;
	if (ret->kind == MESSAGE_FAILED) {
		space->status = ret->status;
		*error = ret->error;
		return -ret->error.code;
	}
	return ret->kind == kind ? 1 : error_set(error, EPROTO, "the namespaces spoke out of turn");
}

static int space_vanished(struct error *error)
{
	return error_set(error, ESRCH, "the process in the new namespaces was killed");
}

int space_start(const struct space_plan *plan, enum space_method method, struct space *ret,
		struct error *error)
{
	struct message message;
	int r = space_fork(plan, method, ret, error);

	if (r < 0)
		return r;
	r = space_expect(ret, MESSAGE_ENTERED, &message, error);
	if (r == 1)
		return 0;
	if (r == 0)
		r = space_vanished(error);
	space_done(ret);
	(void)waitpid(ret->pid, NULL, 0); /* it has ended, or does so now */
	return r;
}

int space_take_interface(struct space *space, struct tap *ret, struct error *error)
{
	struct message message;
	int r = space_expect(space, MESSAGE_INTERFACE, &message, error);

	if (r <= 0)
		return r == 0 ? space_vanished(error) : r;
	if (message.tap.fd < 0)
		return error_set(error, EMFILE, "cannot take over the interface '%s': too many open "
				 "files, see 'ulimit -n'", message.tap.name);
	*ret = message.tap;
	return 0;
}

int space_wait_made(struct space *space, struct error *error)
{
	struct message message;
	int r = space_expect(space, MESSAGE_MADE, &message, error);

	if (r == 0)
		return space_vanished(error);
	return MIN(r, 0);
}

int space_go(struct space *space, struct error *error)
{
	struct message message;
	int r;

	if (send(space->fd, "", 1, MSG_NOSIGNAL) < 0)
		return space_vanished(error);
	/* The socket closes when the command is executed: nothing more to hear is success. */
	r = space_expect(space, MESSAGE_MADE, &message, error);
	return r == 1 ? error_set(error, EPROTO, "the namespaces spoke out of turn") : r;
}

void space_done(struct space *space)
{
	if (space->fd >= 0)
		(void)close(TAKE_FD(space->fd));
}
