/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include "stream_frames.h"

static const struct stream_spec base = { .version = 4, .flags = TCP_ACK, .options = 12,
					 .payload_len = 100 };

static void check_layout(const struct stream_spec *spec)
{
	uint8_t frame[500];
	struct transport_layout l;
	size_t len = build_packet(frame, spec), ip = 14 + 4 * spec->tags;
	size_t ip_len = (spec->version == 4 ? 20 : 40) + spec->ip_options + (spec->extensions ? 64 : 0);

	memset(frame + len, 0, 10); /* padding */
	assert_int_equal(transport_parse(frame, len + 10, len + 10, false, &l), 0);
	assert_int_equal(l.version, spec->version);
	assert_int_equal(l.protocol, spec->udp ? 17 : 6);
	assert_int_equal(l.tags, spec->tags);
	assert_int_equal(l.ip, ip);
	assert_int_equal(l.transport, ip + ip_len);
	assert_int_equal(l.payload, l.transport + (spec->udp ? 8 : 32));
	assert_int_equal(l.end, len);
	assert_int_equal(transport_pseudo_sum(frame, &l, 77) % 0xffff,
			 spec_pseudo_sum(spec, 77) % 0xffff);
	assert_int_equal(transport_parse(frame, len + 10, len + 10, true, &l), 0);
	assert_int_equal(l.end, len + 10);
	for (size_t have = 0; have < l.payload; have++)
		assert_true(transport_parse(frame, have, len, false, &l) < 0);
	for (size_t cut = 0; cut < len; cut++)
		assert_true(transport_parse(frame, len, cut, false, &l) < 0);
}

static void layout(void **state)
{
	struct stream_spec spec = base;

	(void)state;
	for (unsigned i = 0; i < SPEC_SHAPES; i++) {
		spec_shape(&spec, i);
		check_layout(&spec);
	}
}

struct change {
	size_t at;
	uint8_t value;
	int wanted;
};

/* One byte of a good frame changed to make it something else. */
static void check_changes(const struct stream_spec *spec, const struct change *changes, size_t count)
{
	uint8_t frame[500], changed[500];
	struct transport_layout l;
	size_t len = build_packet(frame, spec);

	for (size_t i = 0; i < count; i++) {
		memcpy(changed, frame, len);
		changed[changes[i].at] = changes[i].value;
		assert_int_equal(transport_parse(changed, len, len, false, &l), changes[i].wanted);
	}
	assert_int_equal(transport_parse(frame, len, len, false, &l), 0);
}

static void refused_ipv4(void **state)
{
	static const struct change changes[] = {
		{ 13, 0x06, -ENOENT },	     /* ARP */
		{ 14, 0x65, -EBADMSG },	     /* version 6 */
		{ 14, 0x44, -EBADMSG },	     /* IP header of 16 bytes */
		{ 14, 0x4f, -EBADMSG },	     /* of 60 bytes: TCP header beyond its own length */
		{ 17, 19, -EBADMSG },	     /* total length shorter than the header */
		{ 17, 255, -EBADMSG },	     /* longer than the frame */
		{ 20, 0x20, -EBADMSG },	     /* more fragments */
		{ 21, 1, -EBADMSG },	     /* a later fragment */
		{ 23, 1, -ENOENT },	     /* ICMP */
		{ 14 + 20 + 12, 0x40, -EBADMSG }, /* TCP header of 16 bytes */
		{ 14 + 20 + 12, 0x80, -EBADMSG }, /* of 32 bytes, which are not there */
	};
	static const struct change udp_changes[] = {
		{ 14 + 20 + 5, 15, -EBADMSG }, /* UDP length shorter than what IP says */
		{ 14 + 20 + 5, 17, -EBADMSG }, /* longer */
	};
	struct stream_spec spec = base;

	(void)state;
	spec.options = 0;
	spec.payload_len = 8;
	check_changes(&spec, changes, ARRAY_SIZE(changes));
	spec.udp = true;
	check_changes(&spec, udp_changes, ARRAY_SIZE(udp_changes));
}

static void refused_ipv6(void **state)
{
	enum { HOP = 14 + 40, ROUTING = HOP + 8, DESTINATION = ROUTING + 40 };
	static const struct change changes[] = {
		{ 14, 0x40, -EBADMSG },		      /* version 4 */
		{ 18, 1, -EBADMSG },		      /* longer than the frame */
		{ 20, 58, -ENOENT },		      /* ICMPv6 */
		{ 20, IP_PROTOCOL_FRAGMENT, -EBADMSG },
		{ HOP + 1, 200, -EBADMSG },	      /* an extension that leaves the frame */
		{ ROUTING, IP_PROTOCOL_FRAGMENT, -EBADMSG },
		{ ROUTING + 1, 0, -EBADMSG },	      /* segments left, but no address */
		{ ROUTING + 2, 3, -EBADMSG },	      /* a kind of routing that nobody knows */
		{ DESTINATION, 59, -ENOENT },	      /* nothing follows */
	};
	struct stream_spec spec = base;

	(void)state;
	spec.version = 6;
	spec.extensions = true;
	check_changes(&spec, changes, ARRAY_SIZE(changes));
}

/* The address that counts in the pseudo header, for each kind of routing. */
static void routing(void **state)
{
	enum { DEST = 14 + 24, ROUTING = 14 + 40 + 8 };
	static const struct {
		uint8_t type, left;
		size_t dest;
	} cases[] = {
		{ 4, 0, DEST },		 /* it has arrived */
		{ 9, 0, DEST },
		{ 4, 1, ROUTING + 8 },
		{ 2, 1, ROUTING + 8 },
		{ 0, 1, ROUTING + 8 + 16 },
	};
	uint8_t frame[500];
	struct stream_spec spec = base;
	struct transport_layout l;
	size_t len;

	(void)state;
	spec.version = 6;
	spec.extensions = true;
	len = build_packet(frame, &spec);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		frame[ROUTING + 2] = cases[i].type;
		frame[ROUTING + 3] = cases[i].left;
		assert_int_equal(transport_parse(frame, len, len, false, &l), 0);
		assert_int_equal(l.dest, cases[i].dest);
	}
}

/* Extension headers one after another without end. */
static void too_many_extensions(void **state)
{
	uint8_t frame[500];
	struct stream_spec spec = base;
	struct transport_layout l;
	size_t len;

	(void)state;
	spec.version = 6;
	spec.payload_len = 400 - spec_transport_len(&spec);
	len = build_packet(frame, &spec);
	memset(frame + 54, 0, 400);
	frame[20] = IP_PROTOCOL_DESTINATION;
	for (size_t at = 54; at < len; at += 8)
		frame[at] = IP_PROTOCOL_DESTINATION;
	assert_int_equal(transport_parse(frame, len, len, false, &l), -ENOENT);
	frame[54 + 7 * 8] = IP_PROTOCOL_TCP; /* behind eight of them */
	frame[54 + 8 * 8 + 12] = 0x50;
	assert_int_equal(transport_parse(frame, len, len, false, &l), 0);
	assert_int_equal(l.transport, 54 + 8 * 8);
}

static void three_tags(void **state)
{
	uint8_t frame[500];
	struct stream_spec spec = base;
	struct transport_layout l;
	size_t len;

	(void)state;
	spec.tags = 2;
	len = build_packet(frame + 4, &spec) + 4;
	memmove(frame, frame + 4, 12);
	memcpy(frame + 12, "\x81\0\0\1", 4);
	assert_int_equal(transport_parse(frame, len, len, false, &l), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout),
		cmocka_unit_test(refused_ipv4),
		cmocka_unit_test(refused_ipv6),
		cmocka_unit_test(routing),
		cmocka_unit_test(too_many_extensions),
		cmocka_unit_test(three_tags),
	};

	return RUN_TESTS(tests);
}
