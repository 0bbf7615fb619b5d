/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "stream_frames.h"
#include "vde/plug/offload.h"

#define MSS        1448
#define FRAMES_MAX 512

static const struct offload_tag keep = { OFFLOAD_KEEP }, pop = { OFFLOAD_POP };
static const struct offload_tag push = { OFFLOAD_PUSH, { 0x0081, 0x2301 } };

/* What goes in stays until the flush; what came out, cut again to what a wire would carry. */
struct sink {
	struct offload_join *join;
	size_t added;
	struct offload_frame frame[FRAMES_MAX];
	uint8_t data[FRAMES_MAX][2000];
	size_t emitted; /* calls */
	size_t count;   /* frames after cutting */
	struct {
		size_t len;
		uint8_t data[2000];
	} out[FRAMES_MAX];
	struct vnet_header last;
};

static void sink_emit(void *context, const struct offload_out *out)
{
	static uint8_t copy[VNET_FRAME_MAX];
	struct sink *sink = context;
	struct offload_frame of;
	struct offload_cut cut;
	uint8_t *at = copy;
	size_t bytes = 0, pieces = 0;
	ssize_t len;

	for (unsigned i = 0; i < out->count; i++)
		at = mempcpy(at, out->iov[i].iov_base, out->iov[i].iov_len);
	assert_int_equal(at - copy, out->len);
	sink->emitted++;
	sink->last = out->vnet;
	assert_int_equal(offload_check(&of, copy, out->len, &out->vnet), 0);
	assert_memory_equal(offload_head(&of), copy, of.head_len); /* nothing was left to correct */
	assert_memory_equal(&of.vnet, &out->vnet, sizeof(of.vnet));
	offload_cut_start(&cut, &of);
	while ((len = offload_cut_copy(&cut, sink->out[sink->count].data, 2000)) != 0) {
		assert_in_range(len, 14, 2000);
		sink->out[sink->count++].len = (size_t)len;
		assert_in_range(sink->count, 0, FRAMES_MAX - 1);
		bytes += (size_t)len;
		pieces++;
	}
	assert_int_equal(out->segments, pieces);
	assert_int_equal(out->wire_bytes, bytes);
}

static int setup(void **state)
{
	struct sink *sink = calloc(1, sizeof(*sink));

	assert_int_equal(offload_join_new(VDE_RING_F_ALL, sink_emit, sink, &sink->join), 0);
	*state = sink;
	return 0;
}

static int teardown(void **state)
{
	struct sink *sink = *state;

	offload_join_free(sink->join);
	free(sink);
	return 0;
}

static void reset(struct sink *sink)
{
	offload_join_flush(sink->join);
	sink->added = sink->count = sink->emitted = 0;
}

static const struct stream_spec base = {
	.version = 4, .source_port = 1000, .seq = 4294900000u, .ack = 5, .flags = TCP_ACK,
	.options = 12, .payload_len = MSS,
};

static void add_frame(struct sink *sink, size_t len, const struct vnet_header *vnet,
		      const struct offload_tag *tag)
{
	struct offload_frame *of = &sink->frame[sink->added];

	assert_int_equal(offload_check(of, sink->data[sink->added], len, vnet), 0);
	sink->added++;
	offload_join_add(sink->join, of, tag);
}

static void add(struct sink *sink, const struct stream_spec *spec)
{
	add_frame(sink, build_packet(sink->data[sink->added], spec), NULL, &keep);
}

static void expect_frame(struct sink *sink, size_t index, const struct stream_spec *spec)
{
	uint8_t wanted[2000];
	size_t len = build_packet(wanted, spec);

	assert_in_range(index, 0, sink->count - 1);
	assert_int_equal(sink->out[index].len, len);
	assert_memory_equal(sink->out[index].data, wanted, len);
}

/* COUNT packets in a row, of which the last may be shorter: one super-frame, cut again to the same. */
static void check_stream(struct sink *sink, struct stream_spec spec, size_t count, size_t last_len,
			 const struct vnet_header *vnet)
{
	size_t size = spec.payload_len;
	struct stream_spec whole = spec, piece;

	whole.payload_len = (count - 1) * size + last_len;
	for (size_t i = 0; i < count; i++) {
		piece = cut_spec(&whole, size, i);
		add_frame(sink, build_packet(sink->data[sink->added], &piece), vnet, &keep);
	}
	offload_join_flush(sink->join);
	assert_int_equal(sink->emitted, 1);
	assert_int_equal(sink->count, count);
	for (size_t i = 0; i < count; i++) {
		piece = cut_spec(&whole, size, i);
		expect_frame(sink, i, &piece);
	}
	reset(sink);
}

static void stream(void **state)
{
	static const struct vnet_header unfinished = { .flags = VNET_NEEDS_CSUM };
	uint8_t headers[300];

	for (unsigned shape = 0; shape < 2 * SPEC_SHAPES; shape++) {
		const struct vnet_header *vnet = shape < SPEC_SHAPES ? NULL : &unfinished;
		struct stream_spec spec = base;

		spec_shape(&spec, shape % SPEC_SHAPES);
		spec.fragments = shape % 5 == 0; /* identification counts up */
		spec.payload_len = 0;
		if (!vnet && build_packet(headers, &spec) > OFFLOAD_HEAD_PLAIN)
			continue; /* not all headers are among the bytes looked at */
		spec.payload_len = MSS;
		check_stream(*state, spec, 1, 1000, vnet);
		check_stream(*state, spec, 2, spec.payload_len, vnet);
		check_stream(*state, spec, 40, 10, vnet);
		spec.payload_len = 1001;
		check_stream(*state, spec, OFFLOAD_JOIN_MAX, 1001, vnet);
	}
}

/* A packet ends at 65535 bytes; the rest of the stream makes the next super-frame. */
static void largest(void **state)
{
	struct sink *sink = *state;
	struct stream_spec spec = base;

	for (int i = 0; i < 100; i++) {
		add(sink, &spec);
		spec.seq += MSS;
		spec.id++;
	}
	offload_join_flush(sink->join);
	assert_int_equal(sink->count, 100);
	assert_int_equal(sink->emitted, 3); /* 45 + 45 + 10 */
	reset(sink);
	spec.payload_len = 100;
	for (int i = 0; i < 100; i++) {
		add(sink, &spec);
		spec.seq += 100;
		spec.id++;
	}
	offload_join_flush(sink->join);
	assert_int_equal(sink->count, 100);
	assert_int_equal(sink->emitted, 2); /* 64 + 36 */
}

static void push_ends(void **state)
{
	struct sink *sink = *state;
	struct stream_spec spec = base;

	add(sink, &spec);
	assert_int_equal(sink->emitted, 0);
	spec.seq += MSS;
	spec.id++;
	spec.flags |= TCP_PSH;
	add(sink, &spec);
	assert_int_equal(sink->emitted, 1);
	assert_int_equal(sink->count, 2);
	expect_frame(sink, 1, &spec);
	spec.seq += MSS; /* alone with PSH: not held at all */
	add(sink, &spec);
	assert_int_equal(sink->emitted, 2);
}

/* Second packets that must not be joined; each comes out unchanged, behind the first. */
static void check_not_joined(struct sink *sink, const struct stream_spec *first,
			     const struct stream_spec *second)
{
	reset(sink);
	add(sink, first);
	add(sink, second);
	offload_join_flush(sink->join);
	assert_int_equal(sink->emitted, 2);
	expect_frame(sink, 0, first);
	expect_frame(sink, 1, second);
}

static void not_joined(void **state)
{
	struct sink *sink = *state;
	struct stream_spec seconds[11], first;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
		seconds[i] = base;
		seconds[i].seq += MSS;
		seconds[i].id++;
	}
	seconds[n++].seq++;               /* a gap */
	seconds[n++].seq = base.seq;      /* a repetition */
	seconds[n++].ack++;
	seconds[n++].tos = 3;             /* congestion experienced */
	seconds[n++].flags |= TCP_FIN;
	seconds[n++].flags |= TCP_ECE;
	seconds[n++].flags |= TCP_URG;
	seconds[n++].options = 8;
	seconds[n++].payload_len = 0;     /* a bare acknowledgement */
	seconds[n++].payload_len = MSS + 1;
	seconds[n++].fragments = true;    /* "don't fragment" differs */
	assert_int_equal(n, ARRAY_SIZE(seconds));
	for (size_t i = 0; i < n; i++)
		check_not_joined(sink, &base, &seconds[i]);
	/* May be cut to fragments later, so the identification has a meaning. */
	first = base;
	first.fragments = true;
	seconds[0] = first;
	seconds[0].seq += MSS;
	check_not_joined(sink, &first, &seconds[0]);
	/* UDP without a checksum. */
	first = base;
	first.udp = true;
	reset(sink);
	for (int i = 0; i < 2; i++) {
		size_t len = build_packet(sink->data[sink->added], &first);

		memset(sink->data[sink->added] + 14 + 20 + 6, 0, 2);
		add_frame(sink, len, NULL, &keep);
		assert_int_equal(sink->emitted, i + 1);
		assert_memory_equal(sink->out[i].data, sink->data[i], len);
	}
}

static void after_shorter(void **state)
{
	struct sink *sink = *state;
	struct stream_spec spec = base;

	for (int udp = 0; udp < 2; udp++) {
		reset(sink);
		spec = base;
		spec.udp = udp;
		add(sink, &spec);
		spec.seq += MSS;
		spec.payload_len = 100;
		spec.id++;
		add(sink, &spec); /* shorter: the super-frame is complete */
		assert_int_equal(sink->emitted, 1);
		assert_int_equal(sink->last.gso_type, udp ? VNET_GSO_UDP_L4 : VNET_GSO_TCPV4);
		spec.seq += 100;
		spec.payload_len = MSS;
		add(sink, &spec);
		offload_join_flush(sink->join);
		assert_int_equal(sink->emitted, 2);
		assert_int_equal(sink->count, 3);
		expect_frame(sink, 2, &spec);
	}
}

/* Streams that come mixed are joined each for itself, more of them than there are slots too. */
static void streams(void **state)
{
	struct sink *sink = *state;
	struct stream_spec spec = base;

	for (unsigned round = 0; round < 4; round++, spec.seq += MSS)
		for (unsigned i = 0; i < OFFLOAD_JOIN_SLOTS; i++) {
			spec.source_port = (uint16_t)(2000 + i / 2);
			spec.udp = i % 2; /* the same ports in both protocols */
			add(sink, &spec);
		}
	assert_int_equal(sink->emitted, 0);
	offload_join_flush(sink->join);
	assert_int_equal(sink->emitted, OFFLOAD_JOIN_SLOTS);
	assert_int_equal(sink->count, 4 * OFFLOAD_JOIN_SLOTS);

	reset(sink);
	spec = base;
	for (unsigned i = 0; i <= OFFLOAD_JOIN_SLOTS; i++) {
		spec.source_port = (uint16_t)(2000 + i);
		add(sink, &spec);
	}
	assert_int_equal(sink->emitted, 1); /* the oldest made room */
	spec.source_port = 2000;
	expect_frame(sink, 0, &spec);
	offload_join_flush(sink->join);
	assert_int_equal(sink->count, OFFLOAD_JOIN_SLOTS + 1);
}

/* A super-frame, a fragment, and what is malformed, overtake nothing of their stream. */
static void order(void **state)
{
	struct sink *sink = *state;
	struct stream_spec spec = base;
	struct vnet_header vnet;
	size_t len;

	add(sink, &spec);
	spec.seq += MSS;
	spec.payload_len = 1900;
	len = build_super(sink->data[1], &spec, 1000, &vnet);
	add_frame(sink, len, &vnet, &keep);
	assert_int_equal(sink->emitted, 2);
	assert_int_equal(sink->count, 3);
	expect_frame(sink, 0, &base);
	reset(sink);
	add(sink, &base);
	spec.payload_len = 100;
	len = build_packet(sink->data[1], &spec);
	sink->data[1][14 + 6] = 0x20;
	add_frame(sink, len, NULL, &keep);
	assert_int_equal(sink->emitted, 2);
	expect_frame(sink, 0, &base);
}

/* The tag's change is made on what leaves; packets with different changes are not joined. */
static void check_tags(struct sink *sink, unsigned tags, const struct offload_tag *tag)
{
	struct stream_spec spec = base;
	struct offload_frame of;

	reset(sink);
	spec.tags = tags;
	for (unsigned i = 0; i < 3; i++, spec.seq += MSS, spec.id++)
		add_frame(sink, build_packet(sink->data[i], &spec), NULL, tag);
	add_frame(sink, build_packet(sink->data[3], &spec), NULL, &keep);
	offload_join_flush(sink->join);
	assert_int_equal(sink->emitted, tag->change == OFFLOAD_PUSH && tags == 2 ? 4 : 2);
	assert_int_equal(sink->count, 4);
	for (unsigned i = 0; i < 3; i++) {
		struct iovec iov[OFFLOAD_PIECES];
		uint8_t wanted[2000], *at = wanted;
		unsigned n;

		assert_int_equal(offload_check(&of, sink->data[i], sink->frame[i].len, NULL), 0);
		n = offload_gather(&of, tag, iov);
		for (unsigned j = 0; j < n; j++)
			at = mempcpy(at, iov[j].iov_base, iov[j].iov_len);
		assert_int_equal(sink->out[i].len, at - wanted);
		assert_memory_equal(sink->out[i].data, wanted, sink->out[i].len);
	}
}

static void tags_change(void **state)
{
	check_tags(*state, 0, &push);
	check_tags(*state, 1, &push);
	check_tags(*state, 2, &push); /* three are not joined */
	check_tags(*state, 1, &pop);
	check_tags(*state, 2, &pop);
}

/* Only what the destination takes is made. */
static void features(void **state)
{
	static const uint64_t all[] = { VDE_RING_F_TSO4, VDE_RING_F_TSO6, VDE_RING_F_USO };
	struct sink *sink = *state;

	for (unsigned i = 0; i < 8; i++)
		for (unsigned kind = 0; kind < 3; kind++) {
			uint64_t wanted = i % 2 ? VDE_RING_F_CSUM : 0;
			struct stream_spec spec = base;

			reset(sink);
			offload_join_free(sink->join);
			for (unsigned j = 0; j < 3; j++)
				wanted |= j == i / 2 ? 0 : all[j];
			assert_int_equal(offload_join_new(wanted, sink_emit, sink, &sink->join), 0);
			spec.version = kind == 1 ? 6 : 4;
			spec.udp = kind == 2;
			add(sink, &spec);
			spec.seq += MSS;
			add(sink, &spec);
			offload_join_flush(sink->join);
			assert_int_equal(sink->emitted, i % 2 && wanted & all[kind] ? 1 : 2);
		}
}

/* What is broken, or no stream at all, passes as it is. */
static void passes(void **state)
{
	struct sink *sink = *state;
	struct stream_spec tiny = base, next = base;
	size_t len = build_packet(sink->data[0], &base), full = len;

	/* A wrong checksum in the first or the second of two. */
	next.seq += MSS;
	for (unsigned bad = 0; bad < 2; bad++) {
		reset(sink);
		(void)build_packet(sink->data[0], &base);
		(void)build_packet(sink->data[1], &next);
		sink->data[bad][len - 1] ^= 1;
		add_frame(sink, len, NULL, &keep);
		add_frame(sink, len, NULL, &keep);
		offload_join_flush(sink->join);
		assert_int_equal(sink->emitted, 2);
		for (unsigned i = 0; i < 2; i++)
			assert_memory_equal(sink->out[i].data, sink->data[i], len);
	}
	reset(sink);
	(void)build_packet(sink->data[0], &base);
	sink->data[0][14 + 8]--; /* the IPv4 header's checksum */
	add_frame(sink, len, NULL, &keep);
	assert_int_equal(sink->emitted, 1);
	reset(sink);
	tiny.payload_len = 47;
	for (size_t i = 0; i < 3; i++, tiny.seq += 47) { /* packets so small are not joined */
		add(sink, &tiny);
		assert_int_equal(sink->emitted, i + 1);
	}
	for (len = 14; len < full; len += 7) {
		(void)build_packet(sink->data[sink->added], &base);
		add_frame(sink, len, NULL, &keep);
		assert_int_equal(sink->out[sink->count - 1].len, len);
	}
}

/* Padding behind a short last packet is no part of the stream. */
static void padded(void **state)
{
	struct sink *sink = *state;
	struct stream_spec spec = base;
	size_t len;

	spec.options = 0;
	add(sink, &spec);
	spec.seq += MSS;
	spec.id++;
	spec.payload_len = 2;
	len = build_packet(sink->data[1], &spec);
	assert_int_equal(len, 56);
	memset(sink->data[1] + len, 0x11, 4);
	add_frame(sink, 60, NULL, &keep);
	assert_int_equal(sink->emitted, 1);
	assert_int_equal(sink->count, 2);
	expect_frame(sink, 1, &spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(stream, setup, teardown),
		cmocka_unit_test_setup_teardown(largest, setup, teardown),
		cmocka_unit_test_setup_teardown(push_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(not_joined, setup, teardown),
		cmocka_unit_test_setup_teardown(after_shorter, setup, teardown),
		cmocka_unit_test_setup_teardown(streams, setup, teardown),
		cmocka_unit_test_setup_teardown(order, setup, teardown),
		cmocka_unit_test_setup_teardown(tags_change, setup, teardown),
		cmocka_unit_test_setup_teardown(features, setup, teardown),
		cmocka_unit_test_setup_teardown(passes, setup, teardown),
		cmocka_unit_test_setup_teardown(padded, setup, teardown),
	};

	return RUN_TESTS(tests);
}
