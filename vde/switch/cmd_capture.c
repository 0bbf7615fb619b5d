/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Console commands of the capture menu. Where a capture goes is followed by what is captured:
 * `[port N|all] [snaplen N] [[filter] FILTER...]`. The word `filter` is needed only for a filter
 * that itself begins with one of these words, as in `filter port 80`.
 */
#include <ctype.h>
#include <errno.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "vde/switch/capture.h"
#include "vde/switch/console.h"

#define SNAP_LEN_MAX 0x7fffffff

/* Takes the next word off *TEXT, in place; "" at the end. */
static char *next_word(char **text)
{
	char *word = *text + strspn(*text, " \t");
	char *end = word + strcspn(word, " \t");

	if (*end)
		*end++ = '\0';
	*text = end + strspn(end, " \t");
	return word;
}

/* Whether TEXT begins with WORD and something behind it; takes the word off. */
static bool take_word(char **text, const char *word)
{
	size_t len = strlen(word);

	if (!str_starts(*text, word) || !isspace((unsigned char)(*text)[len]))
		return false;
	(void)next_word(text);
	return true;
}

static int parse_port(const char *text, int *ret, struct error *error)
{
	long long number;

	if (str_equal(text, "all")) {
		*ret = CAPTURE_ALL_PORTS;
		return 0;
	}
	if (parse_decimal(text, 0, PORT_LIMIT, &number) < 0)
		return error_set(error, EINVAL,
				 "\"%s\" is not a port of the switch; for a filter on ports write "
				 "\"filter port %s\"",
				 text, text);
	*ret = (int)number;
	return 0;
}

static int parse_snap_len(const char *text, uint32_t *ret, struct error *error)
{
	long long number;

	if (parse_decimal(text, 0, SNAP_LEN_MAX, &number) < 0)
		return error_set(error, EINVAL, "\"%s\" is not a number of bytes", text);
	*ret = (uint32_t)number;
	return 0;
}

/* Fills REQUEST from TEXT, which is cut up and stays the filter's memory. */
static int parse_request(char *text, struct capture_request *request, struct error *error)
{
	int r = 0;

	*request = (struct capture_request){
		.port = CAPTURE_ALL_PORTS,
		.snap_len = CAPTURE_SNAP_LEN,
	};
	while (r == 0)
		if (take_word(&text, "port"))
			r = parse_port(next_word(&text), &request->port, error);
		else if (take_word(&text, "snaplen"))
			r = parse_snap_len(next_word(&text), &request->snap_len, error);
		else
			break;
	(void)take_word(&text, "filter");
	request->filter = text;
	return r;
}

static int explain(struct command_call *call, int r, const struct error *error)
{
	strbuf_printf(call->out, "%s\n", error_text(error));
	return r;
}

static int start(struct command_call *call)
{
	auto_free char *text = strdup(call->argument);
	struct capture_request request;
	struct error error = { 0 };
	char *rest = text;
	const char *path;
	int r;

	if (!text)
		return -ENOMEM;
	path = next_word(&rest);
	if (!*path) {
		strbuf_puts(call->out, "capture/start FILE [port N|all] [snaplen N] [[filter] FILTER...]\n");
		return -EINVAL;
	}
	r = parse_request(rest, &request, &error);
	if (r == 0)
		r = capture_start(call->sw, &request, path, &error);
	if (r < 0)
		return explain(call, r, &error);
	strbuf_printf(call->out, "Capture %04d\n", r);
	return 0;
}

static int stream(struct command_call *call)
{
	auto_free char *text = strdup(call->argument);
	struct capture_request request;
	struct error error = { 0 };
	int r;

	if (!text)
		return -ENOMEM;
	r = parse_request(text, &request, &error);
	if (r == 0)
		r = capture_stream(call->sw, &request, call->console, &error);
	return r < 0 ? explain(call, r, &error) : COMMAND_TAKEN;
}

static int stop(struct command_call *call)
{
	long long number;

	if (parse_decimal(call->argument, 1, CAPTURE_MAX, &number) < 0)
		return -EINVAL;
	return capture_stop(call->sw, (unsigned)number);
}

static int print(struct command_call *call)
{
	capture_print(call->sw, call->out, call->json);
	return 0;
}

static const struct command rows[] = {
	{ "capture", "============", "CAPTURE MENU", NULL, COMMAND_MENU },
	{ "capture/start", "FILE [WHAT]", "write frames to a pcap-ng file or FIFO", start,
	  COMMAND_TEXT },
	{ "capture/stream", "[WHAT]", "turn this connection into a pcap-ng stream", stream,
	  COMMAND_TEXT },
	{ "capture/stop", "N", "end a capture", stop, 0 },
	{ "capture/print", "", "list captures", print, COMMAND_TEXT | COMMAND_JSON },
};

const struct command_table capture_commands = { rows, ARRAY_SIZE(rows) };
