/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel reads the first line of a script in the first 256 bytes of the file, filled up with zeros. The
 * line ends at a newline; a zero byte before it hides that. Without a newline it ends before the last byte,
 * where an argument may be cut, but not a name.
 */
#include "vuos/resident/script.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Where the line ends. Without a newline that is before the last byte of the head, if the name was not cut
 * there. NULL: it was, or there are only blanks.
 */
static char *line_end(char *head)
{
	char *last = head + SCRIPT_HEAD - 1, *at = head;

	while (at <= last && *at && *at != '\n')
		at++;
	if (at <= last && *at == '\n')
		return at;
	for (at = head + 2; at <= last && is_blank(*at); at++)
		;
	if (at > last)
		return NULL;
	while (at <= last && *at && !is_blank(*at))
		at++;
	return at <= last ? last : NULL;
}

bool script_line(char head[SCRIPT_HEAD], char **interpreter, char **argument)
{
	char *end = line_end(head), *at = head + 2;

	if (!end)
		return false;
	while (end > at && is_blank(end[-1]))
		end--;
	while (at < end && is_blank(*at))
		at++;
	if (at == end)
		return false;
	*end = '\0';
	*interpreter = at;
	while (*at && !is_blank(*at))
		at++;
	*argument = NULL;
	if (at >= end || !*at) /* a zero byte ends the name, and nothing behind it counts */
		return true;
	*at++ = '\0';
	while (is_blank(*at))
		at++;
	*argument = at;
	return true;
}
