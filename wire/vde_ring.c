/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/vde_ring.h"

#include <ctype.h>

#define ITEM_ALIGN 4
#define ERROR_MAX  4095 /* of the kernel's errno values */

struct item_header {
	uint16_t type;
	uint16_t len; /* of the value, without padding */
};

/* How a value is kept; words are copied, host byte order being that of the message. */
enum item_form {
	ITEM_WORDS,   /* LEN bytes of numbers; said when they are not all zero */
	ITEM_FLAG,    /* no value; `said` is the flag */
	ITEM_TEXT,    /* up to LEN-1 bytes, kept with a NUL */
	ITEM_OPTION,  /* as words, said when the flag at `said` is set */
};

struct item_row {
	uint16_t type;
	uint8_t form;
	uint16_t offset, len;  /* of the value in the parts */
	uint16_t said;         /* offset of the flag */
};

#define PART(field)       offsetof(struct vde_ring_message_parts, field)
#define PART_SIZE(field)  sizeof(((struct vde_ring_message_parts *)0)->field)
#define VALUE(field)      .offset = PART(field), .len = PART_SIZE(field)
#define SESSION_LEN       (VDE_RING_SESSION_SIZE + sizeof(uint64_t))

_Static_assert(PART(epoch) == PART(session) + VDE_RING_SESSION_SIZE, "one item has both");

static const struct item_row item_rows[] = {
	{ VDE_RING_PORT, ITEM_WORDS, VALUE(port) },
	{ VDE_RING_MANAGEMENT, ITEM_FLAG, .said = PART(management) },
	{ VDE_RING_GROUP, ITEM_OPTION, VALUE(group), .said = PART(has_group) },
	{ VDE_RING_MODE, ITEM_OPTION, VALUE(mode), .said = PART(has_mode) },
	{ VDE_RING_DESCRIPTION, ITEM_TEXT, VALUE(description) },
	{ VDE_RING_MAX_FRAME, ITEM_WORDS, VALUE(max_frame) },
	{ VDE_RING_SIZES, ITEM_WORDS, VALUE(sizes) },
	{ VDE_RING_OFFSETS, ITEM_WORDS, VALUE(offsets) },
	{ VDE_RING_QUEUE_PAIRS, ITEM_WORDS, VALUE(queue_pairs) },
	{ VDE_RING_KIND, ITEM_WORDS, VALUE(kind) },
	{ VDE_RING_SESSION, ITEM_OPTION, .offset = PART(session), .len = SESSION_LEN,
	  .said = PART(has_session) },
	{ VDE_RING_TEXT, ITEM_TEXT, VALUE(text) },
	{ VDE_RING_TAKEOVER_VERSION, ITEM_WORDS, VALUE(takeover_version) },
};

static const struct item_row *item_row(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(item_rows); i++)
		if (item_rows[i].type == type)
			return &item_rows[i];
	return NULL;
}

/* --- parsing ------------------------------------------------------------------------------ */

static void keep_text(struct cursor *value, char *to, size_t size)
{
	size_t len = MIN(value->left, size - 1);
	const char *text = cursor_take(value, len);

	for (size_t i = 0; i < len; i++)
		to[i] = iscntrl((unsigned char)text[i]) ? '?' : text[i];
	to[len] = '\0';
}

/* A value of another length than this version has is malformed. */
static int keep_item(const struct item_row *row, struct cursor value,
		     struct vde_ring_message_parts *parts)
{
	char *to = (char *)parts + row->offset;

	if (row->form == ITEM_TEXT) {
		if (value.left > (size_t)row->len - 1)
			return -EBADMSG;
		keep_text(&value, to, row->len);
		return 0;
	}
	if (value.left != row->len)
		return -EBADMSG;
	if (row->len && !cursor_copy(&value, to, row->len))
		return -EBADMSG;
	if (row->form == ITEM_FLAG || row->form == ITEM_OPTION)
		*((bool *)parts + row->said) = true;
	return 0;
}

static int parse_items(struct cursor *c, struct vde_ring_message_parts *parts)
{
	while (c->left) {
		struct item_header header = { 0 };
		const struct item_row *row;
		struct cursor value;

		(void)cursor_copy(c, &header, sizeof(header));
		value = cursor_cut(c, header.len);
		(void)cursor_take(c, MIN(-(size_t)header.len % ITEM_ALIGN, c->left));
		if (!c->ok)
			return -EBADMSG;
		if (header.type == VDE_RING_END)
			return 0;
		row = item_row(header.type & (uint16_t)~VDE_RING_CRITICAL);
		if (!row && (header.type & VDE_RING_CRITICAL))
			return -EPROTONOSUPPORT;
		if (row && keep_item(row, value, parts) < 0)
			return -EBADMSG;
	}
	return 0;
}

/* Magic and major version stand in every version's header; the rest is of ours. */
static int parse_header(struct cursor *c, size_t len, struct vde_ring_message_parts *parts)
{
	struct vde_ring_header header;

	if (!cursor_copy(c, &header, sizeof(header)) || header.magic != VDE_RING_MAGIC)
		return -EBADMSG;
	parts->message = header.message;
	parts->major = header.major;
	if (header.major != VDE_RING_MAJOR)
		return -EPROTONOSUPPORT;
	if (header.size != len || header.message < VDE_RING_HELLO ||
	    header.message > VDE_RING_TAKEOVER)
		return -EBADMSG;
	if ((header.message == VDE_RING_REFUSAL) != (header.error != 0) || header.error > ERROR_MAX)
		return -EBADMSG;
	parts->error = header.error;
	parts->required = header.required;
	parts->offered = header.offered;
	return 0;
}

int vde_ring_parse(const void *data, size_t len, struct vde_ring_message_parts *ret)
{
	struct cursor c = cursor_of(data, len);
	int r;

	*ret = (struct vde_ring_message_parts){ 0 };
	if (len > VDE_RING_MAX)
		return -EBADMSG;
	r = parse_header(&c, len, ret);
	return r < 0 ? r : parse_items(&c, ret);
}

/* --- building ----------------------------------------------------------------------------- */

static bool all_zero(const char *at, size_t len)
{
	while (len && *at == 0)
		at++, len--;
	return len == 0;
}

static void build_item(const struct item_row *row, const struct vde_ring_message_parts *parts,
		       struct strbuf *out)
{
	static const char zeros[ITEM_ALIGN];
	const char *at = (const char *)parts + row->offset;
	struct item_header header = { .type = row->type, .len = row->len };
	bool said;

	if (row->form == ITEM_FLAG || row->form == ITEM_OPTION) {
		said = *((const bool *)parts + row->said);
	} else {
		if (row->form == ITEM_TEXT)
			header.len = (uint16_t)strnlen(at, row->len - 1);
		said = !all_zero(at, header.len);
	}
	if (!said)
		return;
	strbuf_append(out, &header, sizeof(header));
	strbuf_append(out, at, header.len);
	strbuf_append(out, zeros, -(size_t)header.len % ITEM_ALIGN);
}

void vde_ring_build(const struct vde_ring_message_parts *parts, struct strbuf *out)
{
	size_t start = out->len;
	struct vde_ring_header header = {
		.magic = VDE_RING_MAGIC, .major = VDE_RING_MAJOR, .message = (uint16_t)parts->message,
		.error = parts->error, .required = parts->required, .offered = parts->offered,
	};

	strbuf_append(out, &header, sizeof(header));
	for (size_t i = 0; i < ARRAY_SIZE(item_rows); i++)
		build_item(&item_rows[i], parts, out);
	if (out->error)
		return;
	header.size = (uint32_t)(out->len - start);
	memcpy(out->data + start, &header, sizeof(header));
}
