/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program's mappings: which of them have code from files. */
#pragma once

#include "vuos/resident/context.h"

/* [BEGIN, END) was mapped from a file, readable and executable, not writable. */
void memory_add_code(uint64_t begin, uint64_t end);
/* True when all of [BEGIN, END) is such. */
bool memory_is_code(uint64_t begin, uint64_t end);
/* In a child that does not share memory: a lock that another thread held is free. */
void memory_forked(void);
