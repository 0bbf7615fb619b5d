/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/vde_stream.h"

void vde_stream_reset(struct vde_stream *s)
{
	s->header_len = 0;
	s->frame_len = s->have = 0;
	s->skipping = false;
	s->oversized = 0;
}

bool vde_stream_partial(const struct vde_stream *s)
{
	return s->header_len > 0;
}

static void stream_header(struct vde_stream *s, struct cursor *c,
			  const struct vde_stream_handler *handler, void *context)
{
	s->header[s->header_len++] = cursor_u8(c);
	if (s->header_len < VDE_STREAM_HEADER_SIZE)
		return;
	s->frame_len = (size_t)s->header[0] << 8 | s->header[1];
	s->have = 0;
	s->skipping = s->frame_len > VDE_STREAM_FRAME_MAX;
	if (s->frame_len == 0)
		s->header_len = 0;
	if (!s->skipping)
		return;
	s->oversized++;
	if (handler->oversized)
		handler->oversized(context, s->frame_len);
}

static void stream_body(struct vde_stream *s, struct cursor *c,
			const struct vde_stream_handler *handler, void *context)
{
	size_t part = MIN(c->left, s->frame_len - s->have);
	bool whole_here = s->have == 0 && part == s->frame_len;
	const uint8_t *data = cursor_take(c, part);

	if (!s->skipping && !whole_here)
		memcpy(s->frame + s->have, data, part);
	s->have += part;
	if (s->have < s->frame_len)
		return;
	s->header_len = 0;
	if (!s->skipping)
		handler->frame(context, whole_here ? data : s->frame, s->frame_len);
}

void vde_stream_feed(struct vde_stream *s, const void *data, size_t len,
		     const struct vde_stream_handler *handler, void *context)
{
	struct cursor c = cursor_of(data, len);

	while (c.left) {
		if (s->header_len < VDE_STREAM_HEADER_SIZE)
			stream_header(s, &c, handler, context);
		else
			stream_body(s, &c, handler, context);
	}
}
