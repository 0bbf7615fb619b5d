/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the lines of the trace go: to the descriptor that umvu has opened before the first program, which
 * is kept from the programs (reserved.h). They are collected in a buffer, unless somebody watches.
 *
 * With a file for each process the descriptor is their directory, and the file is opened for each
 * writing: a child of vfork(2) has the memory of its parent, and with it the buffer, so its lines are
 * written at once.
 */
#include "vuos/resident/lock.h"
#include "vuos/resident/reserved.h"
#include "vuos/resident/signals.h"
#include "vuos/resident/trace_internal.h"

#define BUFFER_SIZE  32768
#define LOCK_TRIES   100000
#define O_CREATE_APPEND_CLOEXEC 02002101
#define FILE_MODE    0666

static struct {
	struct lock lock;
	size_t len;
	char text[BUFFER_SIZE];
} buffer;

static long open_own(long directory)
{
	char name[EXEC_TRACE_NAME_MAX + 24];

	(void)text_put_number(text_put(text_put(name, trace_how.name), "."), (uint64_t)NATIVE(__NR_getpid), 10);
	return NATIVE(__NR_openat, directory, name, O_CREATE_APPEND_CLOEXEC, FILE_MODE);
}

static void write_all(long fd, const char *text, size_t len)
{
	while (len) {
		long n = NATIVE(__NR_write, fd, text, len);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static void write_out(const char *text, size_t len)
{
	long fd = reserved_get(RESERVED_TRACE), own;

	if (fd < 0)
		return;
	if (!trace_is(TRACE_SPLIT)) {
		write_all(fd, text, len);
		return;
	}
	own = open_own(fd);
	if (own < 0)
		return;
	write_all(own, text, len);
	(void)NATIVE(__NR_close, own);
}

/* With all signals blocked. A child of vfork(2) may have died with the lock: nobody waits for ever. */
static bool buffer_lock(uint64_t *mask)
{
	*mask = signals_block_all();
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (lock_try(&buffer.lock))
			return true;
		__asm__ volatile("pause");
	}
	signals_restore(*mask);
	return false;
}

static void buffer_unlock(uint64_t mask)
{
	lock_drop(&buffer.lock);
	signals_restore(mask);
}

static bool is_written_at_once(size_t len)
{
	return trace_is(TRACE_AT_ONCE) || len > sizeof(buffer.text) ||
	       (trace_is(TRACE_SPLIT) && context_here()->is_vfork_child);
}

static void flush_locked(void)
{
	write_out(buffer.text, buffer.len);
	buffer.len = 0;
}

void trace_put(const char *line, size_t len)
{
	uint64_t mask;

	if (is_written_at_once(len)) {
		trace_flush();
		write_out(line, len);
		return;
	}
	if (!buffer_lock(&mask))
		return;
	if (buffer.len + len > sizeof(buffer.text))
		flush_locked();
	memcpy(buffer.text + buffer.len, line, len);
	buffer.len += len;
	buffer_unlock(mask);
}

void trace_flush(void)
{
	uint64_t mask;

	if (!buffer.len || !buffer_lock(&mask))
		return;
	flush_locked();
	buffer_unlock(mask);
}

void trace_out_forked(void)
{
	lock_drop(&buffer.lock);
	buffer.len = 0;
}
