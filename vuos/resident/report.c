/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log is umvu's stderr at its start. A file is held open by a reserved descriptor. A pipe, a socket or
 * a terminal is not: who waits for the end of what is written there would wait for each program that is left
 * in the background. They are written to as long as descriptor 2 is still the same.
 */

#include <linux/fcntl.h>
#include <asm-generic/poll.h>
#include <linux/stat.h>

#include <asm-generic/ioctls.h>
#include <asm/signal.h>
#include <stdarg.h>

#include "vuos/resident/context.h"
#include "vuos/resident/report.h"
#include "vuos/resident/reserved.h"

#define STDERR 2

static bool is_log(int fd)
{
	const struct exec_reserved *reserved = &process.reserved;
	struct statx status;

	return NATIVE(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_INO, &status) == 0 &&
	       status.stx_ino == reserved->log_inode && status.stx_dev_major == reserved->log_major &&
	       status.stx_dev_minor == reserved->log_minor;
}

/* Nobody may read there any more, which would be a signal, or not now. */
static bool takes_text(int fd)
{
	struct pollfd poll = { .fd = fd, .events = POLLOUT };

	return NATIVE(__NR_poll, &poll, 1, 0) == 1 && poll.revents == POLLOUT;
}

static long log_descriptor(void)
{
	long fd = reserved_get(RESERVED_LOG);

	if (fd >= 0)
		return fd;
	if (reserved_is_ready() && !is_log(STDERR))
		return -1;
	return takes_text(STDERR) ? STDERR : -1;
}

/* The signal of a failed write is the thread's own, so it is there at once, unless one was there before. */
long report_write(long fd, const char *text, size_t len)
{
	const uint64_t signals = SIGNAL_BIT(SIGPIPE) | SIGNAL_BIT(SIGXFSZ), no_time[2] = { 0 };
	uint64_t mask = 0, pending = 0, sent;
	long n;

	(void)NATIVE(__NR_rt_sigprocmask, SIG_BLOCK, &signals, &mask, sizeof(mask));
	(void)NATIVE(__NR_rt_sigpending, &pending, sizeof(pending));
	n = NATIVE(__NR_write, fd, text, len);
	sent = n == -EPIPE ? SIGNAL_BIT(SIGPIPE) : n == -EFBIG ? SIGNAL_BIT(SIGXFSZ) : 0;
	if (sent & ~pending)
		(void)NATIVE(__NR_rt_sigtimedwait, &sent, NULL, no_time, sizeof(sent));
	(void)NATIVE(__NR_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
	return n;
}

void report_line(const char *text, size_t len)
{
	long fd = log_descriptor();

	if (fd >= 0)
		(void)report_write(fd, text, len);
}

bool report_is_terminal(void)
{
	char termios[64];
	long fd = log_descriptor();

	return fd >= 0 && NATIVE(__NR_ioctl, fd, TCGETS, termios) == 0;
}

void complain(const char *part, ...)
{
	char line[512], *at = text_put(line, "umvu: ");
	va_list parts;

	va_start(parts, part);
	for (; part; part = va_arg(parts, const char *))
		if (text_len(part) < (size_t)(line + sizeof(line) - 2 - at))
			at = text_put(at, part);
	va_end(parts);
	*at++ = '\n';
	report_line(line, (size_t)(at - line));
}
