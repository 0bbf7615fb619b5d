/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A command that runs with pipes on its standard input and output. */
#pragma once

#include <sys/types.h>

#include "base/error.h"

struct cmd_child {
	pid_t pid;     /* 0: none */
	bool group;    /* it leads a process group of its own */
	int to;        /* owned: its standard input, non-blocking */
	int to_reader; /* owned: the other end of that pipe, which keeps writers from SIGPIPE */
	int from;      /* owned: its standard output, non-blocking */
};

#define CMD_CHILD_NONE { .to = -1, .to_reader = -1, .from = -1 }

/* Starts WORDS (NULL-terminated; searched in PATH). On failure there is a sentence in ERROR. */
int cmd_child_start(struct cmd_child *child, char **words, struct error *error);

/*
 * Closes the pipes, which asks most commands to end; then SIGTERM, at most 1 s, SIGKILL. Collects
 * the process. Does nothing for CMD_CHILD_NONE.
 */
void cmd_child_stop(struct cmd_child *child);
