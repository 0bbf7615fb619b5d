/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vdens: a command in a network namespace of its own that is joined to VDE networks.
 *
 * Two processes: the parent stays in the namespaces of the caller, opens the networks there, carries
 * frames, passes signals on and ends as the command ended; the child enters the new namespaces, makes
 * the interfaces, hands their descriptors to the parent and becomes the command. The child is made
 * first, while the parent has nothing that could leak into it.
 *
 *	vdens.c         options, the order of things
 *	vdens_space.c   the child
 *	vdens_resolv.c  /etc/resolv.conf of the child
 *	vdens_watch.c   signals and the end of the command, in the parent
 *	vdens_report.c  --json
 */
#pragma once

#include <signal.h>
#include <sys/types.h>

#include "base/error.h"
#include "tap.h"

enum space_method {
	SPACE_UNSHARE,
	SPACE_CLONE,
};

/* What the namespaces shall be; all borrowed from the command line. */
struct space_plan {
	bool mounts;            /* a mount namespace, too */
	bool sysadm;            /* the command keeps CAP_SYS_ADMIN */
	const char *hostname;   /* NULL: as outside */
	const char *resolvconf; /* file shown as /etc/resolv.conf; NULL: none */
	char *resolvtext;       /* contents of /etc/resolv.conf; wins over the file; NULL: none */
	const char *prefix;     /* of interface names */
	unsigned num_interfaces;
	char **command;         /* NULL-terminated */
};

struct space {
	pid_t pid;
	int fd;     /* socket between parent and child; owned */
	int status; /* exit status to end with after a failure of the child */
};

/*
 * Starts the child and returns when it is in its namespaces; there it makes everything else and
 * waits for space_go(). The errors of the child reach the caller through this and the following
 * calls, with space->status. space_done() ends it.
 */
int space_start(const struct space_plan *plan, enum space_method method, struct space *ret,
		struct error *error);

/* Receives the next interface; its descriptor is the caller's. Waits for the child. */
int space_take_interface(struct space *space, struct tap *ret, struct error *error);

/* Waits until the child has made all. -ESRCH when it went without a word. */
int space_wait_made(struct space *space, struct error *error);

/* Lets the child become the command; returns when it has, or has failed to. */
int space_go(struct space *space, struct error *error);

/* Closes the socket; a child that still waits ends by that. Does not wait for it. */
void space_done(struct space *space);

/* Shows the plan's resolver settings as /etc/resolv.conf in the caller's own mount namespace. */
int resolv_apply(const struct space_plan *plan, struct error *error);

/* The text of /etc/resolv.conf for a comma-separated list of addresses; *ret is the caller's. */
int resolv_text(const char *addresses, char **ret, struct error *error);

struct loop;

/* What is known of the command, and to be told to it. Zero-initialised but for pid. */
struct watch {
	pid_t pid;
	int wait_status; /* as waitpid(2) gave it, once the loop has stopped */
};

/*
 * From now on: signals for this process are passed on to the command, and its end stops the loop.
 * To be called when all plug-ins have made their threads and processes.
 */
int watch_start(struct watch *watch, struct loop *loop, struct error *error);

/* Ends this process as the command ended: with its status, or by the same signal. */
void watch_end_alike(const struct watch *watch) __attribute__((noreturn));

/* An interface and what it is joined to, for --json. */
struct report_interface {
	const char *vnl; /* borrowed */
	const char *transport; /* who carries the frames: "device" (the network) or "relay" (we); const */
	struct tap tap;  /* fd is -1 */
};

/* Writes one line of JSON about the namespaces of PID to FILE; NULL: standard error. */
int report_json(const char *file, pid_t pid, const struct space_plan *plan,
		const struct report_interface *interfaces, struct error *error);
