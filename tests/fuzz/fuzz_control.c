/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client's request on the control socket: whatever is accepted can be written and read again. */
#include "fuzz.h"

#include "wire/vde_control.h"

static bool printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static void check_accepted(const struct vde_control *request)
{
	uint8_t out[VDE_CONTROL_MAX];
	struct vde_control again;
	size_t len = vde_control_build(request, out);

	FUZZ_CHECK(len >= VDE_CONTROL_HEADER_V3 && len <= VDE_CONTROL_MAX);
	FUZZ_CHECK(request->version == 1 || request->version == 3);
	FUZZ_CHECK(request->address.sun_path[0] != '\0');
	FUZZ_CHECK(strnlen(request->address.sun_path, 108) < 108);
	FUZZ_CHECK(strnlen(request->description, VDE_CONTROL_DESCR_SIZE) < VDE_CONTROL_DESCR_SIZE);
	FUZZ_CHECK(printable(request->description));
	FUZZ_CHECK(vde_control_parse(out, len, &again) == VDE_CONTROL_OK);
	FUZZ_CHECK(again.type == request->type && again.port == request->port);
	FUZZ_CHECK(strcmp(again.description, request->description) == 0);
	FUZZ_CHECK(strcmp(again.address.sun_path, request->address.sun_path) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vde_control request;
	enum vde_control_verdict verdict = vde_control_parse(data, size, &request);

	if (verdict == VDE_CONTROL_OK)
		check_accepted(&request);
	else if (verdict == VDE_CONTROL_SHORT)
		FUZZ_CHECK(size < VDE_CONTROL_HEADER_V1);
	return 0;
}
