/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of system calls as data. calls.tbl says what each call is; gen_calls.py makes of it the
 * arrays below and, in calls_table.h, the enumerations that name their columns.
 *
 * There is no pointer in any of it: a name is a place in call_strings, a list is the place of its
 * first member and a count. So the tables need no relocation, stay shared between all processes, and
 * may lie at any address. Nothing here calls a function.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "vuos/resident/calls_table.h"

enum {
	CALL_ARGUMENTS = 6,

	CALL_FIELD_IN = 1,       /* the memory behind it is read by the call */
	CALL_FIELD_OUT = 2,      /* it is written; of a member: it means something only afterwards */
	CALL_FIELD_POINTER = 4,  /* it points to elements of the type */
	CALL_FIELD_MEMORY = 64,  /* it is an address: of elements, or of what its type stands for */
	CALL_FIELD_HIDDEN = 8,   /* a member that is not shown */
	CALL_FIELD_BUDGET = 16,  /* the member says how many bytes the call has written to the buffers */
	CALL_FIELD_RESULT = 32,  /* the call's result limits what was written, as well */
};

/* An argument of a call or a member of a structure. */
struct call_field {
	uint16_t name;
	uint16_t type;       /* enum call_type_id */
	uint16_t offset;     /* of a member */
	uint16_t size;       /* of a register's used part or a member, bytes */
	uint16_t limit;      /* a count, or which argument or member has it or points to it */
	uint8_t limit_kind;  /* enum call_limit_id */
	uint8_t unit;        /* enum call_unit_id: what the limit counts */
	uint8_t repeat;      /* so many in a row */
	uint8_t flags;       /* CALL_FIELD_ */
};

struct call_type {
	uint16_t name;
	uint16_t first; /* in call_values (constants, flags) or call_fields (a structure) */
	uint16_t count;
	uint16_t size;
	uint8_t kind; /* enum call_kind_id */
	uint8_t base; /* enum call_base_id */
};

/* A name of a value. What it says is true if (value & mask) is its value. */
struct call_value {
	uint64_t value;
	uint64_t mask;
	uint16_t name;
};

struct call_error {
	uint16_t number, name, text;
};

/* If the masked argument has the value, these fields are the call's arguments. */
struct call_variant {
	uint64_t mask, value;
	uint16_t first;
	uint8_t count;
	uint8_t argument;
};

/* How the kernel takes the path in an argument. */
struct call_path {
	uint32_t follow_mask; /* the flag that decides, of the argument with the flags */
	uint32_t empty_mask;  /* the flag that makes "" the descriptor itself; all ones: always; 0: never */
	int8_t at;            /* the argument with the directory; -1: the working directory */
	int8_t flags;         /* the argument with the flags; -1: none */
	uint8_t argument;
	uint8_t follow; /* enum call_follow_id */
	uint8_t flags_in_memory; /* the argument points to 64 bits of them */
};

struct call_row {
	uint16_t name; /* 0: the number is not in use */
	uint16_t first_field;
	uint16_t first_variant;
	uint8_t first_path;
	uint8_t fields, variants, paths; /* how many */
	uint8_t class_;                  /* enum call_class_id */
	uint8_t handler;                 /* enum call_handler_id */
	uint8_t level;                   /* enum call_level_id */
	uint8_t error;                   /* of a refused call */
	uint8_t waits;                   /* a signal interrupts it */
	uint8_t descriptors;             /* a bit for each argument that is a descriptor */
	uint8_t virtual_[CALL_ARGUMENTS]; /* of a virtual one: enum call_on_id, or from 4 on the errno */
	uint16_t result;                 /* enum call_type_id */
};

/* Nothing of it goes through a table of addresses: the resident has fixed ones. */
#pragma GCC visibility push(hidden)
extern const struct call_row call_rows[CALL_COUNT];
extern const struct call_field call_fields[];
extern const struct call_variant call_variants[];
extern const struct call_path call_paths[];
extern const struct call_type call_types[CALL_TYPE_COUNT];
extern const struct call_value call_values[];
extern const struct call_error call_errors[];
extern const uint16_t call_errors_count;
extern const uint16_t call_class_names[], call_level_names[], call_handler_names[];
extern const char call_strings[];

#pragma GCC visibility pop

/* The row of a number, NULL for one that is not in the table. */
static inline const struct call_row *call_row(uint64_t number)
{
	return number < CALL_COUNT && call_rows[number].name ? &call_rows[number] : NULL;
}

static inline const char *call_name(const struct call_row *row)
{
	return call_strings + row->name;
}
