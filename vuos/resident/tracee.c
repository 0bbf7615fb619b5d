/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of tracees, and how their memory is reached: by ptrace(2), which needs no more than that they
 * have stopped. A row is used by the one thread that traces; the table's lock is for rows that come and go.
 */
#include "vuos/resident/tracee.h"

#include <linux/ptrace.h>

#include "vuos/resident/lock.h"
#include "vuos/resident/patch.h"
#include "vuos/resident/signals.h"
#include "vuos/resident/traced.h"

#define ROWS        4096 /* a power of two */
#define TABLE_SIZE  (ROWS * sizeof(struct tracee))
#define STAT_WORDS  18 /* of struct stat; the first two are device and inode */
#define GONE        (-1)

static struct {
	struct lock lock;
	struct tracee *rows; /* NULL: nobody was traced yet */
} table;

static uint32_t first_row(int32_t tid)
{
	return (uint32_t)tid * 0x9e3779b1u >> 20;
}

static struct tracee *find_row(int32_t tid, bool make)
{
	struct tracee *free = NULL;

	for (uint32_t i = 0; i < ROWS; i++) {
		struct tracee *t = &table.rows[(first_row(tid) + i) & (ROWS - 1)];

		if (t->tid == tid)
			return t;
		if (!free && t->tid <= 0)
			free = t;
		if (t->tid == 0)
			break;
	}
	if (!make || !free)
		return NULL;
	*free = (struct tracee){ .tid = tid, .is_fresh = true };
	return free;
}

static bool make_table(void)
{
	long at = NATIVE(__NR_mmap, 0, PAGE_UP(TABLE_SIZE), 3, 0x22, -1, 0);

	if (is_error(at))
		return false;
	table.rows = (struct tracee *)at;
	signals_watch_children(context_here());
	return true;
}

struct tracee *tracee_find(int32_t tid, bool make)
{
	struct tracee *t = NULL;

	if (!make && !table.rows)
		return NULL;
	while (!lock_try(&table.lock))
		__asm__ volatile("pause");
	if (table.rows || make_table())
		t = find_row(tid, make);
	lock_drop(&table.lock);
	return t;
}

#define TRACES_CHILDREN (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)

/* One that has stopped before its parent has told of it: its parent is one of those. */
static const struct tracee *find_parent(void)
{
	for (uint32_t i = 0; i < ROWS; i++)
		if (table.rows[i].tid > 0 && table.rows[i].options & TRACES_CHILDREN)
			return &table.rows[i];
	return NULL;
}

bool tracees_any(void)
{
	return table.rows;
}

struct tracee *tracee_next(struct tracee *t)
{
	for (t = t ? t + 1 : table.rows; t && t < table.rows + ROWS; t++)
		if (t->tid > 0)
			return t;
	return NULL;
}

struct tracee *tracee_born(int32_t tid, const struct tracee *parent)
{
	struct tracee *t = tracee_find(tid, true);

	if (t && !parent)
		parent = find_parent();
	if (t && parent) {
		t->options = parent->options;
		t->is_seized = parent->is_seized;
	}
	return t;
}

void tracee_drop(int32_t tid)
{
	struct tracee *t = tracee_find(tid, false);

	if (t)
		t->tid = GONE;
}

void tracees_forget(void)
{
	if (table.rows)
		(void)NATIVE(__NR_munmap, table.rows, PAGE_UP(TABLE_SIZE));
	table.rows = NULL;
	lock_drop(&table.lock);
}

bool tracee_is_ours(struct tracee *t)
{
	char path[64];
	uint64_t own[STAT_WORDS], other[STAT_WORDS];

	if (t->is_known)
		return !t->is_foreign;
	(void)text_put(text_put_number(text_put(path, "/proc/"), (uint64_t)t->tid, 10), "/exe");
	if (NATIVE(__NR_stat, "/proc/self/exe", own) < 0 || NATIVE(__NR_stat, path, other) < 0)
		return true; /* it ends, or /proc is not there: whoever came from us is ours */
	t->is_known = true;
	t->is_foreign = own[0] != other[0] || own[1] != other[1];
	return !t->is_foreign;
}

/* --- memory --------------------------------------------------------------------------------------- */

long tracee_peek(const struct tracee *t, uint64_t at, uint64_t *ret)
{
	return NATIVE(__NR_ptrace, PTRACE_PEEKDATA, t->tid, at, ret);
}

long tracee_poke(const struct tracee *t, uint64_t at, uint64_t word)
{
	return NATIVE(__NR_ptrace, PTRACE_POKEDATA, t->tid, at, word);
}

long tracee_read(const struct tracee *t, uint64_t at, void *to, size_t len)
{
	long r = 0;

	for (size_t i = 0; i < len && r == 0; i += sizeof(uint64_t))
		r = tracee_peek(t, at + i, (uint64_t *)((char *)to + i));
	return r;
}

long tracee_write(const struct tracee *t, uint64_t at, const void *from, size_t len)
{
	long r = 0;

	for (size_t i = 0; i < len && r == 0; i += sizeof(uint64_t))
		r = tracee_poke(t, at + i, *(const uint64_t *)((const char *)from + i));
	return r;
}

/* `work` and `traced` are the two halves of one word, and the thread does not run. */
_Static_assert(CONTEXT_TRACED == CONTEXT_WORK + 4 && CONTEXT_WORK % 8 == 0, "one word");

void tracee_set_traced(struct tracee *t, uint32_t bits)
{
	uint64_t at = t->context + CONTEXT_WORK, word = 0, new;

	if (!t->context || tracee_peek(t, at, &word) < 0)
		return;
	/* A child that has not seen yet that it is adopted is to see it. */
	new = (word & UINT32_MAX) | (uint64_t)bits << 32 | (word & (uint64_t)TRACED_ADOPTED << 32);
	t->traced = bits;
	if (new != word)
		(void)tracee_poke(t, at, new);
}

uint32_t tracee_wanted(const struct tracee *t)
{
	static const uint8_t bits[] = {
		[MODE_CONT] = TRACED,
		[MODE_CALLS] = TRACED | TRACED_CALLS,
		[MODE_STEP] = TRACED | TRACED_STEP,
		[MODE_EMULATE] = TRACED | TRACED_CALLS | TRACED_EMULATE,
		[MODE_EMULATE_STEP] = TRACED | TRACED_CALLS | TRACED_EMULATE | TRACED_STEP,
	};

	return bits[t->mode];
}

void tracee_add_work(const struct tracee *t, uint32_t bits)
{
	uint64_t at = t->context + CONTEXT_WORK;

	(void)tracee_poke(t, at, tracee_field(t, at) | bits);
}

/* --- who is traced -------------------------------------------------------------------------------- */

/* A word of its process, of which only 32 bits at MEMBER are meant. */
static uint32_t swap_half(const struct tracee *t, const uint32_t *member, uint32_t value)
{
	uint64_t at = (uint64_t)member & ~7ull, word = tracee_field(t, at);
	unsigned shift = (uint64_t)member & 4 ? 32 : 0;

	(void)tracee_poke(t, at, (word & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift);
	return (uint32_t)(word >> shift);
}

/* It is behind the call that has made it. */
static bool is_born(const struct registers *real)
{
	return (real->orig_rax == __NR_clone || real->orig_rax == __NR_clone3) && real->rax == 0 &&
	       is_resident(real->rip);
}

/* And shares its parent's memory: its GS base is its parent's still. */
static bool is_born_thread(const struct registers *real)
{
	return is_born(real) && (real->rip == (uint64_t)clone_child || real->rip == (uint64_t)clone_fast_child);
}

/* The program as it was, and the thread in it; it may be in a call. */
static void undo_patches(const struct tracee *t, const struct registers *real)
{
	struct registers r = *real;
	uint64_t at, pc;
	enum place place = registers_place(t, real, &at);

	if (place == PLACE_LOST || (place != PLACE_PROGRAM && registers_load(t, place, at, &r) < 0))
		return;
	pc = patch_undo(t, r.rip);
	if (place != PLACE_PROGRAM) {
		(void)tracee_poke(t, TRACEE_FIELD(t, call.number), real->orig_rax);
		(void)tracee_poke(t, TRACEE_FIELD(t, call.pc), pc);
	}
	if (pc == r.rip)
		return;
	r.rip = pc;
	if (place == PLACE_PROGRAM)
		(void)registers_set_real(t, &r);
	else
		(void)registers_store(t, place, at, &r);
}

void tracee_adopt(struct tracee *t, const struct registers *real)
{
	uint64_t context = is_born_thread(real) ? real->r12 : real->gs_base, self = 0;

	if (t->traced || !context || !tracee_is_ours(t))
		return;
	if (tracee_peek(t, context, &self) < 0 || self != context)
		return;
	t->context = context;
	t->is_born = t->is_fresh && is_born(real);
	tracee_set_traced(t, TRACED | (t->is_born && !is_born_thread(real) ? TRACED_ADOPTED : 0));
	t->patching = (uint8_t)swap_half(t, (const uint32_t *)&process.patching, PATCH_NEVER);
	undo_patches(t, real);
}

void tracee_release(struct tracee *t)
{
	if (!t->traced)
		return;
	tracee_set_traced(t, 0);
	if (t->patching != PATCH_NEVER)
		(void)swap_half(t, (const uint32_t *)&process.patching, t->patching);
}
