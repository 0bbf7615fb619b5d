/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A segment whose header and records are the input, but for what says that it is one: readers stay inside,
 * end, and find nothing that is longer than all of it.
 */
#include "fuzz.h"

#include "vuos/view/segment.h"

static void read_kind(const struct segment *segment, enum segment_kind kind, size_t room)
{
	uint8_t *to = malloc(room ? room : 1);
	long len;

	FUZZ_CHECK(to);
	len = segment_read(segment, kind, to, room);
	FUZZ_CHECK(len <= (long)segment->len);
	free(to);
}

/* A record in pieces, as who looks for a row reads it. */
static void read_pieces(const struct segment *segment, enum segment_kind kind)
{
	struct segment_reader reader;
	struct segment_place place;
	uint8_t piece[24];

	segment_open(&reader, segment);
	do {
		segment_begin(&reader);
		if (!segment_find(&reader, kind, &place))
			continue;
		FUZZ_CHECK(place.len <= segment->len && place.offset <= segment->len - place.len);
		for (uint64_t at = 0; segment_copy(&reader, &place, at, piece, sizeof(piece)); at += 7)
			FUZZ_CHECK(at + sizeof(piece) <= place.len);
		FUZZ_CHECK(!segment_copy(&reader, &place, UINT64_MAX - 3, piece, 8));
	} while (segment_overtaken(&reader));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segment_header *header = calloc(1, SEGMENT_RECORDS + size);
	struct segment segment = { header, SEGMENT_RECORDS + size };
	size_t head = size < sizeof(*header) ? size : sizeof(*header);

	FUZZ_CHECK(header);
	memcpy(header, data, head);
	memcpy((char *)header + SEGMENT_RECORDS, data + head, size - head);
	FUZZ_CHECK(!segment_is_valid(&(struct segment){ header, sizeof(*header) }));
	if (size >= sizeof(*header)) {
		header->magic = SEGMENT_MAGIC;
		header->version = SEGMENT_VERSION;
		for (int kind = 0; kind <= SEGMENT_KINDS; kind++) {
			read_kind(&segment, (enum segment_kind)kind, segment.len);
			read_kind(&segment, (enum segment_kind)kind, 0);
			read_pieces(&segment, (enum segment_kind)kind);
		}
	}
	free(header);
	return 0;
}
