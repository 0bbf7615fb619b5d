/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the lines of the trace go: to the descriptor that umvu has opened before the first program, which
 * is kept from the programs (reserved.h). They are collected in a buffer, unless somebody watches.
 *
 * The buffer is a slot of the board (trace_board.h), mapped over the place that it has here, so that umvu
 * finds what a process that was killed had not written yet. Where there is no slot, it is memory of our
 * own. A child takes another slot; the lock is in the slot, so two that took the same do no harm.
 *
 * With a file for each process the descriptor is their directory, and the file is opened for each
 * writing: a child of vfork(2) has the memory of its parent, and with it the buffer, so its lines are
 * written at once.
 */
#include "vuos/resident/lock.h"
#include "vuos/resident/report.h"
#include "vuos/resident/reserved.h"
#include "vuos/resident/trace_internal.h"

#define LOCK_TRIES   100000
#define O_CREATE_APPEND_CLOEXEC 02002101
#define FILE_MODE    0666
#define PROT_READ_WRITE   3
#define MAP_SHARED_FIXED  0x11
#define MAP_PRIVATE_FIXED_ANONYMOUS 0x32

/* Both lie in our data, which a program cannot map something else over. */
struct board trace_board;
static struct board_slot buffer;
static bool has_slot HOT; /* of that number */
static int32_t slot HOT;

static struct lock *buffer_lock_word(void)
{
	return (struct lock *)(void *)&buffer.lock;
}

/* --- the board ----------------------------------------------------------------------------------- */

static bool map_over(void *place, size_t len, uint64_t offset)
{
	long fd = reserved_get(RESERVED_BOARD);

	return fd >= 0 &&
	       !is_error(NATIVE(__NR_mmap, place, len, PROT_READ_WRITE, MAP_SHARED_FIXED, fd, offset));
}

static bool is_gone(int32_t owner)
{
	return NATIVE(__NR_kill, owner, 0) == -ESRCH;
}

static bool take(unsigned i, int32_t owner)
{
	int32_t self = (int32_t)NATIVE(__NR_getpid);

	return __atomic_compare_exchange_n(&trace_board.owners[i], &owner, self, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/* Our own from before exec, one that is nobody's, or was of a process that is gone; -1: there is none. */
static int32_t find_slot(void)
{
	int32_t self = (int32_t)NATIVE(__NR_getpid);

	for (unsigned i = 0; i < trace_how.slots; i++)
		if (trace_board.owners[i] == self)
			return (int32_t)i;
	for (unsigned i = 0; i < trace_how.slots; i++)
		if (!trace_board.owners[i] && take(i, 0))
			return (int32_t)i;
	for (unsigned i = 0; i < trace_how.slots; i++) {
		int32_t owner = trace_board.owners[i];

		if (owner && is_gone(owner) && take(i, owner))
			return (int32_t)i;
	}
	return -1;
}

/* The buffer becomes a slot; what is still in there of another process goes out. */
static void take_slot(void)
{
	slot = find_slot();
	has_slot = slot >= 0;
	if (!has_slot)
		return;
	if (!map_over(&buffer, sizeof(buffer), BOARD_SLOT_AT(slot))) {
		__atomic_store_n(&trace_board.owners[slot], 0, __ATOMIC_RELEASE);
		has_slot = false;
		return;
	}
	lock_drop(buffer_lock_word());
	trace_flush();
}

void trace_out_start(void)
{
	if (map_over(&trace_board, sizeof(trace_board), 0) && !trace_is(TRACE_AT_ONCE) && trace_is(TRACE_LINES))
		take_slot();
}

void trace_out_forked(void)
{
	if (has_slot) {
		(void)NATIVE(__NR_mmap, &buffer, sizeof(buffer), PROT_READ_WRITE, MAP_PRIVATE_FIXED_ANONYMOUS,
			     -1, 0);
		take_slot();
		return;
	}
	lock_drop(buffer_lock_word());
	buffer.len = 0;
}

void trace_out_end(void)
{
	trace_flush();
	if (has_slot)
		__atomic_store_n(&trace_board.owners[slot], 0, __ATOMIC_RELEASE);
}

/* --- the file ------------------------------------------------------------------------------------ */

static long open_own(long directory)
{
	char name[EXEC_TRACE_NAME_MAX + 24];

	(void)text_put_number(text_put(text_put(name, trace_how.name), "."), (uint64_t)NATIVE(__NR_getpid), 10);
	return NATIVE(__NR_openat, directory, name, O_CREATE_APPEND_CLOEXEC, FILE_MODE);
}

/* umvu tells of it in the end. */
static void note_loss(size_t len, long error)
{
	(void)__atomic_fetch_add(&trace_board.lost, len, __ATOMIC_RELAXED);
	trace_board.lost_errno = (int32_t)-error;
}

static void write_all(long fd, const char *text, size_t len)
{
	while (len) {
		long n = report_write(fd, text, len);

		if (n <= 0 && n != -EINTR) {
			note_loss(len, n);
			return;
		}
		text += MAX(n, 0);
		len -= (size_t)MAX(n, 0);
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
	if (own < 0) {
		note_loss(len, own);
		return;
	}
	write_all(own, text, len);
	(void)NATIVE(__NR_close, own);
}

/*
 * A signal that comes while it is held is only noted, since the thread is in the resident: nothing is
 * told on top of what is being told. Who had the lock may have been killed: nobody waits for ever.
 */
static bool buffer_lock(void)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (lock_try(buffer_lock_word()))
			return true;
		__asm__ volatile("pause");
	}
	return false;
}

static void buffer_unlock(void)
{
	lock_drop(buffer_lock_word());
}

static bool is_written_at_once(size_t len)
{
	return trace_is(TRACE_AT_ONCE) || len > sizeof(buffer.text) ||
	       (trace_is(TRACE_SPLIT) && context_here()->is_vfork_child);
}

static void flush_locked(void)
{
	write_out(buffer.text, MIN(buffer.len, sizeof(buffer.text)));
	buffer.len = 0;
}

void trace_put(const char *line, size_t len)
{
	uint64_t at;

	if (is_written_at_once(len)) {
		trace_flush();
		write_out(line, len);
		return;
	}
	if (!buffer_lock())
		return;
	if (buffer.len > sizeof(buffer.text) - len)
		flush_locked();
	at = MIN(buffer.len, sizeof(buffer.text) - len);
	memcpy(buffer.text + at, line, len);
	buffer.len = at + len; /* after the text: whoever finds it finds whole lines */
	buffer_unlock();
}

void trace_flush(void)
{
	if (!buffer.len || !buffer_lock())
		return;
	flush_locked();
	buffer_unlock();
}
