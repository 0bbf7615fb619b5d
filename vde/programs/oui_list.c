/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list is read once; of the matches so far one is kept, each with the same chance. */
#include "oui_list.h"

#include <errno.h>
#include <strings.h>

#include "base/cleanup.h"

#define FIELD_MAX 512 /* bytes kept of a field; longer ones are cut */

enum oui_field {
	OUI_REGISTRY,
	OUI_ASSIGNMENT,
	OUI_NAME,
	OUI_NUM_FIELDS, /* what comes behind is not looked at */
};

struct oui_row {
	char field[OUI_NUM_FIELDS][FIELD_MAX];
};

/* The next character of a field, or EOF at its end; *QUOTED is the state between calls. */
static int field_getc(FILE *file, bool *quoted)
{
	int c = getc_unlocked(file);

	if (c == '"') {
		int next = *quoted ? getc_unlocked(file) : c;

		if (*quoted && next == '"')
			return '"';
		if (*quoted && next != EOF)
			(void)ungetc(next, file);
		*quoted = !*quoted;
		return field_getc(file, quoted);
	}
	if (c == EOF || *quoted || (c != ',' && c != '\n'))
		return c;
	(void)ungetc(c, file);
	return EOF;
}

static void field_read(FILE *file, char *to, size_t size)
{
	bool quoted = false;
	size_t len = 0;
	int c;

	while ((c = field_getc(file, &quoted)) != EOF)
		if (to && len + 1 < size && c != '\r')
			to[len++] = (char)c;
	if (to)
		to[len] = '\0';
}

/* False at the end of the file. */
static bool row_read(FILE *file, struct oui_row *row)
{
	int end;

	memset(row, 0, sizeof(*row));
	for (size_t i = 0;; i++) {
		bool kept = i < OUI_NUM_FIELDS;

		field_read(file, kept ? row->field[i] : NULL, kept ? FIELD_MAX : 0);
		end = getc_unlocked(file);
		if (end != ',')
			break;
	}
	return end != EOF || row->field[OUI_REGISTRY][0];
}

/* How many of the matches there were, and one of them. */
struct choice {
	size_t count;
	uint8_t oui[OUI_SIZE];
};

static void choice_add(struct choice *choice, const uint8_t oui[OUI_SIZE],
		       size_t (*pick)(size_t count))
{
	if (pick(++choice->count) == 0)
		memcpy(choice->oui, oui, OUI_SIZE);
}

int oui_list_choose(const char *file, const char *vendor, size_t (*pick)(size_t count),
		    uint8_t ret[OUI_SIZE], struct error *error)
{
	auto_fclose FILE *list = fopen(file, "re");
	struct choice exact = { 0 }, partial = { 0 };
	struct oui_row row;
	uint8_t oui[OUI_SIZE];

	if (!list)
		return error_set(error, errno,
				 "cannot open the list of vendors %s: %s; on Debian the package "
				 "ieee-data has it", file, strerror(errno));
	while (row_read(list, &row)) {
		if (oui_parse(row.field[OUI_ASSIGNMENT], oui) < 0)
			continue; /* the heading, or a longer prefix */
		if (strcasecmp(row.field[OUI_NAME], vendor) == 0)
			choice_add(&exact, oui, pick);
		else if (strcasestr(row.field[OUI_NAME], vendor))
			choice_add(&partial, oui, pick);
	}
	if (ferror(list))
		return error_set_errno(error, EIO, "cannot read %s", file);
	if (!exact.count && !partial.count)
		return error_set(error, ENOENT, "no vendor in %s is called '%s'", file, vendor);
	memcpy(ret, exact.count ? exact.oui : partial.oui, OUI_SIZE);
	return 0;
}
