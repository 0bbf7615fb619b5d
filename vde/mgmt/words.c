/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names out of the console's tables. A table is two heading rows, the second of dashes, and a row
 * for each entry that starts with its name. In the table of `help` the second column of a menu is
 * `============`.
 */
#include <stdlib.h>

#include "client.h"

#define MENU_MARK "===="

struct words {
	char **list;
	size_t count;
};

void mgmt_words_free(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

/* Appends the first LEN bytes of TEXT; false when memory is short. */
static bool words_add(struct words *w, const char *text, size_t len)
{
	char **list = realloc(w->list, (w->count + 2) * sizeof(*list));

	if (!list)
		return false;
	w->list = list;
	list[w->count + 1] = NULL;
	list[w->count] = strndup(text, len);
	return list[w->count] && ++w->count;
}

static char **table_words(const struct strbuf *table, bool skip_menus)
{
	struct words w = { .list = calloc(1, sizeof(char *)) };
	const char *end = table->data + table->len;
	bool behind_dashes = false, ok = w.list != NULL;

	for (const char *line = table->data; ok && table->len && line < end;
	     line += strlen(line) + 1) {
		size_t len = strcspn(line, " \n");
		const char *second = line + len + strspn(line + len, " ");

		if (!behind_dashes)
			behind_dashes = str_starts(line, "----");
		else if (len && !(skip_menus && str_starts(second, MENU_MARK)))
			ok = words_add(&w, line, len);
	}
	if (ok)
		return w.list;
	mgmt_words_free(w.list);
	return NULL;
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **mgmt_help_words(const struct strbuf *help)
{
	char **words = table_words(help, true);
	size_t count = 0;

	while (words && words[count])
		count++;
	if (count)
		qsort(words, count, sizeof(*words), compare_words);
	return words;
}

char **mgmt_table_words(const struct strbuf *table)
{
	return table_words(table, false);
}
