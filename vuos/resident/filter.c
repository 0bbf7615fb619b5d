/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An accumulator, an index and 16 words of scratch memory; all jumps lead forward, so a program ends. The
 * kernel takes fewer instructions for system calls than for packets: whole words of struct seccomp_data
 * only, no remainders, no loads of bytes. A word of scratch memory may be read where each way to that
 * place has written it.
 */
#include "vuos/resident/filter.h"

#define WORDS (sizeof(struct seccomp_data) / 4)
#define BITS  32

/* What is to be looked at, beside the instruction itself. */
enum check { CHECK_NOTHING, CHECK_WORD, CHECK_SCRATCH, CHECK_DIVISOR, CHECK_SHIFT, CHECK_JUMP, CHECK_BRANCH };

/* One operation with a constant, and with the index. */
#define BOTH(operation, check) \
	{ BPF_ALU | (operation) | BPF_K, check }, { BPF_ALU | (operation) | BPF_X, CHECK_NOTHING }
#define BRANCHES(operation) \
	{ BPF_JMP | (operation) | BPF_K, CHECK_BRANCH }, { BPF_JMP | (operation) | BPF_X, CHECK_BRANCH }

static const struct {
	uint16_t code, check;
} instructions[] = {
	{ BPF_LD | BPF_W | BPF_ABS, CHECK_WORD },
	{ BPF_LD | BPF_W | BPF_LEN, CHECK_NOTHING },
	{ BPF_LD | BPF_IMM, CHECK_NOTHING },
	{ BPF_LD | BPF_MEM, CHECK_SCRATCH },
	{ BPF_LDX | BPF_W | BPF_LEN, CHECK_NOTHING },
	{ BPF_LDX | BPF_IMM, CHECK_NOTHING },
	{ BPF_LDX | BPF_MEM, CHECK_SCRATCH },
	{ BPF_ST, CHECK_SCRATCH },
	{ BPF_STX, CHECK_SCRATCH },
	BOTH(BPF_ADD, CHECK_NOTHING),
	BOTH(BPF_SUB, CHECK_NOTHING),
	BOTH(BPF_MUL, CHECK_NOTHING),
	BOTH(BPF_DIV, CHECK_DIVISOR),
	BOTH(BPF_AND, CHECK_NOTHING),
	BOTH(BPF_OR, CHECK_NOTHING),
	BOTH(BPF_XOR, CHECK_NOTHING),
	BOTH(BPF_LSH, CHECK_SHIFT),
	BOTH(BPF_RSH, CHECK_SHIFT),
	{ BPF_ALU | BPF_NEG, CHECK_NOTHING },
	{ BPF_JMP | BPF_JA, CHECK_JUMP },
	BRANCHES(BPF_JEQ),
	BRANCHES(BPF_JGT),
	BRANCHES(BPF_JGE),
	BRANCHES(BPF_JSET),
	{ BPF_RET | BPF_K, CHECK_NOTHING },
	{ BPF_RET | BPF_A, CHECK_NOTHING },
	{ BPF_MISC | BPF_TAX, CHECK_NOTHING },
	{ BPF_MISC | BPF_TXA, CHECK_NOTHING },
};

static bool check_holds(enum check check, const struct sock_filter *at, size_t left)
{
	switch (check) {
	case CHECK_WORD:
		return at->k % 4 == 0 && at->k / 4 < WORDS;
	case CHECK_SCRATCH:
		return at->k < BPF_MEMWORDS;
	case CHECK_DIVISOR:
		return at->k != 0;
	case CHECK_SHIFT:
		return at->k < BITS;
	case CHECK_JUMP:
		return at->k < left;
	case CHECK_BRANCH:
		return at->jt < left && at->jf < left;
	default:
		return true;
	}
}

/* LEFT instructions follow AT. */
static bool instruction_is_valid(const struct sock_filter *at, size_t left)
{
	for (size_t i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++)
		if (instructions[i].code == at->code)
			return check_holds((enum check)instructions[i].check, at, left);
	return false;
}

/* AT reads no word of scratch memory that is not among the WRITTEN ones. */
static bool reads_written(const struct sock_filter *at, uint16_t written)
{
	bool reads = at->code == (BPF_LD | BPF_MEM) || at->code == (BPF_LDX | BPF_MEM);

	return !reads || written >> at->k & 1;
}

static bool scratch_is_valid(const struct sock_filter *code, size_t len)
{
	uint16_t written[BPF_MAXINSNS + 1]; /* on all ways to an instruction that were seen */

	for (size_t i = 1; i <= len; i++)
		written[i] = UINT16_MAX;
	written[0] = 0;
	for (size_t i = 0; i < len; i++) {
		const struct sock_filter *at = &code[i];
		uint16_t now = written[i];

		if (!reads_written(at, now))
			return false;
		if (at->code == BPF_ST || at->code == BPF_STX)
			now |= (uint16_t)(1u << at->k);
		if (at->code == (BPF_JMP | BPF_JA)) {
			written[i + 1 + at->k] &= now;
		} else if (BPF_CLASS(at->code) == BPF_JMP) {
			written[i + 1 + at->jt] &= now;
			written[i + 1 + at->jf] &= now;
		} else {
			written[i + 1] &= now; /* the kernel thinks so of a return, too */
		}
	}
	return true;
}

bool filter_is_valid(const struct sock_filter *code, size_t len)
{
	if (len == 0 || len > BPF_MAXINSNS)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!instruction_is_valid(&code[i], len - i - 1))
			return false;
	return BPF_CLASS(code[len - 1].code) == BPF_RET && scratch_is_valid(code, len);
}

/* --- running -------------------------------------------------------------------------------------- */

static uint32_t compute(unsigned operation, uint32_t a, uint32_t b)
{
	switch (operation) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return a / b;
	case BPF_AND:
		return a & b;
	case BPF_OR:
		return a | b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << (b % BITS);
	case BPF_RSH:
		return a >> (b % BITS);
	default: /* BPF_NEG */
		return -a;
	}
}

static bool holds(unsigned operation, uint32_t a, uint32_t b)
{
	switch (operation) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default: /* BPF_JSET */
		return a & b;
	}
}

/* What an instruction of the classes LD and LDX loads. */
static uint32_t load(const struct sock_filter *at, const uint32_t *data, const uint32_t *scratch,
		     uint32_t *used)
{
	switch (BPF_MODE(at->code)) {
	case BPF_ABS:
		*used |= 1u << at->k / 4;
		return data[at->k / 4];
	case BPF_LEN:
		return sizeof(struct seccomp_data);
	case BPF_MEM:
		return scratch[at->k];
	default:
		return at->k;
	}
}

uint32_t filter_run(const struct sock_filter *code, const struct seccomp_data *data, uint32_t *used)
{
	const uint32_t *words = (const uint32_t *)(const void *)data;
	uint32_t scratch[BPF_MEMWORDS], a = 0, x = 0;

	for (const struct sock_filter *at = code;; at++) {
		unsigned operation = BPF_OP(at->code);
		uint32_t operand = BPF_SRC(at->code) == BPF_X ? x : at->k;

		switch (BPF_CLASS(at->code)) {
		case BPF_LD:
			a = load(at, words, scratch, used);
			break;
		case BPF_LDX:
			x = load(at, words, scratch, used);
			break;
		case BPF_ST:
			scratch[at->k] = a;
			break;
		case BPF_STX:
			scratch[at->k] = x;
			break;
		case BPF_ALU:
			if (operation == BPF_DIV && operand == 0)
				return 0;
			a = compute(operation, a, operand);
			break;
		case BPF_JMP:
			if (operation == BPF_JA)
				at += at->k;
			else
				at += holds(operation, a, operand) ? at->jt : at->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(at->code) == BPF_A ? a : at->k;
		default: /* BPF_MISC */
			if (at->code == (BPF_MISC | BPF_TAX))
				x = a;
			else
				a = x;
		}
	}
}
