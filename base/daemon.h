/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A long-lived program's relation to those who start it: detaching, pid file, ready notice.
 *
 *	daemon_begin()   forks when asked to; the parent waits, and ends with the child's word
 *	... open sockets, read configuration: a failure still reaches the terminal ...
 *	daemon_ready()   pid file, sd_notify(3) protocol, ready descriptor; releases the parent
 *	daemon_end()     removes the pid file
 */
#pragma once

#include "error.h"

struct daemon {
	bool detach;          /* -d */
	const char *pid_file; /* borrowed; NULL: none */
	int ready_fd;         /* --ready-fd; -1: none. One newline is written, then it is closed */
	/* private */
	int parent_fd;
	char *pid_path; /* absolute, owned */
	int pid_fd;     /* a predecessor's pid file, not ours yet; -1: none */
};

#define DAEMON_INIT { .ready_fd = -1, .parent_fd = -1, .pid_fd = -1 }

/*
 * Detaches when d->detach: in the parent it does not return, but ends with status 0 when the child
 * says it is ready, or with the child's exit status (1 when that is 0) when it ends first. The child
 * leads a new session, and keeps its working directory, and its standard descriptors until
 * daemon_ready().
 */
int daemon_begin(struct daemon *d, struct error *error);

/*
 * Writes the pid file (created exclusively: one that exists is an error unless the process in it
 * is dead), puts /dev/null on the standard descriptors when detached, and tells whoever waits.
 */
int daemon_ready(struct daemon *d, struct error *error);

/* The pid file alone, for programs that need it earlier; daemon_ready() then leaves it be. */
int daemon_write_pid(struct daemon *d, struct error *error);

/*
 * For a process that goes on in the place of a running one, whose pid file is OLD (absolute; NULL:
 * it has none). Where d->pid_file is the same file, it is opened now and gets our number by
 * daemon_ready(); until then daemon_end() leaves it alone. Another one is made as usual.
 */
int daemon_adopt_pid(struct daemon *d, const char *old, struct error *error);

/* Sends STATE (as in sd_notify(3), "STOPPING=1") to $NOTIFY_SOCKET, if there is one. */
void daemon_notify(const char *state);

/* Sockets passed by the service manager (sd_listen_fds(3)): the count, from descriptor 3 up. */
int daemon_listen_fds(void);

/* The one of them that listens at the AF_UNIX path PATH, made non-blocking; -1: there is none. */
int daemon_inherited_socket(const char *path);

void daemon_end(struct daemon *d);
