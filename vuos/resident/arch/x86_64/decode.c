/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. Only what is common behind a call is known here: instructions that work on
 * general registers and memory, and the moves of vector registers, in 64-bit mode. A table says for each
 * opcode what follows it, and another which of the eight operations behind one opcode are meant. What is
 * not in them is not moved; nor what has an address relative to its own (a displacement from the
 * instruction pointer, jumps and calls), what needs a prefix that changes lengths, or what may become
 * a part of another site's jump (`mov $number, %eax`).
 *
 * `ret` is shorter than the jump needs. It is moved where padding follows up to an aligned address: then
 * the bytes behind it are nobody's.
 */
#include "vuos/resident/arch/x86_64/decode.h"

#include <stdbool.h>
#include <stddef.h>

#define MOVED_LEAST  (JUMP_LEN - SYSCALL_LEN)
#define PREFIXES     7 /* no instruction has more than 15 bytes */
#define ALIGNED      16u /* functions are */
#define OP_RET       0xc3
#define OP_INT3      0xcc
#define OP_NOP       0x90
#define OP_MOV_EAX   0xb8
#define OP_LEA       0x8d
#define OP_TWO_BYTES 0x0f
#define OP_LONG_NOP  0x1f
#define PREFIX_FS    0x64
#define PREFIX_SIZE  0x66
#define PREFIX_CS    0x2e

/* What follows an opcode. */
enum {
	MODRM = 1, /* a byte that names registers or memory, with what belongs to it */
	IMM8 = 2,
	IMM32 = 4,
	MEMORY = 8, /* the byte has to name memory */
	GROUP = 16, /* the byte names the operation, too: `operations` has those that are meant */
};

/* Rows FIRST to LAST have the same. */
struct row {
	uint8_t first, last, follows;
};

static const struct row one_byte[] = {
	{ 0x00, 0x03, MODRM }, { 0x05, 0x05, IMM32 }, /* add */
	{ 0x08, 0x0b, MODRM }, { 0x0d, 0x0d, IMM32 }, /* or */
	{ 0x10, 0x13, MODRM }, { 0x15, 0x15, IMM32 }, /* adc */
	{ 0x18, 0x1b, MODRM }, { 0x1d, 0x1d, IMM32 }, /* sbb */
	{ 0x20, 0x23, MODRM }, { 0x25, 0x25, IMM32 }, /* and */
	{ 0x28, 0x2b, MODRM }, { 0x2d, 0x2d, IMM32 }, /* sub */
	{ 0x30, 0x33, MODRM }, { 0x35, 0x35, IMM32 }, /* xor */
	{ 0x38, 0x3b, MODRM }, { 0x3d, 0x3d, IMM32 }, /* cmp */
	{ 0x63, 0x63, MODRM },                        /* movslq */
	{ 0x69, 0x69, MODRM | IMM32 }, { 0x6b, 0x6b, MODRM | IMM8 }, /* imul */
	{ 0x80, 0x80, MODRM | IMM8 }, { 0x81, 0x81, MODRM | IMM32 }, /* the above with a constant */
	{ 0x83, 0x83, MODRM | IMM8 },
	{ 0x84, 0x85, MODRM },          /* test */
	{ 0x88, 0x8b, MODRM },          /* mov */
	{ OP_LEA, OP_LEA, MODRM | MEMORY }, /* lea */
	{ 0xa9, 0xa9, IMM32 },          /* test */
	{ 0xb9, 0xbf, IMM32 },          /* mov to a register but the number's */
	{ 0xc6, 0xc6, MODRM | IMM8 | GROUP }, { 0xc7, 0xc7, MODRM | IMM32 | GROUP }, /* mov */
	{ 0xf6, 0xf7, MODRM | GROUP }, /* not, neg */
	{ 0xfe, 0xff, MODRM | GROUP }, /* inc, dec */
};

static const struct row two_bytes[] = {
	{ 0x10, 0x11, MODRM },          /* movups */
	{ 0x28, 0x29, MODRM },          /* movaps */
	{ 0x40, 0x4f, MODRM },          /* cmov */
	{ 0x90, 0x9f, MODRM },          /* set */
	{ 0xaf, 0xaf, MODRM },          /* imul */
	{ 0xb6, 0xb7, MODRM }, { 0xbe, 0xbf, MODRM }, /* movz, movs */
};

/* Of opcodes with GROUP: a bit for each of the eight. */
static uint8_t operations(uint8_t opcode)
{
	switch (opcode) {
	case 0xf6:
	case 0xf7:
		return 1u << 2 | 1u << 3;
	case 0xfe:
	case 0xff:
		return 1u << 0 | 1u << 1;
	default:
		return 1u << 0;
	}
}

static unsigned find(const struct row *rows, size_t count, uint8_t opcode)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].first <= opcode && opcode <= rows[i].last)
			return rows[i].follows;
	return 0;
}

#define FIND(rows, opcode) find((rows), sizeof(rows) / sizeof((rows)[0]), (opcode))

/* The length of the byte at AT that names registers or memory, and of what belongs to it; 0: not that. */
static unsigned modrm_len(const uint8_t *at, uint8_t opcode, unsigned follows)
{
	uint8_t mod = at[0] >> 6, rm = at[0] & 7;
	unsigned len = 1;

	if (follows & GROUP && !(operations(opcode) >> (at[0] >> 3 & 7) & 1))
		return 0;
	if (mod == 3)
		return follows & MEMORY ? 0 : len;
	if (rm == 4) {
		len++;
		if (mod == 0 && (at[1] & 7) == 5)
			len += 4;
	} else if (mod == 0 && rm == 5) {
		return 0; /* from the instruction pointer */
	}
	return len + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

/* The length of the instruction at AT if it is known and may stand anywhere; else 0. */
static unsigned movable_len(const uint8_t *at)
{
	const uint8_t *begin = at;
	unsigned follows, more;
	bool wide = false;
	uint8_t opcode;

	if (*at == PREFIX_FS)
		at++;
	if ((*at & 0xf0) == 0x40)
		wide = *at++ & 8;
	opcode = *at++;
	if (opcode == OP_TWO_BYTES) {
		opcode = *at++;
		follows = FIND(two_bytes, opcode);
	} else {
		follows = FIND(one_byte, opcode);
		if (opcode >= 0xb9 && opcode <= 0xbf && wide)
			return 0; /* it has eight bytes of constant */
	}
	if (!follows)
		return 0;
	if (follows & MODRM) {
		more = modrm_len(at, opcode, follows);
		if (!more)
			return 0;
		at += more;
	}
	return (unsigned)(at - begin) + (follows & IMM8 ? 1 : 0) + (follows & IMM32 ? 4 : 0);
}

/* The length of the padding instruction at AT; 0: it is none. */
static unsigned padding_len(const uint8_t *at)
{
	unsigned len = 0, more;

	if (at[0] == OP_INT3)
		return 1;
	while (len < PREFIXES && (at[len] == PREFIX_SIZE || at[len] == PREFIX_CS))
		len++;
	if (at[len] == OP_NOP)
		return len + 1;
	if (at[len] != OP_TWO_BYTES || at[len + 1] != OP_LONG_NOP)
		return 0;
	more = modrm_len(at + len + 2, OP_LONG_NOP, MODRM | GROUP);
	return more ? len + 2 + more : 0;
}

/* AT has the `ret` at ADDRESS: is what follows it padding up to an aligned address? */
static bool is_padded(const uint8_t *at, uint64_t address)
{
	unsigned end = 1 + (unsigned)(-(address + 1) & (ALIGNED - 1)), done = 1;

	if (end < MOVED_LEAST)
		return false;
	while (done < end) {
		unsigned len = padding_len(at + done);

		if (!len)
			return false;
		done += len;
	}
	return true;
}

/* Bytes that change the instruction that they stand before. */
static bool is_prefix(uint8_t byte)
{
	return (byte & 0xf0) == 0x40 || (byte & 0xe7) == 0x26 || (byte >= PREFIX_FS && byte <= 0x67) ||
	       byte == OP_TWO_BYTES || byte == 0xf0 || byte == 0xf2 || byte == 0xf3;
}

/* The byte behind MODRM is a part of the same instruction, and a constant follows that. */
static bool has_constant(uint8_t opcode, uint8_t modrm, bool sib)
{
	uint8_t mod = modrm >> 6;

	if (opcode != 0xc7 && opcode != 0x81 && opcode != 0x69 && opcode != 0xf7)
		return false;
	return (modrm & 7) == 4 ? (sib ? mod == 1 : mod == 0) : !sib && mod == 1;
}

/*
 * `mov $NUMBER, %eax` at MOV, and it is an instruction of its own: not one with a prefix, and not the end
 * of another. `movl $0, -0x48(%rsp)` ends in the bytes of `mov $0, %eax`, and so does
 * `mov 0xe8(%r8), %rdi` in those of `mov $0xe8, %eax`. (Where the base were %rax itself, which has the
 * number, there would have been a fault.)
 */
static bool is_number(const uint8_t *mov, uint32_t number)
{
	uint32_t constant = mov[1] | (uint32_t)mov[2] << 8 | (uint32_t)mov[3] << 16 | (uint32_t)mov[4] << 24;

	if (mov[0] != OP_MOV_EAX || constant != number || is_prefix(mov[-1]) || mov[-2] == OP_TWO_BYTES)
		return false;
	if (has_constant(mov[-3], mov[-2], true) || has_constant(mov[-2], mov[-1], false))
		return false;
	if (mov[-1] == OP_LEA)
		return false;
	if ((mov[-2] & 0xf1) == 0x41 && (mov[-1] & 3 || mov[-1] & 0x80) && FIND(one_byte, mov[-1]) & MODRM)
		return false; /* 0xb8 names registers */
	return !((mov[-3] & 0xf1) == 0x41 && (mov[-1] & 0xc7) == 0x84 && FIND(one_byte, mov[-2]) & MODRM);
}

enum decode_kind decode_site(const uint8_t window[DECODE_WINDOW], uint64_t address, uint32_t number,
			     unsigned *moved)
{
	const uint8_t *behind = window + DECODE_BEFORE + SYSCALL_LEN;
	unsigned len;

	*moved = 0;
	if (is_number(window + DECODE_BEFORE - JUMP_LEN, number))
		return DECODE_A;
	if (behind[0] == OP_RET) {
		if (!is_padded(behind, address + SYSCALL_LEN))
			return DECODE_NONE;
		*moved = 1;
		return DECODE_B;
	}
	len = movable_len(behind);
	if (len < MOVED_LEAST)
		return DECODE_NONE;
	*moved = len;
	return DECODE_B;
}
