/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. What every process of the view has to reach, whatever root it has and whether
 * /proc is there, is open in it: first of all the resident's own file. Descriptors pass fork, clone and
 * exec by themselves.
 *
 * umvu opens them, at RESERVED_FIRST and the numbers behind it. It lifts the soft limit of descriptors
 * for that moment, and sets it back: so they lie above what the kernel gives to a program, which has all
 * descriptors that its limit allows. A program that sets a higher limit finds them in the way when it has
 * that many open: the kernel goes round them. Only a hard limit below them brings them down to the end of
 * what the program may use, and one that is tiny makes umvu do without; then the resident is executed by
 * its name.
 *
 * A call that names one gets EBADF (the dispatcher asks for each argument that calls.tbl says is a
 * descriptor), which for dup2(2) is also the answer for a number above the limit. close_range(2) goes
 * round them, and a listing of /proc/PID/fd is without them. Descriptors in memory (poll(2), select(2),
 * messages) are not looked at: who names there what he has not opened learns that it is open.
 */
#include "vuos/resident/reserved.h"

#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/resource.h>
#include <linux/sched.h>

#include "vuos/resident/calls.h"
#include "vuos/resident/dispatch.h"

#define NONE          0x80000000u /* as the first: no descriptor is there */
#define MAP_ANONYMOUS 0x20
#define MMAP_FLAGS    3
#define MMAP_FD       4

void reserved_start(const void *state)
{
	const struct exec_reserved *found = exec_state_find(state, EXEC_RESERVED, sizeof(*found), NULL);

	process.reserved = found ? *found : (struct exec_reserved){ .first = NONE };
}

void reserved_save(struct exec_writer *writer)
{
	struct exec_reserved handed_on = process.reserved;

	handed_on.present &= ~(1u << RESERVED_PROGRAM);
	if (handed_on.present)
		(void)exec_state_add(writer, EXEC_RESERVED, &handed_on, sizeof(handed_on));
}

bool reserved_is_ready(void)
{
	return process.reserved.present;
}

static bool is_present(uint32_t place)
{
	return process.reserved.present >> place & 1;
}

long reserved_get(enum reserved kind)
{
	return is_present(kind) ? (long)process.reserved.first + kind : -EBADF;
}

/* The soft limit of descriptors becomes WANTED or more; *OLD is what it was. */
static long lift_limit(uint64_t wanted, struct rlimit64 *old)
{
	long r = NATIVE(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, old);
	struct rlimit64 lifted = *old;

	if (r < 0 || old->rlim_cur >= wanted)
		return r;
	lifted.rlim_cur = wanted;
	lifted.rlim_max = MAX(wanted, old->rlim_max);
	return NATIVE(__NR_prlimit64, 0, RLIMIT_NOFILE, &lifted, 0);
}

long reserved_add(enum reserved kind, int fd)
{
	uint32_t place = process.reserved.first + kind;
	struct rlimit64 old;
	long r;

	if (process.reserved.first == NONE)
		return -EMFILE;
	if (!is_present(kind) && NATIVE(__NR_fcntl, place, F_GETFD) != -EBADF)
		return -EBUSY; /* it was free for the program, which has it */
	r = lift_limit(process.reserved.first + RESERVED_ROOM, &old);
	if (r < 0)
		return r;
	r = NATIVE(__NR_dup3, fd, place, kind == RESERVED_PROGRAM ? O_CLOEXEC : 0);
	(void)NATIVE(__NR_prlimit64, 0, RLIMIT_NOFILE, &old, 0);
	if (r < 0)
		return r;
	process.reserved.present |= 1u << kind;
	(void)NATIVE(__NR_close, fd);
	return 0;
}

/* A directory's descriptor means nothing beside an absolute path. */
static bool is_ignored(const struct call *call, unsigned argument)
{
	const struct call_entry *entry = &call_entries[call->raw[0]];

	if (call->raw[0] == __NR_mmap)
		return argument == MMAP_FD && CALL_ARG(call, MMAP_FLAGS) & MAP_ANONYMOUS;
	for (unsigned i = 0; i < entry->paths; i++) {
		const struct call_path *path = &call_paths[entry->first_path + i];
		char first;

		if (path->at == (int)argument)
			return copy_in(&first, CALL_ARG(call, path->argument), 1) == 0 && first == '/';
	}
	return false;
}

bool reserved_is_named(const struct call *call, unsigned argument)
{
	return is_present((uint32_t)CALL_ARG(call, argument) - process.reserved.first) &&
	       !is_ignored(call, argument);
}

/* --- close_range(2) --------------------------------------------------------------------------------- */

/* Closes, or marks, what lies before, between and behind the reserved ones. */
static long close_around(uint32_t at, uint32_t last, uint32_t flags)
{
	long r = 0;

	for (uint32_t place = 0; r >= 0 && place < RESERVED_ROOM; place++) {
		uint32_t fd = process.reserved.first + place;

		if (!is_present(place) || fd < at || fd > last)
			continue;
		if (at < fd)
			r = NATIVE(__NR_close_range, at, fd - 1, flags);
		at = fd + 1;
	}
	if (r >= 0 && at <= last)
		r = NATIVE(__NR_close_range, at, last, flags);
	return r;
}

long call_close_range(struct context *c, struct call *call)
{
	uint32_t at = (uint32_t)CALL_ARG(call, 0), last = (uint32_t)CALL_ARG(call, 1);
	uint32_t first = process.reserved.first, flags = (uint32_t)CALL_ARG(call, 2);
	long r = 0;

	(void)c;
	if (!process.reserved.present || at > last || last < first || at >= first + RESERVED_ROOM ||
	    flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		return native_call(call->raw);
	if (flags & CLOSE_RANGE_UNSHARE)
		r = NATIVE(__NR_unshare, CLONE_FILES);
	return r < 0 ? r : close_around(at, last, flags & CLOSE_RANGE_CLOEXEC);
}
