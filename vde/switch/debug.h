/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug categories: consoles subscribe to them and then get a line `3TTT PATH TEXT` for each
 * event; plug-ins of the switch may get a call, and may add categories of their own.
 */
#pragma once

#include "vde/switch/switch.h"

struct console;
struct json;
struct strbuf;

enum debug_category {
	DEBUG_HASH_PLUS,
	DEBUG_HASH_MINUS,
	DEBUG_FSTP_STATUS,
	DEBUG_FSTP_ROOT,
	DEBUG_FSTP_PLUS,
	DEBUG_FSTP_MINUS,
	DEBUG_PORT_PLUS,
	DEBUG_PORT_MINUS,
	DEBUG_PORT_DESCR,
	DEBUG_EP_PLUS,
	DEBUG_EP_MINUS,
	DEBUG_MGMT_PLUS, /* from here on: for plug-ins only, not listed */
	DEBUG_MGMT_MINUS,
	DEBUG_SIG_HUP,
	DEBUG_PACKET_IN,
	DEBUG_PACKET_OUT,
	DEBUG_NUM_CATEGORIES,
};

/* A category; those of plug-ins are made by debug_add_category(). */
struct debug {
	char *path;
	char *help; /* NULL: not listed, consoles cannot subscribe */
	int tag;    /* shown in octal */
	uint64_t subscribers; /* a bit a console slot */
	void *owner;          /* the plug-in's object; NULL: built in */
	/* Called when `subscribers` has changed; set by the owner, NULL: nobody asks. */
	void (*changed)(const struct debug *category);
	struct debug *next;
};

int debug_new(struct vde_switch *sw);
void debug_free(struct vde_switch *sw);

struct debug *debug_builtin(const struct vde_switch *sw, enum debug_category category);

/* Adds a category at the end of the list (strings are copied). Returns it, or NULL: no memory. */
struct debug *debug_add_category(struct vde_switch *sw, const char *path, const char *help, int tag,
				 void *owner);
void debug_remove_category(struct vde_switch *sw, struct debug *category);

/* True when somebody would see it: asked before anything is formatted. */
static inline bool debug_wanted(const struct debug *category)
{
	return category->subscribers != 0;
}

/* Sends the line to the subscribers. */
void debug_emit(struct vde_switch *sw, const struct debug *category, const char *format, ...)
	PRINTF_LIKE(3, 4);
void debug_vemit(struct vde_switch *sw, const struct debug *category, const char *format,
		 va_list ap);

/* For built-in categories. */
#define DEBUG(sw, category, ...)                                                     \
	do {                                                                         \
		const struct debug *d_ = debug_builtin((sw), DEBUG_##category);      \
		if (debug_wanted(d_))                                                \
			debug_emit((sw), d_, __VA_ARGS__);                           \
	} while (0)

/*
 * Subscribes console SLOT to all listed categories whose path begins with PREFIX; -EINVAL: there is
 * none, -EEXIST: all were on. debug_unsubscribe(): -EINVAL, -ENOENT: none was on.
 */
int debug_subscribe(struct vde_switch *sw, unsigned slot, const char *prefix);
int debug_unsubscribe(struct vde_switch *sw, unsigned slot, const char *prefix);
void debug_forget_slot(struct vde_switch *sw, unsigned slot);
/* Subscribes to the one category PATH; nothing happens when there is none. */
void debug_restore(struct vde_switch *sw, unsigned slot, const char *path);

/* Head of the list, in the order of debug/list. */
const struct debug *debug_first(const struct vde_switch *sw);
