/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the formatter of system calls (call_format.h): printing one value, what a pointer points to,
 * and the few things that no table can say. Each writes one value, of whatever size, as one item of
 * the text.
 */
#pragma once

#include "vuos/resident/call_format.h"
#include "vuos/resident/calls.h"

struct call_printer {
	struct call_text text;
	const struct call_format *format;
	uint64_t left; /* what the call's result counts and was not shown yet: bytes or elements */
	bool after;    /* the memory has been written by the call: `left` holds, and members that are `out` */
};

/* Arguments of a call, or members of a structure: values that limit each other. */
struct call_siblings {
	const struct call_field *fields;
	unsigned count;
	const uint64_t *registers; /* arguments */
	const uint8_t *bytes;      /* or members: HAVE bytes of the structure */
	size_t have;
};

/* The value of sibling INDEX, without sign. Members beyond `have` are 0. */
uint64_t call_sibling(const struct call_siblings *s, unsigned index);

/* Reads program memory; false if it cannot be read. */
bool call_fetch(const struct call_printer *p, uint64_t address, void *to, size_t len);

/* call_value.c: VALUE is zero-extended from SIZE bytes. */
void call_print_scalar(struct call_printer *p, const struct call_type *type, unsigned size, uint64_t value);
/* Kinds that are longer than a register, or a row of bytes. */
void call_print_in_place(struct call_printer *p, const struct call_type *type, const uint8_t *bytes,
			 unsigned repeat);
/* The name of a value in a set of constants, NULL if it has none. */
const char *call_constant_name(unsigned type, uint64_t value);
void call_print_signal(struct call_printer *p, uint64_t number);
void call_print_address(struct call_printer *p, uint64_t address); /* NULL, or in hex */
/* A pointer whose memory cannot be shown. */
void call_print_pointer(struct call_printer *p, uint64_t address);

/* call_memory.c */
void call_print_field(struct call_printer *p, const struct call_siblings *s, unsigned index);
void call_print_bytes(struct call_printer *p, uint64_t address, uint64_t len, uint64_t max);
void call_print_string(struct call_printer *p, uint64_t address, uint64_t max);
/* Reads a structure of that type and prints it; HAVE of its bytes exist. */
void call_print_struct_at(struct call_printer *p, const struct call_type *type, uint64_t address,
			  size_t have);
void call_print_struct(struct call_printer *p, const struct call_type *type, const uint8_t *bytes,
		       size_t have);
/* COUNT elements in a row, in brackets. */
void call_print_elements(struct call_printer *p, const struct call_type *type, uint64_t address,
			 uint64_t count);

/* call_special.c: memory at an address, LEN bytes (fd_set: bits) of it. */
void call_print_sockaddr(struct call_printer *p, uint64_t address, uint64_t len);
void call_print_cmsgs(struct call_printer *p, uint64_t address, uint64_t len);
void call_print_sockopt(struct call_printer *p, uint64_t address, uint64_t len);
void call_print_sigset(struct call_printer *p, uint64_t address, uint64_t len);
void call_print_bits(struct call_printer *p, uint64_t address, uint64_t bits);
void call_print_dirents(struct call_printer *p, uint64_t address, uint64_t len, unsigned name_place);
void call_print_strings(struct call_printer *p, uint64_t address);
void call_print_siginfo(struct call_printer *p, uint64_t address);
/* Values in registers or members. */
void call_print_sigmask(struct call_printer *p, uint64_t mask);
void call_print_wait_status(struct call_printer *p, uint64_t status);
