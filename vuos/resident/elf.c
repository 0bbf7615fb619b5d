/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vuos/resident/elf.h"

#define PAGE_OF(address) ((address) & ~(ELF_PAGE - 1))

/*
 * The class is not looked at, as the kernel does not: a program of 32 bits has another machine, and one for
 * x32 program headers of another size.
 */
bool elf_is_native(const Elf64_Ehdr *elf)
{
	return __builtin_memcmp(elf->e_ident, ELFMAG, SELFMAG) == 0 && elf->e_machine == EM_X86_64 &&
	       elf->e_phentsize == sizeof(Elf64_Phdr) && elf->e_phnum != 0 &&
	       elf->e_phnum * sizeof(Elf64_Phdr) <= ELF_HEADERS_MAX;
}

bool elf_is_program(const void *bytes, size_t len)
{
	const Elf64_Ehdr *elf = bytes;

	return len >= sizeof(*elf) && elf_is_native(elf) && (elf->e_type == ET_EXEC || elf->e_type == ET_DYN);
}

const Elf64_Phdr *elf_find_loader(const Elf64_Phdr *headers, unsigned num)
{
	for (unsigned i = 0; i < num; i++)
		if (headers[i].p_type == PT_INTERP)
			return &headers[i];
	return NULL;
}

bool elf_is_loader_name(const char *name, uint64_t len)
{
	return len >= 2 && len <= ELF_NAME_MAX && name[len - 1] == '\0';
}

static bool is_sane(const Elf64_Phdr *p)
{
	return p->p_filesz <= p->p_memsz && p->p_memsz < ELF_ADDRESS_MAX && p->p_vaddr < ELF_ADDRESS_MAX &&
	       p->p_vaddr + p->p_memsz < ELF_ADDRESS_MAX &&
	       (!p->p_filesz || (p->p_vaddr % ELF_PAGE == p->p_offset % ELF_PAGE &&
				 p->p_offset <= INT64_MAX - p->p_filesz));
}

bool elf_touches(const Elf64_Phdr *headers, unsigned num, uint64_t low, uint64_t high)
{
	for (unsigned i = 0; i < num; i++)
		if (headers[i].p_type == PT_LOAD && headers[i].p_vaddr < high && is_sane(&headers[i]) &&
		    headers[i].p_vaddr + headers[i].p_memsz > low)
			return true;
	return false;
}

static bool is_power(uint64_t number)
{
	return number && !(number & (number - 1));
}

const char *elf_measure(const Elf64_Phdr *headers, unsigned num, struct elf_extent *ret)
{
	*ret = (struct elf_extent){ .low = UINT64_MAX, .first = UINT64_MAX, .align = ELF_PAGE };
	for (unsigned i = 0; i < num; i++) {
		const Elf64_Phdr *p = &headers[i];
		uint64_t low = PAGE_OF(p->p_vaddr), high = PAGE_OF(p->p_vaddr + p->p_memsz + ELF_PAGE - 1);

		if (p->p_type != PT_LOAD)
			continue;
		if (!is_sane(p))
			return "a segment that cannot be";
		ret->low = low < ret->low ? low : ret->low;
		ret->high = high > ret->high ? high : ret->high;
		if (ret->first == UINT64_MAX)
			ret->first = low;
		if (is_power(p->p_align) && p->p_align > ret->align && p->p_align <= ELF_ADDRESS_MAX / 4)
			ret->align = p->p_align;
	}
	if (ret->first == UINT64_MAX)
		*ret = (struct elf_extent){ .align = ELF_PAGE };
	return NULL;
}

bool elf_find_headers(const Elf64_Ehdr *elf, const Elf64_Phdr *headers, unsigned num, uint64_t *ret)
{
	for (unsigned i = 0; i < num; i++) {
		const Elf64_Phdr *p = &headers[i];

		if (p->p_type == PT_LOAD && p->p_offset <= elf->e_phoff &&
		    elf->e_phoff - p->p_offset < p->p_filesz) {
			*ret = p->p_vaddr + elf->e_phoff - p->p_offset;
			return true;
		}
	}
	return false;
}
