/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program's mappings: which of them have code from files. */
#pragma once

#include "vuos/resident/context.h"

/* What is known of sites is of what many programs have. */
enum code_kind { CODE_PROGRAM, CODE_LOADER, CODE_LIBRARY };

/*
 * [BEGIN, END) was mapped from FD at OFFSET, private, readable and executable, not writable.
 */
void memory_add_code(uint64_t begin, uint64_t end, long fd, uint64_t offset, enum code_kind kind);
/* The library that ADDRESS is of, by its number (known.h), and the place in it; 0: none that is known. */
uint8_t memory_file_at(uint64_t address, uint64_t *ret_offset);
/* True when all of [BEGIN, END) is such. */
bool memory_is_code(uint64_t begin, uint64_t end);
/* In a child that does not share memory: a lock that another thread held is free. */
void memory_forked(void);
