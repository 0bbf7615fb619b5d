/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processes of a view: the descendants of its supervisor, as /proc has them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process_row {
	pid_t pid, parent;
	uint64_t start; /* in ticks of the clock since the machine started */
};

/*
 * Finds the descendants of ANCESTOR, oldest first: *ret is an array of the returned length, to be freed.
 * -errno: /proc cannot be read. A process that ends or begins meanwhile may be in it or not.
 */
ssize_t processes_below(pid_t ancestor, struct process_row **ret);

/* Whether PID is a descendant of ANCESTOR; not when it has ended and been waited for. */
bool process_is_below(pid_t pid, pid_t ancestor);

/*
 * The path of the program that runs in PID, to PATH, of PATH_MAX bytes: its length. /proc/PID/exe names the
 * resident; what the program was mapped from is asked for instead. -errno.
 */
ssize_t process_program(pid_t pid, char *path);

/* What /proc/PID/stat says: the state's letter, parent and start. -errno: there is no such process. */
int process_read(pid_t pid, struct process_row *row, char *ret_state);
