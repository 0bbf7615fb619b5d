/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits that the kernel enforces (--confine-...): they bind the program, all that it starts, and the
 * resident in them. confine.c has those of Landlock, confine_filter.c those of a seccomp filter.
 */
#pragma once

#include "base/option.h"
#include "call_set.h"

#define CONFINE_PORTS 64

/* What TCP may do; the rest of the network may do nothing. */
struct confine_port {
	uint16_t port;
	bool bind; /* else connect */
};

struct confine_settings {
	struct option_list read, write; /* paths: below others nothing may be read, or changed */
	bool alone;                     /* signals and abstract sockets stay inside */
	bool network;                   /* is confined: to the ports, and to UDP if `datagrams` */
	bool datagrams;
	unsigned num_ports;
	struct confine_port ports[CONFINE_PORTS];
	struct call_set deny;
	bool denies;
};

/* For rows of options with struct settings. */
int confine_set_alone(void *settings, const char *none, struct error *error);
int confine_set_network(void *settings, const char *words, struct error *error);
int confine_set_deny(void *settings, const char *calls, struct error *error);

/* What is to be applied. */
struct confinement {
	bool any;
	int ruleset;                /* of Landlock; -1: none */
	struct sock_filter *filter; /* owned; NULL: none */
	size_t filter_len;
};

struct settings;
/* Checks it all against this kernel, and against what the RESIDENT needs. */
int confine_prepare(struct confinement *c, const struct settings *s, const char *resident,
		    struct error *error);
/* Binds this thread and what it executes: 0 or -errno. Between vfork(2) and exec. */
int confine_apply(const struct confinement *c);
void confine_done(struct confinement *c);

/* confine_filter.c: -errno, or the filter in *C. */
int confine_filter(struct confinement *c, const struct settings *s, struct error *error);

/* The version of Landlock, 0: none, and *WHY says what is to be done about it. */
int confine_landlock_abi(const char **why);
