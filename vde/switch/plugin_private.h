/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What plugin_host.c (the ABI) and plugin_loader.c (finding and loading) share. */
#pragma once

#include <vdeplugin.h>

#include "vde/switch/console.h"
#include "vde/switch/plugin_host.h"

#define PLUGIN_MAX        64   /* plug-ins loaded at the same time */
#define PLUGIN_TIMERS_MAX 1024 /* timers of all plug-ins */

struct plugin_command;
struct plugin_category;
struct plugin_timer;

struct plugin_host {
	struct vde_switch *sw;
	struct plugin *plugins; /* loaded, in order; the structs are the plug-ins' */
	struct plugin_command *commands;
	struct plugin_category *categories; /* built-in ones first */
	struct plugin_timer *timers;
	struct dbgcl builtin[DEBUG_NUM_CATEGORIES];
	unsigned num_plugins;
	unsigned num_timers;
	unsigned last_timer;
};

/* Takes back everything that the object loaded at BASE had registered. */
void plugin_host_forget(struct plugin_host *host, const void *base);

/* Where the shared object that has ADDRESS in it is loaded; NULL: unknown. */
const void *plugin_base(const void *address);

/*
 * Loads NAME: as it stands, with `.so`, and both in ~/.vde2/plugins, in ../lib/vde2/plugins beside the
 * program, and in the compiled-in directory. -ENOENT, -EACCES, -EINVAL: not a plug-in,
 * -EEXIST, -ENOSPC. *ERROR tells the reason.
 */
int plugin_load(struct plugin_host *host, const char *name, struct error *error);

/* -ENOENT. */
int plugin_unload(struct plugin_host *host, const char *name);
void plugin_unload_all(struct plugin_host *host);

/* The directory that is searched beside the program: an owned string, or NULL. */
char *plugin_program_dir(void);
