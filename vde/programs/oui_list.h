/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IEEE's list of address prefixes and who has them, as comma-separated values (RFC 4180):
 * `Registry,Assignment,Organization Name,Organization Address`, a quoted field may hold commas, line
 * ends and doubled quotes.
 */
#pragma once

#include <stdio.h>

#include "base/error.h"
#include "mac_address.h"

#define OUI_LIST_FILE "/var/lib/ieee-data/oui.csv"

/*
 * Chooses one of the prefixes of VENDOR in FILE: of those whose name is VENDOR, or if there are
 * none of those whose name contains it, letter case aside. PICK(n) gives a number below n, as
 * random as the choice shall be. -ENOENT when nobody has such a name.
 */
int oui_list_choose(const char *file, const char *vendor, size_t (*pick)(size_t count),
		    uint8_t ret[OUI_SIZE], struct error *error);
