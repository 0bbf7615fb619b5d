/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the messages of umvu and of its residents go. */
#pragma once

#include "base/error.h"

struct message_settings {
	unsigned level, syslog; /* enum log_level: up to which they are written, and sent to syslog(3) */
	const char *file;       /* instead of standard error; NULL: none */
};

/* Options: a number of syslog(3), 0 to 7 (-l, -s), and a file's name (-o). */
int messages_set_level(void *settings, const char *argument, struct error *error);
int messages_set_syslog(void *settings, const char *argument, struct error *error);

/* From now on, as S says, which is kept: the descriptor that they are written to, or -errno. */
int messages_begin(const struct message_settings *s, struct error *error);
