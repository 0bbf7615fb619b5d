/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>

#include "tcp_frames.h"
#include "wire/segment.h"

#define FIRST_SEQ 4294966000u /* the numbers wrap within the super-frame */

static const struct tcp_spec base = {
	.source_port = 1000, .seq = FIRST_SEQ, .ack = 77, .id = 65530, .options = 12,
	.flags = TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR,
};

/* A super-frame as a TAP gives it: the checksum field has only the pseudo header's sum. */
static size_t build_super(uint8_t *frame, struct tcp_spec *spec, struct vnet_header *vnet, uint16_t size)
{
	size_t len = build_segment(frame, spec);
	struct tcp_layout l;

	assert_int_equal(tcp_parse(frame, len, true, &l), 0);
	*vnet = (struct vnet_header){
		.flags = VNET_NEEDS_CSUM,
		.gso_type = spec->version == 4 ? VNET_GSO_TCPV4 : VNET_GSO_TCPV6,
		.hdr_len = (uint16_t)l.payload,
		.gso_size = size,
		.csum_start = (uint16_t)l.tcp,
		.csum_offset = TCP_CSUM_OFFSET,
	};
	memset(frame + l.tcp + TCP_CSUM_OFFSET, 0x5a, 2); /* whatever is there is not used */
	return len;
}

/* Each piece is what a sender that cuts by itself would have sent, byte by byte. */
static void check_cut(uint8_t version, unsigned tags, size_t payload_len, uint16_t size)
{
	static uint8_t super[VNET_FRAME_MAX], wanted[VNET_FRAME_MAX];
	struct tcp_spec spec = base;
	struct vnet_header vnet;
	struct segment s;
	const uint8_t *frame;
	size_t len, count = (payload_len + size - 1) / size, done = 0;

	spec.version = version;
	spec.tags = tags;
	spec.payload_len = payload_len;
	len = build_super(super, &spec, &vnet, size);
	assert_int_equal(segment_start(&s, &vnet, super, len), 0);
	for (size_t i = 0; i < count; i++) {
		struct tcp_spec piece = spec;
		size_t wanted_len;

		assert_int_equal(segment_left(&s), count - i);
		assert_true(segment_next(&s, &frame, &len));
		piece.seq += (uint32_t)done;
		piece.id = (uint16_t)(piece.id + i);
		piece.payload_len = MIN(payload_len - done, size);
		if (i > 0)
			piece.flags &= (uint8_t)~TCP_CWR;
		if (i + 1 < count)
			piece.flags &= (uint8_t)~(TCP_FIN | TCP_PSH);
		wanted_len = build_segment(wanted, &piece);
		assert_int_equal(len, wanted_len);
		assert_memory_equal(frame, wanted, len);
		done += piece.payload_len;
	}
	assert_int_equal(segment_left(&s), 0);
	assert_false(segment_next(&s, &frame, &len));
}

static void test_cut(void **state)
{
	static const size_t lengths[] = { 1448, 1449, 2 * 1448, 10000, 64000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		for (unsigned tags = 0; tags <= 2; tags++) {
			check_cut(4, tags, lengths[i], 1448);
			check_cut(6, tags, lengths[i], 1428);
		}
	check_cut(4, 0, 1000, 48); /* pieces shorter than their headers */
}

/* A frame without GSO passes as it is; its checksum is completed. */
static void test_complete_checksum(void **state)
{
	uint8_t frame[2000], wanted[2000];
	struct tcp_spec spec = base;
	struct vnet_header vnet = { .flags = VNET_NEEDS_CSUM };
	const uint8_t *got;
	struct tcp_layout l;
	struct segment s;
	size_t len, got_len;
	uint16_t sum;

	(void)state;
	spec.version = 4;
	spec.payload_len = 501;
	len = build_segment(wanted, &spec);
	memcpy(frame, wanted, len);
	assert_int_equal(tcp_parse(frame, len, false, &l), 0);
	sum = (uint16_t)~checksum_finish(tcp_pseudo_sum(frame, &l, len - l.tcp));
	memcpy(frame + l.tcp + TCP_CSUM_OFFSET, &sum, 2);
	vnet.csum_start = (uint16_t)l.tcp;
	vnet.csum_offset = TCP_CSUM_OFFSET;
	assert_int_equal(segment_start(&s, &vnet, frame, len), 0);
	assert_int_equal(segment_left(&s), 1);
	assert_true(segment_next(&s, &got, &got_len));
	assert_int_equal(got_len, len);
	assert_memory_equal(got, wanted, len);
	assert_false(segment_next(&s, &got, &got_len));
}

/* Headers that contradict the frame are refused, whatever they say; nothing is read beyond. */
static void test_refused(void **state)
{
	static uint8_t super[VNET_FRAME_MAX];
	struct tcp_spec spec = base;
	struct vnet_header good, bad;
	struct segment s;
	size_t len;

	(void)state;
	spec.version = 4;
	spec.payload_len = 5000;
	len = build_super(super, &spec, &good, 1448);
	bad = good;
	bad.gso_type = VNET_GSO_TCPV6;
	assert_int_equal(segment_start(&s, &bad, super, len), -EBADMSG);
	bad.gso_type = 3; /* UDP fragmentation */
	assert_int_equal(segment_start(&s, &bad, super, len), -EPROTONOSUPPORT);
	bad = good;
	bad.gso_size = 47;
	assert_int_equal(segment_start(&s, &bad, super, len), -EBADMSG);
	for (size_t cut = 0; cut <= 14 + 20 + 32; cut++)
		assert_int_equal(segment_start(&s, &good, super, cut), -EBADMSG);
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
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_complete_checksum),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
