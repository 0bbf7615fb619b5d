/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decoder FILE...: what our decoder says of each call's instruction in the code of ELF files, against a
 * disassembler (libzydis). Code is read from the begin of each section to its end; where bytes are no
 * instruction, from the next byte on. Prints what is wrong, and at last a line with how many calls there
 * are, and of which kind. Status 1: something is wrong. -v tells of the calls that cannot be patched.
 */
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <Zydis/Zydis.h>

#include "vuos/resident/arch/x86_64/decode.h"

#define FUNCTION_ALIGNMENT 16

/* A section of code. */
struct code {
	const char *file;
	const uint8_t *bytes;
	size_t len;
	uint64_t address;
};

struct check {
	ZydisDecoder lengths, decoder;
	bool verbose;
	unsigned long calls, number, behind, none, wrong;
};

struct instruction {
	ZydisDecodedInstruction is;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

static bool decode(const struct check *check, const struct code *code, size_t at, struct instruction *it)
{
	return at < code->len &&
	       ZYAN_SUCCESS(ZydisDecoderDecodeFull(&check->decoder, code->bytes + at, code->len - at, &it->is,
						   it->operands));
}

static void wrong(struct check *check, const struct code *code, size_t at, const char *why)
{
	check->wrong++;
	printf("%s %#" PRIx64 ": %s:", code->file, code->address + at, why);
	for (size_t i = at - DECODE_BEFORE; i < at - DECODE_BEFORE + DECODE_WINDOW && i < code->len; i++)
		printf("%s%02x", i == at ? " | " : " ", code->bytes[i]);
	printf("\n");
}

/* Kind A: PREVIOUS is where the instruction before the call begins. */
static bool number_is_right(const struct check *check, const struct code *code, size_t at, size_t previous)
{
	struct instruction it;

	return at - previous == JUMP_LEN && decode(check, code, previous, &it) && it.is.length == JUMP_LEN &&
	       it.is.mnemonic == ZYDIS_MNEMONIC_MOV && it.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       it.operands[0].reg.value == ZYDIS_REGISTER_EAX &&
	       it.operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}

/* From AT on, up to where a function may begin, are instructions that nobody comes to. */
static bool is_padding(const struct check *check, const struct code *code, size_t at)
{
	struct instruction it;

	while ((code->address + at) % FUNCTION_ALIGNMENT && at < code->len) {
		if (!decode(check, code, at, &it) ||
		    (it.is.mnemonic != ZYDIS_MNEMONIC_NOP && it.is.mnemonic != ZYDIS_MNEMONIC_INT3))
			return false;
		at += it.is.length;
	}
	return true;
}

/* Kind B: MOVED bytes behind the call. NULL: it is right. */
static const char *behind_is_wrong(const struct check *check, const struct code *code, size_t at,
				   unsigned moved)
{
	struct instruction it;

	if (!decode(check, code, at + SYSCALL_LEN, &it))
		return "moves what is no instruction";
	if (it.is.length != moved)
		return "moves another length";
	if (it.is.mnemonic == ZYDIS_MNEMONIC_RET)
		return moved == 1 && is_padding(check, code, at + SYSCALL_LEN + 1) ? NULL : "no padding";
	if (moved < JUMP_LEN - SYSCALL_LEN)
		return "too short";
	if (it.is.attributes & ZYDIS_ATTRIB_IS_RELATIVE)
		return "moves what is relative to its place";
	switch (it.is.meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
		return "moves a jump";
	default:
		return NULL;
	}
}

static void tell_none(const struct check *check, const struct code *code, size_t at)
{
	struct instruction it;

	if (check->verbose && decode(check, code, at + SYSCALL_LEN, &it))
		printf("%s %#" PRIx64 ": none: %s\n", code->file, code->address + at,
		       ZydisMnemonicGetString(it.is.mnemonic));
}

static void check_call(struct check *check, const struct code *code, size_t at, size_t previous)
{
	uint8_t window[DECODE_WINDOW] = { 0 };
	const char *why;
	unsigned moved;
	uint32_t number;
	size_t left = code->len - at + DECODE_BEFORE;

	check->calls++;
	if (at < DECODE_BEFORE) {
		check->none++;
		return;
	}
	memcpy(window, code->bytes + at - DECODE_BEFORE, left < DECODE_WINDOW ? left : DECODE_WINDOW);
	memcpy(&number, code->bytes + at - sizeof(number), sizeof(number));
	switch (decode_site(window, code->address + at, number, &moved)) {
	case DECODE_A:
		check->number++;
		if (!number_is_right(check, code, at, previous))
			wrong(check, code, at, "no number before it");
		if (decode_site(window, code->address + at, number + 1, &moved) == DECODE_A)
			wrong(check, code, at, "takes any number");
		break;
	case DECODE_B:
		check->behind++;
		why = behind_is_wrong(check, code, at, moved);
		if (why)
			wrong(check, code, at, why);
		break;
	case DECODE_NONE:
		check->none++;
		tell_none(check, code, at);
		break;
	}
}

static void check_code(struct check *check, const struct code *code)
{
	ZydisDecodedInstruction it;
	size_t at = 0, previous = 0;

	while (at < code->len) {
		size_t len = 1;

		if (ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&check->lengths, ZYAN_NULL, code->bytes + at,
							       code->len - at, &it)))
			len = it.length;
		if (len == SYSCALL_LEN && code->bytes[at] == 0x0f && code->bytes[at + 1] == 0x05)
			check_call(check, code, at, previous);
		previous = at;
		at += len;
	}
}

static void check_elf(struct check *check, const char *file, const uint8_t *bytes, size_t size)
{
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)(const void *)bytes;
	const Elf64_Shdr *sections;

	if (size < sizeof(*head) || memcmp(head->e_ident, ELFMAG, SELFMAG) || head->e_machine != EM_X86_64 ||
	    head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_shentsize != sizeof(*sections) ||
	    head->e_shoff > size || head->e_shnum > (size - head->e_shoff) / sizeof(*sections))
		return;
	sections = (const Elf64_Shdr *)(const void *)(bytes + head->e_shoff);
	for (unsigned i = 0; i < head->e_shnum; i++) {
		const Elf64_Shdr *s = &sections[i];

		if (s->sh_type == SHT_PROGBITS && s->sh_flags & SHF_EXECINSTR && s->sh_offset <= size &&
		    s->sh_size <= size - s->sh_offset)
			check_code(check, &(struct code){ file, bytes + s->sh_offset, s->sh_size, s->sh_addr });
	}
}

static void check_file(struct check *check, const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *bytes;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (bytes != MAP_FAILED) {
			check_elf(check, file, bytes, (size_t)st.st_size);
			munmap(bytes, (size_t)st.st_size);
		}
	}
	close(fd);
}

int main(int argc, char **argv)
{
	struct check check = { 0 };

	ZydisDecoderInit(&check.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	check.lengths = check.decoder;
	ZydisDecoderEnableMode(&check.lengths, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-v") == 0)
			check.verbose = true;
		else
			check_file(&check, argv[i]);
	}
	printf("%lu calls: %lu with the number before, %lu with what is moved, %lu trapped; %lu wrong\n",
	       check.calls, check.number, check.behind, check.none, check.wrong);
	return check.wrong ? 1 : 0;
}
