/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program that speaks the frame stream on its standard input and output. */
#pragma once

#include <sys/types.h>

#include "base/error.h"

struct plug_command {
	pid_t pid;   /* 0: none, or ended and collected */
	int in_fd;   /* what it writes; owned */
	int out_fd;  /* what it reads; owned */
	int pid_fd;  /* readable when it has ended; owned */
};

#define PLUG_COMMAND_INIT { .in_fd = -1, .out_fd = -1, .pid_fd = -1 }

/* Starts ARGV, found in PATH. ERROR says why it cannot be executed. */
int plug_command_start(struct plug_command *command, char *const argv[], struct error *error);

/*
 * Closes its streams, so that it ends; one that does not within 2 s (AT_ONCE: immediately) is sent
 * SIGTERM, and SIGKILL 2 s later. Returns its exit status, or 128 and the number of the signal that
 * ended it; 0 when none was started.
 */
int plug_command_end(struct plug_command *command, bool at_once);
