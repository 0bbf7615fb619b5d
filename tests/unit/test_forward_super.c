/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Super-frames in the switch: passed on, cut, tagged, flooded, counted. */
#include "fake_switch.h"

#include "vde/switch/vlan.h"

#define PAYLOAD 3000
#define MSS     1448
#define HEADERS (14 + 20 + 20)

/* An endpoint that takes super-frames, and keeps what it got. */
struct taker {
	struct endpoint *ep;
	unsigned count;
	uint32_t len[16];
	struct vnet_header vnet[16];
	bool tagged[16];
};

static struct taker taker;

static void taker_flush(struct vde_switch *sw, struct endpoint *ep)
{
	for (unsigned i = 0; i < ep->num_pending; i++) {
		struct iovec iov[FORWARD_PIECES];
		bool tagged;
		const struct frame *frame = forward_share(sw->forward, ep, i, &tagged);
		unsigned len, count = forward_pieces(frame, tagged, iov, &len);
		size_t sum = 0;

		for (unsigned p = 0; p < count; p++)
			sum += iov[p].iov_len;
		assert_int_equal(sum, len);
		taker.len[taker.count] = len;
		taker.vnet[taker.count] = forward_vnet(frame, tagged);
		taker.tagged[taker.count++] = tagged;
		endpoint_count_out(ep, frame->segments, frame->wire_bytes, frame->segments > 1);
	}
}

static int taker_write(struct endpoint *ep, struct mmsghdr *msgs, unsigned count)
{
	(void)ep;
	(void)msgs;
	return (int)count;
}

static void taker_close(struct vde_switch *sw, struct endpoint *ep)
{
	(void)sw;
	(void)ep;
}

static const struct endpoint_class taker_class = {
	.module = "taker", .transport = "fake", .write = taker_write, .flush = taker_flush,
	.close = taker_close,
};

static void attach_taker(struct vde_switch *sw, unsigned number)
{
	struct fake other;

	fake_attach(sw, number, &other); /* the port, and an endpoint to make ours of */
	other.ep->class = &taker_class;
	other.ep->takes = VDE_RING_F_ALL;
	taker = (struct taker){ .ep = other.ep };
}

/* A TCP super-frame over IPv4, broadcast, with its header as a TAP gives it. */
static uint32_t super_frame(uint8_t *frame, struct vnet_header *vnet)
{
	static const uint8_t lead[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x00,
		0x45, 0, (40 + PAYLOAD) >> 8, (40 + PAYLOAD) & 0xff, 0, 1, 0x40, 0, 64, 6, 0, 0,
		10, 0, 0, 1, 10, 0, 0, 2,
		0x03, 0xe8, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x10, 1, 0, 0, 0, 0, 0,
	};

	memset(frame, 'x', HEADERS + PAYLOAD);
	memcpy(frame, lead, sizeof(lead));
	*vnet = (struct vnet_header){ .flags = VNET_NEEDS_CSUM, .gso_type = VNET_GSO_TCPV4,
				      .hdr_len = HEADERS, .gso_size = MSS, .csum_start = 34,
				      .csum_offset = 16 };
	return HEADERS + PAYLOAD;
}

static void send_super(struct vde_switch *sw, struct fake *from)
{
	static uint8_t frame[HEADERS + PAYLOAD];
	struct vnet_header vnet;
	uint32_t len = super_frame(frame, &vnet);

	assert_int_equal(forward_put(sw->forward, 0, frame, len, &vnet), 0);
	forward_frames(sw, from->ep, 1);
}

static void start(struct vde_switch *sw)
{
	memset(sw, 0, sizeof(*sw));
	fake_switch_init(sw);
}

static void cut_for_one_passed_to_another(void **state)
{
	static struct vde_switch sw;
	static struct fake from, old;
	uint32_t ip_id[3];

	(void)state;
	start(&sw);
	fake_attach(&sw, 1, &from);
	fake_attach(&sw, 2, &old);
	attach_taker(&sw, 3);
	send_super(&sw, &from);
	assert_int_equal(taker.count, 1);
	assert_int_equal(taker.len[0], HEADERS + PAYLOAD);
	assert_int_equal(taker.vnet[0].gso_size, MSS);
	assert_int_equal(taker.vnet[0].csum_start, 34);
	assert_int_equal(old.count, 3);
	assert_int_equal(old.frames[0].len, HEADERS + MSS);
	assert_int_equal(old.frames[1].len, HEADERS + MSS);
	assert_int_equal(old.frames[2].len, HEADERS + PAYLOAD - 2 * MSS);
	for (int i = 0; i < 3; i++)
		ip_id[i] = (uint32_t)old.frames[i].data[18] << 8 | old.frames[i].data[19];
	assert_int_equal(ip_id[1], ip_id[0] + 1);
	assert_int_equal(ip_id[2], ip_id[0] + 2);
	/* Counted as on the wire, on every port. */
	assert_int_equal(sw.ports[1]->counters.in.packets, 3);
	assert_int_equal(sw.ports[1]->counters.in.bytes, PAYLOAD + 3 * HEADERS);
	assert_int_equal(sw.ports[1]->counters.super_in, 1);
	assert_int_equal(sw.ports[2]->counters.out.packets, 3);
	assert_int_equal(sw.ports[2]->counters.out.bytes, PAYLOAD + 3 * HEADERS);
	assert_int_equal(sw.ports[3]->counters.out.packets, 3);
	assert_int_equal(sw.ports[3]->counters.super_out, 1);
	switch_done(&sw);
}

static void tags(void **state)
{
	static struct vde_switch sw;
	static struct fake from, old;

	(void)state;
	start(&sw);
	fake_attach(&sw, 1, &from);
	fake_attach(&sw, 2, &old);
	attach_taker(&sw, 3);
	assert_int_equal(vlan_create(&sw, 5), 0);
	assert_int_equal(vlan_set_untagged(&sw, sw.ports[1], 5), 0);
	assert_int_equal(vlan_add_port(&sw, 5, 2), 0);
	assert_int_equal(vlan_add_port(&sw, 5, 3), 0);
	send_super(&sw, &from);
	assert_int_equal(taker.len[0], HEADERS + 4 + PAYLOAD);
	assert_true(taker.tagged[0]);
	assert_int_equal(taker.vnet[0].csum_start, 38);
	assert_int_equal(taker.vnet[0].hdr_len, HEADERS + 4);
	assert_int_equal(old.count, 3);
	for (int i = 0; i < 3; i++) /* each segment has the tag */
		assert_memory_equal(old.frames[i].data + 12, ((uint8_t[]){ 0x81, 0, 0, 5, 8, 0 }), 6);
	switch_done(&sw);
}

static void order_is_kept(void **state)
{
	static struct vde_switch sw;
	static struct fake from, old;
	static uint8_t frame[HEADERS + PAYLOAD], plain[60];
	struct vnet_header vnet, none = { 0 };
	uint32_t len = super_frame(frame, &vnet);

	(void)state;
	start(&sw);
	fake_attach(&sw, 1, &from);
	fake_attach(&sw, 2, &old);
	memcpy(plain, frame, 14);
	plain[14] = 1;
	assert_int_equal(forward_put(sw.forward, 0, plain, sizeof(plain), &none), 0);
	assert_int_equal(forward_put(sw.forward, 1, frame, len, &vnet), 0);
	assert_int_equal(forward_put(sw.forward, 2, plain, sizeof(plain), &none), 0);
	forward_frames(&sw, from.ep, 3);
	assert_int_equal(old.count, 5);
	assert_int_equal(old.frames[0].len, 60);
	assert_int_equal(old.frames[1].len, HEADERS + MSS);
	assert_int_equal(old.frames[4].len, 60);
	switch_done(&sw);
}

static void bad_headers(void **state)
{
	static struct vde_switch sw;
	static uint8_t frame[HEADERS + PAYLOAD];
	struct vnet_header vnet;
	uint32_t len = super_frame(frame, &vnet);

	(void)state;
	start(&sw);
	vnet.gso_size = 47;
	assert_true(forward_put(sw.forward, 0, frame, len, &vnet) < 0);
	vnet.gso_size = MSS;
	vnet.gso_type = 3; /* UFO */
	assert_true(forward_put(sw.forward, 0, frame, len, &vnet) < 0);
	vnet.gso_type = VNET_GSO_TCPV6; /* it is no IPv6 */
	assert_true(forward_put(sw.forward, 0, frame, len, &vnet) < 0);
	vnet.gso_type = VNET_GSO_TCPV4;
	assert_true(forward_put(sw.forward, 0, frame, 40, &vnet) < 0);
	switch_done(&sw);
}

/* The smallest gso_size makes the most segments: all of them arrive. */
static void most_segments(void **state)
{
	static struct vde_switch sw;
	static struct fake from, old;
	static uint8_t frame[HEADERS + PAYLOAD];
	struct vnet_header vnet;
	uint32_t len = super_frame(frame, &vnet);

	(void)state;
	start(&sw);
	fake_attach(&sw, 1, &from);
	fake_attach(&sw, 2, &old);
	vnet.gso_size = 48;
	assert_int_equal(forward_put(sw.forward, 0, frame, len, &vnet), 0);
	forward_frames(&sw, from.ep, 1);
	assert_int_equal(old.count, (PAYLOAD + 47) / 48);
	switch_done(&sw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_for_one_passed_to_another), cmocka_unit_test(tags),
		cmocka_unit_test(order_is_kept), cmocka_unit_test(bad_headers),
		cmocka_unit_test(most_segments),
	};

	return RUN_TESTS(tests);
}
