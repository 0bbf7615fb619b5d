/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One command to a console, and its result as the exit status. An automaton file, given or found at
 * a default place, says how the console is talked to; without one the management protocol is spoken.
 */
#include "unixcmd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/option.h"
#include "base/strbuf.h"
#include "vde/mgmt/automaton.h"
#include "vde/mgmt/client.h"
#include "vde/mgmt/connect.h"

#define STATUS_FAILED 255

struct settings {
	const char *socket;
	const char *rc_file;
	bool builtin;
	bool json;
	bool verbose;
	int timeout_ms;
};

#define FIELD(name) .offset = offsetof(struct settings, name)

static const struct option_row rows[] = {
	{ .letter = 's', .name = "sock", .kind = OPTION_STRING, FIELD(socket), .arg = "SOCKET",
	  .complete = COMPLETE_FILE, .preset = VS_RUNDIR "/unixcmd",
	  .help = "The socket of the console" },
	{ .letter = 'f', .name = "rcfile", .kind = OPTION_STRING, FIELD(rc_file), .arg = "FILE",
	  .complete = COMPLETE_FILE, .help = "Talk to the console as the automaton in FILE says" },
	{ .letter = 'b', .name = "builtin", .kind = OPTION_FLAG, FIELD(builtin),
	  .help = "Speak the management protocol, whatever automaton files there are" },
	{ .letter = 'j', .name = "json", .kind = OPTION_FLAG, FIELD(json),
	  .help = "Ask for the listing as JSON (needs a console that can)" },
	{ .letter = 't', .name = "timeout", .kind = OPTION_INT, FIELD(timeout_ms),
	  .arg = "MILLISECONDS", .min = 1, .max = 86400000, .preset = "10000, or the file's",
	  .help = "Give up when the console is silent for so long" },
	{ .letter = 'v', .name = "verbose", .kind = OPTION_FLAG, FIELD(verbose),
	  .help = "Show the states or the dialogue on standard error" },
	{ .letter = 'h', .name = "help", .kind = OPTION_HELP, .help = "Print this help" },
	{ .letter = 'V', .name = "version", .kind = OPTION_VERSION, .help = "Print the version" },
};

static void print_line(const char *text, size_t len)
{
	(void)fwrite(text, 1, len, stdout); /* finish() looks for errors */
}

/* What was printed has to have arrived: a full disk is a failure. */
static int finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	log_error_errno(errno, "cannot write the answer");
	return STATUS_FAILED;
}

#define TAG_DATA 1

/* The pieces that COPY collected, without the NULs: data on standard output, events if VERBOSE. */
static void print_outputs(const struct automaton_run *run, bool verbose)
{
	for (const struct automaton_out *out = run->outs; out; out = out->next) {
		const char *text = out->text.data, *end = text + out->text.len;

		for (; out->text.len && text < end; text += strlen(text) + 1) {
			if (!out->tag || out->tag == TAG_DATA)
				print_line(text, strlen(text));
			else if (verbose)
				(void)fprintf(stderr, "** tag %d: %s", out->tag, text);
		}
	}
}

static int run_automaton(const struct settings *settings, struct automaton *automaton,
			 char **words)
{
	struct error error = { 0 };
	auto_close int fd = mgmt_connect(settings->socket, &error);
	struct automaton_run run = {
		.fd = fd,
		.args = words,
		.trace = settings->verbose ? stderr : NULL,
	};
	int r;

	while (words[run.num_args])
		run.num_args++;
	if (fd < 0) {
		log_error("%s", error_text(&error));
		return STATUS_FAILED;
	}
	if (settings->timeout_ms)
		automaton->timeout_ms = settings->timeout_ms;
	r = automaton_execute(automaton, &run, &error);
	print_outputs(&run, settings->verbose);
	if (r < 0)
		log_error("%s", error_text(&error));
	else if (run.status == STATUS_FAILED)
		log_error("%s: '%s' gave no answer that the automaton knows; is it the socket of a "
			  "switch's console (-M)?", words[0], settings->socket);
	else if (run.status)
		log_error("%s: %s", words[0], strerror(run.status));
	automaton_run_done(&run);
	return r < 0 ? STATUS_FAILED : run.status;
}

static void print_reply(const struct settings *settings, const char *command,
			const struct mgmt_reply *reply)
{
	const char *line = NULL;

	print_line(strbuf_text(&reply->echo), reply->echo.len);
	while ((line = mgmt_reply_line(reply, line)))
		print_line(line, strlen(line));
	if (settings->verbose && reply->code >= 0)
		(void)fprintf(stderr, "1%03d %s\n", reply->code, strbuf_text(&reply->message));
	else if (reply->code > 0)
		log_error("%s: %s", command, strbuf_text(&reply->message));
}

static int run_command(const struct settings *settings, struct mgmt_client *client,
		       const char *command)
{
	struct mgmt_reply reply = { 0 };
	int status, r = mgmt_client_command(client, command, &reply);

	print_reply(settings, command, &reply);
	if (r == -ETIMEDOUT)
		log_error("%s: no answer from %s within %d ms", command, settings->socket,
			  client->timeout_ms);
	else if (r < 0 && r != -ESHUTDOWN)
		log_error_errno(r, "%s", command);
	if (r == 0)
		status = reply.code < 0 ? EXIT_SUCCESS : mgmt_exit_status(reply.code);
	else
		status = r == -ESHUTDOWN ? EXIT_SUCCESS : STATUS_FAILED;
	mgmt_reply_done(&reply);
	return status;
}

/* The words joined by blanks; the caller frees it. NULL: out of memory. */
static char *join(char **words)
{
	struct strbuf text = { 0 };

	for (size_t i = 0; words[i]; i++) {
		strbuf_puts(&text, i ? " " : "");
		strbuf_puts(&text, words[i]);
	}
	return strbuf_steal(&text);
}

static int run_builtin(const struct settings *settings, char **words)
{
	auto_free char *command = join(words);
	struct mgmt_client *client = NULL;
	struct error error = { 0 };
	int status = STATUS_FAILED;

	if (!command) {
		log_error("out of memory");
		return status;
	}
	if (mgmt_client_open(&client, settings->socket,
			     settings->timeout_ms ? settings->timeout_ms : MGMT_TIMEOUT_MS,
			     &error) < 0) {
		log_error("%s", error_text(&error));
		return status;
	}
	if (settings->verbose)
		(void)fprintf(stderr, "%s\n\n%s%s\n", strbuf_text(&client->banner),
			      mgmt_session_prompt(&client->session), command);
	status = run_command(settings, client, command);
	mgmt_client_free(client);
	return status;
}

static const char *find_rc_file(const struct unixcmd_program *program)
{
	for (size_t i = 0; program->rc_files[i]; i++)
		if (access(program->rc_files[i], F_OK) == 0)
			return program->rc_files[i];
	return NULL;
}

static int run(const struct unixcmd_program *program, const struct settings *settings,
	       char **words)
{
	const char *rc_file = settings->rc_file ? settings->rc_file : find_rc_file(program);
	struct automaton *automaton = NULL;
	struct error error = { 0 };
	int status = STATUS_FAILED;

	if (settings->builtin || !rc_file)
		return finish(run_builtin(settings, words));
	if (automaton_load(&automaton, rc_file, &error) < 0)
		log_error("%s", error_text(&error));
	else
		status = finish(run_automaton(settings, automaton, words));
	automaton_free(automaton);
	return status;
}

int unixcmd_main(const struct unixcmd_program *program, int argc, char **argv)
{
	const struct option_program options = {
		.name = program->name,
		.synopsis = program->synopsis,
		.summary = "Sends one command to a console and prints what it answers.",
		.epilogue = "The exit status is the result of the command: 0, or the number of the "
			    "error\n(more than 254 is shown as 254); 255 when there was no result.",
		.rows = rows,
		.num_rows = ARRAY_SIZE(rows),
		.style = OPTION_STOP,
		.usage_status = STATUS_FAILED,
	};
	struct settings settings = { .socket = VS_RUNDIR "/unixcmd" };
	int status, first = option_parse(&options, argc, argv, &settings, &status);

	if (first < 0)
		return status;
	if (first == argc)
		return option_usage_error(&options, "a command is needed");
	log_set_program(program->name);
	(void)signal(SIGPIPE, SIG_IGN);
	if (settings.json)
		argv[--first] = (char *)"json"; /* over a word that is done with */
	return run(program, &settings, argv + first);
}
