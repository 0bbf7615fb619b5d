/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mapping a program and its dynamic loader as the kernel would. */
#pragma once

#include "vuos/resident/base.h"

struct loaded {
	uint64_t entry;       /* of the program itself */
	uint64_t start;       /* where to begin: the loader's entry, or `entry` */
	uint64_t headers;     /* address and number of the program headers; 0: not mapped */
	uint64_t num_headers;
	uint64_t base;        /* of the dynamic loader; 0: there is none */
	uint64_t code, code_end, data, data_end; /* of the program */
	uint64_t end;                            /* of its memory: where a heap may begin */
	bool executable_stack;
};

/* What is to be loaded. */
struct load {
	const char *path;     /* of the program: where it is, or for messages */
	long program, loader; /* descriptors of it and its dynamic loader, which are closed; -1: by name */
	uint64_t random;      /* places a program that may be anywhere; 0: always at the same address */
};

/* NAME, if not NULL, gets the file's own name (PATH_MAX bytes). On failure a sentence is in the log; -errno. */
long load_program(const struct load *load, struct loaded *ret, char *name);
