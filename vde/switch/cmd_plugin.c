/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Console commands of the plug-in menu. */
#include <errno.h>

#include "base/log.h"
#include "vde/switch/console.h"
#include "vde/switch/plugin_private.h"

/* A plug-in is shown when its name begins with the argument. */
static int plugin_list(struct command_call *call)
{
	const struct plugin *plugin = call->sw->plugins->plugins;
	unsigned count = 0;

	if (call->json)
		json_array(call->json, NULL);
	else
		strbuf_puts(call->out, "NAME                   HELP\n"
				       "------------           ----\n");
	for (; plugin; plugin = plugin->next) {
		if (!str_starts(plugin->name, call->argument))
			continue;
		count++;
		if (call->json) {
			json_object(call->json, NULL);
			json_string(call->json, "name", plugin->name);
			json_string(call->json, "help", plugin->help);
			json_end(call->json);
		} else {
			strbuf_printf(call->out, "%-22s %s\n", plugin->name, plugin->help);
		}
	}
	if (call->json)
		json_end(call->json);
	return count || call->json ? 0 : -ENOENT; /* an empty array says it all */
}

static int plugin_add(struct command_call *call)
{
	struct error error = { 0 };
	int r = plugin_load(call->sw->plugins, call->argument, &error);

	if (r == 0)
		return 0;
	log_warning("plugin/add: %s", error_text(&error));
	if (r != -EINVAL && r != -ENOENT && r != -EEXIST) /* those say enough, as they always did */
		strbuf_printf(call->out, "%s\n", error_text(&error));
	return r;
}

static int plugin_del(struct command_call *call)
{
	return plugin_unload(call->sw->plugins, call->argument);
}

static const struct command rows[] = {
	{ "plugin", "============", "PLUGINS MENU", NULL, COMMAND_MENU },
	{ "plugin/list", "", "list plugins", plugin_list, COMMAND_TEXT | COMMAND_JSON },
	{ "plugin/add", "library", "load a plugin", plugin_add, COMMAND_EXPLAIN },
	{ "plugin/del", "name", "unload a plugin", plugin_del, 0 },
};

const struct command_table plugin_commands = { rows, ARRAY_SIZE(rows) };
