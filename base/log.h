/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages to the person who runs the program. A library of ours logs at debug level only; the
 * host may take all messages through a callback. An error is logged once, by the function that
 * handles it.
 */
#pragma once

#include <stdarg.h>

#include "util.h"

enum log_level {
	LOG_LEVEL_NONE,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_NUM_LEVELS,
};

/* Receives one message without a final newline. */
typedef void log_callback(void *context, enum log_level level, const char *text);

/* What is above LEVEL is not formatted at all. The start value is LOG_LEVEL_NOTICE. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Parses error, warning, notice, info or debug; returns a level or -EINVAL. */
int log_level_parse(const char *name);

/* The word before each message on standard error; NAME is borrowed for good. */
void log_set_program(const char *name);

/* Sends messages to CALLBACK; NULL restores standard error. */
void log_set_callback(log_callback *callback, void *context);

/* Sends messages to syslog(3), facility daemon, as NAME (borrowed for good). */
void log_to_syslog(const char *name);

void log_message(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
void log_messagev(enum log_level level, const char *format, va_list ap);

/* Appends `: ` and the text of CODE, which is an errno value of either sign. */
void log_message_errno(enum log_level level, int code, const char *format, ...) PRINTF_LIKE(3, 4);

#define log_at(level, ...)                                    \
	do {                                                  \
		if ((level) <= log_get_level())               \
			log_message((level), __VA_ARGS__);    \
	} while (0)

#define log_error(...)   log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_at(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

#define log_error_errno(code, ...)   log_message_errno(LOG_LEVEL_ERROR, (code), __VA_ARGS__)
#define log_warning_errno(code, ...) log_message_errno(LOG_LEVEL_WARNING, (code), __VA_ARGS__)
#define log_debug_errno(code, ...)   log_message_errno(LOG_LEVEL_DEBUG, (code), __VA_ARGS__)

/*
 * For what a peer can trigger at will: lets BURST messages pass in each interval, and says how
 * many were held back. Owned by the object that the messages are about; zero is a fresh one.
 */
struct log_limit {
	uint64_t window_start; /* ns, CLOCK_MONOTONIC */
	unsigned passed;
	unsigned held;
};

/* True when a message may pass at NOW (ns); logs the number of those held back before. */
bool log_limit_pass(struct log_limit *limit, uint64_t now);
