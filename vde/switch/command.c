/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a line to its command and its answer; files of commands. console.c has the connections. */
#include "vde/switch/command.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "vde/switch/vlan.h"

#define FILE_LIMIT (1024 * 1024)
#define LOAD_DEPTH 8 /* files that load files */

static const char json_prefix[] = "json ";
static const char data_start[] = "0000 DATA END WITH '.'\n";

const struct command_table *const command_tables[] = {
	&general_commands, &debug_commands, &plugin_commands, &hash_commands,
	&fstp_commands,    &port_commands,  &vlan_commands,   &capture_commands, NULL,
};

/* --- words ---------------------------------------------------------------------------- */

static const char *skip_blanks(const char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

int command_numbers(const char *text, unsigned count, long long values[], const char **ret_rest)
{
	for (unsigned i = 0; i < count; i++) {
		char *end;

		text = skip_blanks(text);
		errno = 0;
		values[i] = strtoll(text, &end, 0);
		if (end == text || errno || (*end && !isspace((unsigned char)*end)))
			return -EINVAL;
		text = end;
	}
	text = skip_blanks(text);
	if (ret_rest)
		*ret_rest = text;
	else if (*text)
		return -EINVAL;
	return 0;
}

int command_number(const char *text, long long min, long long max, long long *ret)
{
	return parse_decimal(text, min, max, ret) < 0 ? -EINVAL : 0;
}

int command_optional_number(const char *text, long long max, long long *ret)
{
	*ret = -1;
	return *text ? command_number(text, 0, max, ret) : 0;
}

int command_each_vlan(struct command_call *call,
		      void (*print)(struct command_call *call, const struct vlan *vlan))
{
	long long wanted;
	int r = command_optional_number(call->argument, VLAN_MAX, &wanted);

	if (r < 0)
		return r;
	if (wanted >= 0 && !vlan_find(call->sw, wanted))
		return -ENXIO;
	if (call->json)
		json_array(call->json, NULL);
	for (int id = 0; id < VLAN_COUNT; id++)
		if (call->sw->vlans[id] && (wanted < 0 || wanted == id))
			print(call, call->sw->vlans[id]);
	if (call->json)
		json_end(call->json);
	return 0;
}

/* --- answers -------------------------------------------------------------------------- */

void command_greeting(struct strbuf *out)
{
	strbuf_printf(out, "VDE switch V.%s\n", VS_VERSION);
	strbuf_puts(out, "(C) Virtual Square Team (coord. R. Davoli) 2005,2006,2007 - GPLv2\n");
}

void command_result(struct strbuf *out, int r)
{
	strbuf_printf(out, "1%03d %s\n", -r, r < 0 ? strerror(-r) : "Success");
}

/* A line that is just "." would end the data block early: it is shown as "..". */
static void put_data_block(struct strbuf *out, const struct strbuf *text)
{
	const char *line = strbuf_text(text);

	strbuf_puts(out, data_start);
	while (*line) {
		size_t len = strcspn(line, "\n");

		if (len == 1 && line[0] == '.')
			strbuf_putc(out, '.');
		strbuf_append(out, line, len);
		strbuf_putc(out, '\n');
		line += len + (line[len] == '\n');
	}
	strbuf_puts(out, ".\n");
}

/* --- finding and running -------------------------------------------------------------- */

/* What a line turned out to name. */
struct found {
	const struct command *row;
	struct dynamic_command *dynamic;
	size_t path_len;
	unsigned flags;
};

static bool found_row(const char *line, struct found *ret)
{
	for (size_t t = 0; command_tables[t]; t++)
		for (size_t i = 0; i < command_tables[t]->count; i++) {
			const struct command *row = &command_tables[t]->rows[i];

			if (row->flags & COMMAND_MENU || !str_starts(line, row->path))
				continue;
			*ret = (struct found){ .row = row, .path_len = strlen(row->path),
					       .flags = row->flags };
			return true;
		}
	return false;
}

static bool found_dynamic(const struct vde_switch *sw, const char *line, struct found *ret)
{
	for (struct dynamic_command *d = console_dynamic_commands(sw); d; d = d->next) {
		if (!d->run || !str_starts(line, d->path))
			continue;
		*ret = (struct found){ .dynamic = d, .path_len = strlen(d->path),
				       .flags = d->flags };
		return true;
	}
	return false;
}

static int found_run(const struct found *found, struct command_call *call)
{
	return found->row ? found->row->run(call)
			  : found->dynamic->run(found->dynamic->context, call);
}

static int run_json(const struct found *found, struct command_call *call, struct strbuf *text)
{
	struct json json;
	int r;

	if (!(found->flags & COMMAND_JSON))
		return -EOPNOTSUPP;
	json_init(&json, text);
	call->json = &json;
	r = found_run(found, call);
	if (r < 0)
		strbuf_clear(text);
	else
		strbuf_putc(text, '\n');
	return r;
}

static bool has_block(const struct found *found, const struct strbuf *text, bool as_json)
{
	if (as_json)
		return text->len > 0;
	return found->flags & COMMAND_TEXT || (found->flags & COMMAND_EXPLAIN && text->len > 0);
}

/* Runs what was found; LINE's argument is cut at its end. */
static int run_found(struct vde_switch *sw, struct console *console, const struct found *found,
		     const char *line, bool as_json, struct strbuf *out)
{
	auto_strbuf struct strbuf text = { 0 };
	auto_free char *argument = strdup(skip_blanks(line + found->path_len));
	struct command_call call = { .sw = sw, .console = console, .out = &text };
	int r;

	if (!argument)
		return -ENOMEM;
	for (size_t len = strlen(argument); len && isspace((unsigned char)argument[len - 1]); len--)
		argument[len - 1] = '\0';
	call.argument = argument;
	if (as_json)
		r = run_json(found, &call, &text);
	else
		r = found_run(found, &call);
	if (text.error)
		return -ENOMEM;
	if (r == COMMAND_TAKEN)
		return r;
	if (has_block(found, &text, as_json))
		put_data_block(out, &text);
	else /* what `load` echoes is not a block */
		strbuf_append(out, strbuf_text(&text), text.len);
	return r;
}

int console_run_line(struct vde_switch *sw, struct console *console, const char *line,
		     struct strbuf *out)
{
	struct found found;
	bool as_json = str_starts(line, json_prefix);
	int r = -ENOSYS;

	line = skip_blanks(as_json ? line + strlen(json_prefix) : line);
	if (*line == '\0' || *line == '#')
		return 0;
	if (found_row(line, &found) || found_dynamic(sw, line, &found))
		r = run_found(sw, console, &found, line, as_json, out);
	if (r == COMMAND_LOGOUT || r == COMMAND_SHUTDOWN)
		strbuf_puts(out, "9999 END OF SESSION");
	else if (r != COMMAND_TAKEN)
		command_result(out, MIN(r, 0));
	return r;
}

/* --- files of commands ---------------------------------------------------------------- */

/* The whole of a regular file, as a string that the caller frees. */
static int read_file(const char *path, char **ret)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	auto_free char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > FILE_LIMIT)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	n = io_read_full(fd, text, (size_t)st.st_size);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	*ret = TAKE_PTR(text);
	return 0;
}

static int run_file_line(struct vde_switch *sw, struct console *console, const char *path,
			 unsigned number, const char *line, struct strbuf *out)
{
	auto_strbuf struct strbuf ignored = { 0 };
	int r;

	if (out) {
		strbuf_printf(out, "vde[%s]: %s\n", path, line);
		return console_run_line(sw, console, line, out);
	}
	r = console_run_line(sw, console, line, &ignored);
	if (r < 0)
		log_error("%s:%u: '%s': %s", path, number, line, strerror(-r));
	return r;
}

int console_run_file(struct vde_switch *sw, struct console *console, const char *path,
		     struct strbuf *out)
{
	auto_free char *text = NULL;
	char *rest, *line;
	unsigned number = 0;
	int r;

	if (sw->load_depth >= LOAD_DEPTH)
		return -ELOOP;
	r = read_file(path, &text);
	if (r < 0)
		return r;
	sw->load_depth++;
	for (rest = text, r = 0; r <= 0 && (line = strsep(&rest, "\n"));) {
		number++;
		line[strcspn(line, "\r")] = '\0';
		if (*skip_blanks(line))
			r = run_file_line(sw, console, path, number, line, out);
	}
	sw->load_depth--;
	return r > 0 ? r : 0;
}
