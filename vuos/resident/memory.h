/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program's mappings: calls that change them, and which of them have code from files. */
#pragma once

#include "vuos/resident/context.h"

long call_mmap(struct context *c, struct call *call);
long call_mremap(struct context *c, struct call *call);
long call_munmap(struct context *c, struct call *call);
long call_mprotect(struct context *c, struct call *call);
/* madvise, remap_file_pages: not over what is ours. */
long call_range(struct context *c, struct call *call);

/* [BEGIN, END) was mapped from a file, readable and executable, not writable. */
void memory_add_code(uint64_t begin, uint64_t end);
/* True when all of [BEGIN, END) is such. */
bool memory_is_code(uint64_t begin, uint64_t end);
/* In a child that does not share memory: a lock that another thread held is free. */
void memory_forked(void);
