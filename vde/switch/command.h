/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the console and the command files cmd_*.c. */
#pragma once

#include "vde/switch/console.h"

/* The two lines a session begins with, and showinfo. */
void command_greeting(struct strbuf *out);

/* Appends the result line for 0 or a negative errno. */
void command_result(struct strbuf *out, int r);

#define COMMAND_MAX_NUMBERS 4

/*
 * Exactly COUNT numbers in C syntax, separated by blanks, from TEXT; -EINVAL. *ret_rest (or NULL)
 * gets what stands behind them.
 */
int command_numbers(const char *text, unsigned count, long long values[], const char **ret_rest);

/* The one decimal number of commands like port/create. Trailing text is an error: -EINVAL. */
int command_number(const char *text, long long min, long long max, long long *ret);

/* An optional decimal number: -1 when TEXT is empty. */
int command_optional_number(const char *text, long long max, long long *ret);

struct vlan;

/*
 * For listings with an optional VLAN as argument: prints that one, or all of them; as an array of JSON.
 * -EINVAL when it is no number of a VLAN, -ENXIO when it does not exist.
 */
int command_each_vlan(struct command_call *call,
		      void (*print)(struct command_call *call, const struct vlan *vlan));

/* The built-in menus, in the order of `help`; NULL ends. */
extern const struct command_table *const command_tables[];

struct counters;

/* Counters as one line of text (behind what names their owner) and as a JSON object. */
void command_text_counters(struct strbuf *out, const struct counters *counters);
void command_json_counters(struct json *j, const char *key, const struct counters *counters);
