/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame of a call's text: which arguments there are, which of them are shown before and which
 * after the call, and the result. See call_format.h.
 *
 * Nothing is kept between the two parts: which row, which variant, and where the first part ended
 * follows from the registers alone.
 */
#include "vuos/resident/call_print.h"

#define ERROR_LAST 4095

/* The arguments of a call, by its command. */
struct arguments {
	const struct call_row *row;
	const struct call_field *fields;
	unsigned count;
	unsigned split; /* the first that the call fills; it and what follows wait for the result */
	const uint64_t *registers;
};

static const struct call_variant *variant_of(const struct call_row *row, const uint64_t *registers)
{
	for (unsigned i = 0; i < row->variants; i++) {
		const struct call_variant *v = &call_variants[row->first_variant + i];

		if ((registers[v->argument] & v->mask) == v->value)
			return v;
	}
	return NULL;
}

static bool is_filled(const struct call_field *f)
{
	return (f->flags & (CALL_FIELD_IN | CALL_FIELD_OUT)) == CALL_FIELD_OUT;
}

static void find_arguments(struct arguments *a, const struct call_row *row, const uint64_t *registers)
{
	const struct call_variant *v = variant_of(row, registers);

	*a = (struct arguments){ .row = row, .registers = registers };
	a->fields = &call_fields[v ? v->first : row->first_field];
	a->count = v ? v->count : row->fields;
	while (a->split < a->count && !is_filled(&a->fields[a->split]))
		a->split++;
}

/* Begins the next argument or, in the changes, names it. */
static void begin_argument(struct call_printer *p, const struct arguments *a, unsigned index)
{
	if (p->text.form == CALL_JSON)
		call_text_member(&p->text, call_strings + a->fields[index].name);
	else
		call_text_item(&p->text);
}

/* Prints an argument; its memory is there to be read if READABLE. */
static void print_argument(struct call_printer *p, const struct arguments *a, unsigned index, bool readable)
{
	struct call_siblings s = { .fields = a->fields, .count = a->count, .registers = a->registers };
	uint64_t value = a->registers[index];

	if (!readable && value)
		call_print_pointer(p, value);
	else
		call_print_field(p, &s, index);
}

static void print_unknown_enter(struct call_printer *p, uint64_t number, const uint64_t *registers)
{
	struct call_text *t = &p->text;

	call_text_either(t, "syscall_", "{\"call\":\"syscall_");
	call_text_unsigned(t, number);
	call_text_either(t, "(", "\",\"number\":");
	if (t->form == CALL_JSON)
		call_text_unsigned(t, number);
	call_text_either(t, "", ",\"arguments\":[");
	for (unsigned i = 0; i < CALL_ARGUMENTS; i++) {
		call_text_item(t);
		call_text_hex(t, registers[i]);
	}
	call_text_either(t, "", "]");
}

static void print_head(struct call_printer *p, uint64_t number, const struct call_row *row)
{
	call_text_either(&p->text, "", "{\"call\":\"");
	call_text_raw(&p->text, call_name(row));
	call_text_either(&p->text, "(", "\",\"number\":");
	if (p->text.form == CALL_JSON)
		call_text_unsigned(&p->text, number);
	call_text_either(&p->text, "", ",\"arguments\":{");
}

size_t call_format_enter(const struct call_format *format, uint64_t number, const uint64_t arguments[6],
			 char *to, size_t room)
{
	struct call_printer p = { .format = format };
	const struct call_row *row = call_row(number);
	struct arguments a;

	call_text_init(&p.text, format->form, to, room);
	if (!row) {
		print_unknown_enter(&p, number, arguments);
		return p.text.len;
	}
	find_arguments(&a, row, arguments);
	print_head(&p, number, row);
	for (unsigned i = 0; i < a.split; i++) {
		begin_argument(&p, &a, i);
		print_argument(&p, &a, i, true);
	}
	if (row->result == CALL_TYPE_NONE)
		call_text_either(&p.text, ") = ?", "}}");
	return p.text.len;
}

static const struct call_error *error_of(uint64_t number)
{
	for (unsigned i = 0; i < call_errors_count; i++)
		if (call_errors[i].number == number)
			return &call_errors[i];
	return NULL;
}

/* From ERESTARTSYS on, the kernel has not given the program a result. */
#define RESTARTS 512

static void print_error(struct call_printer *p, uint64_t number)
{
	const struct call_error *e = error_of(number);

	if (number >= RESTARTS)
		call_text_either(&p->text, "? ", "null,\"error\":\"");
	else
		call_text_either(&p->text, "-1 ", "-1,\"error\":\"");
	if (e) {
		call_text_raw(&p->text, call_strings + e->name);
		call_text_either(&p->text, " (", "\",\"message\":\"");
		call_text_raw(&p->text, call_strings + e->text);
		call_text_either(&p->text, ")", "\"");
	} else {
		call_text_raw(&p->text, "errno ");
		call_text_unsigned(&p->text, number);
		call_text_either(&p->text, "", "\"");
	}
}

static bool failed(int64_t result)
{
	return result < 0 && result >= -ERROR_LAST;
}

static void print_result(struct call_printer *p, const struct call_row *row, int64_t result)
{
	const struct call_type *type = row ? &call_types[row->result] : &call_types[CALL_TYPE_LONG];
	uint64_t mask = type->size < 8 ? (UINT64_C(1) << 8 * type->size) - 1 : UINT64_MAX;

	call_text_either(&p->text, " = ", "\"result\":");
	if (failed(result))
		print_error(p, (uint64_t)-result);
	else
		call_print_scalar(p, type, type->size, (uint64_t)result & mask);
}

/* What the call has changed of what was shown in the first part. */
static void print_changes(struct call_printer *p, const struct arguments *a)
{
	bool any = false;

	for (unsigned i = 0; i < a->split; i++) {
		if (!(a->fields[i].flags & CALL_FIELD_OUT) || !a->registers[i])
			continue;
		if (!any) {
			call_text_either(&p->text, " (", ",\"changed\":{");
			p->text.fresh = true;
		}
		any = true;
		call_text_member(&p->text, call_strings + a->fields[i].name);
		print_argument(p, a, i, true);
	}
	if (any)
		call_text_either(&p->text, ")", "}");
}

static void print_rest(struct call_printer *p, const struct arguments *a, bool success)
{
	p->text.fresh = a->split == 0;
	for (unsigned i = a->split; i < a->count; i++) {
		unsigned flags = a->fields[i].flags;

		p->after = success && flags & CALL_FIELD_OUT;
		begin_argument(p, a, i);
		print_argument(p, a, i, success || flags & CALL_FIELD_IN || !(flags & CALL_FIELD_OUT));
	}
	call_text_either(&p->text, ")", "},");
}

size_t call_format_exit(const struct call_format *format, uint64_t number, const uint64_t arguments[6],
			int64_t result, char *to, size_t room)
{
	struct call_printer p = { .format = format, .left = failed(result) ? 0 : (uint64_t)result };
	const struct call_row *row = call_row(number);
	struct arguments a = { 0 };

	call_text_init(&p.text, format->form, to, room);
	if (row) {
		find_arguments(&a, row, arguments);
		print_rest(&p, &a, !failed(result));
	} else {
		call_text_either(&p.text, ")", ",");
	}
	print_result(&p, row, result);
	p.after = true;
	if (row && !failed(result))
		print_changes(&p, &a);
	call_text_either(&p.text, "", "}");
	return p.text.len;
}

size_t call_format_signal(const struct call_format *format, const void *info, char *to, size_t room)
{
	struct call_printer p = { .format = format, .after = true };
	const int32_t *number = info;

	call_text_init(&p.text, format->form, to, room);
	call_text_either(&p.text, "--- ", "{\"signal\":");
	call_print_signal(&p, (uint32_t)*number);
	call_text_either(&p.text, " ", ",\"info\":");
	p.text.fresh = true;
	call_print_siginfo(&p, (uint64_t)(uintptr_t)info);
	call_text_either(&p.text, " ---", "}");
	return p.text.len;
}

size_t call_format_end(const struct call_format *format, int signal, int status, char *to, size_t room)
{
	struct call_printer p = { .format = format };

	call_text_init(&p.text, format->form, to, room);
	if (signal) {
		call_text_either(&p.text, "+++ killed by ", "{\"killed\":");
		call_print_signal(&p, (unsigned)signal);
	} else {
		call_text_either(&p.text, "+++ exited with ", "{\"exited\":");
		call_text_signed(&p.text, status);
	}
	call_text_either(&p.text, " +++", "}");
	return p.text.len;
}
