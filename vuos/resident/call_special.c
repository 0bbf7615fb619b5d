/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tables cannot say: memory whose meaning is in the memory itself. See call_print.h. */
#include "vuos/resident/call_print.h"

#define BITS_MAX 1024 /* of a set that are looked at */

/* Which structure a value tells: rows end with type 0, which is no structure. */
struct choice {
	uint16_t value, type;
};

/* AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK */
static const struct choice families[] = {
	{ 2, CALL_TYPE_SOCKADDR_IN },  { 10, CALL_TYPE_SOCKADDR_IN6 }, { 16, CALL_TYPE_SOCKADDR_NL },
	{ 17, CALL_TYPE_SOCKADDR_LL }, { 40, CALL_TYPE_SOCKADDR_VM },  { 0, 0 },
};

#define FAMILY_UNIX 1
#define UNIX_PATH   108

static const struct call_type *choose(const struct choice *rows, unsigned value)
{
	for (; rows->type; rows++)
		if (rows->value == value)
			return &call_types[rows->type];
	return NULL;
}

static void print_family(struct call_printer *p, unsigned family)
{
	call_text_member(&p->text, "sa_family");
	call_print_scalar(p, &call_types[CALL_TYPE_ADDRESS_FAMILY], 2, family);
}

/* A name in the file system ends at its NUL; one that begins with NUL (abstract) is as long as it is. */
static void print_unix(struct call_printer *p, uint64_t address, uint64_t len)
{
	uint8_t path[UNIX_PATH];
	unsigned used = 0;

	call_text_begin(&p->text, '{');
	print_family(p, FAMILY_UNIX);
	len = len > sizeof(path) ? sizeof(path) : len;
	if (len && call_fetch(p, address, path, len)) {
		while (used < len && (path[used] || !path[0]))
			used++;
		call_text_member(&p->text, "sun_path");
		call_text_quote_begin(&p->text, false);
		call_text_quote_bytes(&p->text, path, used);
		call_text_quote_end(&p->text, false);
	}
	call_text_end(&p->text, '}');
}

static void print_other_family(struct call_printer *p, unsigned family, uint64_t address, uint64_t len)
{
	call_text_begin(&p->text, '{');
	print_family(p, family);
	if (len) {
		call_text_member(&p->text, "sa_data");
		call_print_bytes(p, address, len, p->format->string_max);
	}
	call_text_end(&p->text, '}');
}

void call_print_sockaddr(struct call_printer *p, uint64_t address, uint64_t len)
{
	const struct call_type *type;
	uint8_t bytes[2];
	unsigned family;

	if (len < sizeof(bytes) || !call_fetch(p, address, bytes, sizeof(bytes))) {
		call_print_pointer(p, address);
		return;
	}
	family = bytes[0] | (unsigned)bytes[1] << 8;
	type = choose(families, family);
	if (family == FAMILY_UNIX)
		print_unix(p, address + 2, len - 2);
	else if (type && len >= type->size)
		call_print_struct_at(p, type, address, type->size);
	else
		print_other_family(p, family, address + 2, len - 2);
}

/* Ancillary data that SOL_SOCKET has. */
#define SOCKET_LEVEL 1
#define RIGHTS       1
#define CREDENTIALS  2

static void print_cmsg_data(struct call_printer *p, uint64_t level, uint64_t type, uint64_t at, uint64_t len)
{
	call_text_member(&p->text, "cmsg_data");
	if (level == SOCKET_LEVEL && type == RIGHTS)
		call_print_elements(p, &call_types[CALL_TYPE_FD], at, len / 4);
	else if (level == SOCKET_LEVEL && type == CREDENTIALS)
		call_print_struct_at(p, &call_types[CALL_TYPE_UCRED], at, len);
	else
		call_print_bytes(p, at, len, p->format->string_max);
}

struct cmsg_head {
	uint64_t len;
	uint32_t level, type;
};

static void print_cmsg(struct call_printer *p, const struct cmsg_head *head, uint64_t address)
{
	unsigned types = head->level == SOCKET_LEVEL ? CALL_TYPE_SCM_TYPE :
			 head->level == 0	     ? CALL_TYPE_IP_OPTION :
			 head->level == 41	     ? CALL_TYPE_IPV6_OPTION :
						       CALL_TYPE_INT;

	call_text_item(&p->text);
	call_text_begin(&p->text, '{');
	call_text_member(&p->text, "cmsg_len");
	call_text_unsigned(&p->text, head->len);
	call_text_member(&p->text, "cmsg_level");
	call_print_scalar(p, &call_types[CALL_TYPE_SOCKET_LEVEL], 4, head->level);
	call_text_member(&p->text, "cmsg_type");
	call_print_scalar(p, &call_types[types], 4, head->type);
	print_cmsg_data(p, head->level, head->type, address + sizeof(*head), head->len - sizeof(*head));
	call_text_end(&p->text, '}');
}

void call_print_cmsgs(struct call_printer *p, uint64_t address, uint64_t len)
{
	struct cmsg_head head;
	uint64_t step;

	if (len >= sizeof(head) && !call_fetch(p, address, &head, sizeof(head))) {
		call_print_pointer(p, address);
		return;
	}
	call_text_begin(&p->text, '[');
	for (unsigned i = 0; len >= sizeof(head); i++) {
		if (i == p->format->elements_max || !call_fetch(p, address, &head, sizeof(head)) ||
		    head.len < sizeof(head) || head.len > len) {
			call_text_more(&p->text);
			break;
		}
		print_cmsg(p, &head, address);
		step = (head.len + 7) & ~UINT64_C(7);
		address += step;
		len = step < len ? len - step : 0;
	}
	call_text_end(&p->text, ']');
}

/* Most options are an int. */
void call_print_sockopt(struct call_printer *p, uint64_t address, uint64_t len)
{
	if (len == 4)
		call_print_elements(p, &call_types[CALL_TYPE_INT], address, 1);
	else
		call_print_bytes(p, address, len, p->format->string_max);
}

static unsigned count_bits(uint64_t mask)
{
	unsigned count = 0;

	for (; mask; mask &= mask - 1)
		count++;
	return count;
}

/* Of a set that is nearly full, what is missing says more. */
void call_print_sigmask(struct call_printer *p, uint64_t mask)
{
	bool inverted = count_bits(mask) > 32;

	if (inverted) {
		call_text_either(&p->text, "~", "{\"not\":");
		mask = ~mask;
	}
	call_text_begin(&p->text, '[');
	for (unsigned number = 1; number <= 64; number++)
		if (mask >> (number - 1) & 1) {
			call_text_item(&p->text);
			call_print_signal(p, number);
		}
	call_text_end(&p->text, ']');
	if (inverted)
		call_text_either(&p->text, "", "}");
}

void call_print_sigset(struct call_printer *p, uint64_t address, uint64_t len)
{
	uint64_t mask = 0;

	if (!len || !call_fetch(p, address, &mask, len < sizeof(mask) ? len : sizeof(mask)))
		call_print_pointer(p, address);
	else
		call_print_sigmask(p, mask);
}

/* The numbers of the bits that are set. */
void call_print_bits(struct call_printer *p, uint64_t address, uint64_t bits)
{
	uint8_t bytes[BITS_MAX / 8];
	unsigned shown = 0;

	bits = bits > BITS_MAX ? BITS_MAX : bits;
	if (bits && !call_fetch(p, address, bytes, (bits + 7) / 8)) {
		call_print_pointer(p, address);
		return;
	}
	call_text_begin(&p->text, '[');
	for (unsigned i = 0; i < bits; i++) {
		if (!(bytes[i / 8] >> i % 8 & 1))
			continue;
		if (shown++ == p->format->elements_max) {
			call_text_more(&p->text);
			break;
		}
		call_text_item(&p->text);
		call_text_unsigned(&p->text, i);
	}
	call_text_end(&p->text, ']');
}

/* The names of the entries of a directory; 16 bytes in front of each end with its length. */
void call_print_dirents(struct call_printer *p, uint64_t address, uint64_t len, unsigned name_place)
{
	uint8_t head[18];
	unsigned size;

	if (len >= sizeof(head) && !call_fetch(p, address, head, sizeof(head))) {
		call_print_pointer(p, address);
		return;
	}
	call_text_begin(&p->text, '[');
	for (unsigned i = 0; len > name_place; i++) {
		if (i == p->format->elements_max || !call_fetch(p, address, head, sizeof(head))) {
			call_text_more(&p->text);
			break;
		}
		size = head[16] | (unsigned)head[17] << 8;
		if (size <= name_place || size > len)
			break;
		call_text_item(&p->text);
		call_print_string(p, address + name_place, size - name_place);
		address += size;
		len -= size;
	}
	call_text_end(&p->text, ']');
}

/* Pointers to strings, ending in NULL. */
void call_print_strings(struct call_printer *p, uint64_t address)
{
	uint64_t string;

	if (!call_fetch(p, address, &string, sizeof(string))) {
		call_print_pointer(p, address);
		return;
	}
	call_text_begin(&p->text, '[');
	for (unsigned i = 0; call_fetch(p, address, &string, sizeof(string)) && string; i++) {
		if (i == p->format->elements_max) {
			call_text_more(&p->text);
			break;
		}
		call_text_item(&p->text);
		call_print_string(p, string, p->format->string_max);
		address += sizeof(string);
	}
	call_text_end(&p->text, ']');
}

/* Signals that the kernel sends with a meaning of their own. */
static const struct choice signals[] = {
	{ 4, CALL_TYPE_SIGINFO_ILL },	 { 5, CALL_TYPE_SIGINFO_TRAP },	  { 7, CALL_TYPE_SIGINFO_BUS },
	{ 8, CALL_TYPE_SIGINFO_FPE },	 { 11, CALL_TYPE_SIGINFO_SEGV },  { 17, CALL_TYPE_SIGINFO_CHILD },
	{ 29, CALL_TYPE_SIGINFO_POLL },	 { 31, CALL_TYPE_SIGINFO_SYS },	  { 0, 0 },
};

/* si_code that tell who sent it, whichever signal. */
#define CODE_USER   0
#define CODE_TIMER  (-2)
#define CODE_TKILL  (-6)
#define CODE_KERNEL 0x80

static unsigned siginfo_type(int32_t number, int32_t code)
{
	const struct call_type *type = number > 0 && code > 0 ? choose(signals, (unsigned)number) : NULL;

	if (code == CODE_USER || code == CODE_TKILL)
		return CALL_TYPE_SIGINFO_KILL;
	if (code == CODE_TIMER)
		return CALL_TYPE_SIGINFO_TIMER;
	if (code < 0)
		return CALL_TYPE_SIGINFO_QUEUE;
	if (type && code != CODE_KERNEL)
		return (unsigned)(type - call_types);
	return CALL_TYPE_SIGINFO;
}

void call_print_siginfo(struct call_printer *p, uint64_t address)
{
	int32_t head[3]; /* signal, errno, code */

	if (call_fetch(p, address, head, sizeof(head)))
		call_print_struct_at(p, &call_types[siginfo_type(head[0], head[2])], address, CALL_STRUCT_MAX);
	else
		call_print_pointer(p, address);
}

static void print_stopped(struct call_printer *p, uint64_t status)
{
	call_text_member(&p->text, "stopped");
	call_print_signal(p, status >> 8 & 0x7f);
	if (status & 0x8000) {
		call_text_member(&p->text, "syscall");
		call_text_unsigned(&p->text, 1);
	}
	if (status >> 16 & 0xffff) {
		call_text_member(&p->text, "event");
		call_text_unsigned(&p->text, status >> 16 & 0xffff);
	}
}

void call_print_wait_status(struct call_printer *p, uint64_t status)
{
	unsigned low = status & 0x7f;

	call_text_begin(&p->text, '{');
	if (status == 0xffff) {
		call_text_member(&p->text, "continued");
		call_text_unsigned(&p->text, 1);
	} else if (low == 0x7f) {
		print_stopped(p, status);
	} else if (low == 0) {
		call_text_member(&p->text, "exited");
		call_text_unsigned(&p->text, status >> 8 & 0xff);
	} else {
		call_text_member(&p->text, "killed");
		call_print_signal(p, low);
		if (status & 0x80) {
			call_text_member(&p->text, "core");
			call_text_unsigned(&p->text, 1);
		}
	}
	call_text_end(&p->text, '}');
}
