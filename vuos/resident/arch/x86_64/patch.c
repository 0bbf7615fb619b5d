/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. A call site that has trapped a few times becomes a jump to a stub, which loads
 * the place to return to in rcx (free, as the instruction overwrites it) and goes to fast_entry. Five
 * bytes are needed, and the instruction has two:
 *
 *	kind A	`mov $number, %eax; syscall`: the jump replaces the mov. The instruction stays, for those
 *		who come there otherwise, and the stub returns behind it.
 *	kind B	`syscall` and one position-independent instruction of 3 bytes or more, or `ret` before
 *		padding (decode.c): the jump replaces both. The stub has a copy of each: of the call, just
 *		before the place it returns to, so that a call is made afresh by going back two bytes as
 *		everywhere; and of the other instruction, with a jump back. A thread that is in the call
 *		returns to the third byte of the jump. The stub's address is chosen such that this byte
 *		is no instruction: SIGILL leads to the stub.
 *
 * With several threads the bytes are written in an order in which each thread that meets them half-way
 * gets a breakpoint or an invalid instruction that we know: breakpoint first, then the rest, the first
 * byte last, with membarrier(2) between.
 *
 * Only code from files (memory.h) is patched. Whatever fails, the site goes on trapping. Sites are found
 * by their address; those of a mapping that goes are forgotten. Stubs are not used twice: a thread may
 * be in one.
 */
#include "vuos/resident/patch.h"

#include <asm/signal.h>
#include <linux/membarrier.h>

#include "vuos/resident/arch/x86_64/decode.h"
#include "vuos/resident/lock.h"
#include "vuos/resident/memory.h"

#define SITES          2048 /* a power of two */
#define PROBES         16
#define TRAPS_BEFORE   3
#define STUB_SIZE      64
#define ARENA_SIZE     0x10000
#define ARENA_STUBS    (ARENA_SIZE / STUB_SIZE)
#define ARENAS         64
#define ARENA_TRIES    100
#define ARENA_STEP     0x1000000 /* where a place for an arena is looked for */
#define REACH          0x7fff0000ll
#define LOWEST         0x10000
#define HIGHEST        0x7fff00000000ull
#define PROT_RX        5
#define PROT_RWX       7
#define MAP_AT         0x100022 /* private, anonymous, MAP_FIXED_NOREPLACE */
#define OP_JUMP        0xe9
#define OP_BREAKPOINT  0xcc

enum state { SITE_NEW, SITE_PATCHED, SITE_HOPELESS, SITE_CHANGING };

struct site {
	uint64_t address; /* of the instruction; 0: free */
	uint64_t stub;    /* its beginning */
	uint64_t back;    /* where the stub's call returns to (kind B) */
	uint32_t number;  /* of the call (kind A) */
	uint8_t traps, state, kind;
	uint8_t moved; /* bytes of the instruction behind it (kind B) */
};

struct arena {
	uint64_t base;
	uint64_t taken[ARENA_STUBS / 64];
};

static struct {
	struct lock lock;
	bool registered; /* for membarrier */
	uint32_t num_arenas;
	struct site sites[SITES];
	struct arena arenas[ARENAS];
} patches;

/* --- sites ------------------------------------------------------------------------------------- */

static struct site *site_find(uint64_t address, bool make)
{
	uint32_t first = (uint32_t)(address * 0x9e3779b97f4a7c15ull >> 53);

	for (uint32_t i = 0; i < PROBES; i++) {
		struct site *site = &patches.sites[(first + i) & (SITES - 1)];
		uint64_t free = 0;

		if (__atomic_load_n(&site->address, __ATOMIC_ACQUIRE) == address)
			return site;
		if (site->address || !make)
			continue;
		if (__atomic_compare_exchange_n(&site->address, &free, address, false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE) || free == address)
			return site;
	}
	return NULL;
}

/* --- stubs --------------------------------------------------------------------------------------- */

/* Opcodes that are invalid in 64-bit mode. */
static bool is_invalid(uint8_t opcode)
{
	static const uint8_t invalid[] = { 0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27,
					   0x2f, 0x37, 0x3f, 0x60, 0x61, 0xce, 0xd4, 0xea };

	for (size_t i = 0; i < sizeof(invalid); i++)
		if (invalid[i] == opcode)
			return true;
	return false;
}

/* A stub in ARENA that a jump which ends at NEXT reaches; INVALID: with such a third byte. 0: none. */
static uint64_t stub_in(struct arena *arena, uint64_t next, bool invalid)
{
	for (uint32_t i = 0; i < ARENA_STUBS; i++) {
		uint64_t stub = arena->base + (uint64_t)i * STUB_SIZE;
		int64_t distance = (int64_t)(stub - next);

		if (arena->taken[i / 64] >> (i % 64) & 1)
			continue;
		if (distance > REACH || distance < -REACH)
			return 0;
		if (invalid && !is_invalid((uint8_t)((uint64_t)distance >> 8)))
			continue;
		arena->taken[i / 64] |= 1ull << (i % 64);
		return stub;
	}
	return 0;
}

static struct arena *arena_at(uint64_t place)
{
	struct arena *arena = &patches.arenas[patches.num_arenas];
	long at = NATIVE(__NR_mmap, place, ARENA_SIZE, PROT_RWX, MAP_AT, -1, 0);

	if (at != (long)place) {
		if (!is_error(at))
			(void)NATIVE(__NR_munmap, at, ARENA_SIZE);
		return NULL;
	}
	*arena = (struct arena){ .base = place };
	patches.num_arenas++;
	return arena;
}

static uint64_t stub_new(uint64_t next, bool invalid)
{
	for (uint32_t i = 0; i < patches.num_arenas; i++) {
		uint64_t stub = stub_in(&patches.arenas[i], next, invalid);

		if (stub)
			return stub;
	}
	for (int64_t i = 2; i < ARENA_TRIES && patches.num_arenas < ARENAS; i++) {
		int64_t step = (i & 1 ? i / 2 : -i / 2) * ARENA_STEP;
		uint64_t place = (next & ~(uint64_t)(ARENA_SIZE - 1)) + (uint64_t)step;
		struct arena *arena = place >= LOWEST && place < HIGHEST ? arena_at(place) : NULL;

		if (arena)
			return stub_in(arena, next, invalid);
	}
	return 0;
}

/* --- writing --------------------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

#define PUT(at, ...) put((at), (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static uint8_t *put_jump(uint8_t *at, uint64_t target)
{
	int32_t distance = (int32_t)(target - ((uint64_t)at + JUMP_LEN));

	return put(PUT(at, OP_JUMP), &distance, sizeof(distance));
}

/* Writes SITE's stub; BEHIND has the bytes that follow the call. */
static void write_stub(struct site *site, const uint8_t *behind)
{
	const uint64_t entry = (uint64_t)fast_entry;
	uint8_t *at = (uint8_t *)site->stub, *back_at;
	uint64_t back = site->address + SYSCALL_LEN;

	at = PUT(at, 0x48, 0xb9); /* movabs $back, %rcx */
	back_at = at;
	at = put(at, &back, sizeof(back));
	if (site->kind == DECODE_A)
		at = put(PUT(at, 0xb8), &site->number, sizeof(site->number)); /* mov $number, %eax */
	at = put(PUT(at, 0x49, 0xbb), &entry, sizeof(entry));             /* movabs $entry, %r11 */
	at = PUT(at, 0x41, 0xff, 0xe3);                                    /* jmp *%r11 */
	if (site->kind == DECODE_A)
		return;
	at = PUT(at, 0x0f, 0x05);
	site->back = (uint64_t)at;
	(void)put(back_at, &site->back, sizeof(site->back));
	at = put(at, behind, site->moved);
	(void)put_jump(at, site->address + SYSCALL_LEN + site->moved);
}

static void barrier(void)
{
	if (!patches.registered) {
		(void)NATIVE(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);
		patches.registered = true;
	}
	(void)NATIVE(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);
}

/* Five bytes at AT become a jump to STUB. */
static void write_jump(uint8_t *at, uint64_t stub)
{
	uint8_t bytes[JUMP_LEN];
	int32_t distance = (int32_t)(stub - ((uint64_t)at + JUMP_LEN));

	bytes[0] = OP_JUMP;
	memcpy(bytes + 1, &distance, sizeof(distance));
	if (!process.has_threads) {
		memcpy(at, bytes, sizeof(bytes));
		return;
	}
	__atomic_store_n(at, OP_BREAKPOINT, __ATOMIC_RELEASE);
	__atomic_store_n(at + 2, bytes[2], __ATOMIC_RELEASE);
	barrier();
	at[1] = bytes[1];
	at[3] = bytes[3];
	at[4] = bytes[4];
	barrier();
	__atomic_store_n(at, OP_JUMP, __ATOMIC_RELEASE);
	barrier();
}

/* With the lock. False: this site goes on trapping. */
static bool patch(struct site *site, uint32_t number)
{
	uint8_t window[DECODE_WINDOW];
	uint64_t begin = site->address - DECODE_BEFORE, at, page, len;
	unsigned moved;

	if (!memory_is_code(begin, begin + DECODE_WINDOW) || copy_in(window, begin, DECODE_WINDOW) < 0)
		return false;
	site->kind = decode_site(window, site->address, number, &moved);
	if (site->kind == DECODE_NONE)
		return false;
	site->number = number;
	site->moved = (uint8_t)moved;
	at = site->kind == DECODE_A ? site->address - JUMP_LEN : site->address;
	site->stub = stub_new(at + JUMP_LEN, site->kind == DECODE_B);
	if (!site->stub)
		return false;
	write_stub(site, window + DECODE_BEFORE + SYSCALL_LEN);
	page = PAGE_DOWN(at);
	len = PAGE_UP(at + JUMP_LEN) - page;
	if (NATIVE(__NR_mprotect, page, len, PROT_RWX) < 0)
		return false;
	__atomic_store_n(&site->state, SITE_CHANGING, __ATOMIC_RELEASE);
	write_jump((uint8_t *)at, site->stub);
	__atomic_store_n(&site->state, SITE_PATCHED, __ATOMIC_RELEASE);
	(void)NATIVE(__NR_mprotect, page, len, PROT_RX);
	return true;
}

void patch_trapped(uint64_t address, uint64_t number)
{
	struct site *site;
	unsigned enough = process.patching == PATCH_FIRST ? 1 : TRAPS_BEFORE;

	if (process.patching == PATCH_NEVER || number > UINT32_MAX)
		return;
	site = site_find(address, true);
	if (!site || site->state != SITE_NEW || ++site->traps < enough || !lock_try(&patches.lock))
		return;
	if (site->state == SITE_NEW && !patch(site, (uint32_t)number))
		site->state = SITE_HOPELESS;
	lock_drop(&patches.lock);
}

/* --- those who meet it ------------------------------------------------------------------------------ */

static bool is_active(const struct site *site, enum decode_kind kind)
{
	uint8_t state = site ? __atomic_load_n(&site->state, __ATOMIC_ACQUIRE) : SITE_NEW;

	return (state == SITE_PATCHED || state == SITE_CHANGING) && site->kind == kind;
}

uint64_t patch_resume(uint64_t pc)
{
	const struct site *site = site_find(pc - SYSCALL_LEN, false);

	return is_active(site, DECODE_B) ? site->back : pc;
}

/* The third byte of a jump of kind B. */
static bool fault_at_third_byte(struct frame *f)
{
	const struct site *site = site_find(f->uc.rip - 2, false);

	if (!is_active(site, DECODE_B))
		return false;
	f->uc.rip = site->back;
	return true;
}

/* A breakpoint that stands for the first byte of a jump that is being written. */
static bool fault_at_breakpoint(struct frame *f)
{
	uint64_t at = f->uc.rip - 1;
	const struct site *site = site_find(at, false);

	if (is_active(site, DECODE_B)) {
		f->uc.rip = site->back - SYSCALL_LEN; /* the stub's own instruction */
		return true;
	}
	site = site_find(at + JUMP_LEN, false);
	if (!is_active(site, DECODE_A))
		return false;
	f->uc.rax = site->number;
	f->uc.rip = site->address;
	return true;
}

bool patch_fault(struct frame *f)
{
	if (f->info.signo == SIGILL)
		return fault_at_third_byte(f);
	return f->info.signo == SIGTRAP && fault_at_breakpoint(f);
}

static const struct site *site_of_stub(uint64_t stub)
{
	for (uint32_t i = 0; i < SITES; i++)
		if (patches.sites[i].stub == stub)
			return &patches.sites[i];
	return NULL;
}

void patch_canonical(struct frame *f)
{
	uint64_t pc = f->uc.rip;
	const struct site *site = NULL;

	for (uint32_t i = 0; i < patches.num_arenas && !site; i++)
		if (pc - patches.arenas[i].base < ARENA_SIZE)
			site = site_of_stub(pc & ~(uint64_t)(STUB_SIZE - 1));
	if (!site)
		return;
	if (site->kind == DECODE_A) {
		f->uc.rip = site->address;
		f->uc.rax = site->number;
	} else if (pc < site->back) {
		f->uc.rip = site->address;
	} else if (pc == site->back) {
		f->uc.rip = site->address + SYSCALL_LEN; /* comes back by SIGILL */
	} else {
		f->uc.rip = site->address + SYSCALL_LEN + site->moved;
	}
}

void patch_forget(uint64_t begin, uint64_t end)
{
	for (uint32_t i = 0; i < SITES; i++) {
		struct site *site = &patches.sites[i];

		if (site->address + SYSCALL_LEN <= begin || site->address - JUMP_LEN >= end || !site->address)
			continue;
		*site = (struct site){ .address = site->address };
	}
}

void patch_threads(void)
{
	if (process.has_threads)
		return;
	if (process.patching != PATCH_NEVER) {
		(void)NATIVE(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);
		patches.registered = true;
	}
	process.has_threads = true;
}

void patch_forked(void)
{
	lock_drop(&patches.lock);
	patches.registered = false;
	process.has_threads = false;
}
