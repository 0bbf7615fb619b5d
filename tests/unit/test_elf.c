/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include <string.h>

#include "vuos/resident/elf.h"

static Elf64_Ehdr program(void)
{
	Elf64_Ehdr elf = { .e_type = ET_DYN, .e_machine = EM_X86_64, .e_phnum = 3, .e_phoff = 64,
			   .e_phentsize = sizeof(Elf64_Phdr) };

	memcpy(elf.e_ident, ELFMAG, SELFMAG);
	elf.e_ident[EI_CLASS] = ELFCLASS64;
	return elf;
}

static Elf64_Phdr segment(uint64_t offset, uint64_t address, uint64_t in_file, uint64_t in_memory)
{
	return (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = offset, .p_vaddr = address, .p_filesz = in_file,
			     .p_memsz = in_memory, .p_align = ELF_PAGE };
}

static void test_heads(void **state)
{
	Elf64_Ehdr elf = program();

	(void)state;
	assert_true(elf_is_program(&elf, sizeof(elf)));
	for (size_t len = 0; len < sizeof(elf); len++)
		assert_false(elf_is_program(&elf, len));
	elf.e_ident[EI_CLASS] = ELFCLASS32; /* nobody looks at it */
	assert_true(elf_is_program(&elf, sizeof(elf)));
	elf.e_phentsize = 32; /* of 32 bits */
	assert_false(elf_is_program(&elf, sizeof(elf)));
	elf = program();
	elf.e_machine = EM_AARCH64;
	assert_false(elf_is_program(&elf, sizeof(elf)));
	elf = program();
	elf.e_type = ET_REL;
	assert_false(elf_is_program(&elf, sizeof(elf)));
	elf = program();
	elf.e_phnum = ELF_HEADERS_MAX / sizeof(Elf64_Phdr);
	assert_true(elf_is_program(&elf, sizeof(elf)));
	elf.e_phnum++;
	assert_false(elf_is_program(&elf, sizeof(elf)));
}

static void test_extent(void **state)
{
	Elf64_Phdr headers[3] = { segment(0, 0x1000, 0x10, 0x10), { .p_type = PT_NOTE, .p_memsz = UINT64_MAX },
				  segment(0x123, 0x5123, 0x100, 0x2000) };
	struct elf_extent extent;

	(void)state;
	assert_null(elf_measure(headers, 3, &extent));
	assert_int_equal(extent.low, 0x1000);
	assert_int_equal(extent.high, 0x8000);
	assert_int_equal(extent.align, ELF_PAGE);
	headers[0].p_align = 1 << 21;
	headers[2].p_align = 3 << 22; /* no power of two */
	assert_null(elf_measure(headers, 3, &extent));
	assert_int_equal(extent.align, 1 << 21);
	headers[2].p_align = 1ull << 60; /* more than there is */
	assert_null(elf_measure(headers, 3, &extent));
	assert_int_equal(extent.align, 1 << 21);
	assert_int_equal(extent.first, 0x1000);
	assert_null(elf_measure(headers + 1, 1, &extent));
	assert_int_equal(extent.high, 0);
	assert_null(elf_measure(headers, 0, &extent));
	assert_int_equal(extent.high, 0);
}

static void test_segments_that_cannot_be(void **state)
{
	const Elf64_Phdr wrong[] = {
		segment(0, 0, 2, 1),
		segment(1, 0, 1, 1),
		segment(0, 0, 1, ELF_ADDRESS_MAX),
		segment(0, ELF_ADDRESS_MAX & ~(ELF_PAGE - 1), 1, ELF_PAGE),
		segment(0, UINT64_MAX & ~(ELF_PAGE - 1), 1, ELF_PAGE),
		segment(UINT64_MAX & ~(ELF_PAGE - 1), 0, 1, 1),
	};
	struct elf_extent extent;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_non_null(elf_measure(&wrong[i], 1, &extent));
}

static void test_touching(void **state)
{
	const Elf64_Phdr headers[] = { segment(0, 0x1000, 0x10, 0x1000),
				       { .p_type = PT_NOTE, .p_memsz = 0x10000 },
				       segment(0x2000, UINT64_MAX & ~(ELF_PAGE - 1), 1, 0x2000) };

	(void)state;
	assert_true(elf_touches(headers, 3, 0x1fff, 0x3000));
	assert_true(elf_touches(headers, 3, 0, 0x1001));
	assert_false(elf_touches(headers, 3, 0, 0x1000));
	assert_false(elf_touches(headers, 3, 0x2000, 0x3000));
}

static void test_loader(void **state)
{
	const Elf64_Phdr headers[] = { segment(0, 0, 1, 1), { .p_type = PT_INTERP, .p_offset = 1 },
				       { .p_type = PT_INTERP, .p_offset = 2 } };

	(void)state;
	assert_ptr_equal(elf_find_loader(headers, 3), &headers[1]);
	assert_null(elf_find_loader(headers, 1));
	assert_true(elf_is_loader_name("x", 2));
	assert_false(elf_is_loader_name("", 1));
	assert_false(elf_is_loader_name("xy", 2));
	assert_false(elf_is_loader_name("x", 0));
	assert_false(elf_is_loader_name("x", ELF_NAME_MAX + 1));
}

static void test_headers(void **state)
{
	const Elf64_Ehdr elf = program();
	Elf64_Phdr headers[] = { segment(0, 0x4000, 64, 64), segment(0, 0x6000, 65, 65),
				 { .p_type = PT_PHDR, .p_vaddr = 0x77 } };
	uint64_t at;

	(void)state;
	assert_true(elf_find_headers(&elf, headers, 3, &at)); /* PT_PHDR is not believed */
	assert_int_equal(at, 0x6040);
	assert_false(elf_find_headers(&elf, headers, 1, &at));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_extent),
		cmocka_unit_test(test_segments_that_cannot_be),
		cmocka_unit_test(test_touching),
		cmocka_unit_test(test_loader),
		cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
