/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listings of /proc/PID/fd and fdinfo, without the reserved descriptors. Which directory is read is not
 * asked for by its name, since a descriptor may come from anywhere: it is one of proc's, it has an entry
 * that is no directory and is called as one of ours, and what is open there is what is open here. So
 * nothing is hidden of processes that are not in the view.
 */
#include "vuos/resident/reserved.h"

#include <linux/magic.h>
#include <linux/stat.h>

#include "vuos/resident/dispatch.h"

#define STATFS_WORDS 15
#define TYPE_REGULAR 8
#define TYPE_LINK    10
#define NAME_ROOM    24

/* The begin of struct linux_dirent64; the older one has its type in the last byte instead. */
struct entry {
	uint64_t inode, offset;
	uint16_t len;
	char rest[NAME_ROOM];
};

struct listing {
	int fd;
	bool is_old; /* getdents(2) */
	uint64_t buffer;
	uint64_t len;
};

static bool is_of_proc(int fd)
{
	uint64_t status[STATFS_WORDS] = { 0 };

	return NATIVE(__NR_fstatfs, fd, status) == 0 && status[0] == PROC_SUPER_MAGIC;
}

/* The reserved descriptor that would be called NAME; RESERVED_ROOM: none. */
static enum reserved kind_of_name(const char *name)
{
	const char *at = name;
	uint64_t number = text_take_number(&at, 10) - process.reserved.first;

	return at == name || *at || number >= RESERVED_ROOM ? RESERVED_ROOM : (enum reserved)number;
}

/* Whether what KIND is here is open by the same number in the process whose directory is listed. */
static bool is_open_there(const struct listing *listing, enum reserved kind)
{
	char path[sizeof("../fd/") + NAME_ROOM];
	struct statx ours, theirs;
	long fd = reserved_get(kind);

	if (fd < 0)
		return false;
	(void)text_put_number(text_put(path, "../fd/"), (uint64_t)fd, 10);
	if (NATIVE(__NR_statx, fd, "", 0x1000, STATX_INO, &ours) < 0 ||
	    NATIVE(__NR_statx, listing->fd, path, 0, STATX_INO, &theirs) < 0)
		return false;
	return ours.stx_ino == theirs.stx_ino && ours.stx_dev_major == theirs.stx_dev_major &&
	       ours.stx_dev_minor == theirs.stx_dev_minor;
}

static bool is_hidden(const struct listing *listing, uint64_t at, struct entry *entry)
{
	const char *name = listing->is_old ? entry->rest : entry->rest + 1;
	char type = entry->rest[0];
	enum reserved kind;

	entry->rest[NAME_ROOM - 1] = '\0';
	kind = kind_of_name(name);
	if (kind == RESERVED_ROOM || (listing->is_old && copy_in(&type, at + entry->len - 1, 1) < 0))
		return false;
	if (type != TYPE_REGULAR && type != TYPE_LINK)
		return false;
	/* Its program is each process's own; so it is one of the view's that has it. */
	return is_open_there(listing, kind == RESERVED_PROGRAM ? RESERVED_RESIDENT : kind);
}

/* The memory from FROM to END moves down to TO. */
static long move_down(uint64_t to, uint64_t from, uint64_t end)
{
	char room[512];

	for (uint64_t len; from < end; from += len, to += len) {
		len = MIN(end - from, sizeof(room));
		if (copy_in(room, from, len) < 0 || copy_out(to, room, len) < 0)
			return -EFAULT;
	}
	return 0;
}

static long take_out(struct listing *listing)
{
	uint64_t at = listing->buffer;

	while (at < listing->buffer + listing->len) {
		uint64_t end = listing->buffer + listing->len;
		struct entry entry = { 0 };

		if (copy_in(&entry, at, MIN(sizeof(entry), end - at)) < 0 || entry.len == 0 ||
		    entry.len > end - at)
			break; /* somebody writes to it meanwhile */
		if (!is_hidden(listing, at, &entry)) {
			at += entry.len;
			continue;
		}
		if (move_down(at, at + entry.len, end) < 0)
			return -EFAULT;
		listing->len -= entry.len;
	}
	return (long)listing->len;
}

long call_getdents(struct context *c, struct call *call)
{
	struct listing listing = { .fd = (int)CALL_ARG(call, 0), .buffer = CALL_ARG(call, 1),
				   .is_old = call->raw[0] == __NR_getdents };
	long r = native_call(call->raw);

	(void)c;
	if (r <= 0 || !process.reserved.present || !is_of_proc(listing.fd))
		return r;
	while (r > 0) {
		listing.len = (uint64_t)r;
		r = take_out(&listing);
		if (r != 0)
			break;
		/* All of it was ours, and nothing would mean the end; here no call waits. */
		r = NATIVE(call->raw[0], listing.fd, listing.buffer, CALL_ARG(call, 2));
	}
	return r;
}
