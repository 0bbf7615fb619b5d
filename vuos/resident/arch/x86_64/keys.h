/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Protection keys for memory (pkeys(7)); keys.c tells how. With WATCH_KEYS only. */
#pragma once

#include "vuos/resident/context.h"

/* A handler of a signal has begun, with F: what the program may not touch, we may not for it. */
void keys_enter(const struct frame *f);

/* F leads into a handler of the program's, which begins with the kernel's rights. */
void keys_handler(struct frame *f);
