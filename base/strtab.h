/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * String tables: an enum and its names in one designated initialiser, both directions.
 *
 *	static const char *const port_state_names[PORT_NUM_STATES] = { [PORT_BLOCKING] = "..." };
 *	DEFINE_STRTAB(port_state, enum port_state, PORT_NUM_STATES);
 *
 * gives port_state_to_string() ("?" outside the table) and port_state_from_string() (-EINVAL).
 */
#pragma once

#include <errno.h>

#include "util.h"

#define DEFINE_STRTAB(name, type, count)                                                  \
	_Static_assert(ARRAY_SIZE(name##_names) == (count), "a name for each " #name);    \
	__attribute__((unused)) static const char *name##_to_string(type value)           \
	{                                                                                 \
		size_t index = (size_t)value;                                             \
                                                                                          \
		return index < (count) && name##_names[index] ? name##_names[index] : "?"; \
	}                                                                                 \
	__attribute__((unused)) static int name##_from_string(const char *text)           \
	{                                                                                 \
		for (size_t i_ = 0; i_ < (count); i_++)                                   \
			if (name##_names[i_] && str_equal(name##_names[i_], text))        \
				return (int)i_;                                           \
		return -EINVAL;                                                           \
	}                                                                                 \
	struct name##_strtab_needs_semicolon
