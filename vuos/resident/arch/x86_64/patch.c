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
 * What other processes have met (known.h) is patched before anybody runs there.
 *
 * Only code from files (memory.h) is patched. Whatever fails, the site goes on trapping. Sites are found
 * by their address, in chains from which none is taken; those of a mapping that goes are forgotten. Stubs
 * are not used twice: a thread may be in one.
 */
#include "vuos/resident/patch.h"

#include <asm/signal.h>
#include <linux/membarrier.h>

#include "vuos/resident/arch/x86_64/decode.h"
#include "vuos/resident/known.h"
#include "vuos/resident/lock.h"
#include "vuos/resident/memory.h"
#include "vuos/resident/tracee.h"

#define SITES          2048
#define CHAINS         512 /* a power of two */
#define TRAPS_BEFORE   3
#define STUB_SIZE      64
#define ARENA_SIZE     0x10000
#define ARENA_STUBS    (ARENA_SIZE / STUB_SIZE)
#define ARENAS         64
#define ARENA_TRIES    100
#define ARENA_STEP     0x1000000 /* where a place for an arena is looked for */
#define REACH          0x7fff0000ll
#define LOWEST         0x10000
#define BELOW_PROGRAMS 0x400000       /* where programs with a fixed address begin */
#define SHARED_OBJECTS 0x600000000000 /* where code has no heap behind it */
#define HIGHEST        0x7fff00000000ull
#define PROT_RX        5
#define PROT_RWX       7
#define MAP_AT         0x100022 /* private, anonymous, MAP_FIXED_NOREPLACE */
#define OP_JUMP        0xe9
#define OP_BREAKPOINT  0xcc

enum state { SITE_NEW, SITE_PATCHED, SITE_HOPELESS, SITE_CHANGING };

struct site {
	uint64_t address; /* of the instruction; set once */
	uint64_t stub;    /* its beginning */
	uint32_t number;  /* of the call (kind A) */
	uint16_t next;    /* in its chain */
	uint8_t back;     /* in the stub: where its call returns to (kind B) */
	uint8_t traps, state, kind;
	uint8_t moved; /* bytes of the instruction behind it (kind B) */
};
_Static_assert(sizeof(struct site) == 32, "many to a page");

/* At the beginning of one. */
struct arena {
	uint64_t taken[ARENA_STUBS / 64]; /* a bit for each stub */
	uint64_t first;                   /* that may be free */
	uint64_t unused[7];
};
_Static_assert(sizeof(struct arena) % STUB_SIZE == 0, "in the place of stubs");

/*
 * What most processes need of it is in one page: each page that a program touches at its start costs as
 * much as some calls.
 */
static struct {
	struct lock lock;
	bool registered; /* for membarrier */
	uint32_t num_arenas;
	uint32_t num_sites; /* that were given out, and more if there are no more */
	uint16_t chains[CHAINS]; /* numbers of sites, from 1 */
	struct arena *arenas[ARENAS];
	struct site sites[SITES];
} patches __attribute__((aligned(PAGE)));

/* --- sites ------------------------------------------------------------------------------------- */

static uint64_t back_of(const struct site *site)
{
	return site->stub + site->back;
}

static uint16_t *chain_of(uint64_t address)
{
	return &patches.chains[address * 0x9e3779b97f4a7c15ull >> 55];
}

static struct site *site_in(uint16_t first, uint64_t address)
{
	for (uint16_t i = first; i; i = patches.sites[i - 1].next)
		if (patches.sites[i - 1].address == address)
			return &patches.sites[i - 1];
	return NULL;
}

static struct site *site_find(uint64_t address)
{
	return site_in(__atomic_load_n(chain_of(address), __ATOMIC_ACQUIRE), address);
}

/* NULL: there are enough. Who loses a race for the same address has taken one for nothing. */
static struct site *site_make(uint64_t address)
{
	uint16_t *chain = chain_of(address), first = __atomic_load_n(chain, __ATOMIC_ACQUIRE);
	struct site *site = site_in(first, address);
	uint32_t number;

	if (site)
		return site;
	number = __atomic_add_fetch(&patches.num_sites, 1, __ATOMIC_RELAXED);
	if (number > SITES) {
		(void)__atomic_sub_fetch(&patches.num_sites, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	patches.sites[number - 1].address = address;
	patches.sites[number - 1].next = first;
	while (!__atomic_compare_exchange_n(chain, &first, (uint16_t)number, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE)) {
		site = site_in(first, address);
		if (site)
			return site;
		patches.sites[number - 1].next = first;
	}
	return &patches.sites[number - 1];
}

static struct site *site_numbered(uint32_t i)
{
	return i < SITES && i < __atomic_load_n(&patches.num_sites, __ATOMIC_RELAXED) ? &patches.sites[i]
										       : NULL;
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
	for (uint64_t i = arena->first; i < ARENA_STUBS; i++) {
		uint64_t stub = (uint64_t)arena + (uint64_t)i * STUB_SIZE;
		int64_t distance = (int64_t)(stub - next);

		if (arena->taken[i / 64] >> (i % 64) & 1)
			continue;
		if (distance > REACH || distance < -REACH)
			return 0;
		if (invalid && !is_invalid((uint8_t)((uint64_t)distance >> 8)))
			continue;
		arena->taken[i / 64] |= 1ull << (i % 64);
		if (i == arena->first)
			arena->first++;
		return stub;
	}
	return 0;
}

static struct arena *arena_at(uint64_t place)
{
	long at = NATIVE(__NR_mmap, place, ARENA_SIZE, PROT_RWX, MAP_AT, -1, 0);

	if (at != (long)place) {
		if (!is_error(at))
			(void)NATIVE(__NR_munmap, at, ARENA_SIZE);
		return NULL;
	}
	patches.arenas[patches.num_arenas] = (struct arena *)place;
	patches.arenas[patches.num_arenas]->first = sizeof(struct arena) / STUB_SIZE;
	return patches.arenas[patches.num_arenas++];
}

/*
 * Where to look for the I-th time for room that a site before NEXT can reach; 0: nowhere. Behind a program
 * its heap grows.
 */
static uint64_t arena_place(uint64_t next, uint64_t i)
{
	const uint64_t here = next & ~(uint64_t)(ARENA_SIZE - 1), away = (i / 2 + 1) * ARENA_STEP;

	if (next < REACH)
		return i * ARENA_SIZE < BELOW_PROGRAMS - LOWEST ? BELOW_PROGRAMS - (i + 1) * ARENA_SIZE : 0;
	if (i % 2 == 0)
		return here - away;
	return here > SHARED_OBJECTS && here + away < HIGHEST ? here + away : 0;
}

static uint64_t stub_new(uint64_t next, bool invalid)
{
	for (uint32_t i = 0; i < patches.num_arenas; i++) {
		uint64_t stub = stub_in(patches.arenas[i], next, invalid);

		if (stub)
			return stub;
	}
	for (uint64_t i = 0; i < ARENA_TRIES && patches.num_arenas < ARENAS; i++) {
		uint64_t place = arena_place(next, i);
		struct arena *arena = place ? arena_at(place) : NULL;

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
	site->back = (uint8_t)((uint64_t)at - site->stub);
	back = (uint64_t)at;
	(void)put(back_at, &back, sizeof(back));
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

/* The bytes of a jump at AT to STUB. */
static void make_jump(uint8_t bytes[JUMP_LEN], uint64_t at, uint64_t stub)
{
	int32_t distance = (int32_t)(stub - (at + JUMP_LEN));

	bytes[0] = OP_JUMP;
	memcpy(bytes + 1, &distance, sizeof(distance));
}

/* Where threads may be. */
static void write_jump_among_threads(uint8_t *at, const uint8_t bytes[JUMP_LEN])
{
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

/* Where the jump of SITE stands. */
static uint64_t jump_of(const struct site *site)
{
	return site->kind == DECODE_A ? site->address - JUMP_LEN : site->address;
}

/* Finds out about SITE, which is in code, and makes its stub. False: it cannot be patched. */
static bool prepare(struct site *site, uint32_t number)
{
	uint8_t window[DECODE_WINDOW];
	unsigned moved;

	if (copy_in(window, site->address - DECODE_BEFORE, DECODE_WINDOW) < 0)
		return false;
	site->kind = decode_site(window, site->address, number, &moved);
	if (site->kind == DECODE_NONE)
		return false;
	site->number = number;
	site->moved = (uint8_t)moved;
	site->stub = stub_new(jump_of(site) + JUMP_LEN, site->kind == DECODE_B);
	if (site->stub)
		write_stub(site, window + DECODE_BEFORE + SYSCALL_LEN);
	return site->stub;
}

/* The code of SITE can be written. */
static void write_site(struct site *site, bool among_threads)
{
	uint8_t *at = (uint8_t *)jump_of(site), bytes[JUMP_LEN];

	make_jump(bytes, (uint64_t)at, site->stub);
	__atomic_store_n(&site->state, SITE_CHANGING, __ATOMIC_RELEASE);
	if (among_threads)
		write_jump_among_threads(at, bytes);
	else
		memcpy(at, bytes, sizeof(bytes));
	__atomic_store_n(&site->state, SITE_PATCHED, __ATOMIC_RELEASE);
}

/* With the lock. False: this site goes on trapping. */
static bool patch(struct site *site, uint32_t number)
{
	uint64_t begin = site->address - DECODE_BEFORE, page, len;

	if (!memory_is_code(begin, begin + DECODE_WINDOW) || !prepare(site, number))
		return false;
	page = PAGE_DOWN(jump_of(site));
	len = PAGE_UP(jump_of(site) + JUMP_LEN) - page;
	if (NATIVE(__NR_mprotect, page, len, PROT_RWX) < 0)
		return false;
	write_site(site, process.has_threads);
	(void)NATIVE(__NR_mprotect, page, len, PROT_RX);
	return true;
}

void patch_trapped(uint64_t address, uint64_t number)
{
	struct site *site;
	unsigned enough = process.patching == PATCH_FIRST ? 1 : TRAPS_BEFORE;
	uint64_t offset;
	uint8_t file;

	if (process.patching == PATCH_NEVER || number > UINT32_MAX)
		return;
	site = site_make(address);
	if (!site || site->state != SITE_NEW)
		return;
	site->traps++;
	file = memory_file_at(address, &offset);
	if (file && known_note(file, offset, number, site->traps) >= TRAPS_BEFORE)
		enough = 1;
	if (site->traps < enough || !lock_try(&patches.lock))
		return;
	if (site->state == SITE_NEW && !patch(site, (uint32_t)number))
		site->state = SITE_HOPELESS;
	lock_drop(&patches.lock);
}

static void patch_one_ahead(uint64_t begin, uint64_t end, const struct patch_site *known)
{
	struct site *site;

	if (known->address - DECODE_BEFORE < begin || known->address - DECODE_BEFORE + DECODE_WINDOW > end)
		return;
	site = site_make(known->address);
	if (site && site->state == SITE_NEW && prepare(site, known->number))
		write_site(site, false);
}

void patch_ahead(uint64_t begin, uint64_t end, const struct patch_site *sites, uint32_t count)
{
	/* A debugger is to see the instructions that there are. */
	if (context_here()->traced || process.patching == PATCH_NEVER || !lock_try(&patches.lock))
		return;
	if (NATIVE(__NR_mprotect, begin, end - begin, PROT_RWX) == 0) {
		for (uint32_t i = 0; i < count; i++)
			patch_one_ahead(begin, end, &sites[i]);
		(void)NATIVE(__NR_mprotect, begin, end - begin, PROT_RX);
	}
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
	const struct site *site = site_find(pc - SYSCALL_LEN);

	return is_active(site, DECODE_B) ? back_of(site) : pc;
}

/* The third byte of a jump of kind B. */
static bool fault_at_third_byte(struct frame *f)
{
	const struct site *site = site_find(f->uc.rip - 2);

	if (!is_active(site, DECODE_B))
		return false;
	f->uc.rip = back_of(site);
	return true;
}

/* A breakpoint that stands for the first byte of a jump that is being written. */
static bool fault_at_breakpoint(struct frame *f)
{
	uint64_t at = f->uc.rip - 1;
	const struct site *site = site_find(at);

	if (is_active(site, DECODE_B)) {
		f->uc.rip = back_of(site) - SYSCALL_LEN; /* the stub's own instruction */
		return true;
	}
	site = site_find(at + JUMP_LEN);
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
	const struct site *site;

	for (uint32_t i = 0; (site = site_numbered(i)); i++)
		if (site->stub == stub)
			return site;
	return NULL;
}

void patch_canonical(struct frame *f)
{
	uint64_t pc = f->uc.rip;
	const struct site *site = NULL;

	for (uint32_t i = 0; i < patches.num_arenas && !site; i++)
		if (pc - (uint64_t)patches.arenas[i] < ARENA_SIZE)
			site = site_of_stub(pc & ~(uint64_t)(STUB_SIZE - 1));
	if (!site)
		return;
	if (site->kind == DECODE_A) {
		f->uc.rip = site->address;
		f->uc.rax = site->number;
	} else if (pc < back_of(site)) {
		f->uc.rip = site->address;
	} else if (pc == back_of(site)) {
		f->uc.rip = site->address + SYSCALL_LEN; /* comes back by SIGILL */
	} else {
		f->uc.rip = site->address + SYSCALL_LEN + site->moved;
	}
}

void patch_forget(uint64_t begin, uint64_t end)
{
	struct site *site;

	for (uint32_t i = 0; (site = site_numbered(i)); i++) {
		if (site->address + SYSCALL_LEN <= begin || site->address - JUMP_LEN >= end || !site->address)
			continue;
		__atomic_store_n(&site->state, SITE_NEW, __ATOMIC_RELEASE); /* it stays in its chain */
		site->traps = 0;
		site->stub = 0;
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

unsigned patch_count(void)
{
	const struct site *site;
	unsigned count = 0;

	for (uint32_t i = 0; (site = site_numbered(i)); i++)
		count += __atomic_load_n(&site->state, __ATOMIC_RELAXED) == SITE_PATCHED;
	return count;
}

/* --- in a process that is traced by this one ------------------------------------------------------- */

/* The bytes that a jump has replaced, over those in BYTES. */
static void original(const struct tracee *t, const struct site *site, uint8_t bytes[JUMP_LEN])
{
	uint64_t behind = 0;

	if (site->kind == DECODE_A) {
		bytes[0] = 0xb8;
		memcpy(bytes + 1, &site->number, sizeof(site->number));
		return;
	}
	(void)tracee_peek(t, back_of(site), &behind);
	bytes[0] = 0x0f;
	bytes[1] = 0x05;
	memcpy(bytes + SYSCALL_LEN, &behind, MIN((size_t)site->moved, (size_t)(JUMP_LEN - SYSCALL_LEN)));
}

/* Its other threads may run there: the breakpoint leads them on while the state is as it was. */
static void undo(const struct tracee *t, const struct site *site)
{
	uint64_t at = jump_of(site), word;
	uint8_t bytes[sizeof(word)];

	if (tracee_peek(t, at, &word) < 0 || (uint8_t)word != OP_JUMP)
		return;
	memcpy(bytes, &word, sizeof(bytes));
	bytes[0] = OP_BREAKPOINT;
	memcpy(&word, bytes, sizeof(word));
	(void)tracee_poke(t, at, word);
	original(t, site, bytes);
	memcpy(&word, bytes, sizeof(word));
	(void)tracee_poke(t, at, (word & ~0xffull) | OP_BREAKPOINT);
	(void)tracee_poke(t, at, word);
}

/* Where PC is in the program, if it is in the stub of SITE. */
static uint64_t origin(const struct site *site, uint64_t pc)
{
	if (pc - site->stub >= STUB_SIZE || !site->stub)
		return pc;
	if (site->kind == DECODE_B && pc >= back_of(site))
		return site->address + SYSCALL_LEN + (pc > back_of(site) ? site->moved : 0);
	return site->address;
}

uint64_t patch_undo(const struct tracee *t, uint64_t pc)
{
	uint64_t count = tracee_field(t, (uint64_t)&patches.num_sites & ~7ull);
	struct site site;

	if ((uint64_t)&patches.num_sites & 4)
		count >>= 32;
	count = MIN(count & UINT32_MAX, SITES);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t at = (uint64_t)&patches.sites[i];

		if (tracee_read(t, at, &site, sizeof(site)) < 0)
			break;
		pc = origin(&site, pc);
		if (site.state != SITE_PATCHED)
			continue;
		undo(t, &site);
		site.state = SITE_HOPELESS;
		(void)tracee_write(t, at, &site, sizeof(site));
	}
	return pc;
}
