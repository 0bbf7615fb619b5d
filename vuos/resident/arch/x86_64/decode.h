/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands around a call's instruction, as far as patching has to know it (patch.c). Pure functions
 * of the bytes: tests compare them with a disassembler.
 */
#pragma once

#include <stdint.h>

#define DECODE_BEFORE 8  /* bytes of a window before the instruction */
#define DECODE_WINDOW 48 /* bytes in all */

#define SYSCALL_LEN 2 /* the instruction */
#define JUMP_LEN    5 /* what takes its place */

enum decode_kind {
	DECODE_NONE, /* it cannot become a jump */
	DECODE_A,    /* `mov $number, %eax` before it can */
	DECODE_B,    /* it and one instruction behind it can */
};

#pragma GCC visibility push(hidden)

/*
 * WINDOW has the bytes from DECODE_BEFORE before ADDRESS on, where an instruction makes the call NUMBER.
 * MOVED: of DECODE_B, the length of the instruction behind it, which may stand anywhere; else 0.
 */
enum decode_kind decode_site(const uint8_t window[DECODE_WINDOW], uint64_t address, uint32_t number,
			     unsigned *moved);

#pragma GCC visibility pop
