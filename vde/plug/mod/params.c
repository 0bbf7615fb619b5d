/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parameters of a locator. Everything happens in place, in the string that the plug-in was
 * given, and values point into it:
 *
 *	1. The string is cut at delimiters (`/`, `[`, `]`) that are not protected.
 *	2. Each piece loses its protection: '...', "...", \x and %XX (the last two outside quotes
 *	   only). A piece never gets longer.
 *	3. A piece is split at its first `=`.
 */
#include <libvdeplug_mod.h>

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/parse.h"
#include "base/strbuf.h"

#define SUGGEST_DISTANCE 2 /* edits between what was typed and what may have been meant */

/* Where in a string we are; zero at its start. */
struct quoting {
	char quote; /* the open one, or 0 */
	bool escaped;
};

/* Takes one character; true when it means itself, outside any protection. */
static bool quoting_plain(struct quoting *q, char c)
{
	if (q->escaped) {
		q->escaped = false;
		return false;
	}
	if (q->quote) {
		if (c == q->quote)
			q->quote = '\0';
		return false;
	}
	if (c == '\'' || c == '"')
		q->quote = c;
	else if (c == '\\')
		q->escaped = true;
	else
		return true;
	return false;
}

/* The first unprotected C in TEXT, whose protection at its start is *Q (moved along); or NULL. */
static char *find_plain(char *text, char c, struct quoting *q)
{
	for (; *text; text++)
		if (quoting_plain(q, *text) && *text == c)
			return text;
	return NULL;
}

/* The last one. */
static char *find_last_plain(char *text, char c, struct quoting q)
{
	char *found, *last = NULL;

	while ((found = find_plain(text, c, &q)) != NULL) {
		last = found;
		text = found + 1;
	}
	return last;
}

static int hex_value(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static bool is_hex_code(const char *text)
{
	return text[0] == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2]);
}

/* Removes the protection, in place. */
static void unquote(char *text)
{
	struct quoting q = { 0 };
	char *to = text;

	while (*text) {
		bool was_protected = q.escaped || q.quote;
		char c = *text;
		bool plain = quoting_plain(&q, c);

		if (plain && is_hex_code(text)) {
			*to++ = (char)(hex_value(text[1]) << 4 | hex_value(text[2]));
			text += 3;
			continue;
		}
		/* What is neither plain nor was protected opens something; a quote may close it. */
		if (plain || (was_protected && (q.quote || c == '\\' || !strchr("'\"", c))))
			*to++ = c;
		text++;
	}
	*to = '\0';
}

static const struct vdeparms *parms_find(const struct vdeparms *parms, const char *tag)
{
	size_t len = strlen(tag);

	for (; len && parms->tag; parms++)
		if (strncmp(parms->tag, tag, len) == 0)
			return parms;
	return NULL;
}

/* Writes what the locator may have instead of TAG. */
static void known_tags(const struct vdeparms *parms, const char *tag, struct strbuf *out)
{
	const char *separator = "; there are ";

	for (const struct vdeparms *p = parms; p->tag; p++)
		if (*p->tag && str_distance(p->tag, tag) <= SUGGEST_DISTANCE &&
		    str_distance(p->tag, tag) < strlen(p->tag)) {
			strbuf_printf(out, "; did you mean '%s'?", p->tag);
			return;
		}
	for (; parms->tag; parms++)
		if (*parms->tag) {
			strbuf_printf(out, "%s%s", separator, parms->tag);
			separator = ", ";
		}
}

/* WHOLE is the string as it was, or NULL when memory is short; OFFSET is where TAG stands. */
static int unknown_tag(const struct vdeparms *parms, const char *tag, const char *whole,
		       size_t offset)
{
	auto_strbuf struct strbuf known = { 0 };
	struct error e = { 0 };

	(void)fprintf(stderr, "unknown key: %s\n", tag); /* a promise of the interface */
	known_tags(parms, tag, &known);
	if (whole)
		error_set_caret(&e, EINVAL, whole, offset, "unknown parameter '%s'%s", tag,
				strbuf_text(&known));
	else
		error_set(&e, EINVAL, "unknown parameter '%s'%s", tag, strbuf_text(&known));
	vde_error_set(EINVAL, "%s", e.text);
	return -1;
}

/* Stores one element, TAG or TAG=VALUE, that stands at OFFSET of WHOLE. */
static int parms_store(struct vdeparms *parms, char *element, const char *whole, size_t offset)
{
	const struct vdeparms *match;
	char *value;

	unquote(element);
	value = strchr(element, '=');
	if (!*element || value == element)
		return 0;
	if (value)
		*value = '\0';
	match = parms_find(parms, element);
	if (match)
		*match->value = value ? value + 1 : element + strlen(element);
	else if (!value && parms->tag && !*parms->tag)
		*parms->value = element;
	else
		return unknown_tag(parms, element, whole, offset);
	return 0;
}

/* Stores the elements of LIST, which begins at OFFSET of WHOLE; LIST may be NULL. */
static int parms_store_list(struct vdeparms *parms, char *list, const char *whole, size_t offset)
{
	int r = 0;

	while (r == 0 && list) {
		struct quoting q = { 0 };
		char *end = find_plain(list, '/', &q);
		char *next = end ? end + 1 : NULL;
		size_t step = end ? (size_t)(next - list) : 0;

		if (end)
			*end = '\0';
		r = parms_store(parms, list, whole, offset);
		list = next;
		offset += step;
	}
	return r;
}

PUBLIC int vde_parseparms(char *str, struct vdeparms *parms)
{
	auto_free char *whole = strdup(str);
	struct quoting q = { 0 };
	char *list = find_plain(str, '/', &q);

	if (list)
		*list++ = '\0';
	unquote(str);
	return parms_store_list(parms, list, whole, list ? (size_t)(list - str) : 0);
}

PUBLIC int vde_parsepathparms(char *str, struct vdeparms *parms)
{
	auto_free char *whole = strdup(str);
	struct quoting q = { 0 };
	char *list = find_plain(str, '[', &q);
	char *end;

	if (list) {
		*list++ = '\0';
		end = find_last_plain(list, ']', q);
		if (end)
			*end = '\0';
	}
	unquote(str);
	return parms_store_list(parms, list, whole, list ? (size_t)(list - str) : 0);
}

PUBLIC char *vde_parsenestparms(char *str)
{
	struct quoting q = { 0 };
	char *nested = find_plain(str, '{', &q);
	char *end;

	if (!nested)
		return NULL;
	*nested++ = '\0';
	end = find_last_plain(nested, '}', q);
	if (end)
		*end = '\0';
	return nested;
}

/* The bits that a suffix shifts by; 0 for a character that is none. */
static unsigned suffix_shift(char c)
{
	static const char suffixes[] = "kmgt";
	const char *found = c ? strchr(suffixes, tolower((unsigned char)c)) : NULL;

	return found ? 10 * (unsigned)(found - suffixes + 1) : 0;
}

PUBLIC unsigned long long strtoullm(const char *numstr)
{
	char *rest;
	unsigned long long value = strtoull(numstr, &rest, 0);

	for (; *rest; rest++) {
		unsigned shift = suffix_shift(*rest);

		value = value > ULLONG_MAX >> shift ? ULLONG_MAX : value << shift;
	}
	return value;
}

PUBLIC gid_t vde_grnam2gid(const char *name)
{
	long long number;
	gid_t gid;

	if (!name)
		return (gid_t)-1;
	if (!*name)
		return getegid();
	if (name[strspn(name, "0123456789")] == '\0')
		return parse_decimal(name, 0, UINT32_MAX - 1, &number) < 0 ? (gid_t)-1
									    : (gid_t)number;
	return parse_group(name, &gid) < 0 ? (gid_t)-1 : gid;
}
