/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the switch gives up once it has started; sandbox.c tells what stays allowed. */
#pragma once

#include "vde/switch/switch.h"

/*
 * Whether the paths that were asked for are there, so that a wrong one is told while somebody
 * listens. Called at the start; does nothing with --no-sandbox.
 */
int sandbox_check(const struct vde_switch *sw, struct error *error);

/*
 * Restricts this process (all threads) to what the running switch needs: landlock where the
 * kernel has it, and a seccomp filter. Does nothing with --no-sandbox. What a kernel lacks is logged
 * at debug level and left out; -errno only when a restriction failed half way.
 */
int sandbox_enter(struct vde_switch *sw, struct error *error);

/*
 * Whether the sandbox is why PATH could not be opened or made (CODE: the errno value, of either
 * sign): then fills ERROR with the remedy.
 */
bool sandbox_explain(const struct vde_switch *sw, int code, const char *path, struct error *error);
