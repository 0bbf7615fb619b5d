/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "stream_frames.h"
#include "vde/plug/offload.h"

static const struct offload_tag keep = { OFFLOAD_KEEP }, pop = { OFFLOAD_POP };
static const struct offload_tag push = { OFFLOAD_PUSH, { 0x0081, 0x2301 } };

static const struct stream_spec base = {
	.version = 4, .source_port = 1000, .seq = 5, .ack = 77, .id = 9, .options = 12,
	.flags = TCP_ACK | TCP_PSH, .payload_len = 5000,
};

/* The pieces in a row; returns their length. */
static size_t flatten(const struct iovec *iov, unsigned count, uint8_t *to)
{
	uint8_t *at = to;

	for (unsigned i = 0; i < count; i++)
		at = mempcpy(at, iov[i].iov_base, iov[i].iov_len);
	return (size_t)(at - to);
}

static size_t passed_on(const struct offload_frame *of, const struct offload_tag *tag, uint8_t *to)
{
	struct iovec iov[OFFLOAD_PIECES];

	return flatten(iov, offload_gather(of, tag, iov), to);
}

/* A packet whose checksum field has what VNET_NEEDS_CSUM wants there. */
static size_t build_unfinished(uint8_t *frame, const struct stream_spec *spec, size_t *ret_field)
{
	struct vnet_header vnet;
	uint8_t nonsense[8000];
	size_t len = build_packet(frame, spec);
	uint16_t sum;

	(void)build_super(nonsense, spec, 1000, &vnet);
	*ret_field = (size_t)vnet.csum_start + vnet.csum_offset;
	sum = (uint16_t)~checksum_finish(spec_pseudo_sum(spec, len - vnet.csum_start));
	memcpy(frame + *ret_field, &sum, sizeof(sum));
	return len;
}

static void plain(void **state)
{
	uint8_t frame[2000], out[2000];
	struct vnet_header odd = { .flags = 2, .gso_type = VNET_GSO_ECN, .gso_size = 7,
				   .csum_start = 9999 };
	struct vnet_header zero = { 0 }, got;
	struct offload_frame of;

	(void)state;
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)i;
	for (size_t len = 0; len <= sizeof(frame); len++) {
		int r = offload_check(&of, frame, len, len % 2 ? &odd : NULL);

		assert_int_equal(r, len < 14 ? -EBADMSG : 0);
		if (r < 0)
			continue;
		assert_int_equal(of.kind, OFFLOAD_PLAIN);
		assert_int_equal(of.len, len);
		assert_int_equal(of.segments, 1);
		assert_int_equal(of.wire_bytes, len);
		assert_int_equal(of.wire_max, len);
		assert_int_equal(of.head_len, MIN(len, OFFLOAD_HEAD_PLAIN));
		got = offload_vnet(&of, &keep);
		assert_memory_equal(&got, &zero, sizeof(zero));
		assert_int_equal(passed_on(&of, &keep, out), len);
		assert_memory_equal(out, frame, len);
		assert_true(offload_takes(&of, 0, &push));
	}
}

/* Whatever the header and the fields say that have to be written anew, what is passed on is right. */
static void unfinished(void **state)
{
	uint8_t frame[8000], wanted[8000], out[8000];
	struct vnet_header vnet = { .flags = VNET_NEEDS_CSUM, .csum_start = 3, .csum_offset = 60000,
				    .hdr_len = 999 }, got;
	struct offload_frame of;

	(void)state;
	for (unsigned shape = 0; shape < SPEC_SHAPES; shape++) {
		struct stream_spec spec = base;
		size_t len, field;

		spec_shape(&spec, shape);
		spec.payload_len = 1001;
		len = build_unfinished(wanted, &spec, &field);
		memcpy(frame, wanted, len);
		memset(frame + field, 0x77, 2);
		memset(frame + len, 0x99, 3); /* padding */
		memset(wanted + len, 0x99, 3);
		assert_int_equal(offload_check(&of, frame, len + 3, &vnet), 0);
		assert_int_equal(of.kind, OFFLOAD_CSUM);
		assert_int_equal(of.segments, 1);
		assert_int_equal(of.wire_bytes, len + 3);
		got = offload_vnet(&of, &keep);
		assert_int_equal(got.flags, VNET_NEEDS_CSUM);
		assert_int_equal(got.gso_type, VNET_GSO_NONE);
		assert_int_equal(got.csum_start, of.layout.transport);
		assert_int_equal(got.csum_start + got.csum_offset, field);
		assert_int_equal(passed_on(&of, &keep, out), len + 3);
		assert_memory_equal(out, wanted, len + 3);
		assert_false(offload_takes(&of, VDE_RING_F_ALL & ~VDE_RING_F_CSUM, &keep));
		assert_true(offload_takes(&of, VDE_RING_F_CSUM, &keep));

		(void)build_packet(wanted, &spec);
		assert_int_equal(offload_complete_head(&of, out), of.head_len);
		assert_memory_equal(out, wanted, of.head_len);
		offload_complete(&of);
		assert_int_equal(of.kind, OFFLOAD_PLAIN);
		assert_int_equal(passed_on(&of, &keep, out), len + 3);
		assert_memory_equal(out, wanted, len + 3);
		assert_true(offload_takes(&of, 0, &keep));
		assert_int_equal(offload_vnet(&of, &keep).flags, 0);
	}
}

static void check_super(struct stream_spec spec, uint64_t feature)
{
	uint8_t frame[8000], wanted[8000], out[8000];
	struct vnet_header vnet, told, got;
	struct offload_frame of;
	size_t field, len;

	len = build_super(frame, &spec, 1448, &vnet);
	told = vnet;
	told.csum_start = told.csum_offset = told.hdr_len = 0xffff;
	told.flags = 0;
	told.gso_type ^= VNET_GSO_ECN;
	assert_int_equal(offload_check(&of, frame, len, &told), 0);
	got = offload_vnet(&of, &keep);
	assert_memory_equal(&got, &vnet, sizeof(vnet));
	assert_int_equal(of.len, len);
	assert_int_equal(of.segments, 4);
	assert_int_equal(of.wire_bytes, len + 3u * vnet.hdr_len);
	assert_int_equal(of.wire_max, 1448u + vnet.hdr_len);
	assert_true(offload_takes(&of, VDE_RING_F_CSUM | feature, &keep));
	assert_false(offload_takes(&of, VDE_RING_F_ALL & ~feature, &keep));
	assert_false(offload_takes(&of, VDE_RING_F_ALL & ~VDE_RING_F_CSUM, &keep));
	assert_int_equal(offload_takes(&of, VDE_RING_F_ALL, &push), spec.tags < 2);
	assert_int_equal(passed_on(&of, &keep, out), len);
	assert_int_equal(build_unfinished(wanted, &spec, &field), len);
	assert_memory_equal(out, wanted, len);
	/* For a capture: one large packet that is right. */
	(void)build_packet(wanted, &spec);
	assert_int_equal(offload_complete_head(&of, out), of.head_len);
	assert_memory_equal(out, wanted, of.head_len);
	offload_complete(&of);
	assert_int_equal(of.segments, 4);
}

static void super(void **state)
{
	struct stream_spec spec = base;

	(void)state;
	for (unsigned shape = 0; shape < SPEC_SHAPES; shape++) {
		spec_shape(&spec, shape);
		check_super(spec, spec.udp ? VDE_RING_F_USO :
				  spec.version == 4 ? VDE_RING_F_TSO4 : VDE_RING_F_TSO6);
	}
	spec = base;
	spec.flags |= TCP_CWR;
	check_super(spec, VDE_RING_F_TSO4);
}

/* A super-frame that fits one segment is an ordinary frame. */
static void super_of_one(void **state)
{
	uint8_t frame[8000], wanted[8000], out[8000];
	struct stream_spec spec = base;
	struct offload_frame of;
	struct vnet_header vnet;
	size_t field, len;

	(void)state;
	for (unsigned shape = 0; shape < SPEC_SHAPES; shape++)
		for (size_t payload = 0; payload <= 1448; payload += 181) {
			spec_shape(&spec, shape);
			spec.payload_len = payload;
			len = build_super(frame, &spec, 1448, &vnet);
			assert_int_equal(offload_check(&of, frame, len, &vnet), 0);
			assert_int_equal(of.kind, OFFLOAD_CSUM);
			assert_int_equal(of.segments, 1);
			assert_int_equal(offload_vnet(&of, &keep).gso_type, VNET_GSO_NONE);
			assert_int_equal(passed_on(&of, &keep, out), len);
			assert_int_equal(build_unfinished(wanted, &spec, &field), len);
			assert_memory_equal(out, wanted, len);
		}
}

static void refused(void **state)
{
	static uint8_t frame[VNET_FRAME_MAX + 10];
	struct stream_spec spec = base;
	struct offload_frame of;
	struct vnet_header vnet, bad;
	size_t len;

	(void)state;
	len = build_super(frame, &spec, 1448, &vnet);
	for (size_t cut = 0; cut < 66; cut++)
		assert_int_equal(offload_check(&of, frame, cut, &vnet), -EBADMSG);
	assert_int_equal(offload_check(&of, frame, VNET_FRAME_MAX + 1, &vnet), -EBADMSG);
	assert_int_equal(offload_check(&of, frame, VNET_FRAME_MAX, &vnet), -EBADMSG); /* without tags */
	assert_int_equal(offload_check(&of, frame, VNET_FRAME_MAX, NULL), 0);
	assert_int_equal(offload_check(&of, frame, VNET_FRAME_MAX + 1, NULL), -EBADMSG);
	bad = vnet;
	bad.gso_size = 47;
	assert_int_equal(offload_check(&of, frame, len, &bad), -EBADMSG);
	bad = vnet;
	bad.gso_type = VNET_GSO_TCPV6;
	assert_int_equal(offload_check(&of, frame, len, &bad), -EBADMSG);
	bad.gso_type = VNET_GSO_UDP_L4;
	assert_int_equal(offload_check(&of, frame, len, &bad), -EBADMSG);
	bad.gso_type = VNET_GSO_UDP;
	assert_int_equal(offload_check(&of, frame, len, &bad), -EPROTONOSUPPORT);
	/* Of a packet that wants a checksum, lengths have to be right. */
	bad = (struct vnet_header){ .flags = VNET_NEEDS_CSUM };
	assert_int_equal(offload_check(&of, frame, len, &bad), -EBADMSG);
	len = build_packet(frame, &spec);
	assert_int_equal(offload_check(&of, frame, len - 1, &bad), -EBADMSG);
	assert_int_equal(offload_check(&of, frame, len, &bad), 0);
	frame[14 + 6] |= 0x20; /* a fragment */
	assert_int_equal(offload_check(&of, frame, len, &bad), -EBADMSG);
	assert_int_equal(offload_check(&of, frame, len, &vnet), -EBADMSG);
}

/* More extension headers than are copied. */
static void headers_too_long(void **state)
{
	uint8_t frame[1200];
	struct stream_spec spec = base;
	struct vnet_header vnet;
	struct offload_frame of;
	size_t len;

	(void)state;
	spec.version = 6;
	spec.payload_len = 1000;
	len = build_super(frame, &spec, 100, &vnet);
	memset(frame + 54, 0, 300);
	frame[20] = IP_PROTOCOL_DESTINATION;
	frame[54] = IP_PROTOCOL_TCP;
	for (unsigned units = 0; units < 30; units++) {
		size_t tcp = 54 + (units + 1) * 8;

		frame[55] = (uint8_t)units;
		frame[tcp + 12] = 0x50;
		assert_int_equal(offload_check(&of, frame, len, &vnet),
				 tcp + 20 <= OFFLOAD_HEAD_MAX ? 0 : -EBADMSG);
		frame[tcp + 12] = 0;
	}
}

/* A checksum in something that is not looked into is completed at once, as the header says. */
static void foreign(void **state)
{
	uint8_t frame[700], wanted[700], out[700];
	struct vnet_header vnet = { .flags = VNET_NEEDS_CSUM, .csum_offset = 4 };
	struct offload_frame of;
	uint16_t sum;

	(void)state;
	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 5);
	for (size_t len = 250; len < 265; len++)
		for (vnet.csum_start = 14; vnet.csum_start < 30; vnet.csum_start++) {
			memcpy(wanted, frame, len);
			sum = checksum(frame + vnet.csum_start, len - vnet.csum_start);
			memcpy(wanted + vnet.csum_start + 4, &sum, sizeof(sum));
			assert_int_equal(offload_check(&of, frame, len, &vnet), 0);
			assert_int_equal(of.kind, OFFLOAD_PLAIN);
			assert_int_equal(passed_on(&of, &keep, out), len);
			assert_memory_equal(out, wanted, len);
		}
	vnet.csum_start = 13;
	assert_int_equal(offload_check(&of, frame, 600, &vnet), -EBADMSG);
	vnet.csum_start = OFFLOAD_HEAD_MAX - 6;
	assert_int_equal(offload_check(&of, frame, 601, &vnet), 0);
	vnet.csum_start++;
	assert_int_equal(offload_check(&of, frame, 601, &vnet), -EBADMSG);
	vnet.csum_start = 20;
	assert_int_equal(offload_check(&of, frame, 25, &vnet), -EBADMSG);
	vnet.csum_offset = 5;
	assert_int_equal(offload_check(&of, frame, 600, &vnet), -EBADMSG);
	vnet.csum_offset = 0xffff;
	assert_int_equal(offload_check(&of, frame, 600, &vnet), -EBADMSG);
}

/* What the frame is after the change is the same whether it is made or gathered. */
static void check_tag(const struct offload_frame *before, const struct offload_tag *tag)
{
	struct offload_frame after = *before;
	struct vnet_header one, other;
	uint8_t a[8000], b[8000];
	size_t len;

	if (tag->change == OFFLOAD_PUSH)
		offload_push_tag(&after, &tag->tag);
	else
		offload_pop_tag(&after);
	len = passed_on(before, tag, a);
	assert_int_equal(len, before->len + offload_tag_delta(tag));
	assert_int_equal(after.len, len);
	assert_int_equal(after.wire_bytes,
			 before->wire_bytes + (int)before->segments * offload_tag_delta(tag));
	assert_int_equal(after.wire_max, before->wire_max + offload_tag_delta(tag));
	assert_int_equal(passed_on(&after, &keep, b), len);
	assert_memory_equal(a, b, len);
	one = offload_vnet(before, tag);
	other = offload_vnet(&after, &keep);
	assert_memory_equal(&one, &other, sizeof(one));
	if (after.kind != OFFLOAD_PLAIN && after.layout.tags <= 2) {
		struct offload_frame again;

		assert_int_equal(offload_check(&again, b, len, &other), 0);
		assert_int_equal(again.layout.ip, after.layout.ip);
		assert_int_equal(again.layout.dest, after.layout.dest);
		assert_int_equal(again.layout.transport, after.layout.transport);
		assert_int_equal(again.layout.payload, after.layout.payload);
		assert_int_equal(again.layout.end, after.layout.end);
		assert_int_equal(again.layout.tags, after.layout.tags);
		assert_memory_equal(&again.vnet, &after.vnet, sizeof(after.vnet));
	}
	/* There and back. */
	if (tag->change == OFFLOAD_PUSH) {
		offload_pop_tag(&after);
		assert_int_equal(passed_on(&after, &keep, b), before->len);
		assert_int_equal(passed_on(before, &keep, a), before->len);
		assert_memory_equal(a, b, before->len);
	}
}

static void tags(void **state)
{
	static const struct vnet_header unfinished_header = { .flags = VNET_NEEDS_CSUM };
	struct stream_spec spec = base;
	struct offload_frame of;
	struct vnet_header vnet;
	uint8_t frame[8000];
	size_t len;

	(void)state;
	for (unsigned shape = 0; shape < SPEC_SHAPES; shape++) {
		spec_shape(&spec, shape);
		len = build_super(frame, &spec, 1000, &vnet);
		assert_int_equal(offload_check(&of, frame, len, &vnet), 0);
		check_tag(&of, &push);
		if (spec.tags)
			check_tag(&of, &pop);
		len = build_packet(frame, &spec);
		assert_int_equal(offload_check(&of, frame, len, &unfinished_header), 0);
		check_tag(&of, &push);
		assert_int_equal(offload_check(&of, frame, len, NULL), 0);
		check_tag(&of, &push);
		if (spec.tags)
			check_tag(&of, &pop);
	}
	/* Twice, as far as the room goes. */
	offload_push_tag(&of, &push.tag);
	offload_push_tag(&of, &push.tag);
	assert_int_equal(of.head_at, 0);
	assert_int_equal(of.len, len + 8);
	/* Short ones: nothing but what is needed. */
	assert_int_equal(offload_check(&of, frame, 14, NULL), 0);
	check_tag(&of, &push);
	assert_int_equal(offload_check(&of, frame, 18, NULL), 0);
	check_tag(&of, &pop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(unfinished),
		cmocka_unit_test(super),
		cmocka_unit_test(super_of_one),
		cmocka_unit_test(refused),
		cmocka_unit_test(headers_too_long),
		cmocka_unit_test(foreign),
		cmocka_unit_test(tags),
	};

	return RUN_TESTS(tests);
}
