/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames with work left, for hosts of every kind: in one call, in many, and with too little room. */
#include "test.h"

#include "fault.h"
#include "stream_frames.h"
#include "vde/plugins/super.h"

#define BUFFERS 16
#define SIZE    1000 /* of a segment's payload */

static const struct stream_spec base = {
	.version = 4, .source_port = 1000, .seq = 4294966000u, .ack = 77, .id = 65530, .options = 12,
	.flags = TCP_ACK | TCP_PSH | TCP_CWR,
};

/* What a program gives to one call that receives. */
struct host {
	uint8_t data[BUFFERS][VNET_FRAME_MAX];
	struct vde_frame frames[BUFFERS];
	struct plugin_sink sink;
};

/* A frame as it stands in the sender's ring, and what was found in it. */
struct sent {
	struct stream_spec spec;
	uint8_t frame[VNET_FRAME_MAX];
	struct vnet_header vnet;
	struct offload_frame of;
	size_t pieces_due; /* index of the next piece that the host misses */
};

static struct host host;
static struct sent sent;

/* COUNT empty buffers of ROOM bytes, whose frames tell when they are written to. */
static struct plugin_sink *offer(unsigned count, size_t room)
{
	memset(&host, 0xee, sizeof(host));
	for (unsigned i = 0; i < count; i++)
		host.frames[i] = (struct vde_frame){ .data = host.data[i], .len = room };
	host.sink = (struct plugin_sink){ .frames = host.frames, .count = count };
	return &host.sink;
}

static void send_super(const struct stream_spec *spec, size_t payload_len)
{
	size_t len;

	sent.spec = *spec;
	sent.spec.payload_len = payload_len;
	len = build_super(sent.frame, &sent.spec, SIZE, &sent.vnet);
	assert_int_equal(offload_check(&sent.of, sent.frame, len, &sent.vnet), 0);
	sent.pieces_due = 0;
}

/* One packet whose checksum is to be completed. */
static void send_unfinished(const struct stream_spec *spec, size_t payload_len)
{
	static const struct vnet_header unfinished = { .flags = VNET_NEEDS_CSUM };
	size_t len;

	sent.spec = *spec;
	sent.spec.payload_len = payload_len;
	len = build_packet(sent.frame, &sent.spec);
	assert_int_equal(offload_check(&sent.of, sent.frame, len, &unfinished), 0);
	assert_int_equal(sent.of.kind, OFFLOAD_CSUM);
	sent.pieces_due = 0;
}

/* The ring is the sender's, and what was found there is gone when the call is over. */
static void forget_sent(void)
{
	memset(sent.frame, 0xdd, sizeof(sent.frame));
	memset(&sent.of, 0xdd, sizeof(sent.of));
}

static void check_vnet(const struct vde_frame *got, const struct vnet_header *vnet)
{
	assert_int_equal(got->flags, 0);
	assert_int_equal(got->vnet.flags, vnet->flags);
	assert_int_equal(got->vnet.gso_type, vnet->gso_type);
	assert_int_equal(got->vnet.hdr_len, vnet->hdr_len);
	assert_int_equal(got->vnet.gso_size, vnet->gso_size);
	assert_int_equal(got->vnet.csum_start, vnet->csum_start);
	assert_int_equal(got->vnet.csum_offset, vnet->csum_offset);
}

/* The frame in one buffer is the one that was sent, its work left. */
static void check_as_it_is(const struct vde_frame *got)
{
	const uint8_t *data = got->data;

	assert_int_equal(got->len, sent.of.len);
	assert_memory_equal(data, offload_head(&sent.of), sent.of.head_len);
	assert_memory_equal(data + sent.of.head_len, sent.of.rest, sent.of.rest_len);
	check_vnet(got, &sent.of.vnet);
}

/* The frame in one buffer is what a sender that cuts by itself would have sent next. */
static void check_piece(const struct vde_frame *got)
{
	static const struct vnet_header none;
	static uint8_t wanted[VNET_FRAME_MAX];
	struct stream_spec spec = cut_spec(&sent.spec, SIZE, sent.pieces_due++);
	size_t len = build_packet(wanted, &spec);

	assert_int_equal(got->len, len);
	assert_memory_equal(got->data, wanted, len);
	check_vnet(got, &none);
}

static void check_pieces(void)
{
	for (unsigned i = 0; i < host.sink.done; i++)
		check_piece(&host.frames[i]);
}

/* --- hosts that know such frames ------------------------------------------------------------ */

static uint64_t feature_of(const struct stream_spec *spec)
{
	return spec->udp ? VDE_FEATURE_USO : spec->version == 4 ? VDE_FEATURE_TSO4 : VDE_FEATURE_TSO6;
}

static void taken_as_it_is(void **state)
{
	struct super_rest rest = { 0 };

	(void)state;
	for (unsigned shape = 0; shape < SPEC_SHAPES; shape++) {
		struct stream_spec spec = base;

		spec_shape(&spec, shape);
		send_super(&spec, 40 * SIZE + 1);
		super_deliver(&rest, &sent.of, VDE_FEATURE_CSUM | feature_of(&spec),
			      offer(2, VNET_FRAME_MAX));
		assert_int_equal(host.sink.done, 1);
		check_as_it_is(&host.frames[0]);

		send_unfinished(&spec, SIZE);
		super_deliver(&rest, &sent.of, VDE_FEATURE_CSUM, &host.sink);
		assert_int_equal(host.sink.done, 2);
		check_as_it_is(&host.frames[1]);
	}
	assert_false(rest.active);
	assert_null(rest.copy); /* nothing had to be kept */
}

/* --- hosts that do not ---------------------------------------------------------------------- */

/* A host that takes all features but the one in question gets pieces; one without any a whole checksum. */
static void made_complete(void **state)
{
	const uint64_t all = VDE_FEATURE_CSUM | VDE_FEATURE_TSO4 | VDE_FEATURE_TSO6 | VDE_FEATURE_USO;
	struct super_rest rest = { 0 };

	(void)state;
	for (unsigned shape = 0; shape < SPEC_SHAPES; shape++) {
		struct stream_spec spec = base;

		spec_shape(&spec, shape);
		send_super(&spec, 7 * SIZE + 1);
		super_deliver(&rest, &sent.of, shape % 5 ? all & ~feature_of(&spec) : 0,
			      offer(BUFFERS, VNET_FRAME_MAX));
		assert_int_equal(host.sink.done, 8);
		check_pieces();
		assert_false(rest.active);

		send_unfinished(&spec, SIZE - 1);
		super_deliver(&rest, &sent.of, 0, offer(1, VNET_FRAME_MAX));
		assert_int_equal(host.sink.done, 1);
		check_pieces();
	}
	super_done(&rest);
}

/* The host asks COUNT frames at a time for those of one super-frame. */
static void fetch_in_calls(unsigned count, size_t payload_len)
{
	size_t segments = (payload_len + SIZE - 1) / SIZE, calls = 0;
	struct super_rest rest = { 0 };

	send_super(&base, payload_len);
	super_deliver(&rest, &sent.of, 0, offer(count, VDE_ETHBUFSIZE));
	forget_sent();
	for (;;) {
		assert_int_equal(host.sink.done, MIN(count, segments - sent.pieces_due));
		check_pieces();
		calls++;
		if (!rest.active)
			break;
		super_continue(&rest, offer(count, VDE_ETHBUFSIZE));
	}
	assert_int_equal(sent.pieces_due, segments);
	assert_int_equal(calls, (segments + count - 1) / count);
	super_continue(&rest, offer(count, VDE_ETHBUFSIZE));
	assert_int_equal(host.sink.done, 0);
	super_done(&rest);
}

/* Full in the middle, and with the last piece. */
static void fetched_in_calls(void **state)
{
	(void)state;
	for (unsigned count = 1; count <= BUFFERS; count++) {
		fetch_in_calls(count, 11 * SIZE + 345);
		fetch_in_calls(count, 12 * SIZE);
		fetch_in_calls(count, 60 * SIZE);
	}
}

/* What comes in many calls is what cutting gives at once. */
static void same_as_cut(void **state)
{
	static uint8_t wanted[VNET_FRAME_MAX], frame[VNET_FRAME_MAX];
	struct super_rest rest = { 0 };
	struct offload_frame of;
	struct offload_cut cut;
	unsigned count = 0;
	ssize_t len;

	(void)state;
	send_super(&base, 9 * SIZE + 17);
	memcpy(frame, sent.frame, sizeof(frame));
	assert_int_equal(offload_check(&of, frame, sent.of.len, &sent.vnet), 0);
	offload_cut_start(&cut, &of);
	super_deliver(&rest, &sent.of, 0, offer(1, VDE_ETHBUFSIZE));
	forget_sent();
	while ((len = offload_cut_copy(&cut, wanted, sizeof(wanted))) > 0) {
		assert_int_equal(host.sink.done, 1);
		assert_int_equal(host.frames[0].len, len);
		assert_memory_equal(host.data[0], wanted, len);
		count++;
		super_continue(&rest, offer(1, VDE_ETHBUFSIZE));
	}
	assert_int_equal(count, 10);
	assert_int_equal(host.sink.done, 0);
	super_done(&rest);
}

/* --- too little room ------------------------------------------------------------------------ */

/* A frame that is longer than the buffer is dropped whole, and the buffer left to the next one. */
static void too_long_as_it_is(void **state)
{
	struct super_rest rest = { 0 };
	struct plugin_sink *sink;

	(void)state;
	send_super(&base, 3 * SIZE);
	sink = offer(1, sent.of.len - 1);
	super_deliver(&rest, &sent.of, VDE_FEATURE_CSUM | VDE_FEATURE_TSO4, sink);
	assert_int_equal(sink->done, 0);
	assert_int_equal(host.data[0][0], 0xee);
	host.frames[0].len++;
	super_deliver(&rest, &sent.of, VDE_FEATURE_CSUM | VDE_FEATURE_TSO4, sink);
	assert_int_equal(sink->done, 1);
	check_as_it_is(&host.frames[0]);
	assert_false(rest.active);
}

static void too_long_completed(void **state)
{
	struct super_rest rest = { 0 };
	struct plugin_sink *sink;

	(void)state;
	send_unfinished(&base, SIZE);
	sink = offer(1, sent.of.len - 1);
	super_deliver(&rest, &sent.of, 0, sink);
	assert_int_equal(sink->done, 0);
	assert_int_equal(host.data[0][0], 0xee);
	send_unfinished(&base, SIZE - 1);
	super_deliver(&rest, &sent.of, 0, sink);
	assert_int_equal(sink->done, 1);
	check_pieces();
}

/* The last piece is shorter than the others: alone it fits. */
static void too_long_pieces(void **state)
{
	struct super_rest rest = { 0 };
	struct plugin_sink *sink;

	(void)state;
	send_super(&base, 5 * SIZE + 300);
	sink = offer(2, sent.of.wire_max - 1);
	super_deliver(&rest, &sent.of, 0, sink);
	assert_int_equal(sink->done, 1);
	assert_int_equal(host.data[0][sent.of.head_len + 300], 0xee); /* no piece was begun */
	sent.pieces_due = 5;
	check_pieces();
	assert_false(rest.active);

	send_super(&base, 6 * SIZE);
	super_deliver(&rest, &sent.of, 0, sink);
	assert_int_equal(sink->done, 1); /* none fits: nothing of it is left over */
	assert_false(rest.active);
	super_done(&rest);
}

/* Pieces are in order: a buffer that is too small for all of the rest takes none, and is still free. */
static void too_long_for_one_buffer(void **state)
{
	struct super_rest rest = { 0 };
	struct plugin_sink *sink;

	(void)state;
	send_super(&base, 4 * SIZE);
	sink = offer(2, sent.of.wire_max);
	host.frames[1].len--;
	super_deliver(&rest, &sent.of, 0, sink);
	assert_int_equal(sink->done, 1);
	check_pieces();
	assert_false(rest.active);
	assert_int_equal(host.data[1][0], 0xee);
	super_done(&rest);
}

/* --- memory --------------------------------------------------------------------------------- */

static void memory_is_kept(void **state)
{
	struct super_rest rest = { 0 };
	const uint8_t *copy;

	(void)state;
	send_super(&base, 3 * SIZE);
	super_deliver(&rest, &sent.of, 0, offer(BUFFERS, VDE_ETHBUFSIZE));
	assert_false(rest.active);
	copy = rest.copy;
	assert_non_null(copy);
	send_super(&base, 60 * SIZE);
	super_deliver(&rest, &sent.of, 0, offer(1, VDE_ETHBUFSIZE));
	assert_true(rest.active);
	assert_ptr_equal(rest.copy, copy);

	super_done(&rest); /* pieces that nobody fetched go with it */
	assert_null(rest.copy);
	assert_false(rest.active);
	super_continue(&rest, offer(1, VDE_ETHBUFSIZE));
	assert_int_equal(host.sink.done, 0);
	super_done(&rest);
}

/* The frame is lost; those that need no copy come, and later ones, too. */
static void memory_is_short(void **state)
{
	struct super_rest rest = { 0 };
	struct plugin_sink *sink = offer(BUFFERS, VDE_ETHBUFSIZE);

	(void)state;
	fault_after(0);
	send_super(&base, 3 * SIZE);
	super_deliver(&rest, &sent.of, 0, sink);
	assert_int_equal(sink->done, 0);
	assert_false(rest.active);
	send_super(&base, 3 * SIZE);
	super_deliver(&rest, &sent.of, VDE_FEATURE_CSUM | VDE_FEATURE_TSO4, sink);
	assert_int_equal(sink->done, 1);
	check_as_it_is(&host.frames[0]);
	fault_after(-1);
	send_super(&base, 3 * SIZE);
	super_deliver(&rest, &sent.of, 0, offer(BUFFERS, VDE_ETHBUFSIZE));
	assert_int_equal(host.sink.done, 3);
	check_pieces();
	super_done(&rest);
}

/* --- headers -------------------------------------------------------------------------------- */

static void headers(void **state)
{
	static const struct {
		uint8_t flags, gso_type;
		bool work;
	} rows[] = {
		{ 0, VNET_GSO_NONE, false },
		{ 2, VNET_GSO_NONE, false }, /* "the checksum is valid" leaves no work */
		{ VNET_NEEDS_CSUM, VNET_GSO_NONE, true },
		{ 0, VNET_GSO_TCPV4, true },
		{ VNET_NEEDS_CSUM | 2, VNET_GSO_TCPV6 | VNET_GSO_ECN, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct vde_vnet given = { .flags = rows[i].flags, .gso_type = rows[i].gso_type,
						.hdr_len = 54, .gso_size = 1448, .csum_start = 34,
						.csum_offset = 16 };
		struct vnet_header got = super_from_program(&given);

		assert_int_equal(super_is_work(&given), rows[i].work);
		assert_int_equal(super_has_work(&got), rows[i].work);
		assert_int_equal(got.flags, rows[i].flags & VNET_NEEDS_CSUM);
		assert_int_equal(got.gso_type, rows[i].gso_type);
		assert_int_equal(got.hdr_len, 54);
		assert_int_equal(got.gso_size, 1448);
		assert_int_equal(got.csum_start, 34);
		assert_int_equal(got.csum_offset, 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken_as_it_is),
		cmocka_unit_test(made_complete),
		cmocka_unit_test(fetched_in_calls),
		cmocka_unit_test(same_as_cut),
		cmocka_unit_test(too_long_as_it_is),
		cmocka_unit_test(too_long_completed),
		cmocka_unit_test(too_long_pieces),
		cmocka_unit_test(too_long_for_one_buffer),
		cmocka_unit_test(memory_is_kept),
		cmocka_unit_test(memory_is_short),
		cmocka_unit_test(headers),
	};

	return RUN_TESTS(tests);
}
