/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture_stream.h"

#include <errno.h>
#include <stdlib.h>

#include "wire/cursor.h"

#define BLOCK_MAX       (16 * 1024 * 1024) /* bytes; the switch's are far smaller */
#define BLOCK_FRAME_MIN 12                 /* type, length, length again */
#define LINE_MAX_SIZE   4096

enum block_type {
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	BLOCK_SECTION = 0x0a0d0d0a,
};

#define OPTION_DROPPED 5 /* of statistics: 64 bits */

static const char prompt[] = "vde$ ";

void capture_stream_done(struct capture_stream *s)
{
	strbuf_done(&s->in);
	strbuf_done(&s->out);
	strbuf_done(&s->text);
}

/* The lines before the stream. */

static int refused(const struct capture_stream *s, const char *line, struct error *error)
{
	int code = atoi(line + 1);

	if (code == ENOSYS)
		return error_set(error, ENOSYS, "the switch has no captures: it is too old");
	if (s->text.len)
		return error_set(error, code ? code : EIO, "the switch refuses: %.*s",
				 (int)s->text.len - 1, s->text.data);
	return error_set(error, code ? code : EIO, "the switch refuses: %s", line + 5);
}

static bool is_result(const char *line)
{
	return line[0] == '1' && strspn(line + 1, "0123456789") == 3 && line[4] == ' ';
}

static int take_line(struct capture_stream *s, const char *line, struct error *error)
{
	while (str_starts(line, prompt))
		line += strlen(prompt);
	if (s->in_text) {
		if (str_equal(line, "."))
			s->in_text = false;
		else
			strbuf_printf(&s->text, "%s\n", line);
		return 0;
	}
	if (str_starts(line, "0000 "))
		s->in_text = true;
	else if (str_starts(line, "1000 "))
		s->started = true;
	else if (is_result(line))
		return refused(s, line, error);
	return 0; /* the greeting, asynchronous lines */
}

static int take_lines(struct capture_stream *s, struct error *error)
{
	int r = 0;

	while (r == 0 && !s->started) {
		char *end = s->in.len ? memchr(s->in.data, '\n', s->in.len) : NULL;

		if (!end) {
			if (s->in.len > LINE_MAX_SIZE)
				r = error_set(error, EPROTO, "this is no switch: it sends a line "
							     "without an end");
			break;
		}
		*end = '\0';
		r = take_line(s, s->in.data, error);
		strbuf_consume(&s->in, (size_t)(end - s->in.data) + 1);
	}
	return r;
}

/* The stream. */

/* Adds the frames that an interface's statistics, behind its number and time, give as dropped. */
static void take_statistics(struct capture_stream *s, struct cursor body)
{
	(void)cursor_take(&body, 12);
	while (body.ok && body.left) {
		uint16_t head[2] = { 0 }; /* code and length */
		uint64_t value = 0;
		struct cursor option;

		if (!cursor_copy(&body, head, sizeof(head)) || head[0] == 0)
			return;
		option = cursor_cut(&body, head[1]);
		(void)cursor_take(&body, (4 - head[1] % 4) % 4);
		if (head[0] == OPTION_DROPPED && cursor_copy(&option, &value, sizeof(value)))
			s->dropped += value;
	}
}

static void take_block(struct capture_stream *s, uint32_t type, const char *block, uint32_t len)
{
	if (type == BLOCK_PACKET) {
		if (capture_stream_full(s))
			return;
		s->frames++;
	}
	if (type == BLOCK_STATISTICS)
		take_statistics(s, cursor_of(block + 8, len - BLOCK_FRAME_MIN));
	strbuf_append(&s->out, block, len);
}

static int take_blocks(struct capture_stream *s, struct error *error)
{
	struct cursor c = cursor_of(s->in.data, s->in.len);
	size_t taken = 0;

	for (;;) {
		struct cursor head = c;
		uint32_t type = cursor_host32(&head);
		uint32_t len = cursor_host32(&head);
		const char *block;

		if (!head.ok)
			break;
		if (len < BLOCK_FRAME_MIN || len % 4 || len > BLOCK_MAX)
			return error_set(error, EPROTO, "the switch sends what is not pcap-ng");
		block = cursor_take(&c, len);
		if (!block)
			break;
		take_block(s, type, block, len);
		taken += len;
	}
	strbuf_consume(&s->in, taken);
	return 0;
}

int capture_stream_advance(struct capture_stream *s, struct error *error)
{
	int r = take_lines(s, error);

	if (r == 0 && s->started && s->in.len)
		r = take_blocks(s, error);
	if (r == 0 && (s->in.error || s->out.error || s->text.error))
		r = error_set(error, ENOMEM, "no memory for the stream");
	return r;
}
