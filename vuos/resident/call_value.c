/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One value without memory behind it: numbers, names, addresses of the network. See call_print.h. */
#include "vuos/resident/call_print.h"

#define SIGNAL_REALTIME 32
#define SIGNAL_LAST     64

static int64_t sign_extend(uint64_t value, unsigned size)
{
	unsigned shift = size < 8 ? 64 - 8 * size : 0;

	return (int64_t)(value << shift) >> shift;
}

static uint64_t width_mask(unsigned size)
{
	return size < 8 ? (UINT64_C(1) << 8 * size) - 1 : UINT64_MAX;
}

const char *call_constant_name(unsigned type, uint64_t value)
{
	const struct call_type *t = &call_types[type];

	for (unsigned i = t->first; i < t->first + t->count; i++)
		if (call_values[i].value == value)
			return call_strings + call_values[i].name;
	return NULL;
}

void call_print_pointer(struct call_printer *p, uint64_t address)
{
	call_text_either(&p->text, "", "{\"at\":");
	call_text_hex(&p->text, address);
	call_text_either(&p->text, "", "}");
}

void call_print_address(struct call_printer *p, uint64_t address)
{
	if (address)
		call_text_hex(&p->text, address);
	else
		call_text_either(&p->text, "NULL", "null");
}

/* What has no name. */
static void print_nameless(struct call_printer *p, const struct call_type *type, unsigned size, uint64_t value)
{
	if (type->base == CALL_BASE_OCTAL)
		call_text_octal(&p->text, value);
	else if (type->base == CALL_BASE_HEX)
		call_text_hex(&p->text, value);
	else
		call_text_signed(&p->text, sign_extend(value, size));
}

void call_print_signal(struct call_printer *p, uint64_t number)
{
	const char *name = call_constant_name(CALL_TYPE_SIGNAL, number);

	if (number == 0 || (!name && (number < SIGNAL_REALTIME || number > SIGNAL_LAST))) {
		call_text_signed(&p->text, sign_extend(number, 4));
	} else if (name) {
		call_text_word(&p->text, name);
	} else {
		call_text_either(&p->text, "SIGRT_", "\"SIGRT_");
		call_text_unsigned(&p->text, number - SIGNAL_REALTIME);
		call_text_either(&p->text, "", "\"");
	}
}

/* A member of a structure may have fewer bits than its set, as signal numbers also do. */
static bool same_value(const struct call_value *v, unsigned size, uint64_t value)
{
	return (v->value & width_mask(size)) == value;
}

static void print_constant(struct call_printer *p, const struct call_type *type, unsigned size, uint64_t value)
{
	if (type == &call_types[CALL_TYPE_SIGNAL]) {
		call_print_signal(p, value);
		return;
	}
	for (unsigned i = type->first; i < type->first + type->count; i++)
		if (same_value(&call_values[i], size, value)) {
			call_text_word(&p->text, call_strings + call_values[i].name);
			return;
		}
	print_nameless(p, type, size, value);
}

/* In front of each flag but the first. */
static void next_flag(struct call_printer *p, unsigned *count)
{
	if ((*count)++)
		call_text_either(&p->text, "|", ",");
}

/* The names of flags, from left to right; returns the bits that have none. */
static uint64_t print_flag_names(struct call_printer *p, const struct call_type *type, uint64_t value,
				 unsigned *count)
{
	uint64_t seen = 0;

	for (unsigned i = type->first; i < type->first + type->count; i++) {
		const struct call_value *v = &call_values[i];

		if (seen & v->mask || (value & v->mask) != v->value || (!v->mask && value))
			continue;
		seen |= v->mask;
		next_flag(p, count);
		call_text_word(&p->text, call_strings + v->name);
	}
	return value & ~seen;
}

static void print_flags(struct call_printer *p, const struct call_type *type, uint64_t value)
{
	unsigned count = 0;
	uint64_t rest;

	call_text_either(&p->text, "", "[");
	rest = print_flag_names(p, type, value, &count);
	if (rest) {
		next_flag(p, &count);
		if (type->base == CALL_BASE_OCTAL)
			call_text_octal(&p->text, rest);
		else
			call_text_hex(&p->text, rest);
	}
	if (!count)
		call_text_either(&p->text, "0", "");
	call_text_either(&p->text, "", "]");
}

/* A user or group; -1 leaves it as it is. */
static void print_id(struct call_printer *p, uint64_t value)
{
	if (value == UINT32_MAX)
		call_text_signed(&p->text, -1);
	else
		call_text_unsigned(&p->text, value);
}

static void print_dirfd(struct call_printer *p, uint64_t value)
{
	const char *name = call_constant_name(CALL_TYPE_DIRECTORY_HANDLE, value);

	if (name)
		call_text_word(&p->text, name);
	else
		call_text_signed(&p->text, (int32_t)value);
}

static void print_dev(struct call_printer *p, uint64_t value)
{
	uint64_t major = ((value >> 8) & 0xfff) | ((value >> 32) & ~UINT64_C(0xfff));
	uint64_t minor = (value & 0xff) | ((value >> 12) & ~UINT64_C(0xff));

	call_text_either(&p->text, "makedev(", "\"");
	call_text_unsigned(&p->text, (uint32_t)major);
	call_text_either(&p->text, ", ", ":");
	call_text_unsigned(&p->text, (uint32_t)minor);
	call_text_either(&p->text, ")", "\"");
}

static void print_errno(struct call_printer *p, uint64_t value)
{
	for (unsigned i = 0; i < call_errors_count; i++)
		if (call_errors[i].number == value) {
			call_text_word(&p->text, call_strings + call_errors[i].name);
			return;
		}
	call_text_signed(&p->text, (int32_t)value);
}

static uint64_t swap_bytes(uint64_t value, unsigned size)
{
	return __builtin_bswap64(value) >> (64 - 8 * size);
}

static void print_ipv4(struct call_printer *p, uint64_t value)
{
	call_text_char(&p->text, '"');
	for (unsigned i = 0; i < 4; i++) {
		if (i)
			call_text_char(&p->text, '.');
		call_text_unsigned(&p->text, value >> 8 * i & 0xff);
	}
	call_text_char(&p->text, '"');
}

void call_print_scalar(struct call_printer *p, const struct call_type *type, unsigned size, uint64_t value)
{
	switch ((enum call_kind_id)type->kind) {
	case CALL_KIND_SIGNED:
	case CALL_KIND_FD:
		call_text_signed(&p->text, sign_extend(value, size));
		break;
	case CALL_KIND_UNSIGNED:
		call_text_unsigned(&p->text, value);
		break;
	case CALL_KIND_OCTAL:
		call_text_octal(&p->text, value);
		break;
	case CALL_KIND_ADDRESS:
		call_print_address(p, value);
		break;
	case CALL_KIND_CONSTANTS:
		print_constant(p, type, size, value);
		break;
	case CALL_KIND_FLAGS:
		print_flags(p, type, value);
		break;
	case CALL_KIND_ID:
		print_id(p, value);
		break;
	case CALL_KIND_DIRFD:
		print_dirfd(p, value);
		break;
	case CALL_KIND_DEV:
		print_dev(p, value);
		break;
	case CALL_KIND_ERRNO:
		print_errno(p, value);
		break;
	case CALL_KIND_BE:
		call_text_unsigned(&p->text, swap_bytes(value, size));
		break;
	case CALL_KIND_IPV4:
		print_ipv4(p, value);
		break;
	case CALL_KIND_SIGMASK:
		call_print_sigmask(p, value);
		break;
	case CALL_KIND_WAIT_STATUS:
		call_print_wait_status(p, value);
		break;
	default:
		call_text_hex(&p->text, value);
	}
}

/* Where the longest run of zeros in an IPv6 address begins, and its length; none if shorter than two. */
static unsigned longest_zeros(const uint8_t *bytes, unsigned *ret_len)
{
	unsigned best = 8, best_len = 1;

	for (unsigned i = 0; i < 8; i++) {
		unsigned len = 0;

		while (i + len < 8 && !bytes[2 * (i + len)] && !bytes[2 * (i + len) + 1])
			len++;
		if (len > best_len) {
			best = i;
			best_len = len;
		}
	}
	*ret_len = best_len;
	return best;
}

/* A group of an IPv6 address or of an Ethernet address: hex without prefix or quotes. */
static void print_group(struct call_printer *p, unsigned value, unsigned least)
{
	bool started = false;

	for (int shift = 12; shift >= 0; shift -= 4) {
		unsigned digit = value >> shift & 15;

		if (digit || started || shift < (int)(4 * least)) {
			call_text_char(&p->text, "0123456789abcdef"[digit]);
			started = true;
		}
	}
}

static void print_ipv6(struct call_printer *p, const uint8_t *bytes)
{
	unsigned zeros_len, zeros = longest_zeros(bytes, &zeros_len);

	call_text_char(&p->text, '"');
	for (unsigned i = 0; i < 8; i++) {
		if (i == zeros) {
			call_text_raw(&p->text, "::");
			i += zeros_len - 1;
			continue;
		}
		if (i && i != zeros + zeros_len)
			call_text_char(&p->text, ':');
		print_group(p, (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1], 1);
	}
	call_text_char(&p->text, '"');
}

static void print_mac(struct call_printer *p, const uint8_t *bytes)
{
	call_text_char(&p->text, '"');
	for (unsigned i = 0; i < 6; i++) {
		if (i)
			call_text_char(&p->text, ':');
		print_group(p, bytes[i], 2);
	}
	call_text_char(&p->text, '"');
}

static void print_row_of_bytes(struct call_printer *p, const uint8_t *bytes, unsigned len)
{
	call_text_quote_begin(&p->text, false);
	call_text_quote_bytes(&p->text, bytes, len);
	call_text_quote_end(&p->text, false);
}

void call_print_in_place(struct call_printer *p, const struct call_type *type, const uint8_t *bytes,
			 unsigned repeat)
{
	unsigned len = 0;

	if (type->kind == CALL_KIND_IPV6) {
		print_ipv6(p, bytes);
	} else if (type->kind == CALL_KIND_MAC) {
		print_mac(p, bytes);
	} else if (type->kind == CALL_KIND_BYTES) {
		print_row_of_bytes(p, bytes, repeat);
	} else {
		while (len < repeat && bytes[len])
			len++;
		print_row_of_bytes(p, bytes, len);
	}
}
