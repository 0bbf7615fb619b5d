/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include "stream_frames.h"
#include "wire/segment.h"

#define FIRST_SEQ 4294966000u /* the numbers wrap within the super-frame */

static const struct stream_spec base = {
	.version = 4, .source_port = 1000, .seq = FIRST_SEQ, .ack = 77, .id = 65530, .options = 12,
	.flags = TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR,
};

/* Each piece is what a sender that cuts by itself would have sent, byte by byte. */
static void check_cut(struct stream_spec spec, size_t payload_len, uint16_t size)
{
	static uint8_t super[VNET_FRAME_MAX], wanted[VNET_FRAME_MAX];
	struct vnet_header vnet;
	struct segment s;
	const uint8_t *frame;
	size_t len, count = (payload_len + size - 1) / size;

	spec.payload_len = payload_len;
	len = build_super(super, &spec, size, &vnet);
	assert_int_equal(segment_start(&s, &vnet, super, len), 0);
	for (size_t i = 0; i < count; i++) {
		struct stream_spec piece = cut_spec(&spec, size, i);

		assert_int_equal(segment_left(&s), count - i);
		assert_true(segment_next(&s, &frame, &len));
		assert_int_equal(len, build_packet(wanted, &piece));
		assert_memory_equal(frame, wanted, len);
	}
	assert_int_equal(segment_left(&s), 0);
	assert_false(segment_next(&s, &frame, &len));
}

static void cut(void **state)
{
	static const size_t lengths[] = { 1, 1448, 1449, 2 * 1448, 10000, 64000 };

	(void)state;
	for (unsigned shape = 0; shape < SPEC_SHAPES; shape++) {
		struct stream_spec spec = base;

		spec_shape(&spec, shape);
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
			check_cut(spec, lengths[i], 1448);
		check_cut(spec, 9999, 1447); /* odd sizes */
		check_cut(spec, 1000, 48);   /* pieces shorter than their headers */
	}
}

/* A UDP checksum that comes out as 0 is stored as 0xffff: 0 would mean "none". */
static void udp_checksum_of_zero(void **state)
{
	struct stream_spec spec = base;
	struct vnet_header vnet;
	uint8_t super[400], wanted[400];
	const uint8_t *piece;
	struct segment s;
	size_t len, got;
	uint16_t sum;

	(void)state;
	spec.udp = true;
	spec.payload_len = 200;
	(void)build_super(super, &spec, 100, &vnet);
	/* Two bytes of payload become what makes the first datagram's sum all ones. */
	spec.payload_len = 100;
	len = build_packet(wanted, &spec);
	memcpy(&sum, wanted + 14 + 20 + 6, sizeof(sum));
	memset(wanted + 42, 0, 2);
	memset(super + 42, 0, 2);
	wanted[14 + 20 + 6] = wanted[14 + 20 + 7] = 0;
	sum = checksum_finish(checksum_add(spec_pseudo_sum(&spec, 108), wanted + 34, 108));
	memcpy(super + 42, &sum, sizeof(sum));
	assert_int_equal(segment_start(&s, &vnet, super, len + 100), 0);
	assert_true(segment_next(&s, &piece, &got));
	assert_int_equal(got, len);
	assert_memory_equal(piece + 14 + 20 + 6, "\xff\xff", 2);
}

/* A frame without GSO passes as it is; its checksum is completed. */
static void complete_checksum(void **state)
{
	uint8_t frame[2000], wanted[2000];
	struct stream_spec spec = base;
	struct vnet_header vnet = { .flags = VNET_NEEDS_CSUM };
	const uint8_t *got;
	struct transport_layout l;
	struct segment s;
	size_t len, got_len;
	uint16_t sum;

	(void)state;
	spec.payload_len = 501;
	len = build_packet(wanted, &spec);
	memcpy(frame, wanted, len);
	assert_int_equal(transport_parse(frame, len, len, false, &l), 0);
	sum = (uint16_t)~checksum_finish(transport_pseudo_sum(frame, &l, len - l.transport));
	memcpy(frame + transport_csum_field(&l), &sum, 2);
	vnet.csum_start = l.transport;
	vnet.csum_offset = (uint16_t)(transport_csum_field(&l) - l.transport);
	assert_int_equal(segment_start(&s, &vnet, frame, len), 0);
	assert_int_equal(segment_left(&s), 1);
	assert_true(segment_next(&s, &got, &got_len));
	assert_int_equal(got_len, len);
	assert_memory_equal(got, wanted, len);
	assert_false(segment_next(&s, &got, &got_len));
}

/* Headers that contradict the frame are refused, whatever they say; nothing is read beyond. */
static void refused(void **state)
{
	static uint8_t super[VNET_FRAME_MAX + 40];
	struct stream_spec spec = base;
	struct vnet_header good, bad;
	struct segment s;
	size_t len;

	(void)state;
	spec.payload_len = 5000;
	len = build_super(super, &spec, 1448, &good);
	bad = good;
	bad.gso_type = VNET_GSO_TCPV6;
	assert_int_equal(segment_start(&s, &bad, super, len), -EBADMSG);
	bad.gso_type = VNET_GSO_UDP_L4;
	assert_int_equal(segment_start(&s, &bad, super, len), -EBADMSG);
	bad.gso_type = VNET_GSO_UDP;
	assert_int_equal(segment_start(&s, &bad, super, len), -EPROTONOSUPPORT);
	bad.gso_type = VNET_GSO_TCPV4 | 0x20; /* in a tunnel */
	assert_int_equal(segment_start(&s, &bad, super, len), -EPROTONOSUPPORT);
	bad = good;
	bad.gso_size = 47;
	assert_int_equal(segment_start(&s, &bad, super, len), -EBADMSG);
	for (size_t cut = 0; cut < 14 + 20 + 32; cut++)
		assert_int_equal(segment_start(&s, &good, super, cut), -EBADMSG);
	assert_int_equal(segment_start(&s, &good, super, 14 + 65535), 0);
	assert_int_equal(segment_start(&s, &good, super, 14 + 65536), -EBADMSG);
	bad = (struct vnet_header){ .flags = VNET_NEEDS_CSUM, .csum_start = (uint16_t)len };
	assert_int_equal(segment_start(&s, &bad, super, len), -EBADMSG);
	bad.csum_start = (uint16_t)(len - 1);
	assert_int_equal(segment_start(&s, &bad, super, len), -EBADMSG);
	bad.csum_start = 13;
	assert_int_equal(segment_start(&s, &bad, super, len), -EBADMSG);
	segment_clear(&s);
	assert_int_equal(segment_left(&s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut),
		cmocka_unit_test(udp_checksum_of_zero),
		cmocka_unit_test(complete_checksum),
		cmocka_unit_test(refused),
	};

	return RUN_TESTS(tests);
}
