/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The search path for plug-ins, which is part of the interface:
 *
 *	with VDEPLUGIN_PATH       its directories, and nothing else
 *	without it                DIR/vdeplug and DIR, where DIR has this library;
 *	                          vdeplug/ below each directory of LD_LIBRARY_PATH;
 *	                          /lib/vdeplug, /usr/lib/vdeplug; the dynamic linker's own search;
 *	                          last, where distributions put them (/usr/lib/ARCH/vdeplug), so that
 *	                          a library in /usr/local finds packaged plug-ins, too
 *
 * Both variables are ignored in a process with more privilege than its caller.
 */
#include "vde/plug/search.h"

#include <dlfcn.h>
#include <stdio.h>

#include "base/cleanup.h"

#define FILE_PREFIX   "libvdeplug_"
#define FILE_SUFFIX   ".so"
#define SUBDIRECTORY  "/vdeplug"
#define NAME_DISTANCE 2 /* edits between what was typed and what may have been meant */

#define DEBIAN_ONLY   "libvdeplug2 (Debian's own; VirtualSquare's does not have it)"

/* Schemes that are packaged apart, or at all: what to install. */
static const struct {
	const char *scheme;
	const char *package;
} packages[] = {
	{ "agno", "libvdeplug-agno" },   { "pcap", "libvdeplug-pcap" },
	{ "slirp", "libvdeplug-slirp" }, { "vdesl", "libvdeplug-vdesl" },
	{ "vlan", "libvdeplug-vlan" },   { "bonding", "libvdeplug2" },
	{ "cmd", "libvdeplug2" },        { "hub", "libvdeplug2" },
	{ "multi", "libvdeplug2" },      { "null", "libvdeplug2" },
	{ "ptp", "libvdeplug2" },        { "seqpacket", "libvdeplug2" },
	{ "switch", "libvdeplug2" },     { "tap", "libvdeplug2" },
	{ "udp", "libvdeplug2" },        { "vde", "libvdeplug2" },
	{ "vxlan", DEBIAN_ONLY },        { "vxvde", DEBIAN_ONLY },
};

static int search_add(struct plug_search *s, const char *dir, size_t len, const char *suffix)
{
	char **dirs = reallocarray(s->dirs, s->count + 1, sizeof(*dirs));

	if (!dirs)
		return -ENOMEM;
	s->dirs = dirs;
	if (asprintf(&s->dirs[s->count], "%.*s%s", (int)len, dir, suffix) < 0)
		return -ENOMEM;
	s->count++;
	return 0;
}

/* Adds each directory of LIST, which is separated by colons. */
static int search_add_list(struct plug_search *s, const char *list, const char *suffix)
{
	int r = 0;

	while (r == 0 && list && *list) {
		size_t len = strcspn(list, ":");

		if (len)
			r = search_add(s, list, len, suffix);
		list += len + (list[len] == ':');
	}
	return r;
}

/* Adds the directory that this library was loaded from, twice. */
static int search_add_own(struct plug_search *s)
{
	Dl_info info;
	const char *slash;
	int r;

	if (!dladdr((const void *)plug_search_init, &info) || !info.dli_fname)
		return 0;
	slash = strrchr(info.dli_fname, '/');
	if (!slash)
		return 0;
	r = search_add(s, info.dli_fname, (size_t)(slash - info.dli_fname), SUBDIRECTORY);
	if (r == 0)
		r = search_add(s, info.dli_fname, (size_t)(slash - info.dli_fname), "");
	return r;
}

int plug_search_init(struct plug_search *ret)
{
	__attribute__((cleanup(plug_search_done))) struct plug_search s = { 0 };
	const char *variable = secure_getenv("VDEPLUGIN_PATH");
	int r;

	if (variable) {
		s.from_variable = true;
		r = search_add_list(&s, variable, "");
	} else {
		r = search_add_own(&s);
		if (r == 0)
			r = search_add_list(&s, secure_getenv("LD_LIBRARY_PATH"), SUBDIRECTORY);
		if (r == 0)
			r = search_add_list(&s, "/lib/vdeplug:/usr/lib/vdeplug", "");
		if (r == 0)
			r = search_add(&s, "", 0, "");
		if (r == 0)
			r = search_add_list(&s, "/usr/lib/" VS_MULTIARCH "/vdeplug", "");
	}
	if (r < 0)
		return r;
	*ret = s;
	s = (struct plug_search){ 0 };
	return 0;
}

void plug_search_done(struct plug_search *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->dirs[i]);
	free(s->dirs);
	*s = (struct plug_search){ 0 };
}

char *plug_file_name(const char *dir, const char *scheme)
{
	char *name;

	if (asprintf(&name, "%s%s" FILE_PREFIX "%s" FILE_SUFFIX, dir, *dir ? "/" : "", scheme) < 0)
		return NULL;
	return name;
}

/* The scheme in a file name, into NAME; false when the file is no plug-in (_mod is a library). */
static bool scheme_of_file(const char *file, char *name, size_t size)
{
	size_t len = strlen(file), edges = strlen(FILE_PREFIX FILE_SUFFIX);

	if (len <= edges || len - edges >= size || !str_starts(file, FILE_PREFIX) ||
	    !str_equal(file + len - strlen(FILE_SUFFIX), FILE_SUFFIX))
		return false;
	memcpy(name, file + strlen(FILE_PREFIX), len - edges);
	name[len - edges] = '\0';
	return !str_equal(name, "mod");
}

struct nearest {
	char name[64];
	unsigned distance;
};

static void nearest_in_dir(const char *dir, const char *scheme, struct nearest *best)
{
	auto_closedir DIR *listing = opendir(dir);
	const struct dirent *entry;
	char name[sizeof(best->name)];

	while (listing && (entry = readdir(listing)) != NULL) {
		unsigned distance;

		if (!scheme_of_file(entry->d_name, name, sizeof(name)))
			continue;
		distance = str_distance(scheme, name);
		if (distance < best->distance) {
			best->distance = distance;
			memcpy(best->name, name, sizeof(name));
		}
	}
}

static const char *package_of(const char *scheme)
{
	for (size_t i = 0; i < ARRAY_SIZE(packages); i++)
		if (str_equal(packages[i].scheme, scheme))
			return packages[i].package;
	return NULL;
}

int plug_search_explain(const struct plug_search *s, const char *vnl, const char *scheme,
			struct error *error)
{
	const char *package = package_of(scheme);
	const char *where = s->from_variable ? " in the directories of VDEPLUGIN_PATH" : "";
	struct nearest best = { .distance = NAME_DISTANCE + 1 };

	if (package)
		return error_set(error, EPROTONOSUPPORT,
				 "the plug-in for '%s://' is not installed%s; Debian's package is %s",
				 scheme, where, package);
	for (size_t i = 0; i < s->count; i++)
		if (s->dirs[i][0])
			nearest_in_dir(s->dirs[i], scheme, &best);
	if (best.distance <= NAME_DISTANCE && best.distance * 2 < strlen(scheme))
		return error_set_caret(error, EPROTONOSUPPORT, vnl, 0,
				       "there is no plug-in '%s'%s; did you mean '%s'?", scheme, where,
				       best.name);
	return error_set_caret(error, EPROTONOSUPPORT, vnl, 0,
			       "there is no plug-in '%s' (" FILE_PREFIX "%s" FILE_SUFFIX ")%s",
			       scheme, scheme, where);
}
