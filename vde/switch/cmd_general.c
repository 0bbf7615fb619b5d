/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Console commands without a menu of their own, and those of `debug`. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/parse.h"
#include "vde/switch/command.h"
#include "vde/switch/debug.h"
#include "vde/switch/outq.h"
#include "vde/switch/sandbox.h"

static int cmd_ds_showinfo(struct command_call *call)
{
	const struct vde_switch *sw = call->sw;

	if (call->json) {
		json_object(call->json, NULL);
		json_string(call->json, "ctl_dir", sw->dir);
		json_format(call->json, "mode", "%04o", sw->settings.mode);
		json_end(call->json);
		return 0;
	}
	strbuf_printf(call->out, "ctl dir %s\nstd mode 0%03o\n", sw->dir, sw->settings.mode);
	return 0;
}

/* --- help ----------------------------------------------------------------------------- */

static void help_row(struct command_call *call, const char *path, const char *syntax,
		     const char *help)
{
	if (!str_starts(path, call->argument))
		return;
	if (!call->json) {
		strbuf_printf(call->out, "%-18s %-15s %s\n", path, syntax, help);
		return;
	}
	json_object(call->json, NULL);
	json_string(call->json, "path", path);
	json_string(call->json, "syntax", syntax);
	json_string(call->json, "help", help);
	json_end(call->json);
}

static int cmd_help(struct command_call *call)
{
	if (call->json)
		json_array(call->json, NULL);
	else
		strbuf_printf(call->out, "%-18s %-15s %s\n%-18s %-15s %s\n", "COMMAND PATH", "SYNTAX",
			      "HELP", "------------", "--------------", "------------");
	for (size_t t = 0; command_tables[t]; t++)
		for (size_t i = 0; i < command_tables[t]->count; i++)
			help_row(call, command_tables[t]->rows[i].path,
				 command_tables[t]->rows[i].syntax, command_tables[t]->rows[i].help);
	for (struct dynamic_command *d = console_dynamic_commands(call->sw); d; d = d->next)
		help_row(call, d->path, d->syntax, d->help);
	if (call->json)
		json_end(call->json);
	return 0;
}

/* --- the session, the switch ---------------------------------------------------------- */

static int cmd_logout(struct command_call *call)
{
	(void)call;
	return COMMAND_LOGOUT;
}

static int cmd_shutdown(struct command_call *call)
{
	loop_stop(call->sw->loop, 0);
	return COMMAND_SHUTDOWN;
}

static void showinfo_json(struct command_call *call, uint64_t uptime, const char *mac)
{
	const struct vde_switch *sw = call->sw;
	struct json *j = call->json;

	json_object(j, NULL);
	json_string(j, "version", VS_VERSION);
	json_int(j, "pid", getpid());
	json_string(j, "mac", mac);
	json_uint(j, "uptime", uptime);
	json_string(j, "ctl_dir", sw->dir);
	json_string(j, "mgmt", sw->mgmt);
	json_bool(j, "hub", sw->hub);
	json_uint(j, "numports", sw->num_ports);
	json_uint(j, "max_frame", (uint64_t)sw->settings.max_frame);
	json_uint(j, "queue_size", (uint64_t)sw->settings.queue_size);
	json_uint(j, "buffers_used", sw->chunks.used * OUTQ_CHUNK_SIZE);
	json_uint(j, "buffers_size", sw->chunks.count * OUTQ_CHUNK_SIZE);
	json_end(j);
}

static int cmd_showinfo(struct command_call *call)
{
	const struct vde_switch *sw = call->sw;
	uint64_t uptime = (loop_now(sw->loop) - sw->start) / NS_PER_SEC;
	char mac[MAC_TEXT_SIZE];

	format_mac(sw->mac, mac);
	if (call->json) {
		showinfo_json(call, uptime, mac);
		return 0;
	}
	command_greeting(call->out);
	strbuf_printf(call->out, "\npid %ld MAC %s uptime %llu\n", (long)getpid(), mac,
		      (unsigned long long)uptime);
	if (sw->mgmt)
		strbuf_printf(call->out, "mgmt %s perm 0%03o\n", sw->mgmt, sw->settings.mgmt_mode);
	return 0;
}

static int cmd_load(struct command_call *call)
{
	struct error error = { 0 };
	int r = console_run_file(call->sw, call->console, call->argument, call->out);

	if (r < 0 && sandbox_explain(call->sw, r, call->argument, &error))
		strbuf_printf(call->out, "%s\n", error_text(&error));
	return r;
}

static const struct command general_rows[] = {
	{ "ds", "============", "DATA SOCKET MENU", NULL, COMMAND_MENU },
	{ "ds/showinfo", "", "show ds info", cmd_ds_showinfo, COMMAND_TEXT | COMMAND_JSON },
	{ "help", "[arg]", "Help (limited to arg when specified)", cmd_help,
	  COMMAND_TEXT | COMMAND_JSON },
	{ "logout", "", "logout from this mgmt terminal", cmd_logout, 0 },
	{ "shutdown", "", "shutdown of the switch", cmd_shutdown, 0 },
	{ "showinfo", "", "show switch version and info", cmd_showinfo, COMMAND_TEXT | COMMAND_JSON },
	{ "load", "path", "load a configuration script", cmd_load, 0 },
};
const struct command_table general_commands = { general_rows, ARRAY_SIZE(general_rows) };

/* --- debug ---------------------------------------------------------------------------- */

static void debug_row(struct command_call *call, const struct debug *d)
{
	bool on = call->console && d->subscribers >> console_slot(call->console) & 1;

	if (!call->json) {
		strbuf_printf(call->out, "%-22s %03o %-6s %s\n", d->path, (unsigned)d->tag,
			      on ? "ON" : "OFF", d->help);
		return;
	}
	json_object(call->json, NULL);
	json_string(call->json, "category", d->path);
	json_format(call->json, "tag", "%03o", (unsigned)d->tag);
	json_bool(call->json, "on", on);
	json_string(call->json, "help", d->help);
	json_end(call->json);
}

static int cmd_debug_list(struct command_call *call)
{
	int found = 0;

	if (call->json)
		json_array(call->json, NULL);
	else
		strbuf_printf(call->out, "%-22s %-3s %-6s %s\n%-22s %-3s %-6s %s\n", "CATEGORY", "TAG",
			      "STATUS", "HELP", "------------", "---", "------", "----");
	for (const struct debug *d = debug_first(call->sw); d; d = d->next) {
		if (!d->help || !str_starts(d->path, call->argument))
			continue;
		debug_row(call, d);
		found++;
	}
	if (call->json)
		json_end(call->json);
	return found ? 0 : -ENOENT;
}

/* Files of commands have no connection that could get the lines. */
static int cmd_debug_add(struct command_call *call)
{
	if (!call->console)
		return -EOPNOTSUPP;
	return debug_subscribe(call->sw, console_slot(call->console), call->argument);
}

static int cmd_debug_del(struct command_call *call)
{
	if (!call->console)
		return -EOPNOTSUPP;
	return debug_unsubscribe(call->sw, console_slot(call->console), call->argument);
}

static const struct command debug_rows[] = {
	{ "debug", "============", "DEBUG MENU", NULL, COMMAND_MENU },
	{ "debug/list", "", "list debug categories", cmd_debug_list, COMMAND_TEXT | COMMAND_JSON },
	{ "debug/add", "dbgpath", "enable debug info for a given category", cmd_debug_add, 0 },
	{ "debug/del", "dbgpath", "disable debug info for a given category", cmd_debug_del, 0 },
};
const struct command_table debug_commands = { debug_rows, ARRAY_SIZE(debug_rows) };
