/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Virtual network locators, vnl(7). */
#pragma once

#include "base/error.h"

/* Bytes of the longest locator, and of the first line of a file that holds one. */
#define LOCATOR_MAX 65536

struct locator {
	char *text;       /* owned: the whole locator, after defaults and files were followed */
	char *scheme;     /* owned: "vde" when the text has none */
	const char *args; /* borrowed from text: what stands behind `://` */
};

/*
 * Resolves VNL (NULL is ""): the user's default network for an empty one, the first line of a
 * regular file instead of its path, then the scheme. The caller ends *ret with locator_done().
 * -EPROTONOSUPPORT: no scheme can be called so. -EPERM, -E2BIG, or what reading the file gave.
 */
int locator_resolve(const char *vnl, struct locator *ret, struct error *error);

void locator_done(struct locator *l);
