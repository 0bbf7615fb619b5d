/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An item is a test of a row of calls.tbl. All rows are asked for each item, in the order of the list, so
 * that a later item takes away what an earlier one has added.
 */
#include "call_set.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "vuos/resident/calls.h"

_Static_assert(CALL_COUNT <= 64 * EXEC_CALL_WORDS, "a bit for each call");

#define ITEM_MAX 128
#define NEAR     3 /* edits between a name that is not there and the one that may be meant */

struct item {
	char text[ITEM_MAX];
	bool without;   /* `!` */
	bool maybe;     /* `?` */
	regex_t *regex; /* of the text behind `/` */
};

/* What classes are called besides their own names, and what no class says. */
static const struct {
	const char *alias, *class_;
} aliases[] = {
	{ "network", "net" }, { "creds", "id" }, { "clock", "time" }, { "desc", NULL }, { "file", NULL },
};

static bool takes_descriptor(const struct call_row *row)
{
	return row->descriptors != 0;
}

static bool takes_path(const struct call_row *row)
{
	return row->paths != 0;
}

static int class_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (aliases[i].class_ && str_equal(name, aliases[i].alias))
			name = aliases[i].class_;
	for (int i = 0; i < CALL_CLASS_COUNT; i++)
		if (str_equal(name, call_strings + call_class_names[i]))
			return i;
	return -1;
}

static bool is_class(const char *name)
{
	return str_equal(name, "file") || str_equal(name, "desc") || class_of(name) >= 0;
}

static bool class_has(const char *name, const struct call_row *row)
{
	if (str_equal(name, "file"))
		return takes_path(row);
	if (str_equal(name, "desc"))
		return takes_descriptor(row);
	return row->class_ == class_of(name);
}

static bool matches(const struct item *item, const struct call_row *row)
{
	if (item->regex)
		return regexec(item->regex, call_name(row), 0, NULL, 0) == 0;
	if (item->text[0] == '%')
		return class_has(item->text + 1, row);
	return str_equal(item->text, "all") || str_equal(item->text, call_name(row));
}

/* Adds or takes away what the item says; returns how many calls it says. */
static unsigned apply(struct call_set *set, const struct item *item)
{
	unsigned count = 0;

	for (unsigned number = 0; number < CALL_COUNT; number++) {
		const struct call_row *row = call_row(number);
		uint64_t bit = UINT64_C(1) << number % 64;

		if (!row || !matches(item, row))
			continue;
		count++;
		if (item->without)
			set->words[number / 64] &= ~bit;
		else
			set->words[number / 64] |= bit;
	}
	if (str_equal(item->text, "all"))
		set->others = !item->without;
	return count;
}

static int unknown_class(const struct item *item, struct error *error)
{
	char known[512];
	size_t len = 0;

	for (unsigned i = 0; i < CALL_CLASS_COUNT; i++)
		len += (size_t)snprintf(known + len, sizeof(known) - len, " %%%s",
					call_strings + call_class_names[i]);
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		len += (size_t)snprintf(known + len, sizeof(known) - len, " %%%s", aliases[i].alias);
	return error_set(error, EINVAL, "there is no class '%s'; the classes are%s", item->text, known);
}

static int unknown_name(const struct item *item, struct error *error)
{
	const char *best = NULL;
	unsigned best_distance = NEAR + 1;

	for (unsigned number = 0; number < CALL_COUNT; number++) {
		const struct call_row *row = call_row(number);
		unsigned distance = row ? str_distance(item->text, call_name(row)) : best_distance;

		if (distance < best_distance && distance < strlen(item->text)) {
			best = call_name(row);
			best_distance = distance;
		}
	}
	return best ? error_set(error, EINVAL, "there is no call '%s'; did you mean '%s'?", item->text, best)
		    : error_set(error, EINVAL, "there is no call '%s'", item->text);
}

static int add_regex(struct call_set *set, struct item *item, struct error *error)
{
	regex_t regex;
	char text[256];
	int r = regcomp(&regex, item->text + 1, REG_EXTENDED | REG_NOSUB);

	if (r) {
		(void)regerror(r, &regex, text, sizeof(text));
		return error_set(error, EINVAL, "'%s': %s", item->text + 1, text);
	}
	item->regex = &regex;
	r = apply(set, item) || item->maybe ? 0
	    : error_set(error, EINVAL, "no call is like '%s'", item->text + 1);
	regfree(&regex);
	return r;
}

static int add_item(struct call_set *set, struct item *item, struct error *error)
{
	if (item->text[0] == '/')
		return add_regex(set, item, error);
	if (item->text[0] == '%' && !is_class(item->text + 1))
		return item->maybe ? 0 : unknown_class(item, error);
	if (str_equal(item->text, "none"))
		return 0;
	return apply(set, item) || item->maybe ? 0 : unknown_name(item, error);
}

/* Cuts the item of LEN bytes at TEXT into its parts. */
static int read_item(struct item *item, const char *text, size_t len, struct error *error)
{
	const char *end = text + len;

	for (; text < end && (*text == '!' || *text == '?'); text++) {
		item->without |= *text == '!';
		item->maybe |= *text == '?';
	}
	len = (size_t)(end - text);
	if (!len)
		return error_set(error, EINVAL, "the name of a call is missing");
	if (len >= sizeof(item->text))
		return error_set(error, EINVAL, "'%.*s...' is too long", 32, text);
	memcpy(item->text, text, len);
	item->text[len] = '\0';
	return 0;
}

int call_set_parse(struct call_set *set, const char *text, struct error *error)
{
	bool inverted = *text == '!';

	*set = (struct call_set){ 0 };
	if (inverted)
		(void)apply(set, &(struct item){ .text = "all" });
	for (const char *at = text; at; at = *at ? at + 1 : NULL) {
		size_t len = strcspn(at, ",");
		struct item item = { .without = inverted };
		int r = read_item(&item, at, len, error);

		if (r == 0)
			r = add_item(set, &item, error);
		if (r < 0)
			return r;
		at += len;
	}
	return 0;
}
