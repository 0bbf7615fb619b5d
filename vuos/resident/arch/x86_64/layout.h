/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the resident lies, for C, assembly and the linker script. The text stands under the lowest base
 * that the kernel gives mmap(2), above the usual heaps (resident-platform.md, rule 9). System calls made
 * from the text go to the kernel; nothing else is in that range.
 */
#pragma once

#define RESIDENT_BASE     0x7d0000000000
#define RESIDENT_TEXT_LEN 0x100000
#define RESIDENT_TRAP     0x7d0000180000 /* one instruction that is trapped although it is ours */
#define RESIDENT_DATA     0x7d0000200000
#define RESIDENT_SEGMENT  0x7d0010000000 /* what the view shares, when it is mapped (view.c) */

/* Offsets in struct context, which the GS base points at. */
#define CONTEXT_WORK       8
#define CONTEXT_TRACED     12
#define CONTEXT_STACK_END  16
#define CONTEXT_PROGRAM_SP 24
#define CONTEXT_FRAME      32
#define CONTEXT_SIGNAL     40
#define CONTEXT_GS         48
#define CONTEXT_MARK       56

/* What stands there, and nowhere else: an address that cannot be, and no text. */
#define CONTEXT_MARK_VALUE 0x9d3fc6a1e47b5820

/* Bits of context.traced; the tracer's resident writes them (traced.h). */
#define TRACED         1  /* a tracer is there that knows of us */
#define TRACED_CALLS   2  /* it wants a stop before and after each call */
#define TRACED_EMULATE 4  /* and that the call is not made */
#define TRACED_STEP    8  /* it wants one when the thread is about to leave the resident */
#define TRACED_ADOPTED 16 /* a new process knows by it that the bits are its own, and not its parent's */

/* The "number" of a call by which a thread only asks for a frame of the kernel's, to leave by. */
#define CALL_LEAVE 0x5eed5eed

/*
 * Result of a call that was not made since a signal came first: it is made afresh after the signal. No error
 * of the kernel's, nor of a program's filter, is that large.
 */
#define CALL_RESTART (-4096)
