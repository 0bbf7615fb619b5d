/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding, loading and unloading plug-ins. All names are resolved at load time (RTLD_NOW), so
 * that one which asks for a function the switch has not is refused instead of ending the switch
 * later; symbols stay the plug-in's own, since the known ones use the same names.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "vde/switch/plugin_private.h"
#include "vde/switch/sandbox.h"

/* What stopped a file that is there from being loaded; the first such reason is kept. */
static void note_failure(struct vde_switch *sw, const char *path, struct error *error)
{
	const char *reason = dlerror();
	auto_close int fd = -1;
	int code;

	if (error->code || !strchr(path, '/') || access(path, F_OK) < 0)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	code = fd < 0 ? errno : ENOENT;
	if (!sandbox_explain(sw, code, path, error))
		(void)error_set(error, code, "plug-in %s", reason ? reason : path);
}

static void *try_path(struct vde_switch *sw, const char *dir, const char *name, const char *suffix,
		      struct error *error)
{
	auto_free char *path = NULL;
	void *handle;

	if (asprintf(&path, "%s%s%s%s", dir, *dir ? "/" : "", name, suffix) < 0) {
		path = NULL;
		return NULL;
	}
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		note_failure(sw, path, error);
	return handle;
}

static void *try_dir(struct vde_switch *sw, const char *dir, const char *name,
		     struct error *error)
{
	void *handle = try_path(sw, dir, name, "", error);

	return handle ? handle : try_path(sw, dir, name, ".so", error);
}

static void *find_plugin(struct vde_switch *sw, const char *name, struct error *error)
{
	auto_free char *program_dir = plugin_program_dir();
	auto_free char *home_dir = NULL;
	const char *home = secure_getenv("HOME");
	void *handle = try_dir(sw, "", name, error);

	if (!handle && home && asprintf(&home_dir, "%s/.vde2/plugins", home) >= 0)
		handle = try_dir(sw, home_dir, name, error);
	if (!handle && program_dir)
		handle = try_dir(sw, program_dir, name, error);
	if (!handle)
		handle = try_dir(sw, VS_SWITCH_PLUGIN_DIR, name, error);
	return handle;
}

/* The place of a plug-in in the list; with NULL, or when it is not there, the end. */
static struct plugin **find_loaded(struct plugin_host *host, const char *name)
{
	struct plugin **at = &host->plugins;

	while (*at && !(name && str_equal((*at)->name, name)))
		at = &(*at)->next;
	return at;
}

static bool is_loaded(const struct plugin_host *host, const struct plugin *plugin)
{
	const struct plugin *at = host->plugins;

	while (at && at != plugin)
		at = at->next;
	return at != NULL;
}

/* Whether the object behind PLUGIN may become one of ours. */
static int check_plugin(struct plugin_host *host, const char *name, const struct plugin *plugin,
			struct error *error)
{
	if (!plugin || !plugin->name || !plugin->help)
		return error_set(error, EINVAL, "%s is not a plug-in: it has no vde_plugin_data",
				 name);
	if (*find_loaded(host, plugin->name))
		return error_set(error, EEXIST, "the plug-in %s is loaded already", plugin->name);
	if (host->num_plugins == PLUGIN_MAX)
		return error_set(error, ENOSPC, "%d plug-ins are loaded: that is the most",
				 PLUGIN_MAX);
	return 0;
}

int plugin_load(struct plugin_host *host, const char *name, struct error *error)
{
	void *handle = *name ? find_plugin(host->sw, name, error) : NULL;
	struct plugin *plugin;
	int r;

	if (!*name)
		return error_set(error, EINVAL, "the name of a plug-in is missing");
	if (!handle)
		return error->code ? -error->code
				   : error_set(error, ENOENT, "there is no plug-in %s", name);
	error->code = 0;
	plugin = dlsym(handle, "vde_plugin_data");
	r = check_plugin(host, name, plugin, error);
	if (r < 0) {
		if (plugin && !is_loaded(host, plugin))
			plugin_host_forget(host, plugin_base(plugin));
		(void)dlclose(handle);
		return r;
	}
	plugin->handle = handle;
	plugin->next = NULL;
	*find_loaded(host, NULL) = plugin;
	host->num_plugins++;
	return 0;
}

static void unload(struct plugin_host *host, struct plugin **at)
{
	struct plugin *plugin = *at;
	void *handle = plugin->handle;
	const void *base = plugin_base(plugin);

	*at = plugin->next;
	plugin->handle = NULL;
	plugin->next = NULL;
	host->num_plugins--;
	plugin_host_forget(host, base); /* while the code is there, so that it is known whose */
	if (dlclose(handle) != 0)
		log_warning("cannot unload a plug-in: %s", dlerror());
}

int plugin_unload(struct plugin_host *host, const char *name)
{
	struct plugin **at = find_loaded(host, name);

	if (!*at)
		return -ENOENT;
	unload(host, at);
	return 0;
}

void plugin_unload_all(struct plugin_host *host)
{
	while (host->plugins)
		unload(host, &host->plugins);
}
