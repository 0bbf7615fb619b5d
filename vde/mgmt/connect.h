/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/error.h"

/*
 * Connects to the management socket PATH. Returns a descriptor that the caller closes, or a negative
 * errno with a sentence that says what to do. May block while the console's backlog is full.
 */
int mgmt_connect(const char *path, struct error *error);
