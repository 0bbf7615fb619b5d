/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cutting: wire/segment.h has the rules for headers; here payload is added, by reference or copied.
 * A frame that is no super-frame gives one piece: itself, with its checksum completed.
 */
#include <errno.h>

#include "vde/plug/offload.h"
#include "wire/checksum.h"

void offload_cut_start(struct offload_cut *cut, const struct offload_frame *of)
{
	cut->of = of;
	cut->index = 0;
	if (of->segments > 1)
		segment_plan(&cut->plan, of->room + of->head_at, &of->layout, of->vnet.gso_size);
}

bool offload_cut_next(struct offload_cut *cut, struct offload_piece *ret)
{
	const struct offload_frame *of = cut->of;
	const struct segment_plan *plan = &cut->plan;
	uint64_t sum;

	if (cut->index >= of->segments)
		return false;
	if (of->segments == 1) {
		ret->head_len = (uint32_t)offload_complete_head(of, ret->head);
		ret->rest = of->rest;
		ret->rest_len = of->rest_len;
	} else {
		ret->head_len = of->head_len;
		ret->rest = of->rest + (size_t)cut->index * plan->size;
		ret->rest_len = segment_payload(plan, cut->index);
		sum = segment_head(plan, cut->index, ret->head);
		segment_seal(&of->layout, ret->head, checksum_add(sum, ret->rest, ret->rest_len));
	}
	ret->len = ret->head_len + ret->rest_len;
	cut->index++;
	return true;
}

unsigned offload_cut_fill(struct offload_cut *cut, struct offload_piece *pieces, unsigned count)
{
	unsigned n = 0;

	while (n < count && offload_cut_next(cut, &pieces[n]))
		n++;
	return n;
}

/* A whole frame, its checksum completed on the way. */
static void copy_single(const struct offload_frame *of, uint8_t *to)
{
	const struct transport_layout *l = &of->layout;
	size_t payload_len = of->rest_len;
	uint8_t *payload = mempcpy(to, of->room + of->head_at, of->head_len);
	uint16_t none = 0;
	uint64_t sum;

	if (of->kind == OFFLOAD_PLAIN) {
		memcpy(payload, of->rest, of->rest_len);
		return;
	}
	payload_len = l->end - l->payload;
	memcpy(to + transport_csum_field(l), &none, sizeof(none));
	sum = transport_pseudo_sum(to, l, l->end - l->transport);
	sum = checksum_add(sum, to + l->transport, l->payload - l->transport);
	segment_seal(l, to, checksum_copy(sum, payload, of->rest, payload_len));
	memcpy(payload + payload_len, of->rest + payload_len, of->rest_len - payload_len);
}

ssize_t offload_cut_copy(struct offload_cut *cut, void *to, size_t room)
{
	const struct offload_frame *of = cut->of;
	const struct segment_plan *plan = &cut->plan;
	uint8_t *out = to;
	uint32_t index = cut->index, payload_len = of->rest_len;
	uint64_t sum;

	if (index >= of->segments)
		return 0;
	cut->index++;
	if (of->segments > 1)
		payload_len = segment_payload(plan, index);
	if (of->head_len + payload_len > room)
		return -EMSGSIZE;
	if (of->segments == 1) {
		copy_single(of, out);
	} else {
		sum = segment_head(plan, index, out);
		sum = checksum_copy(sum, out + of->head_len, of->rest + (size_t)index * plan->size,
				    payload_len);
		segment_seal(&of->layout, out, sum);
	}
	return (ssize_t)(of->head_len + payload_len);
}
