/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call sites are patched only in code that was mapped from a file and is not writable; the table of such
 * ranges is kept exact: what the program unmaps, maps over or makes writable leaves it first. When it is
 * full, or somebody else has its lock, a range is not entered: then its calls are trapped each time.
 */
#include "vuos/resident/memory.h"

#include <asm/shmbuf.h>
#include <linux/ipc.h>

#include "vuos/resident/dispatch.h"
#include "vuos/resident/known.h"
#include "vuos/resident/lock.h"
#include "vuos/resident/patch.h"
#include "vuos/resident/signals.h"

#define PROT_WRITE          2
#define PROT_EXEC           4
#define MAP_TYPE            0xf
#define MAP_PRIVATE         2
#define MAP_FIXED           0x10
#define MAP_ANONYMOUS       0x20
#define MAP_FIXED_NOREPLACE 0x100000
#define MREMAP_FIXED        2
#define SHM_REMAP           040000
#define RANGES_MAX          512
#define WAIT_MAX            100000 /* times that the processor is given away */

struct range {
	uint64_t begin, end;
	uint64_t base; /* where the file's first byte would be */
	uint8_t file;  /* known.h */
};

static struct {
	struct lock lock;
	uint32_t count;
	struct range range[RANGES_MAX];
} code HOT_HEAD;

/*
 * The dynamic loader's. What it maps is a library; what others map may be bytes that they read: of another
 * program, say, which they interpret.
 */
static struct range loader HOT;

/* --- code ------------------------------------------------------------------------------------ */

/*
 * No handler of the program's runs meanwhile, and ours do not want it. It is held for a few instructions; but
 * who holds it may wait for our processor, or (a child that shares our memory) have been killed.
 */
static void table_lock(void)
{
	for (int i = 0; i < WAIT_MAX && !lock_try(&code.lock); i++)
		(void)NATIVE(__NR_sched_yield);
}

static void table_unlock(void)
{
	lock_drop(&code.lock);
}

/* [BEGIN, END) of the same file as LIKE. */
static void table_put(uint64_t begin, uint64_t end, const struct range *like)
{
	if (begin < end && code.count < RANGES_MAX)
		code.range[code.count++] = (struct range){ begin, end, like->base, like->file };
}

void memory_add_code(uint64_t begin, uint64_t end, long fd, uint64_t offset, enum code_kind kind)
{
	const struct range like = { .base = begin - offset,
				    .file = kind == CODE_PROGRAM ? 0 : known_file(fd) };

	end = PAGE_UP(end);
	if (kind == CODE_LOADER)
		loader = (struct range){ .begin = begin, .end = end };
	table_lock();
	table_put(begin, end, &like);
	table_unlock();
	if (kind == CODE_LOADER)
		known_patch(like.file, offset, begin, end);
}

uint8_t memory_file_at(uint64_t address, uint64_t *ret_offset)
{
	uint32_t count = __atomic_load_n(&code.count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count; i++) {
		struct range range = code.range[i]; /* another thread may change it: then nothing is known */

		if (range.begin > address || address >= range.end)
			continue;
		*ret_offset = address - range.base;
		return range.file;
	}
	return 0;
}

static bool table_touches(uint64_t begin, uint64_t end)
{
	uint32_t count = __atomic_load_n(&code.count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count; i++)
		if (code.range[i].begin < end && begin < code.range[i].end)
			return true;
	return false;
}

static void memory_forget_code(uint64_t begin, uint64_t len)
{
	uint64_t end = PAGE_UP(begin + len);

	if (!len || end < begin || !table_touches(begin, end))
		return;
	table_lock();
	for (uint32_t i = 0; i < code.count;) {
		struct range old = code.range[i];

		if (old.begin >= end || begin >= old.end) {
			i++;
			continue;
		}
		code.range[i] = code.range[--code.count];
		table_put(old.begin, MIN(old.end, begin), &old);
		table_put(MAX(old.begin, end), old.end, &old);
	}
	table_unlock();
	patch_forget(begin, end);
}

bool memory_is_code(uint64_t begin, uint64_t end)
{
	bool is = false;

	table_lock();
	for (uint32_t i = 0; i < code.count && !is; i++)
		is = code.range[i].begin <= begin && end <= code.range[i].end;
	table_unlock();
	return is;
}

void memory_forked(void)
{
	lock_drop(&code.lock);
}

/* --- calls ----------------------------------------------------------------------------------- */

/* The program's heap may begin right behind our data. What goes round the end of addresses is nowhere. */
static bool is_ours(uint64_t address, uint64_t len)
{
	uint64_t end = address + PAGE_UP(len);
	uint64_t segment = RESIDENT_SEGMENT, segment_end = segment + PAGE_UP(process.segment_len);

	return end > address && ((address < PAGE_UP(resident_end) && end > RESIDENT_BASE) ||
				 (address < segment_end && end > segment));
}

long call_range(struct context *c, struct call *call)
{
	(void)c;
	return is_ours(CALL_ARG(call, 0), CALL_ARG(call, 1)) ? -EINVAL : native_call(call->raw);
}

long call_munmap(struct context *c, struct call *call)
{
	memory_forget_code(CALL_ARG(call, 0), CALL_ARG(call, 1));
	return call_range(c, call);
}

long call_mprotect(struct context *c, struct call *call)
{
	if ((CALL_ARG(call, 2) & (PROT_WRITE | PROT_EXEC)) != PROT_EXEC)
		memory_forget_code(CALL_ARG(call, 0), CALL_ARG(call, 1));
	return call_range(c, call);
}

static bool by_loader(const struct call *call)
{
	return loader.begin <= call->pc && call->pc < loader.end;
}

long call_mmap(struct context *c, struct call *call)
{
	uint64_t flags = CALL_ARG(call, 3), len = CALL_ARG(call, 1);
	long at;

	(void)c;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) && is_ours(CALL_ARG(call, 0), len))
		return -ENOMEM;
	if (flags & MAP_FIXED)
		memory_forget_code(CALL_ARG(call, 0), len);
	at = native_call(call->raw);
	if (!is_error(at) && !(flags & MAP_ANONYMOUS) && (flags & MAP_TYPE) == MAP_PRIVATE &&
	    (CALL_ARG(call, 2) & (PROT_WRITE | PROT_EXEC)) == PROT_EXEC)
		memory_add_code((uint64_t)at, (uint64_t)at + len, (int)CALL_ARG(call, 4), CALL_ARG(call, 5),
				by_loader(call) ? CODE_LIBRARY : CODE_PROGRAM);
	return at;
}

long call_mremap(struct context *c, struct call *call)
{
	bool fixed = CALL_ARG(call, 3) & MREMAP_FIXED;

	(void)c;
	if (is_ours(CALL_ARG(call, 0), MAX(CALL_ARG(call, 1), 1)) ||
	    (fixed && is_ours(CALL_ARG(call, 4), CALL_ARG(call, 2))))
		return -EINVAL;
	memory_forget_code(CALL_ARG(call, 0), CALL_ARG(call, 1));
	if (fixed)
		memory_forget_code(CALL_ARG(call, 4), CALL_ARG(call, 2));
	return native_call(call->raw);
}

/* With SHM_REMAP it takes the place of what is there. */
long call_shmat(struct context *c, struct call *call)
{
	struct shmid64_ds segment = { 0 };

	(void)c;
	if (!(CALL_ARG(call, 2) & SHM_REMAP))
		return native_call(call->raw);
	if (NATIVE(__NR_shmctl, CALL_ARG(call, 0), IPC_STAT, &segment) == 0) {
		if (is_ours(CALL_ARG(call, 1), segment.shm_segsz))
			return -EINVAL;
		memory_forget_code(CALL_ARG(call, 1), segment.shm_segsz);
	}
	return native_call(call->raw);
}
