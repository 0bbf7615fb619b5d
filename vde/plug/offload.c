/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking at frames with work left, changing their tags, passing them on whole. The rules that keep
 * a stranger out: bytes that decide anything are copied first, once, and parsed in the copy; what
 * is sent as headers is the copy, too; and what is found out decides how much of the rest is read.
 */
#include "vde/plug/offload_internal.h"

#include <errno.h>

#include "wire/checksum.h"

#define ADDRESSES_SIZE (2 * ETHER_ADDR_SIZE)

/* --- looking at a frame --------------------------------------------------------------- */

static void take_head(struct offload_frame *of, const uint8_t *frame, size_t len, size_t head_len)
{
	of->kind = OFFLOAD_PLAIN;
	of->len = of->wire_bytes = of->wire_max = (uint32_t)len;
	of->segments = 1;
	of->vnet = (struct vnet_header){ 0 };
	of->layout = (struct transport_layout){ 0 };
	of->head_at = OFFLOAD_ROOM;
	of->head_len = (uint16_t)MIN(len, head_len);
	memcpy(of->room + of->head_at, frame, of->head_len);
	of->rest = frame + of->head_len;
	of->rest_len = of->len - of->head_len;
}

/* From here on the head is LEN bytes, not more than before. */
static void shorten_head(struct offload_frame *of, size_t len)
{
	of->rest -= of->head_len - len;
	of->rest_len += (uint32_t)(of->head_len - len);
	of->head_len = (uint16_t)len;
}

/* The checksum field gets the pseudo header's sum, and the header says where it is. */
static void want_checksum(struct offload_frame *of)
{
	const struct transport_layout *l = &of->layout;
	uint8_t *head = offload_head(of);
	uint16_t sum =
		(uint16_t)~checksum_finish(transport_pseudo_sum(head, l, l->end - l->transport));

	memcpy(head + transport_csum_field(l), &sum, sizeof(sum));
	of->kind = OFFLOAD_CSUM;
	of->vnet.flags = VNET_NEEDS_CSUM;
	of->vnet.csum_start = l->transport;
	of->vnet.csum_offset = (uint16_t)(transport_csum_field(l) - l->transport);
}

/*
 * What is inside is none of our business, so the checksum is completed here and now, where VNET
 * says. An odd number of bytes before the rest would turn its sum around.
 */
static int complete_foreign(struct offload_frame *of, const struct vnet_header *vnet)
{
	size_t start = vnet->csum_start, at = start + vnet->csum_offset;
	uint8_t *head = offload_head(of);
	uint64_t sum;
	uint16_t field;

	if (start < ETHER_HEADER_SIZE || vnet->csum_offset % 2 || at + sizeof(field) > of->head_len)
		return -EBADMSG;
	if (of->rest_len && (of->head_len - start) % 2)
		shorten_head(of, of->head_len - 1u);
	sum = checksum_add(0, head + start, of->head_len - start);
	field = checksum_finish(checksum_add(sum, of->rest, of->rest_len));
	if (field == 0)
		field = 0xffff;
	memcpy(head + at, &field, sizeof(field));
	return 0;
}

static int check_single(struct offload_frame *of, const struct vnet_header *vnet)
{
	int r = transport_parse(offload_head(of), of->head_len, of->len, false, &of->layout);

	if (r == -ENOENT)
		return complete_foreign(of, vnet);
	if (r < 0)
		return r;
	shorten_head(of, of->layout.payload);
	want_checksum(of);
	return 0;
}

/* Length fields of a super-frame, which so far nobody has looked at. */
static void write_lengths(struct offload_frame *of)
{
	const struct transport_layout *l = &of->layout;
	uint8_t *head = offload_head(of);
	size_t ip_len = l->end - l->ip;

	if (l->version == 4) {
		struct ipv4_header *ip = (struct ipv4_header *)(head + l->ip);

		ip->total_len = htobe16((uint16_t)ip_len);
		ip->checksum = 0;
		ip->checksum = checksum(ip, l->transport - l->ip);
	} else {
		struct ipv6_header *ip = (struct ipv6_header *)(head + l->ip);

		ip->payload_len = htobe16((uint16_t)(ip_len - sizeof(*ip)));
	}
	if (l->protocol == IP_PROTOCOL_UDP)
		((struct udp_header *)(head + l->transport))->len =
			htobe16((uint16_t)(l->end - l->transport));
}

static enum offload_kind super_kind(const struct transport_layout *l)
{
	if (l->protocol == IP_PROTOCOL_UDP)
		return OFFLOAD_USO;
	return l->version == 4 ? OFFLOAD_TSO4 : OFFLOAD_TSO6;
}

static uint8_t super_gso_type(struct offload_frame *of)
{
	static const uint8_t types[] = {
		[OFFLOAD_TSO4] = VNET_GSO_TCPV4,
		[OFFLOAD_TSO6] = VNET_GSO_TCPV6,
		[OFFLOAD_USO] = VNET_GSO_UDP_L4,
	};
	const struct tcp_header *tcp = (const void *)(offload_head(of) + of->layout.transport);
	bool ecn = of->kind != OFFLOAD_USO && tcp->flags & TCP_CWR;

	return types[of->kind] | (ecn ? VNET_GSO_ECN : 0);
}

/* Of a super-frame whose layout is known: the head says so, and the numbers are there. */
static void finish_super(struct offload_frame *of, uint16_t gso_size)
{
	const struct transport_layout *l = &of->layout;
	uint32_t payload_len = l->end - l->payload;

	write_lengths(of);
	want_checksum(of);
	if (payload_len <= gso_size)
		return;
	of->kind = super_kind(l);
	of->vnet.gso_type = super_gso_type(of);
	of->vnet.gso_size = gso_size;
	of->vnet.hdr_len = l->payload;
	of->segments = (payload_len + gso_size - 1) / gso_size;
	of->wire_bytes = of->segments * l->payload + payload_len;
	of->wire_max = (uint32_t)l->payload + gso_size;
}

static int check_super(struct offload_frame *of, const struct vnet_header *vnet)
{
	int r = segment_parse(vnet, offload_head(of), of->head_len, of->len, &of->layout);

	if (r < 0)
		return r;
	shorten_head(of, of->layout.payload);
	finish_super(of, vnet->gso_size);
	return 0;
}

void offload_super(struct offload_frame *of, const uint8_t *head,
		   const struct transport_layout *layout, uint32_t payload_len, uint16_t gso_size)
{
	take_head(of, head, layout->payload, layout->payload);
	of->rest = NULL;
	of->rest_len = payload_len;
	of->len = of->wire_bytes = of->wire_max = layout->payload + payload_len;
	of->layout = *layout;
	of->layout.end = of->len;
	finish_super(of, gso_size);
}

int offload_check(struct offload_frame *of, const void *frame, size_t len,
		  const struct vnet_header *vnet)
{
	bool super = vnet && (vnet->gso_type & (uint8_t)~VNET_GSO_ECN) != VNET_GSO_NONE;

	if (len < ETHER_HEADER_SIZE || len > VNET_FRAME_MAX)
		return -EBADMSG;
	if (!super && !(vnet && vnet->flags & VNET_NEEDS_CSUM)) {
		take_head(of, frame, len, OFFLOAD_HEAD_PLAIN);
		return 0;
	}
	take_head(of, frame, len, OFFLOAD_HEAD_MAX);
	return super ? check_super(of, vnet) : check_single(of, vnet);
}

/* --- tags ------------------------------------------------------------------------------- */

/* All that is counted from the frame's start moves by DELTA bytes. */
static void shift(struct offload_frame *of, int delta)
{
	struct transport_layout *l = &of->layout;

	of->head_at = (uint16_t)(of->head_at - delta);
	of->head_len = (uint16_t)(of->head_len + delta);
	of->len += (uint32_t)delta;
	of->wire_max += (uint32_t)delta;
	of->wire_bytes += (uint32_t)delta * of->segments;
	if (of->kind == OFFLOAD_PLAIN)
		return;
	l->tags = (uint8_t)(l->tags + delta / ETHER_TAG_SIZE);
	l->ip = (uint16_t)(l->ip + delta);
	l->dest = (uint16_t)(l->dest + delta);
	l->transport = (uint16_t)(l->transport + delta);
	l->payload = (uint16_t)(l->payload + delta);
	l->end += (uint32_t)delta;
	of->vnet.csum_start = l->transport;
	if (of->vnet.hdr_len)
		of->vnet.hdr_len = l->payload;
}

void offload_push_tag(struct offload_frame *of, const struct ether_tag *tag)
{
	uint8_t *old = offload_head(of);

	shift(of, ETHER_TAG_SIZE);
	memmove(offload_head(of), old, ADDRESSES_SIZE);
	memcpy(offload_head(of) + ADDRESSES_SIZE, tag, sizeof(*tag));
}

void offload_pop_tag(struct offload_frame *of)
{
	uint8_t *old = offload_head(of);

	shift(of, -ETHER_TAG_SIZE);
	memmove(offload_head(of), old, ADDRESSES_SIZE);
}

/* --- a frame as it is --------------------------------------------------------------------- */

bool offload_takes(const struct offload_frame *of, uint64_t features, const struct offload_tag *tag)
{
	static const uint64_t needs[] = {
		[OFFLOAD_PLAIN] = 0,
		[OFFLOAD_CSUM] = VDE_RING_F_CSUM,
		[OFFLOAD_TSO4] = VDE_RING_F_CSUM | VDE_RING_F_TSO4,
		[OFFLOAD_TSO6] = VDE_RING_F_CSUM | VDE_RING_F_TSO6,
		[OFFLOAD_USO] = VDE_RING_F_CSUM | VDE_RING_F_USO,
	};
	uint64_t need = needs[of->kind];

	if (of->segments > 1 && of->layout.tags == 2 && tag->change == OFFLOAD_PUSH)
		return false;
	return (features & need) == need;
}

struct vnet_header offload_vnet(const struct offload_frame *of, const struct offload_tag *tag)
{
	struct vnet_header vnet = of->vnet;
	int delta = offload_tag_delta(tag);

	if (of->kind != OFFLOAD_PLAIN)
		vnet.csum_start = (uint16_t)(vnet.csum_start + delta);
	if (vnet.hdr_len)
		vnet.hdr_len = (uint16_t)(vnet.hdr_len + delta);
	return vnet;
}

static struct iovec part(const void *data, size_t len)
{
	return (struct iovec){ (void *)(uintptr_t)data, len };
}

static unsigned gather(const uint8_t *head, size_t head_len, const void *rest, size_t rest_len,
		       const struct offload_tag *tag, struct iovec iov[OFFLOAD_PIECES])
{
	unsigned n = 0;

	if (tag->change != OFFLOAD_KEEP) {
		size_t skip = ADDRESSES_SIZE;

		iov[n++] = part(head, ADDRESSES_SIZE);
		if (tag->change == OFFLOAD_PUSH)
			iov[n++] = part(&tag->tag, sizeof(tag->tag));
		else
			skip += ETHER_TAG_SIZE;
		head += skip;
		head_len -= skip;
	}
	iov[n++] = part(head, head_len);
	if (rest_len)
		iov[n++] = part(rest, rest_len);
	return n;
}

unsigned offload_gather(const struct offload_frame *of, const struct offload_tag *tag,
			struct iovec iov[OFFLOAD_PIECES])
{
	return gather(of->room + of->head_at, of->head_len, of->rest, of->rest_len, tag, iov);
}

unsigned offload_piece_gather(const struct offload_piece *piece, const struct offload_tag *tag,
			      struct iovec iov[OFFLOAD_PIECES])
{
	return gather(piece->head, piece->head_len, piece->rest, piece->rest_len, tag, iov);
}

/* Completes the checksum in HEAD, the frame's own or a copy; padding is not part of it. */
static void complete(const struct offload_frame *of, uint8_t *head)
{
	const struct transport_layout *l = &of->layout;
	uint16_t none = 0;
	uint64_t sum;

	memcpy(head + transport_csum_field(l), &none, sizeof(none));
	sum = transport_pseudo_sum(head, l, l->end - l->transport);
	sum = checksum_add(sum, head + l->transport, l->payload - l->transport);
	segment_seal(l, head, checksum_add(sum, of->rest, l->end - l->payload));
}

void offload_complete(struct offload_frame *of)
{
	if (of->kind != OFFLOAD_CSUM)
		return;
	complete(of, offload_head(of));
	of->kind = OFFLOAD_PLAIN;
	of->vnet = (struct vnet_header){ 0 };
}

size_t offload_complete_head(const struct offload_frame *of, uint8_t to[OFFLOAD_HEAD_MAX])
{
	memcpy(to, of->room + of->head_at, of->head_len);
	if (of->kind != OFFLOAD_PLAIN)
		complete(of, to);
	return of->head_len;
}
