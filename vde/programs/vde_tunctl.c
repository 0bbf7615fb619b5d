/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vde_tunctl: makes and removes persistent TAP and TUN interfaces. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/option.h"
#include "base/parse.h"
#include "base/tun.h"

struct settings {
	bool brief;
	const char *device;
	uid_t owner;
	bool owner_given;
	gid_t group;
	bool group_given;
	bool tun;
	const char *name;
	const char *remove;
};

static int set_owner(void *settings, const char *argument, struct error *error)
{
	struct settings *s = settings;
	int r = parse_user(argument, &s->owner);

	s->owner_given = true;
	return r < 0 ? error_set(error, -r, "'%s' is neither a username nor a numeric uid", argument)
		     : 0;
}

static int set_group(void *settings, const char *argument, struct error *error)
{
	struct settings *s = settings;
	int r = parse_group(argument, &s->group);

	s->group_given = true;
	return r < 0 ? error_set(error, -r, "'%s' is neither a group name nor a numeric gid",
				 argument)
		     : 0;
}

static const struct option_row rows[] = {
	{ 'b', "brief", .kind = OPTION_FLAG, .offset = offsetof(struct settings, brief),
	  .help = "print the name of the new interface and nothing else" },
	{ 'f', "device", .kind = OPTION_STRING, .arg = "FILE", .complete = COMPLETE_FILE,
	  .offset = offsetof(struct settings, device), .preset = TUN_DEVICE,
	  .help = "device that makes interfaces" },
	{ 'u', "owner", .kind = OPTION_CALL, .arg = "USER", .complete = COMPLETE_USER,
	  .set = set_owner, .help = "who may use the interface (default: the caller)" },
	{ 'g', "group", .kind = OPTION_CALL, .arg = "GROUP", .complete = COMPLETE_GROUP,
	  .set = set_group, .help = "whose members may use the interface" },
	{ 'n', "tun", .kind = OPTION_FLAG, .offset = offsetof(struct settings, tun),
	  .help = "TUN (IP packets), not TAP (frames); also when the name begins with tun" },
	{ 't', "name", .kind = OPTION_STRING, .arg = "NAME", .offset = offsetof(struct settings, name),
	  .help = "name of the interface (default: the kernel chooses)" },
	{ 'd', "delete", .kind = OPTION_STRING, .arg = "NAME", .complete = COMPLETE_INTERFACE,
	  .offset = offsetof(struct settings, remove), .help = "remove the interface" },
	{ 'h', "help", .kind = OPTION_HELP, .help = "print this help" },
	{ 0, "version", .kind = OPTION_VERSION, .help = "print the version" },
};

static const struct option_program program = {
	.name = "vde_tunctl",
	.synopsis = "[-b] [-f FILE] [-u USER] [-g GROUP] [-n] [-t NAME]\n"
		    "[-f FILE] -d NAME",
	.summary = "Makes a persistent TAP or TUN interface that a user may join, or removes one.",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.usage_status = EXIT_FAILURE,
};

static int check_name(const char *name, struct error *error)
{
	if (tun_name_valid(name))
		return 0;
	return error_set(error, EINVAL,
			 "'%s' cannot be the name of an interface (1 to %d bytes, without blanks, "
			 "'/' and ':')", name, IFNAMSIZ - 1);
}

static int interface_error(int code, const char *what, const char *name, struct error *error)
{
	static const struct {
		int code;
		const char *text;
	} remedies[] = {
		{ EPERM, "it needs CAP_NET_ADMIN, run this as root" },
		{ EBUSY, "another program uses the interface" },
		{ EINVAL, "an interface of another kind has that name" },
		{ ENOTTY, "the device is not one that makes interfaces, as " TUN_DEVICE " is" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(remedies); i++)
		if (remedies[i].code == code)
			return error_set(error, code, "cannot %s '%s': %s; %s", what, name,
					 strerror(code), remedies[i].text);
	return error_set_errno(error, code, "cannot %s '%s'", what, name);
}

static int own_interface(int fd, const struct settings *s, const char *name, uid_t owner,
			 struct error *error)
{
	if (owner != (uid_t)-1 && ioctl(fd, TUNSETOWNER, owner) < 0)
		return interface_error(errno, "set the owner of", name, error);
	if (s->group_given && ioctl(fd, TUNSETGROUP, s->group) < 0)
		return interface_error(errno, "set the group of", name, error);
	if (ioctl(fd, TUNSETPERSIST, 1) < 0)
		return interface_error(errno, "keep", name, error);
	return 0;
}

static void report_made(const struct settings *s, const char *name, uid_t owner)
{
	if (s->brief) {
		(void)puts(name);
		return;
	}
	(void)printf("Set '%s' persistent and owned by", name);
	if (owner != (uid_t)-1)
		(void)printf(" uid %u", (unsigned)owner);
	if (s->group_given)
		(void)printf(" gid %u", (unsigned)s->group);
	(void)putchar('\n');
}

static int make_interface(const struct settings *s, struct error *error)
{
	const char *name = s->name ? s->name : "";
	unsigned kind = s->tun || str_starts(name, "tun") ? IFF_TUN : IFF_TAP;
	uid_t owner = s->owner_given ? s->owner : s->group_given ? (uid_t)-1 : geteuid();
	char real_name[IFNAMSIZ];
	auto_close int fd = -1;
	int r;

	r = *name ? check_name(name, error) : 0;
	if (r < 0)
		return r;
	fd = tun_open_device(s->device, O_NONBLOCK, error);
	if (fd < 0)
		return fd;
	r = tun_attach(fd, name, kind | IFF_NO_PI, real_name);
	if (r < 0)
		return interface_error(-r, "make the interface", *name ? name : "(any)", error);
	r = own_interface(fd, s, real_name, owner, error);
	if (r == 0)
		report_made(s, real_name, owner);
	return r;
}

/* Joins the interface whatever kind it is of: those who made it may have used other programs. */
static int join_any(int fd, const char *name)
{
	int r = tun_attach(fd, name, IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE, NULL);

	return r == -EINVAL ? tun_attach(fd, name, IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE, NULL) : r;
}

static int remove_interface(const struct settings *s, struct error *error)
{
	const char *name = s->remove;
	auto_close int fd = -1;
	int r = check_name(name, error);

	if (r < 0)
		return r;
	if (if_nametoindex(name) == 0)
		return error_set(error, ENODEV, "there is no interface '%s'", name);
	fd = tun_open_device(s->device, O_NONBLOCK, error);
	if (fd < 0)
		return fd;
	r = join_any(fd, name);
	if (r < 0)
		return interface_error(-r, "remove the interface", name, error);
	if (ioctl(fd, TUNSETPERSIST, 0) < 0)
		return interface_error(errno, "remove the interface", name, error);
	if (!s->brief)
		(void)printf("Set '%s' nonpersistent\n", name);
	return 0;
}

int main(int argc, char **argv)
{
	struct settings settings = { .device = TUN_DEVICE };
	struct error error = { 0 };
	int status, first, r;

	log_set_program("vde_tunctl");
	first = option_parse(&program, argc, argv, &settings, &status);
	if (first < 0)
		return status;
	if (first < argc)
		return option_usage_error(&program, "'%s' is too much", argv[first]);
	r = settings.remove ? remove_interface(&settings, &error)
			    : make_interface(&settings, &error);
	if (r < 0) {
		log_error("%s", error_text(&error));
		return EXIT_FAILURE;
	}
	return option_printed(&program, EXIT_SUCCESS);
}
