/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What vde_plug tells syslog (facility user, level info): who came from where and when, and with
 * an address log which Internet addresses that user's frames come from.
 */
#pragma once

#include "base/map.h"

#define PLUG_LOG_ADDRESSES 4096 /* addresses remembered; beyond, no more are logged */

struct plug_log {
	bool events;
	bool addresses;
	char user[64];
	char from[64]; /* address of the ssh client, or UNKNOWN_IP_ADDRESS */
	struct map seen;
	bool full;
};

/* Members of this group have their addresses logged when they come through the login shell. */
#define PLUG_LOG_GROUP "vdeplug_iplog"

/* Learns user and origin, opens the log. -ENOMEM. */
int plug_log_init(struct plug_log *log, bool events, bool addresses);
void plug_log_done(struct plug_log *log);

/* Whether the caller belongs to the group whose addresses are logged. */
bool plug_log_wanted_by_group(void);

/* `START: user U IP A` and the like; nothing unless events are logged. */
void plug_log_event(const struct plug_log *log, const char *event);

/* Looks at a frame that the user sends: a new source address is logged once. */
void plug_log_frame(struct plug_log *log, const void *frame, size_t len);
