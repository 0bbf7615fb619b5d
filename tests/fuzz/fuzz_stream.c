/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stream of frames: wherever it is cut, the same frames come out. The first byte of the input says
 * how long the pieces are.
 */
#include "fuzz.h"

#include <libvdeplug.h>

#include "base/util.h"
#include "wire/vde_stream.h"

struct sum {
	uint64_t value; /* over all frames and where they end */
	size_t frames;
	size_t errors;
};

static ssize_t on_frame(void *opaque, void *buf, size_t count)
{
	struct sum *sum = opaque;
	const uint8_t *bytes = buf;

	FUZZ_CHECK(count > 0 && count <= VDE_STREAM_FRAME_MAX);
	for (size_t i = 0; i < count; i++)
		sum->value = sum->value * 31 + bytes[i];
	sum->value = sum->value * 31 + count;
	sum->frames++;
	return 0;
}

static void on_error(void *opaque, int type, char *format, ...)
{
	struct sum *sum = opaque;

	FUZZ_CHECK(type == PACKET_LENGTH_ERROR && format != NULL);
	sum->errors++;
}

/* Feeds a copy of DATA in pieces of STEP bytes. */
static struct sum feed(const uint8_t *data, size_t size, size_t step)
{
	struct sum sum = { 0 };
	VDESTREAM *stream = vdestream_open(&sum, -1, on_frame, on_error);

	FUZZ_CHECK(stream != NULL);
	for (size_t at = 0; at < size; at += step) {
		size_t len = MIN(step, size - at);
		uint8_t *piece = malloc(len); /* its end is the end of memory */

		FUZZ_CHECK(piece != NULL);
		memcpy(piece, data + at, len);
		vdestream_recv(stream, piece, len);
		free(piece);
	}
	vdestream_close(stream);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sum whole, pieces;

	if (size < 2)
		return 0;
	whole = feed(data + 1, size - 1, size - 1);
	pieces = feed(data + 1, size - 1, (size_t)data[0] + 1);
	FUZZ_CHECK(whole.value == pieces.value && whole.frames == pieces.frames &&
		   whole.errors == pieces.errors);
	return 0;
}
