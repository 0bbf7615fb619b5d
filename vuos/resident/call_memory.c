/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What pointers point to: strings, buffers, structures, arrays. See call_print.h.
 *
 * The program may change its memory, or take it away, between two reads. So nothing that was read once
 * is trusted when it is read again: a length limits the second reading, it does not promise it.
 */
#include "vuos/resident/call_print.h"

#define CHUNK    64
#define PAGE     4096
#define PATH_LEN 4096

bool call_fetch(const struct call_printer *p, uint64_t address, void *to, size_t len)
{
	return p->format->read(p->format->context, address, to, len) == 0;
}

static uint64_t load(const uint8_t *bytes, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size && i < 8; i++)
		value |= (uint64_t)bytes[i] << 8 * i;
	return value;
}

uint64_t call_sibling(const struct call_siblings *s, unsigned index)
{
	const struct call_field *f = &s->fields[index];

	if (s->registers)
		return load((const uint8_t *)&s->registers[index], f->size);
	return f->offset + f->size <= s->have ? load(s->bytes + f->offset, f->size) : 0;
}

/* Up to MAX bytes of a string: its length, MAX + 1 if it is longer, -1 if it cannot be read. */
static int64_t string_length(const struct call_printer *p, uint64_t address, uint64_t max)
{
	uint8_t chunk[CHUNK];

	for (uint64_t len = 0; len <= max;) {
		uint64_t at = address + len, room = PAGE - at % PAGE;
		size_t size = room < CHUNK ? room : CHUNK;

		if (!call_fetch(p, at, chunk, size))
			return -1;
		for (size_t i = 0; i < size; i++, len++)
			if (!chunk[i] || len > max)
				return (int64_t)len;
	}
	return (int64_t)max + 1;
}

/* LEN bytes in quotes, the first chunk of which can be read; what cannot be read later is left out. */
static void print_quoted(struct call_printer *p, uint64_t address, uint64_t len, bool cut)
{
	uint8_t chunk[CHUNK];

	if (len && !call_fetch(p, address, chunk, len < CHUNK ? len : CHUNK)) {
		call_print_pointer(p, address);
		return;
	}
	call_text_quote_begin(&p->text, cut);
	while (len) {
		size_t size = len < CHUNK ? len : CHUNK;

		call_text_quote_bytes(&p->text, chunk, size);
		len -= size;
		address += size;
		if (len && !call_fetch(p, address, chunk, len < CHUNK ? len : CHUNK))
			break;
	}
	call_text_quote_end(&p->text, cut);
}

void call_print_string(struct call_printer *p, uint64_t address, uint64_t max)
{
	int64_t len = string_length(p, address, max);

	if (len < 0)
		call_print_pointer(p, address);
	else
		print_quoted(p, address, (uint64_t)len > max ? max : (uint64_t)len, (uint64_t)len > max);
}

void call_print_bytes(struct call_printer *p, uint64_t address, uint64_t len, uint64_t max)
{
	print_quoted(p, address, len > max ? max : len, len > max);
}

/* Whether a member is shown. */
static bool is_shown(const struct call_printer *p, const struct call_field *f)
{
	return !(f->flags & CALL_FIELD_HIDDEN) && (p->after || !(f->flags & CALL_FIELD_OUT));
}

static bool is_struct(const struct call_type *type)
{
	return type->kind == CALL_KIND_STRUCT || type->kind == CALL_KIND_SIGINFO;
}

static bool is_in_place(const struct call_type *type)
{
	return type->kind == CALL_KIND_IPV6 || type->kind == CALL_KIND_MAC || type->kind == CALL_KIND_BYTES ||
	       type->kind == CALL_KIND_CHARS;
}

/* One element of a member that is not a pointer. */
static void print_element(struct call_printer *p, const struct call_type *type, const uint8_t *bytes,
			  unsigned size)
{
	if (is_struct(type))
		call_print_struct(p, type, bytes, size);
	else if (is_in_place(type))
		call_print_in_place(p, type, bytes, 1);
	else
		call_print_scalar(p, type, size, load(bytes, size));
}

static void print_repeated(struct call_printer *p, const struct call_field *f, const uint8_t *bytes)
{
	const struct call_type *type = &call_types[f->type];

	if (is_in_place(type)) {
		call_print_in_place(p, type, bytes, f->repeat);
		return;
	}
	call_text_begin(&p->text, '[');
	for (unsigned i = 0; i < f->repeat; i++) {
		call_text_item(&p->text);
		print_element(p, type, bytes + i * f->size, f->size);
	}
	call_text_end(&p->text, ']');
}

static void print_member(struct call_printer *p, const struct call_siblings *s, unsigned index)
{
	const struct call_field *f = &s->fields[index];
	const struct call_type *type = &call_types[f->type];

	if (f->repeat > 1)
		print_repeated(p, f, s->bytes + f->offset);
	else if (!(f->flags & CALL_FIELD_POINTER) && (is_struct(type) || is_in_place(type)))
		print_element(p, type, s->bytes + f->offset, f->size);
	else
		call_print_field(p, s, index);
}

/* How many bytes the call has written to the buffers of this structure, if it says so. */
static void take_budget(struct call_printer *p, const struct call_siblings *s)
{
	for (unsigned i = 0; p->after && i < s->count; i++)
		if (s->fields[i].flags & CALL_FIELD_BUDGET)
			p->left = call_sibling(s, i);
}

void call_print_struct(struct call_printer *p, const struct call_type *type, const uint8_t *bytes,
		       size_t have)
{
	struct call_siblings s = { &call_fields[type->first], type->count, NULL, bytes, have };
	bool more = false;

	take_budget(p, &s);
	call_text_begin(&p->text, '{');
	for (unsigned i = 0; i < s.count; i++) {
		const struct call_field *f = &s.fields[i];

		if (f->offset + f->size * f->repeat > have)
			break;
		more |= f->flags & CALL_FIELD_HIDDEN && p->text.form == CALL_TEXT &&
			call_strings[f->name] != '_' && f->size * f->repeat >= 8;
		if (!is_shown(p, f))
			continue;
		call_text_member(&p->text, call_strings + f->name);
		print_member(p, &s, i);
	}
	if (more)
		call_text_more(&p->text);
	call_text_end(&p->text, '}');
}

void call_print_struct_at(struct call_printer *p, const struct call_type *type, uint64_t address, size_t have)
{
	uint8_t bytes[CALL_STRUCT_MAX];
	size_t size = have < type->size ? have : type->size;

	if (!size || !call_fetch(p, address, bytes, size))
		call_print_pointer(p, address);
	else
		call_print_struct(p, type, bytes, size);
}

void call_print_elements(struct call_printer *p, const struct call_type *type, uint64_t address,
			 uint64_t count)
{
	uint8_t bytes[CALL_STRUCT_MAX];
	uint64_t shown = count < p->format->elements_max ? count : p->format->elements_max;

	if (shown && !call_fetch(p, address, bytes, type->size)) {
		call_print_pointer(p, address);
		return;
	}
	call_text_begin(&p->text, '[');
	for (uint64_t i = 0; i < shown; i++, address += type->size) {
		if (i && !call_fetch(p, address, bytes, type->size)) {
			call_text_more(&p->text);
			shown = count;
			break;
		}
		call_text_item(&p->text);
		print_element(p, type, bytes, type->size);
	}
	if (shown < count)
		call_text_more(&p->text);
	call_text_end(&p->text, ']');
}

/* The number that limits a field: of elements, bytes or bits. */
static uint64_t limit_of(struct call_printer *p, const struct call_siblings *s, const struct call_field *f)
{
	uint64_t limit = f->limit, value;
	uint8_t bytes[8];

	if (f->limit_kind == CALL_LIMIT_SIBLING || f->limit_kind == CALL_LIMIT_POINTED) {
		const struct call_field *other = &s->fields[f->limit];
		const struct call_type *type = &call_types[other->type];
		unsigned size = f->limit_kind == CALL_LIMIT_POINTED ? type->size : other->size;

		value = call_sibling(s, f->limit);
		if (f->limit_kind == CALL_LIMIT_POINTED)
			value = value && call_fetch(p, value, bytes, size) ? load(bytes, size) : 0;
		limit = type->kind == CALL_KIND_SIGNED && value >> (8 * size - 1) ? 0 : value;
	}
	if (p->after && f->flags & CALL_FIELD_RESULT) {
		limit = limit < p->left ? limit : p->left;
		p->left -= limit;
	}
	return limit;
}

/* What a pointer with a type (`TYPE*`) points to. */
static void print_pointee(struct call_printer *p, const struct call_siblings *s, const struct call_field *f,
			  uint64_t address)
{
	const struct call_type *type = &call_types[f->type];

	if (f->unit == CALL_UNIT_BYTES)
		call_print_struct_at(p, type, address, limit_of(p, s, f));
	else if (f->limit_kind != CALL_LIMIT_NONE)
		call_print_elements(p, type, address, limit_of(p, s, f));
	else if (type->kind == CALL_KIND_SIGINFO)
		call_print_siginfo(p, address);
	else if (type->kind == CALL_KIND_STRUCT)
		call_print_struct_at(p, type, address, type->size);
	else
		call_print_elements(p, type, address, 1);
}

static uint64_t path_max(const struct call_printer *p)
{
	return p->format->string_max > PATH_LEN ? p->format->string_max : PATH_LEN;
}

/* What has its own way to print memory; false for a value. */
static bool print_by_nature(struct call_printer *p, const struct call_siblings *s,
			    const struct call_field *f, uint64_t at)
{
	switch ((enum call_kind_id)call_types[f->type].kind) {
	case CALL_KIND_PATH:
		call_print_string(p, at, path_max(p));
		return true;
	case CALL_KIND_STRING:
		call_print_string(p, at, p->format->string_max);
		return true;
	case CALL_KIND_STRINGS:
		call_print_strings(p, at);
		return true;
	case CALL_KIND_BUFFER:
		call_print_bytes(p, at, limit_of(p, s, f), p->format->string_max);
		return true;
	case CALL_KIND_SOCKADDR:
		call_print_sockaddr(p, at, limit_of(p, s, f));
		return true;
	case CALL_KIND_CMSGS:
		call_print_cmsgs(p, at, limit_of(p, s, f));
		return true;
	case CALL_KIND_SOCKOPT:
		call_print_sockopt(p, at, limit_of(p, s, f));
		return true;
	case CALL_KIND_SIGSET:
		call_print_sigset(p, at, limit_of(p, s, f));
		return true;
	case CALL_KIND_FD_SET:
		call_print_bits(p, at, limit_of(p, s, f));
		return true;
	case CALL_KIND_CPU_SET:
		call_print_bits(p, at, 8 * limit_of(p, s, f));
		return true;
	case CALL_KIND_DIRENTS:
		call_print_dirents(p, at, limit_of(p, s, f), 19);
		return true;
	case CALL_KIND_DIRENTS_OLD:
		call_print_dirents(p, at, limit_of(p, s, f), 18);
		return true;
	default:
		return false;
	}
}

void call_print_field(struct call_printer *p, const struct call_siblings *s, unsigned index)
{
	const struct call_field *f = &s->fields[index];
	uint64_t value = call_sibling(s, index);

	if (!value && f->flags & CALL_FIELD_MEMORY)
		call_print_address(p, 0);
	else if (f->flags & CALL_FIELD_POINTER)
		print_pointee(p, s, f, value);
	else if (!print_by_nature(p, s, f, value))
		call_print_scalar(p, &call_types[f->type], f->size, value);
}
