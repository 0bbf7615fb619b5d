/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "clock.h"

#define LIMIT_BURST    10
#define LIMIT_INTERVAL (5 * NS_PER_SEC)

/* The process's log settings: the one piece of state that is not an instance. */
static struct {
	enum log_level level;
	const char *program;
	log_callback *callback;
	void *context;
} settings = { .level = LOG_LEVEL_NOTICE };

static const char *const level_names[LOG_NUM_LEVELS] = {
	[LOG_LEVEL_NONE] = "none",     [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_NOTICE] = "notice", [LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
};

static const int level_priorities[LOG_NUM_LEVELS] = {
	[LOG_LEVEL_NONE] = LOG_DEBUG,      [LOG_LEVEL_ERROR] = LOG_ERR,
	[LOG_LEVEL_WARNING] = LOG_WARNING, [LOG_LEVEL_NOTICE] = LOG_NOTICE,
	[LOG_LEVEL_INFO] = LOG_INFO,       [LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

void log_set_level(enum log_level level)
{
	settings.level = level;
}

enum log_level log_get_level(void)
{
	return settings.level;
}

int log_level_parse(const char *name)
{
	for (int i = LOG_LEVEL_ERROR; i < LOG_NUM_LEVELS; i++)
		if (str_equal(name, level_names[i]))
			return i;
	return -EINVAL;
}

void log_set_program(const char *name)
{
	settings.program = name;
}

void log_set_callback(log_callback *callback, void *context)
{
	settings.callback = callback;
	settings.context = context;
}

static void log_syslog(void *context, enum log_level level, const char *text)
{
	(void)context;
	syslog(level_priorities[level], "%s", text);
}

void log_to_syslog(const char *name)
{
	openlog(name, LOG_PID, LOG_DAEMON);
	log_set_callback(log_syslog, NULL);
}

static void log_emit(enum log_level level, const char *text)
{
	if (settings.callback)
		settings.callback(settings.context, level, text);
	else if (settings.program)
		(void)fprintf(stderr, "%s: %s\n", settings.program, text);
	else
		(void)fprintf(stderr, "%s\n", text);
}

void log_messagev(enum log_level level, const char *format, va_list ap)
{
	int saved = errno;
	char text[1024];

	if (level > settings.level)
		return;
	(void)vsnprintf(text, sizeof(text), format, ap);
	log_emit(level, text);
	errno = saved;
}

void log_message(enum log_level level, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_messagev(level, format, ap);
	va_end(ap);
}

void log_message_errno(enum log_level level, int code, const char *format, ...)
{
	int saved = errno;
	char text[768];
	va_list ap;

	if (level > settings.level)
		return;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	errno = saved;
	log_message(level, "%s: %s", text, strerror(abs(code)));
}

bool log_limit_pass(struct log_limit *limit, uint64_t now)
{
	if (limit->window_start == 0 || now - limit->window_start > LIMIT_INTERVAL) {
		unsigned held = limit->held;

		*limit = (struct log_limit){ .window_start = now };
		if (held)
			log_warning("%u similar messages were held back", held);
	}
	if (limit->passed < LIMIT_BURST) {
		limit->passed++;
		return true;
	}
	limit->held++;
	return false;
}
