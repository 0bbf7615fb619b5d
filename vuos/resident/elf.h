/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an ELF file says of itself, as far as it can be believed. Nothing here makes a call or looks beyond
 * the bytes it is given, so exec, the loader and the tests all use it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/elf.h>

#pragma GCC visibility push(hidden)

#define ELF_PAGE        4096ull
#define ELF_ADDRESS_MAX 0x7ffffffff000ull
#define ELF_HEADERS_MAX 65536 /* bytes of program headers, as in the kernel */
#define ELF_NAME_MAX    4096  /* of the dynamic loader, with its end */

/* What a program takes of the address space. */
struct elf_extent {
	uint64_t low, high; /* whole pages; nothing is to be loaded: both 0 */
	uint64_t first;     /* the page of the first segment, which need not be the lowest */
	uint64_t align;     /* a power of two, a page or more */
};

/* Whether a head is one of this processor's, and says how many program headers there are. */
bool elf_is_native(const Elf64_Ehdr *elf);
/* Whether LEN bytes are the begin of a program for this processor, whose headers may be read. */
bool elf_is_program(const void *bytes, size_t len);

/* The first of the NUM headers that names the dynamic loader; NULL: there is none. */
const Elf64_Phdr *elf_find_loader(const Elf64_Phdr *headers, unsigned num);
/* Whether the name of the dynamic loader, LEN bytes, is one. */
bool elf_is_loader_name(const char *name, uint64_t len);

/* Whether a segment, as the file says, has an address from LOW to HIGH. */
bool elf_touches(const Elf64_Phdr *headers, unsigned num, uint64_t low, uint64_t high);

/* NULL, or what is wrong with the segments. */
const char *elf_measure(const Elf64_Phdr *headers, unsigned num, struct elf_extent *ret);

/* The address of the program headers, as the file says; false: they are not mapped. */
bool elf_find_headers(const Elf64_Ehdr *elf, const Elf64_Phdr *headers, unsigned num, uint64_t *ret);

#pragma GCC visibility pop
