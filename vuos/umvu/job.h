/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program as a job of the shell that waits for umvu. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* PROGRAM has stopped by SIGNO: so do we, if it is the job, and return when it is to go on. */
void job_stop(pid_t program, int signo);

/* We were told to go on; PROGRAM is told, too, unless it was already. */
void job_continue(pid_t program);
