/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread's rights for memory with protection keys are in a register (PKRU), which is a part of the extended
 * state. The kernel starts each handler of a signal with rights for memory without a key only. Ours is
 * such a handler, too: so it takes the program's rights from the frame before it touches the program's
 * memory or makes a call for it, and what it returns to as a handler of the program's gets the kernel's.
 *
 * From a patched call site we have the program's rights anyway. Nothing of this concerns a program that
 * has no key.
 */
#include "vuos/resident/arch/x86_64/keys.h"

#include "vuos/resident/dispatch.h"

#define LEAF_STATE      0xd /* of CPUID: where parts of the extended state are */
#define PART_RIGHTS     9
#define PART_BIT        (1ull << PART_RIGHTS)
#define STATE_PARTS     472 /* in the extended state: those that it can have */
#define STATE_PRESENT   512 /* those that are not in their initial state */
#define HANDLERS_RIGHTS 0x55555554 /* the kernel's: only memory without a key */

static uint32_t place; /* of the rights in the extended state */

static uint32_t rights_read(void)
{
	uint32_t rights, zero;

	__asm__ volatile("rdpkru" : "=a"(rights), "=d"(zero) : "c"(0));
	return rights;
}

static void rights_write(uint32_t rights)
{
	__asm__ volatile("wrpkru" : : "a"(rights), "c"(0), "d"(0) : "memory");
}

static void find_place(void)
{
	uint32_t a = LEAF_STATE, b, c = PART_RIGHTS, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	__atomic_store_n(&place, b, __ATOMIC_RELEASE);
}

static uint64_t *present_in(const struct frame *f)
{
	return (uint64_t *)(f->uc.fpstate + STATE_PRESENT);
}

static bool has_rights(const struct frame *f)
{
	return f->uc.fpstate && *(const uint64_t *)(f->uc.fpstate + STATE_PARTS) & PART_BIT &&
	       place + sizeof(uint32_t) <= fpstate_size(f->uc.fpstate);
}

static void put_rights(struct frame *f, uint32_t rights)
{
	if (!has_rights(f))
		return;
	*(uint32_t *)(f->uc.fpstate + place) = rights;
	*present_in(f) |= PART_BIT;
}

void keys_enter(const struct frame *f)
{
	if (!has_rights(f))
		return;
	rights_write(*present_in(f) & PART_BIT ? *(const uint32_t *)(f->uc.fpstate + place) : 0);
}

void keys_handler(struct frame *f)
{
	put_rights(f, HANDLERS_RIGHTS);
}

/* The kernel changes the rights of the running thread: those are ours, if it was trapped. */
long call_pkey_alloc(struct context *c, struct call *call)
{
	long r = native_call(call->raw);

	(void)c;
	if (r < 0)
		return r;
	if (!place)
		find_place();
	(void)__atomic_fetch_or(&process.watch, WATCH_KEYS, __ATOMIC_SEQ_CST);
	if (call->frame)
		put_rights(call->frame, rights_read());
	return r;
}
