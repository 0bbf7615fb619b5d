/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util.h"

#include <errno.h>

int str_copy(char *to, size_t size, const char *from)
{
	size_t len = strlen(from);
	size_t kept = MIN(len, size - 1);

	memcpy(to, from, kept);
	to[kept] = '\0';
	return kept == len ? 0 : -ENAMETOOLONG;
}

unsigned str_distance(const char *a, const char *b)
{
	unsigned row[64];
	size_t blen = MIN(strlen(b), ARRAY_SIZE(row) - 1);

	for (size_t j = 0; j <= blen; j++)
		row[j] = (unsigned)j;
	for (unsigned i = 1; *a; a++, i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= blen; j++) {
			unsigned change = diagonal + (*a != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(change, 1 + MIN(diagonal, row[j - 1]));
		}
	}
	return row[blen];
}
