/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debug_tags.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "options.h"
#include "vuos/view/tags.h"

int debug_tags_color(struct view_tags *tags, const char *spec)
{
	const char *colon = strchr(spec, ':');
	char letters[TAG_COUNT + 1];
	uint64_t found;

	if (!colon || colon - spec > TAG_COUNT || strlen(colon + 1) > VIEW_COLOR_MAX ||
	    colon[1 + strspn(colon + 1, TAG_COLORS)])
		return -EINVAL;
	(void)snprintf(letters, sizeof(letters), "%.*s", (int)(colon - spec), spec);
	found = tags_parse(letters);
	for (unsigned i = 0; i < TAG_COUNT; i++)
		if (found >> i & 1)
			(void)snprintf(tags->color[i], sizeof(tags->color[i]), "%s", colon + 1);
	return found ? 0 : -EINVAL;
}

int debug_tags_set(void *settings, const char *argument, struct error *error)
{
	struct settings *s = settings;
	uint64_t found = tags_parse(argument);

	if (!found)
		return error_set(error, EINVAL, "%s: tags are A to Z, a to z, 0 to 9 and _", argument);
	s->debug_tags.active |= found;
	return 0;
}

int debug_tags_set_colors(void *settings, const char *argument, struct error *error)
{
	struct settings *s = settings;
	auto_free char *copy = strdup(argument);
	char *rest = copy;

	if (!copy)
		return error_set(error, ENOMEM, "%s", strerror(ENOMEM));
	for (char *spec = strsep(&rest, " "); spec; spec = strsep(&rest, " "))
		if (*spec && debug_tags_color(&s->debug_tags, spec) < 0)
			return error_set(error, EINVAL,
					 "%s: not TAGS:COLOR with a colour of the letters " TAG_COLORS, spec);
	return 0;
}
