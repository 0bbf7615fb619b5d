/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The categories are one list in the order of debug/list: the built-in ones first (they are the
 * array at the head), then those that plug-ins added.
 */
#include "vde/switch/debug.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "vde/switch/console.h"

/* Tags are made of a class, a sign or an aspect; clients know the numbers. */
enum debug_tag {
	TAG_PLUS = 01,
	TAG_MINUS = 02,
	TAG_DESCR = 03,
	TAG_STATUS = 04,
	TAG_ROOT = 05,
	TAG_HASH = 010,
	TAG_PORT = 020,
	TAG_EP = 030,
	TAG_FSTP = 040,
	TAG_PACKET = 01000,
	TAG_MGMT = 02000,
	TAG_SIGNAL = 03000,
};

static const struct builtin {
	const char *path;
	const char *help; /* NULL: for plug-ins only */
	int tag;
} builtins[DEBUG_NUM_CATEGORIES] = {
	[DEBUG_HASH_PLUS] = { "hash/+", "hash: new element", TAG_HASH | TAG_PLUS },
	[DEBUG_HASH_MINUS] = { "hash/-", "hash: discarded element", TAG_HASH | TAG_MINUS },
	[DEBUG_FSTP_STATUS] = { "fstp/status", "fstp: status change", TAG_FSTP | TAG_STATUS },
	[DEBUG_FSTP_ROOT] = { "fstp/root", "fstp: rootswitch/port change", TAG_FSTP | TAG_ROOT },
	[DEBUG_FSTP_PLUS] = { "fstp/+", "fstp: port becomes active", TAG_FSTP | TAG_PLUS },
	[DEBUG_FSTP_MINUS] = { "fstp/-", "fstp: port becomes inactive", TAG_FSTP | TAG_MINUS },
	[DEBUG_PORT_PLUS] = { "port/+", "new port", TAG_PORT | TAG_PLUS },
	[DEBUG_PORT_MINUS] = { "port/-", "closed port", TAG_PORT | TAG_MINUS },
	[DEBUG_PORT_DESCR] = { "port/descr", "set port description", TAG_PORT | TAG_DESCR },
	[DEBUG_EP_PLUS] = { "port/ep/+", "new endpoint", TAG_EP | TAG_PLUS },
	[DEBUG_EP_MINUS] = { "port/ep/-", "closed endpoint", TAG_EP | TAG_MINUS },
	[DEBUG_MGMT_PLUS] = { "mgmt/+", NULL, TAG_MGMT | TAG_PLUS },
	[DEBUG_MGMT_MINUS] = { "mgmt/-", NULL, TAG_MGMT | TAG_MINUS },
	[DEBUG_SIG_HUP] = { "sig/hup", NULL, TAG_SIGNAL | TAG_PLUS },
	[DEBUG_PACKET_IN] = { "packet/in", NULL, TAG_PACKET | TAG_PLUS },
	[DEBUG_PACKET_OUT] = { "packet/out", NULL, TAG_PACKET | TAG_MINUS },
};

struct debug_set {
	struct debug builtin[DEBUG_NUM_CATEGORIES];
};

int debug_new(struct vde_switch *sw)
{
	struct debug_set *set = calloc(1, sizeof(*set));

	if (!set)
		return -ENOMEM;
	for (int i = 0; i < DEBUG_NUM_CATEGORIES; i++)
		set->builtin[i] = (struct debug){
			.path = (char *)builtins[i].path,
			.help = (char *)builtins[i].help,
			.tag = builtins[i].tag,
			.next = i + 1 < DEBUG_NUM_CATEGORIES ? &set->builtin[i + 1] : NULL,
		};
	sw->debug = set;
	return 0;
}

static struct debug **debug_added(struct vde_switch *sw)
{
	return &sw->debug->builtin[DEBUG_NUM_CATEGORIES - 1].next;
}

static void debug_free_category(struct debug *category)
{
	free(category->path);
	free(category->help);
	free(category);
}

void debug_free(struct vde_switch *sw)
{
	struct debug **added;

	if (!sw->debug)
		return;
	added = debug_added(sw);
	while (*added) {
		struct debug *category = *added;

		*added = category->next;
		debug_free_category(category);
	}
	free(sw->debug);
	sw->debug = NULL;
}

struct debug *debug_builtin(const struct vde_switch *sw, enum debug_category category)
{
	return &sw->debug->builtin[category];
}

const struct debug *debug_first(const struct vde_switch *sw)
{
	return sw->debug->builtin;
}

struct debug *debug_add_category(struct vde_switch *sw, const char *path, const char *help, int tag,
				 void *owner)
{
	struct debug *category = calloc(1, sizeof(*category));
	struct debug **end = debug_added(sw);

	if (!category)
		return NULL;
	category->path = strdup(path);
	category->help = strdup(help ? help : "");
	category->tag = tag;
	category->owner = owner;
	if (!category->path || !category->help) {
		debug_free_category(category);
		return NULL;
	}
	while (*end)
		end = &(*end)->next;
	*end = category;
	return category;
}

void debug_remove_category(struct vde_switch *sw, struct debug *category)
{
	struct debug **at = debug_added(sw);

	while (*at && *at != category)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = category->next;
	debug_free_category(category);
}

void debug_vemit(struct vde_switch *sw, const struct debug *category, const char *format,
		 va_list ap)
{
	auto_strbuf struct strbuf line = { 0 };

	strbuf_printf(&line, "3%03o %s ", (unsigned)category->tag, category->path);
	strbuf_vprintf(&line, format, ap);
	strbuf_putc(&line, '\n');
	if (line.error)
		return;
	for (uint64_t left = category->subscribers; left; left &= left - 1)
		console_async(sw, (unsigned)__builtin_ctzll(left), strbuf_text(&line), line.len);
}

void debug_emit(struct vde_switch *sw, const struct debug *category, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	debug_vemit(sw, category, format, ap);
	va_end(ap);
}

/* Sets or clears the bit of SLOT in what begins with PREFIX; counts what matched and changed. */
static void debug_switch(struct vde_switch *sw, unsigned slot, const char *prefix, bool on,
			 unsigned *ret_matched, unsigned *ret_changed)
{
	uint64_t bit = UINT64_C(1) << slot;

	*ret_matched = *ret_changed = 0;
	for (struct debug *d = sw->debug->builtin; d; d = d->next) {
		if (!d->help || !str_starts(d->path, prefix))
			continue;
		++*ret_matched;
		if (!(d->subscribers & bit) != on)
			continue;
		++*ret_changed;
		d->subscribers ^= bit;
		if (d->changed)
			d->changed(d);
	}
}

int debug_subscribe(struct vde_switch *sw, unsigned slot, const char *prefix)
{
	unsigned matched, changed;

	debug_switch(sw, slot, prefix, true, &matched, &changed);
	return !matched ? -EINVAL : !changed ? -EEXIST : 0;
}

int debug_unsubscribe(struct vde_switch *sw, unsigned slot, const char *prefix)
{
	unsigned matched, changed;

	debug_switch(sw, slot, prefix, false, &matched, &changed);
	return !matched ? -EINVAL : !changed ? -ENOENT : 0;
}

void debug_forget_slot(struct vde_switch *sw, unsigned slot)
{
	unsigned matched, changed;

	debug_switch(sw, slot, "", false, &matched, &changed);
}

void debug_restore(struct vde_switch *sw, unsigned slot, const char *path)
{
	for (struct debug *d = sw->debug->builtin; d; d = d->next) {
		if (!d->help || !str_equal(d->path, path))
			continue;
		d->subscribers |= UINT64_C(1) << slot;
		if (d->changed)
			d->changed(d);
		return;
	}
}
