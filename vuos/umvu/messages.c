/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Levels are those of syslog(3), as the command line of the earlier umvu has them; base/log.h has fewer. What
 * the residents complain of goes to the same place, by a reserved descriptor (launch.c).
 */
#include "messages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "options.h"

#define SYSLOG_LEVELS 8

/* Of the levels of syslog(3) from LOG_EMERG on. */
static const enum log_level levels[SYSLOG_LEVELS] = {
	LOG_LEVEL_ERROR, LOG_LEVEL_ERROR, LOG_LEVEL_ERROR, LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG,
};

static const int priorities[LOG_NUM_LEVELS] = {
	[LOG_LEVEL_ERROR] = LOG_ERR, [LOG_LEVEL_WARNING] = LOG_WARNING, [LOG_LEVEL_NOTICE] = LOG_NOTICE,
	[LOG_LEVEL_INFO] = LOG_INFO, [LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

static int set_level(unsigned *level, const char *option, const char *argument, struct error *error)
{
	if (argument[0] < '0' || argument[0] >= '0' + SYSLOG_LEVELS || argument[1])
		return error_set(error, EINVAL, "%s %s: not a level from 0 to %d", option, argument,
				 SYSLOG_LEVELS - 1);
	*level = levels[argument[0] - '0'];
	return 0;
}

int messages_set_level(void *settings, const char *argument, struct error *error)
{
	return set_level(&((struct settings *)settings)->messages.level, "--loglevel", argument, error);
}

int messages_set_syslog(void *settings, const char *argument, struct error *error)
{
	return set_level(&((struct settings *)settings)->messages.syslog, "--syslog", argument, error);
}

struct messages {
	const struct message_settings *settings;
	int fd;
};

static void put_message(void *context, enum log_level level, const char *text)
{
	const struct messages *m = context;

	if (level <= m->settings->level)
		(void)dprintf(m->fd, "umvu: %s\n", text);
	if (level <= m->settings->syslog)
		syslog(LOG_DAEMON | priorities[level], "%s", text);
}

int messages_begin(const struct message_settings *s, struct error *error)
{
	static struct messages messages; /* as long as this process */
	int fd = STDERR_FILENO;

	if (s->file)
		fd = open(s->file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0)
		return error_set(error, EACCES, "cannot write messages to '%s': %s", s->file,
				 strerror(errno)); /* -ENOENT would be the program's */
	messages = (struct messages){ .settings = s, .fd = fd };
	log_set_level((enum log_level)MAX(s->level, s->syslog));
	log_set_callback(put_message, &messages);
	return fd;
}
