/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Call sites in libraries that programs before this one have met (known.c). */
#pragma once

#include "vuos/resident/context.h"
#include "vuos/resident/exec_state.h"

/* What was handed on, and what is. */
void known_start(const void *state);
void known_save(struct exec_writer *writer);

/* The number under which the library that FD is open on is remembered; 0: it is not. */
uint8_t known_file(long fd);
/*
 * The instruction at OFFSET in FILE has made the call NUMBER by a trap, for the TRAPSth time. Returns the most
 * times that this was so in one process.
 */
unsigned known_note(uint8_t file, uint64_t offset, uint64_t number, unsigned traps);
/* FILE was mapped from OFFSET on, and nobody runs there yet: the sites that are worth it are patched. */
void known_patch(uint8_t file, uint64_t offset, uint64_t begin, uint64_t end);
