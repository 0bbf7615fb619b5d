/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals of a program that loads plug-ins. They reach the loop through signalfd(2), so they are
 * blocked in the main thread. Plug-ins may have threads that block nothing, and those would take a
 * signal with deadly effect: hence handlers that send it on to the main thread.
 */
#pragma once

#include <signal.h>

#include "base/loop.h"

/*
 * From now on HANDLER is called for each of the COUNT signals of LIST, and SIGPIPE is ignored. To be
 * called once all networks are open: what plug-ins start before keeps the caller's dispositions, and
 * until then the user can interrupt. Negative errno.
 */
int signals_watch(struct loop *loop, const int *list, size_t count,
		  void (*handler)(struct loop *loop, void *object, const siginfo_t *info),
		  void *object);
