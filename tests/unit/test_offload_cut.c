/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "stream_frames.h"
#include "vde/plug/offload.h"

static const struct offload_tag keep = { OFFLOAD_KEEP };
static const struct offload_tag push = { OFFLOAD_PUSH, { 0xa888, 0x2301 } };

static const struct stream_spec base = {
	.version = 4, .source_port = 1000, .seq = 4294966000u, .ack = 77, .id = 65530, .options = 12,
	.flags = TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR,
};

static size_t gathered(const struct offload_piece *piece, const struct offload_tag *tag, uint8_t *to)
{
	struct iovec iov[OFFLOAD_PIECES];
	unsigned count = offload_piece_gather(piece, tag, iov);
	uint8_t *at = to;

	for (unsigned i = 0; i < count; i++)
		at = mempcpy(at, iov[i].iov_base, iov[i].iov_len);
	return (size_t)(at - to);
}

/* Both ways to cut give what a sender that cuts by itself would have sent. */
static void check_cut(struct stream_spec spec, size_t payload_len, uint16_t size)
{
	static uint8_t super[VNET_FRAME_MAX], wanted[VNET_FRAME_MAX], got[VNET_FRAME_MAX];
	struct offload_cut cut, copy;
	struct offload_piece piece;
	struct offload_frame of;
	struct vnet_header vnet;
	size_t len, count = (payload_len + size - 1) / size, total = 0;

	spec.payload_len = payload_len;
	len = build_super(super, &spec, size, &vnet);
	assert_int_equal(offload_check(&of, super, len, &vnet), 0);
	assert_int_equal(of.segments, MAX(count, 1));
	offload_cut_start(&cut, &of);
	offload_cut_start(&copy, &of);
	for (size_t i = 0; i < of.segments; i++) {
		struct stream_spec one = cut_spec(&spec, size, i);

		len = build_packet(wanted, &one);
		assert_true(offload_cut_next(&cut, &piece));
		assert_int_equal(piece.len, len);
		assert_in_range(len, 14, of.wire_max);
		assert_int_equal(gathered(&piece, &keep, got), len);
		assert_memory_equal(got, wanted, len);
		assert_int_equal(offload_cut_copy(&copy, got, len), len);
		assert_memory_equal(got, wanted, len);
		total += len;
	}
	assert_int_equal(total, of.wire_bytes);
	assert_false(offload_cut_next(&cut, &piece));
	assert_int_equal(offload_cut_copy(&copy, got, sizeof(got)), 0);
}

static void cut(void **state)
{
	static const size_t lengths[] = { 0, 1, 1448, 1449, 2 * 1448, 10000, 64000 };

	(void)state;
	for (unsigned shape = 0; shape < SPEC_SHAPES; shape++) {
		struct stream_spec spec = base;

		spec_shape(&spec, shape);
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
			check_cut(spec, lengths[i], 1448);
		check_cut(spec, 9999, 1447);
		check_cut(spec, 1000, 48);
	}
}

/* A frame that is no super-frame is its own piece, with its checksum. */
static void singles(void **state)
{
	static const struct vnet_header unfinished = { .flags = VNET_NEEDS_CSUM };
	uint8_t frame[2000], wanted[2000], got[2000];
	struct stream_spec spec = base;
	struct offload_piece piece;
	struct offload_frame of;
	struct offload_cut c;
	size_t len;

	(void)state;
	for (unsigned shape = 0; shape < 2 * SPEC_SHAPES; shape++) {
		bool plain = shape >= SPEC_SHAPES;

		spec_shape(&spec, shape % SPEC_SHAPES);
		spec.payload_len = shape % 5 ? 777 : 3;
		len = build_packet(wanted, &spec);
		memset(wanted + len, 0x3c, 7); /* padding */
		len += 7;
		memcpy(frame, wanted, len);
		assert_int_equal(offload_check(&of, frame, len, plain ? NULL : &unfinished), 0);
		offload_cut_start(&c, &of);
		assert_true(offload_cut_next(&c, &piece));
		assert_int_equal(gathered(&piece, &keep, got), len);
		assert_memory_equal(got, wanted, len);
		assert_false(offload_cut_next(&c, &piece));
		offload_cut_start(&c, &of);
		assert_int_equal(offload_cut_copy(&c, got, len), len);
		assert_memory_equal(got, wanted, len);
		assert_int_equal(offload_cut_copy(&c, got, len), 0);
	}
}

/* In rounds; each piece may leave with a tag and without. */
static void rounds(void **state)
{
	uint8_t super[9000], wanted[2000], got[2000];
	struct offload_piece pieces[3];
	struct stream_spec spec = base;
	struct offload_frame of, tagged;
	struct offload_cut one, other;
	struct vnet_header vnet;
	unsigned count = 0, n;
	size_t len;

	(void)state;
	spec.payload_len = 8000;
	len = build_super(super, &spec, 1000, &vnet);
	assert_int_equal(offload_check(&of, super, len, &vnet), 0);
	tagged = of;
	offload_push_tag(&tagged, &push.tag);
	offload_cut_start(&one, &of);
	offload_cut_start(&other, &tagged);
	while ((n = offload_cut_fill(&one, pieces, ARRAY_SIZE(pieces)))) {
		for (unsigned i = 0; i < n; i++) {
			len = (size_t)offload_cut_copy(&other, wanted, sizeof(wanted));
			assert_int_equal(gathered(&pieces[i], &push, got), len);
			assert_memory_equal(got, wanted, len);
		}
		count += n;
	}
	assert_int_equal(count, 8);
}

/* A piece that does not fit is left out, nothing of it is written. */
static void no_room(void **state)
{
	uint8_t super[9000], got[2000];
	struct stream_spec spec = base;
	struct offload_frame of;
	struct offload_cut c;
	struct vnet_header vnet;
	size_t len;

	(void)state;
	spec.payload_len = 1500;
	len = build_super(super, &spec, 1000, &vnet);
	assert_int_equal(offload_check(&of, super, len, &vnet), 0);
	memset(got, 0xee, sizeof(got));
	offload_cut_start(&c, &of);
	assert_int_equal(offload_cut_copy(&c, got, of.wire_max - 1), -EMSGSIZE);
	assert_int_equal(got[0], 0xee);
	assert_int_equal(offload_cut_copy(&c, got, of.wire_max - 1), of.head_len + 500);
	assert_int_equal(got[of.head_len + 500], 0xee);
	assert_int_equal(offload_cut_copy(&c, got, of.wire_max - 1), 0);
}

/* A sender that goes on writing spoils his payload, nothing else. */
static void changed_behind_our_back(void **state)
{
	uint8_t super[9000];
	struct stream_spec spec = base;
	struct offload_piece piece;
	struct transport_layout l;
	struct offload_frame of;
	struct offload_cut c;
	struct vnet_header vnet;
	size_t len, count = 0;

	(void)state;
	spec.payload_len = 5000;
	len = build_super(super, &spec, 1000, &vnet);
	assert_int_equal(offload_check(&of, super, len, &vnet), 0);
	memset(super, 0xff, len);
	offload_cut_start(&c, &of);
	while (offload_cut_next(&c, &piece)) {
		uint8_t got[2000];

		assert_int_equal(gathered(&piece, &keep, got), of.head_len + 1000);
		assert_int_equal(transport_parse(got, piece.len, piece.len, false, &l), 0);
		assert_int_equal(l.end, piece.len);
		count++;
	}
	assert_int_equal(count, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut),
		cmocka_unit_test(singles),
		cmocka_unit_test(rounds),
		cmocka_unit_test(no_room),
		cmocka_unit_test(changed_behind_our_back),
	};

	return RUN_TESTS(tests);
}
