/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A message of the ring protocol: whatever is accepted can be written and read again. */
#include "fuzz.h"

#include "wire/vde_ring.h"

static void check_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	FUZZ_CHECK(len < size);
	for (size_t i = 0; i < len; i++)
		FUZZ_CHECK((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
}

static void check_accepted(const struct vde_ring_message_parts *parts)
{
	struct strbuf out CLEANUP(strbuf_done) = { .limit = VDE_RING_MAX };
	struct vde_ring_message_parts again;

	FUZZ_CHECK(parts->message >= VDE_RING_HELLO && parts->message <= VDE_RING_TAKEOVER);
	FUZZ_CHECK((parts->error != 0) == (parts->message == VDE_RING_REFUSAL));
	vde_ring_build(parts, &out);
	FUZZ_CHECK(out.error == 0);
	FUZZ_CHECK(vde_ring_parse(out.data, out.len, &again) == 0);
	FUZZ_CHECK(strcmp(again.description, parts->description) == 0);
	FUZZ_CHECK(strcmp(again.text, parts->text) == 0);
	/* Bytes behind a text's NUL can be left from an earlier, longer one. */
	memcpy(again.description, parts->description, sizeof(again.description));
	memcpy(again.text, parts->text, sizeof(again.text));
	FUZZ_CHECK(memcmp(&again, parts, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vde_ring_message_parts parts;
	int r = vde_ring_parse(data, size, &parts);

	FUZZ_CHECK(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
	check_text(parts.description, sizeof(parts.description));
	check_text(parts.text, sizeof(parts.text));
	if (r == 0)
		check_accepted(&parts);
	return 0;
}
