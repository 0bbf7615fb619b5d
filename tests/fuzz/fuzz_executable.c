/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The begin of a file that is to be executed: an ELF header and program headers, and (of the same bytes) the
 * first line of a script. Every second time the header gets what makes it one.
 */
#include "fuzz.h"

#include "vuos/resident/elf.h"
#include "vuos/resident/script.h"

static void check_extent(const struct elf_extent *extent)
{
	FUZZ_CHECK(extent->low <= extent->first || !extent->high);
	FUZZ_CHECK(extent->low % ELF_PAGE == 0 && extent->high % ELF_PAGE == 0);
	FUZZ_CHECK(extent->low <= extent->high && extent->high <= ELF_ADDRESS_MAX + ELF_PAGE);
	FUZZ_CHECK(extent->align >= ELF_PAGE && !(extent->align & (extent->align - 1)));
}

/* SIZE bytes of their own, aligned as the resident has them. */
static void check_elf(const uint8_t *data, size_t size, bool force)
{
	Elf64_Ehdr *elf = malloc(size ? size : 1);
	const Elf64_Phdr *headers, *found;
	struct elf_extent extent;
	uint64_t at;
	unsigned num;

	FUZZ_CHECK(elf);
	memcpy(elf, data, size);
	if (force && size >= sizeof(*elf)) {
		memcpy(elf->e_ident, ELFMAG, SELFMAG);
		elf->e_machine = EM_X86_64;
		elf->e_type = ET_DYN;
		elf->e_phentsize = sizeof(Elf64_Phdr);
	}
	if (elf_is_program(elf, size)) {
		FUZZ_CHECK(elf_is_native(elf));
		headers = (const Elf64_Phdr *)(const void *)(elf + 1);
		num = (unsigned)((size - sizeof(*elf)) / sizeof(*headers));
		num = num < elf->e_phnum ? num : elf->e_phnum;
		found = elf_find_loader(headers, num);
		FUZZ_CHECK(!found || (found >= headers && found < headers + num && found->p_type == PT_INTERP));
		if (!elf_measure(headers, num, &extent))
			check_extent(&extent);
		(void)elf_find_headers(elf, headers, num, &at);
	}
	free(elf);
}

static void check_script(const uint8_t *data, size_t size)
{
	char *head = calloc(1, SCRIPT_HEAD), *interpreter, *argument;
	const char *end = head + SCRIPT_HEAD;

	FUZZ_CHECK(head);
	memcpy(head, data, size < SCRIPT_HEAD ? size : SCRIPT_HEAD);
	head[0] = '#';
	head[1] = '!';
	if (script_line(head, &interpreter, &argument)) {
		FUZZ_CHECK(interpreter >= head + 2 && interpreter + strlen(interpreter) < end);
		FUZZ_CHECK(!strpbrk(interpreter, " \t\n"));
		FUZZ_CHECK(!argument || (argument > interpreter && argument + strlen(argument) < end));
		FUZZ_CHECK(!argument || !strchr(argument, '\n'));
	}
	free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_elf(data, size, false);
	check_elf(data, size, true);
	check_script(data, size);
	return 0;
}
