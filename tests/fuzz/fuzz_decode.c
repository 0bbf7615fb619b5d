/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address, then a window around a call's instruction. What our decoder moves has to be what a
 * disassembler reads (where there is libzydis), and the decoder reads no byte beyond the window.
 */
#include "fuzz.h"

#if __has_include(<Zydis/Zydis.h>)
#include <Zydis/Zydis.h>
#endif

#include "vuos/resident/arch/x86_64/decode.h"

#if __has_include(<Zydis/Zydis.h>)
static void check_moved(const uint8_t *behind, unsigned moved)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction it;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	FUZZ_CHECK(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, behind, ZYDIS_MAX_INSTRUCTION_LENGTH, &it,
						       operands)));
	FUZZ_CHECK(it.length == moved);
	FUZZ_CHECK(!(it.attributes & ZYDIS_ATTRIB_IS_RELATIVE));
	FUZZ_CHECK(it.mnemonic == ZYDIS_MNEMONIC_RET || it.meta.branch_type == ZYDIS_BRANCH_TYPE_NONE);
}
#else
static void check_moved(const uint8_t *behind, unsigned moved)
{
	(void)behind;
	(void)moved;
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *window;
	uint64_t address;
	uint32_t number;
	unsigned moved = 99;
	enum decode_kind kind;

	if (size < sizeof(address) + DECODE_WINDOW)
		return 0;
	memcpy(&address, data, sizeof(address));
	window = malloc(DECODE_WINDOW); /* of its own, so that a byte too far is seen */
	FUZZ_CHECK(window);
	memcpy(window, data + sizeof(address), DECODE_WINDOW);
	memcpy(&number, window + DECODE_BEFORE - sizeof(number), sizeof(number));
	kind = decode_site(window, address, number, &moved);
	if (kind == DECODE_A)
		FUZZ_CHECK(window[DECODE_BEFORE - JUMP_LEN] == 0xb8 && moved == 0);
	else if (kind == DECODE_NONE)
		FUZZ_CHECK(moved == 0);
	else
		check_moved(window + DECODE_BEFORE + SYSCALL_LEN, moved);
	FUZZ_CHECK(decode_site(window, address, number + 1, &moved) != DECODE_A);
	free(window);
	return 0;
}
